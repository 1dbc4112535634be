//! All areas of a space: a tree of small nodes behind `Arc`s. Fork shares it in O(1), the first edit after that copies the
//! O(log n) nodes on its way, and every edit may fail for want of memory; nothing has changed then (I7).

mod leaf;
mod node;
mod splice;
#[cfg(test)]
mod tests;

use crate::addr::{PageRange, USER_END, VirtAddr};
use crate::area::{Area, AreaFlags, Protection};
use crate::frames::NoMemory;
use alloc::sync::Arc;
use alloc::vec::Vec;
use leaf::{find_here, find_in_leaf, insert_into_leaf};
pub use node::Sums;
use node::{Kind, KindMut, Node, first_area_ending_after, first_child_ending_after};

/// Leaves that [`AreaMap::drop_some`] drops at a time.
const DROPPED_AT_ONCE: usize = 16;

/// Bits of a place for each level of the tree.
const PLACE_BITS: u32 = node::MOST.next_power_of_two().trailing_zeros();

/// All areas of a space, sorted, without overlaps.
#[derive(Clone, Default)]
pub struct AreaMap {
    root: Option<Arc<Node>>,
}

/// The place of an area in its leaf.
#[derive(Clone, Copy)]
pub(crate) struct First(usize);

impl First {
    /// Of an area that is to be looked for.
    pub(crate) const UNKNOWN: First = First(usize::MAX);
}

/// Areas in ascending order.
pub struct Iter<'a> {
    root: Option<&'a Node>,
    /// What is left of the present leaf.
    leaf: &'a [Area],
    /// Where the next leaf's areas end above.
    next: VirtAddr,
}

impl<'a> Iterator for Iter<'a> {
    type Item = &'a Area;

    #[inline]
    fn next(&mut self) -> Option<&'a Area> {
        if self.leaf.is_empty() {
            let (leaf, index) = self.root?.first_ending_after(self.next)?;
            self.leaf = &leaf[index..];
        }
        let (area, left) = self.leaf.split_first()?;
        self.leaf = left;
        self.next = area.range.end();
        Some(area)
    }
}

impl AreaMap {
    /// The areas from the lowest address on.
    pub fn iter(&self) -> Iter<'_> {
        self.iter_from(VirtAddr(0))
    }

    /// The areas that end above `address`, lowest first.
    #[inline]
    pub fn iter_from(&self, address: VirtAddr) -> Iter<'_> {
        Iter {
            root: self.root.as_deref(),
            leaf: &[],
            next: address,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.root.as_ref().map_or(0, |root| root.areas())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What all of them amount to; O(1), the nodes keep it.
    pub fn sums(&self) -> Sums {
        self.root.as_ref().map_or(Sums::default(), |root| root.sums())
    }

    #[inline]
    fn first_ending_after(&self, address: VirtAddr) -> Option<&Area> {
        let (leaf, index) = self.root.as_ref()?.first_ending_after(address)?;
        leaf.get(index)
    }

    /// The area that holds `address`.
    #[inline]
    pub fn find(&self, address: VirtAddr) -> Option<&Area> {
        self.first_ending_after(address)
            .filter(|area| area.range.contains(address))
    }

    /// The area that holds `address`, and its place in the tree; `guess` is a place where it is likely to be, unless the tree is one
    /// leaf: then [`AreaMap::find_at`] has looked there.
    #[inline]
    pub(crate) fn find_near(&self, guess: usize, address: VirtAddr) -> Option<(usize, &Area)> {
        let root = self.root.as_deref()?;
        match root.kind() {
            Kind::Leaf(areas) => find_here(areas, first_area_ending_after(areas, address), address),
            Kind::Branch(_) => find_below(root, guess, address),
        }
    }

    /// [`AreaMap::find_near`] for a tree of one leaf and a guess that is right, as nearly always.
    #[inline]
    pub(crate) fn find_at(&self, guess: usize, address: VirtAddr) -> Option<&Area> {
        let (_, area) = find_here(&self.root.as_ref()?.areas, guess, address)?;
        Some(area)
    }

    /// The first area that overlaps `range`, for [`AreaMap::remove`]; `None`: the range is free.
    #[inline]
    pub(crate) fn first_overlapping(&self, range: PageRange) -> Option<First> {
        let (leaf, index) = self.root.as_ref()?.first_ending_after(range.start())?;
        let is_inside = leaf[index].range.start() < range.end() && !range.is_empty();
        is_inside.then_some(First(index))
    }

    /// Whether no page of `range` belongs to an area.
    pub fn is_free(&self, range: PageRange) -> bool {
        let next = self.first_ending_after(range.start());
        range.is_empty() || next.is_none_or(|area| area.range.start() >= range.end())
    }

    /// The areas that overlap `range`, lowest first.
    pub fn overlapping(&self, range: PageRange) -> impl Iterator<Item = &Area> {
        self.iter_from(range.start())
            .take_while(move |area| area.range.start() < range.end() && !range.is_empty())
    }

    /// Whether every page of `range` belongs to some area.
    pub fn covers(&self, range: PageRange) -> bool {
        self.covered_end(range) == range.end()
    }

    /// Where the first hole in `range` begins; its end if there is none.
    pub fn covered_end(&self, range: PageRange) -> VirtAddr {
        let mut at = range.start();
        for area in self.overlapping(range) {
            if area.range.start() > at {
                return at;
            }
            at = area.range.end().min(range.end());
        }
        at
    }

    /// The last area that ends at or below `address`.
    pub fn next_below(&self, address: VirtAddr) -> Option<&Area> {
        self.root.as_ref()?.last_ending_at_or_below(address)
    }

    /// The highest gap of `len` bytes (whole pages) that ends at or below `below` and begins at or above `above`.
    /// With it the place that an area there would have, for [`AreaMap::insert_at`].
    #[inline(always)]
    pub(crate) fn gap_below(&self, below: VirtAddr, len: u64, above: VirtAddr) -> Option<(PageRange, First)> {
        let (mut end, mut place) = (below.min(VirtAddr(USER_END)), First::UNKNOWN);
        if let Some(root) = self.root.as_deref() {
            match root.kind() {
                Kind::Leaf(areas) => place = First(node::find_gap_in_leaf(areas, &mut end, len)),
                Kind::Branch(_) => {
                    root.find_gap_below(&mut end, len);
                }
            }
        }
        let start = VirtAddr(end.0.checked_sub(len)?);
        let range = (start >= above).then(|| PageRange::new(start, len)).flatten()?;
        Some((range, place))
    }

    /// Adds an area where there is none, joined with its neighbours where they are the same.
    pub(crate) fn insert(&mut self, area: Area) -> Result<(), NoMemory> {
        self.insert_at(First::UNKNOWN, area)
    }

    /// [`AreaMap::insert`]; `place` is where it is likely to belong.
    #[inline(always)]
    pub(crate) fn insert_at(&mut self, place: First, area: Area) -> Result<(), NoMemory> {
        debug_assert!(self.is_free(area.range), "areas: {:?} overlaps", area.range);
        if let Some(areas) = self.only_leaf().filter(|areas| areas.len() < node::MOST) {
            return insert_into_leaf(areas, place.0, area);
        }
        self.insert_into_tree(area)
    }

    #[inline(never)]
    fn insert_into_tree(&mut self, area: Area) -> Result<(), NoMemory> {
        if self.root.is_none() {
            self.root = Some(splice::first_leaf(area)?);
            return Ok(());
        }
        let after = self.first_ending_after(area.range.start());
        self.put(
            self.next_below(area.range.start())
                .filter(|before| before.continues_with(&area))
                .cloned(),
            after.filter(|after| area.continues_with(after)).cloned(),
            area,
        )
    }

    /// [`AreaMap::remove`] from a tree of one leaf that nobody shares, where one area goes whole or loses its end; whether that
    /// is so.
    #[inline]
    fn remove_from_only_leaf(&mut self, range: PageRange, first: First) -> bool {
        let Some(areas) = self.only_leaf() else {
            return false;
        };
        let First(at) = first;
        debug_assert_eq!(at, first_area_ending_after(areas, range.start()));
        let is_alone = areas
            .get(at + 1)
            .is_none_or(|next| next.range.start() >= range.end());
        let Some(area) = areas.get_mut(at).filter(|_| is_alone) else {
            return false;
        };
        if area.range.end() > range.end() {
            return false;
        }
        match PageRange::between(area.range.start(), range.start()).filter(|kept| !kept.is_empty()) {
            Some(kept) => area.range = kept,
            None => drop(areas.remove(at)),
        }
        true
    }

    /// The areas of a tree of one leaf that nobody shares.
    #[inline]
    fn only_leaf(&mut self) -> Option<&mut Vec<Area>> {
        match Arc::get_mut(self.root.as_mut()?)?.kind_mut() {
            KindMut::Leaf(areas) => Some(areas),
            KindMut::Branch(_) => None,
        }
    }

    /// Gives what lies in `range`, a part of one area, another protection; joined with its neighbours where they are the same
    /// then.
    pub(crate) fn protect(&mut self, range: PageRange, protection: Protection) -> Result<(), NoMemory> {
        let Some(old) = self
            .find(range.start())
            .filter(|old| old.protection != protection)
        else {
            return Ok(());
        };
        let mut area = old.part(range);
        area.protection = protection;
        self.replace(area)
    }

    /// Gives what lies in `range`, a part of one area, other flags; joined as by [`AreaMap::protect`].
    pub(crate) fn set_flags(&mut self, range: PageRange, flags: AreaFlags) -> Result<(), NoMemory> {
        let Some(old) = self.find(range.start()).filter(|old| old.flags != flags) else {
            return Ok(());
        };
        let mut area = old.part(range);
        area.flags = flags;
        self.replace(area)
    }

    /// Puts `area` in the place of a part of one area; joined with its neighbours where they are the same.
    pub(crate) fn replace(&mut self, area: Area) -> Result<(), NoMemory> {
        self.put(
            self.next_below(area.range.start())
                .filter(|before| before.continues_with(&area))
                .cloned(),
            self.find(area.range.end())
                .filter(|after| area.continues_with(after))
                .cloned(),
            area,
        )
    }

    /// Puts `area` in the place of what is in its range, as one with what it continues and what continues it.
    fn put(&mut self, before: Option<Area>, after: Option<Area>, area: Area) -> Result<(), NoMemory> {
        let mut whole = area;
        if let Some(mut before) = before {
            before.range = before.range.joined(whole.range);
            whole = before;
        }
        if let Some(after) = after {
            whole.range = whole.range.joined(after.range);
        }
        self.splice(whole.range, Some(whole)).map(drop)
    }

    /// Takes `range` out of the map; areas partly inside are split. What it was before is returned if it has far more areas: it
    /// takes time to drop ([`AreaMap::drop_some`]).
    pub(crate) fn remove(&mut self, range: PageRange) -> Result<Option<AreaMap>, NoMemory> {
        match self.first_overlapping(range) {
            Some(first) => self.remove_from(first, range),
            None => Ok(None),
        }
    }

    /// [`AreaMap::remove`]; `first` is what [`AreaMap::first_overlapping`] said, and nothing has changed since.
    #[inline]
    pub(crate) fn remove_from(
        &mut self,
        first: First,
        range: PageRange,
    ) -> Result<Option<AreaMap>, NoMemory> {
        if self.remove_from_only_leaf(range, first) {
            return Ok(None);
        }
        self.splice(range, None)
    }

    /// Changes the area that begins at `start` to begin at `lower` instead (stack growth).
    pub(crate) fn grow_down(&mut self, start: VirtAddr, lower: VirtAddr) -> Result<(), NoMemory> {
        let Some(mut area) = self.find(start).cloned() else {
            return Ok(());
        };
        area.range = PageRange::between(lower, area.range.end()).unwrap_or(area.range);
        self.splice(area.range, Some(area)).map(drop)
    }

    fn splice(&mut self, range: PageRange, mut new: Option<Area>) -> Result<Option<AreaMap>, NoMemory> {
        if let Some(root) = &mut self.root
            && !(new.is_none() && splice::is_loose(root))
            && splice::in_place(root, range, &mut new, 0, node::MOST)?
        {
            return Ok(None);
        }
        let built = splice::rebuilt_root(self.root.as_deref(), range, new)?;
        let old = AreaMap {
            root: core::mem::replace(&mut self.root, built),
        };
        let gone = old.len() - self.len().min(old.len());
        Ok((gone > node::MOST).then_some(old))
    }

    /// Drops some of the areas that nobody else has; whether there are more.
    pub(crate) fn drop_some(&mut self) -> bool {
        for _ in 0..DROPPED_AT_ONCE {
            if !self.root.as_mut().is_some_and(drop_leaf) {
                self.root = None;
                return false;
            }
        }
        true
    }
}

/// Drops the last leaf below `node`; `false` if there is none any more that is only its own.
fn drop_leaf(node: &mut Arc<Node>) -> bool {
    let Some(KindMut::Branch(children)) = Arc::get_mut(node).map(Node::kind_mut) else {
        return false;
    };
    let Some(last) = children.last_mut() else {
        return false;
    };
    if !drop_leaf(&mut last.node) {
        children.pop();
    }
    !children.is_empty()
}

/// [`AreaMap::find_near`] in a tree of any number of levels: the root's part of a place is its lowest bits.
fn find_below(mut node: &Node, mut guess: usize, address: VirtAddr) -> Option<(usize, &Area)> {
    let (mut place, mut shift) = (0, 0);
    loop {
        let likely = guess & ((1 << PLACE_BITS) - 1);
        match node.kind() {
            Kind::Leaf(areas) => {
                let (index, area) = find_in_leaf(areas, likely, address)?;
                return Some((place | index << shift, area));
            }
            Kind::Branch(children) => {
                let is_there = children
                    .get(likely)
                    .is_some_and(|child| child.summary.start <= address && address < child.summary.end);
                let index = if is_there {
                    likely
                } else {
                    first_child_ending_after(children, address)
                };
                node = &children.get(index)?.node;
                place |= index << shift;
                shift += PLACE_BITS;
                guess >>= PLACE_BITS;
            }
        }
    }
}
