//! A node and the way to the root: what a property means depends on the nodes above, in number of cells, in address
//! translation, in interrupt parent.

use super::PhysRange;
use arrayvec::ArrayString;
use dtoolkit::fdt::FdtNode;
use dtoolkit::{Node, Property};

/// A node with its ancestors.
#[derive(Clone, Copy)]
pub struct Place<'p, 'a> {
    /// The node.
    pub node: FdtNode<'a>,
    /// The node above; `None` for the root.
    pub parent: Option<&'p Place<'p, 'a>>,
}

impl<'p, 'a> Place<'p, 'a> {
    pub fn root(node: FdtNode<'a>) -> Place<'p, 'a> {
        Place { node, parent: None }
    }

    pub fn below(parent: &'p Place<'p, 'a>, node: FdtNode<'a>) -> Place<'p, 'a> {
        Place {
            node,
            parent: Some(parent),
        }
    }

    /// The node and all above it.
    pub fn upwards(&self) -> impl Iterator<Item = Place<'_, 'a>> {
        core::iter::successors(Some(*self), |place| place.parent.copied())
    }

    /// Whether the node is a child of the root with that name, unit address left out.
    pub fn is_top(&self, name: &str) -> bool {
        self.parent.is_some_and(|parent| parent.parent.is_none()) && self.node.name_without_address() == name
    }

    /// Whether the node's parent is the child of the root with that name.
    pub fn is_in(&self, name: &str) -> bool {
        self.parent.is_some_and(|parent| parent.is_top(name))
    }

    /// Whether the path leads to this node. Names without unit address match any.
    pub fn is_at(&self, path: &str) -> bool {
        let Some(path) = path.strip_prefix('/') else {
            return false;
        };
        let mut names = path.rsplit('/');
        let below_root = self.upwards().filter(|place| place.parent.is_some());
        let is_match =
            |node: FdtNode<'a>, name: &str| node.name() == name || node.name_without_address() == name;
        below_root
            .into_iter()
            .all(|place| names.next().is_some_and(|name| is_match(place.node, name)))
            && names.next().is_none()
            && self.parent.is_some()
    }

    /// A property's bytes.
    pub fn bytes(&self, name: &str) -> Option<&'a [u8]> {
        self.node.property(name)?.value_as().ok()
    }

    /// A property of one string.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        let value = self.bytes(name)?;
        core::str::from_utf8(&value[..value.iter().position(|&byte| byte == 0)?]).ok()
    }

    /// A property of several strings.
    pub fn texts(&self, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        let value = self.bytes(name).unwrap_or_default();
        value
            .split_inclusive(|&byte| byte == 0)
            .filter_map(|text| core::str::from_utf8(text.strip_suffix(b"\0")?).ok())
    }

    /// A property of one number, of 4 or of 8 bytes.
    pub fn number(&self, name: &str) -> Option<u64> {
        let value = self.bytes(name)?;
        match value.len() {
            4 => take_cells(&mut { value }, 1),
            8 => take_cells(&mut { value }, 2),
            _ => None,
        }
    }

    /// A property of one cell.
    pub fn cell(&self, name: &str) -> Option<u32> {
        self.bytes(name)
            .filter(|value| value.len() == 4)
            .and_then(|value| cells(value).next())
    }

    /// Whether the device is there and usable: `status`.
    pub fn is_enabled(&self) -> bool {
        self.bytes("status").is_none() || matches!(self.text("status"), Some("okay" | "ok"))
    }

    /// `#address-cells` for the children of this node.
    pub fn address_cells(&self) -> u32 {
        self.cell("#address-cells").unwrap_or(2)
    }

    /// `#size-cells` for the children of this node.
    pub fn size_cells(&self) -> u32 {
        self.cell("#size-cells").unwrap_or(1)
    }

    /// The entries of `reg`, as the bus above counts addresses. `None` in place of entries if the length does not fit.
    pub fn reg(&self) -> Option<impl Iterator<Item = PhysRange> + use<'a>> {
        let parent = self.parent?;
        let (address_cells, size_cells) = (parent.address_cells(), parent.size_cells());
        let mut value = self.bytes("reg")?;
        let entry_len = (address_cells as usize)
            .checked_add(size_cells as usize)?
            .checked_mul(4)?;
        if entry_len == 0 || address_cells > 2 || size_cells > 2 || !value.len().is_multiple_of(entry_len) {
            return None;
        }
        Some(core::iter::from_fn(move || {
            let start = take_cells(&mut value, address_cells)?;
            Some(PhysRange {
                start,
                size: take_cells(&mut value, size_cells)?,
            })
        }))
    }

    /// An entry of `reg` as physical addresses.
    pub fn registers(&self, index: usize) -> Option<PhysRange> {
        self.translate(self.reg()?.nth(index)?)
    }

    /// Addresses of the bus above this node as physical addresses: through the `ranges` of each bus on the way.
    pub fn translate(&self, range: PhysRange) -> Option<PhysRange> {
        self.parent?.translate_below(range)
    }

    /// Addresses of this bus as physical addresses.
    pub fn translate_below(&self, mut range: PhysRange) -> Option<PhysRange> {
        let mut bus = self;
        while let Some(above) = bus.parent {
            range = bus.carry_up(above, range)?;
            bus = above;
        }
        range.start.checked_add(range.size)?;
        Some(range)
    }

    /// Addresses of this bus as addresses of the bus above. A bus without `ranges` is not reachable from there.
    fn carry_up(&self, above: &Place<'_, 'a>, range: PhysRange) -> Option<PhysRange> {
        let mut value = self.bytes("ranges")?;
        if value.is_empty() {
            return Some(range);
        }
        let (child_cells, parent_cells, size_cells) =
            (self.address_cells(), above.address_cells(), self.size_cells());
        if child_cells == 0 || size_cells == 0 {
            return None;
        }
        loop {
            let child = take_cells(&mut value, child_cells)?;
            let parent = take_cells(&mut value, parent_cells)?;
            let len = take_cells(&mut value, size_cells)?;
            let offset = range.start.wrapping_sub(child);
            if range.start >= child && offset < len && range.size <= len - offset {
                return Some(PhysRange {
                    start: parent.checked_add(offset)?,
                    size: range.size,
                });
            }
        }
    }

    /// The interrupt controller that the node's `interrupts` go to, as a phandle.
    pub fn interrupt_parent(&self) -> Option<u32> {
        self.upwards().find_map(|place| place.cell("interrupt-parent"))
    }

    /// What other nodes call this one.
    pub fn phandle(&self) -> Option<u32> {
        self.cell("phandle").or_else(|| self.cell("linux,phandle"))
    }
}

/// The cells of a property; a rest that is no whole cell is left out.
pub fn cells(value: &[u8]) -> impl Iterator<Item = u32> + use<'_> {
    value
        .as_chunks::<4>()
        .0
        .iter()
        .map(|cell| u32::from_be_bytes(*cell))
}

/// Takes a number of 0, 1 or 2 cells from the front. More are no address of this machine: `None`.
fn take_cells(value: &mut &[u8], count: u32) -> Option<u64> {
    if count > 2 {
        return None;
    }
    let mut number = 0;
    for _ in 0..count {
        let (cell, rest) = value.split_first_chunk::<4>()?;
        number = number << 32 | u32::from_be_bytes(*cell) as u64;
        *value = rest;
    }
    Some(number)
}

/// Text up to the NUL, or to the first byte that is not UTF-8.
pub fn valid_text(bytes: &[u8]) -> &str {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    bytes[..end]
        .utf8_chunks()
        .next()
        .map_or("", |chunk| chunk.valid())
}

/// As much of the text as fits.
pub fn cut<const N: usize>(text: &str) -> ArrayString<N> {
    let mut end = text.len().min(N);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    ArrayString::from(&text[..end]).unwrap_or_default()
}
