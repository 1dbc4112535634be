//! A node of the tree of areas, and the ways down from it. All leaves are equally deep.

use crate::addr::{PageRange, VirtAddr};
use crate::area::{Area, AreaFlags};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The most areas of a tree that is one leaf.
pub(super) const MOST: usize = 48;
/// The most areas of another leaf, and the most children of a branch: after a fork the way down is copied, and that takes time for
/// each neighbour on it.
pub(super) const MOST_BELOW: usize = 12;

/// A part of the tree. Others may share it: it is changed only by a sole owner.
/// It is a leaf or a branch. Areas are looked for where a leaf has them before anybody asks which it is: most trees are one leaf.
pub(super) struct Node {
    /// A leaf's areas, sorted, without overlaps; none in a branch.
    pub(super) areas: Vec<Area>,
    /// A branch's nodes, sorted; none in a leaf.
    pub(super) children: Vec<Child>,
}

/// What a node is.
pub(super) enum Kind<'a> {
    /// Areas.
    Leaf(&'a [Area]),
    /// Nodes, one at least.
    Branch(&'a [Child]),
}

/// As [`Kind`], for a change.
pub(super) enum KindMut<'a> {
    Leaf(&'a mut Vec<Area>),
    Branch(&'a mut Vec<Child>),
}

/// A node that is not empty, and what is to be known of it without looking into it.
#[derive(Clone)]
pub(super) struct Child {
    pub(super) node: Arc<Node>,
    pub(super) summary: Summary,
}

/// What a node holds.
#[derive(Clone, Copy)]
pub(super) struct Summary {
    /// Where its first area begins.
    pub(super) start: VirtAddr,
    /// Where its last area ends.
    pub(super) end: VirtAddr,
    /// The most bytes between two of its areas.
    pub(super) widest_gap: u64,
    /// Areas.
    pub(super) areas: usize,
    pub(super) sums: Sums,
}

/// What areas amount to, in bytes.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Sums {
    /// All of them.
    pub bytes: u64,
    /// Private memory that may be written, but for stacks: what RLIMIT_DATA limits.
    pub data: u64,
    /// Locked memory.
    pub locked: u64,
}

impl Sums {
    #[inline]
    fn of(area: &Area) -> Sums {
        let bytes = area.range.len();
        let only_if = |is_such: bool| if is_such { bytes } else { 0 };
        Sums {
            bytes,
            data: only_if(area.is_data()),
            locked: only_if(area.flags.has(AreaFlags::LOCKED)),
        }
    }

    #[inline]
    fn plus(self, other: Sums) -> Sums {
        Sums {
            bytes: self.bytes + other.bytes,
            data: self.data + other.data,
            locked: self.locked + other.locked,
        }
    }
}

impl Summary {
    #[inline]
    fn of_area(area: &Area) -> Summary {
        Summary {
            start: area.range.start(),
            end: area.range.end(),
            widest_gap: 0,
            areas: 1,
            sums: Sums::of(area),
        }
    }

    /// Takes in `next`, which lies behind it.
    #[inline]
    fn add(&mut self, next: &Summary) {
        let gap = next.start.0 - self.end.0;
        self.widest_gap = self.widest_gap.max(next.widest_gap).max(gap);
        self.end = next.end;
        self.areas += next.areas;
        self.sums = self.sums.plus(next.sums);
    }
}

impl Node {
    /// A node of those areas.
    pub(super) const fn leaf(areas: Vec<Area>) -> Node {
        Node {
            areas,
            children: Vec::new(),
        }
    }

    /// A node above those, of which there is one at least.
    pub(super) const fn branch(children: Vec<Child>) -> Node {
        Node {
            areas: Vec::new(),
            children,
        }
    }

    /// What it is.
    #[inline]
    pub(super) fn kind(&self) -> Kind<'_> {
        if self.children.is_empty() {
            Kind::Leaf(&self.areas)
        } else {
            Kind::Branch(&self.children)
        }
    }

    /// What it is, for a change.
    #[inline]
    pub(super) fn kind_mut(&mut self) -> KindMut<'_> {
        if self.children.is_empty() {
            KindMut::Leaf(&mut self.areas)
        } else {
            KindMut::Branch(&mut self.children)
        }
    }

    /// Areas of a leaf, children of a branch.
    pub(super) fn len(&self) -> usize {
        match self.kind() {
            Kind::Leaf(areas) => areas.len(),
            Kind::Branch(children) => children.len(),
        }
    }

    /// `None`: it is empty.
    pub(super) fn summary(&self) -> Option<Summary> {
        match self.kind() {
            Kind::Leaf(areas) => {
                let (first, more) = areas.split_first()?;
                let mut all = Summary::of_area(first);
                more.iter().for_each(|area| all.add(&Summary::of_area(area)));
                Some(all)
            }
            Kind::Branch(children) => {
                let (first, more) = children.split_first()?;
                let mut all = first.summary;
                more.iter().for_each(|child| all.add(&child.summary));
                Some(all)
            }
        }
    }

    /// Areas.
    pub(super) fn areas(&self) -> usize {
        match self.kind() {
            Kind::Leaf(areas) => areas.len(),
            Kind::Branch(children) => children.iter().map(|child| child.summary.areas).sum(),
        }
    }

    /// What the areas amount to.
    pub(super) fn sums(&self) -> Sums {
        match self.kind() {
            Kind::Leaf(areas) => areas.iter().map(Sums::of).fold(Sums::default(), Sums::plus),
            Kind::Branch(children) => children
                .iter()
                .map(|child| child.summary.sums)
                .fold(Sums::default(), Sums::plus),
        }
    }

    /// The leaf with the first area that ends above `address`, and the area's place there.
    #[inline]
    pub(super) fn first_ending_after(&self, address: VirtAddr) -> Option<(&[Area], usize)> {
        let mut node = self;
        loop {
            match node.kind() {
                Kind::Leaf(areas) => {
                    let index = first_area_ending_after(areas, address);
                    return (index < areas.len()).then_some((areas, index));
                }
                Kind::Branch(children) => {
                    node = &children.get(first_child_ending_after(children, address))?.node;
                }
            }
        }
    }

    /// The last area that ends at or below `address`.
    pub(super) fn last_ending_at_or_below(&self, address: VirtAddr) -> Option<&Area> {
        match self.kind() {
            Kind::Leaf(areas) => {
                let after = first_area_ending_after(areas, address);
                after.checked_sub(1).map(|index| &areas[index])
            }
            Kind::Branch(children) => {
                let after = first_child_ending_after(children, address);
                let inside = children
                    .get(after)
                    .and_then(|child| child.node.last_ending_at_or_below(address));
                inside.or_else(|| {
                    children[after.checked_sub(1)?]
                        .node
                        .last_ending_at_or_below(address)
                })
            }
        }
    }

    /// Goes down the areas until there are `len` free bytes below `end`, which becomes the end of the gap; `false` if that is
    /// below all of them.
    pub(super) fn find_gap_below(&self, end: &mut VirtAddr, len: u64) -> bool {
        match self.kind() {
            Kind::Leaf(areas) => find_gap_in_leaf(areas, end, len) > 0,
            Kind::Branch(children) => children.iter().rev().any(|child| {
                let Summary {
                    start,
                    end: top,
                    widest_gap,
                    ..
                } = child.summary;
                if widest_gap < len && top <= *end || start >= *end {
                    !descends(end, start, top, len)
                } else {
                    (top <= *end && end.0 - top.0 >= len) || child.node.find_gap_below(end, len)
                }
            }),
        }
    }
}

/// [`Node::find_gap_below`] in a leaf; how many of the areas lie below the gap.
#[inline(always)]
pub(super) fn find_gap_in_leaf(areas: &[Area], end: &mut VirtAddr, len: u64) -> usize {
    let mut below = areas.len();
    while let Some(area) = below.checked_sub(1).and_then(|last| areas.get(last)) {
        if !descends(end, area.range.start(), area.range.end(), len) {
            break;
        }
        below -= 1;
    }
    below
}

/// Moves `end` below what lies from `start` to `top`, unless the gap between them is wide enough.
#[inline(always)]
fn descends(end: &mut VirtAddr, start: VirtAddr, top: VirtAddr, len: u64) -> bool {
    if start >= *end {
        return true;
    }
    if top <= *end && end.0 - top.0 >= len {
        return false;
    }
    *end = start;
    true
}

/// Index of the first area whose end lies beyond `address`.
#[inline]
pub(super) fn first_area_ending_after(areas: &[Area], address: VirtAddr) -> usize {
    areas.partition_point(|area| area.range.end() <= address)
}

/// Index of the first child whose end lies beyond `address`.
#[inline]
pub(super) fn first_child_ending_after(children: &[Child], address: VirtAddr) -> usize {
    children.partition_point(|child| child.summary.end <= address)
}

/// One past the last of `areas`, from `first` on, that begins before the end of `range`.
pub(super) fn overlapping_end(areas: &[Area], first: usize, range: PageRange) -> usize {
    let inside = areas[first..]
        .iter()
        .take_while(|area| area.range.start() < range.end());
    first + inside.count()
}
