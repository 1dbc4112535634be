//! mremap(2): grow or shrink a mapping where it is, or move it with its pages, leaving nothing or an empty mapping behind.

use crate::addr::{PAGE_SIZE, PageRange, VirtAddr};
use crate::area::{Area, AreaFlags, Backing};
use crate::memory::Memory;
use crate::mmu::Mmu;
use crate::space::{AddressSpace, MapError, Placement};

/// Where a mapping may go when it grows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RemapPlacement {
    /// Only where it is.
    InPlace,
    /// Anywhere, if it cannot grow where it is (MREMAP_MAYMOVE).
    MayMove,
    /// To this address, in place of whatever is there (MREMAP_FIXED).
    Fixed(VirtAddr),
    /// There with its length; the old range stays mapped, without pages and locks (MREMAP_DONTUNMAP).
    Leaving(Placement),
}

impl AddressSpace {
    /// Makes the mapping of `old_len` bytes at `old` one of `new_len` bytes; returns where it is then. The old range must lie
    /// in one area ([`MapError::NotMapped`]).
    pub fn remap<M: Mmu>(
        &mut self,
        memory: &Memory<M>,
        old: VirtAddr,
        old_len: u64,
        new_len: u64,
        placement: RemapPlacement,
    ) -> Result<VirtAddr, MapError> {
        let from = PageRange::new(old, old_len)
            .filter(|r| !r.is_empty())
            .ok_or(MapError::Invalid)?;
        let new_len = new_len
            .checked_next_multiple_of(PAGE_SIZE as u64)
            .ok_or(MapError::Invalid)?;
        let to = PageRange::new(old, new_len).filter(|r| !r.is_empty());
        let area = self
            .areas
            .find(old)
            .filter(|area| from.end() <= area.range().end());
        let area = area.cloned().ok_or(MapError::NotMapped)?;
        match placement {
            RemapPlacement::Fixed(target) => {
                return self.move_mapping(memory, &area, from, new_len, Placement::Fixed(target), false);
            }
            RemapPlacement::Leaving(target) if new_len == from.len() => {
                return self.move_mapping(memory, &area, from, new_len, target, true);
            }
            RemapPlacement::Leaving(_) => return Err(MapError::Invalid),
            RemapPlacement::InPlace | RemapPlacement::MayMove => {}
        }
        let to = to.ok_or(MapError::NoMemory)?;
        if to.len() <= from.len() {
            self.drop_tail(memory, from, to)?;
            return Ok(old);
        }
        let more = PageRange::between(from.end(), to.end()).ok_or(MapError::Invalid)?;
        if from.end() == area.range().end() && self.areas.is_free(more) {
            self.areas.insert(extension(&area, more))?;
            return Ok(old);
        }
        if placement == RemapPlacement::InPlace {
            return Err(MapError::NoMemory);
        }
        self.move_mapping(memory, &area, from, new_len, Placement::Hint(VirtAddr(0)), false)
    }

    /// Unmaps what `from` has beyond `to`, which begins at the same address.
    fn drop_tail<M: Mmu>(
        &mut self,
        memory: &Memory<M>,
        from: PageRange,
        to: PageRange,
    ) -> Result<(), MapError> {
        let tail = from.len() - to.len();
        if tail == 0 {
            Ok(())
        } else {
            self.unmap(memory, to.end(), tail)
        }
    }

    fn move_mapping<M: Mmu>(
        &mut self,
        memory: &Memory<M>,
        area: &Area,
        from: PageRange,
        new_len: u64,
        placement: Placement,
        is_left: bool,
    ) -> Result<VirtAddr, MapError> {
        if let Placement::Fixed(target) = placement {
            let target = PageRange::new(target, new_len).ok_or(MapError::Invalid)?;
            if target.is_empty() || target.overlaps(from) {
                return Err(MapError::Invalid);
            }
        }
        // So that the unmap at the end cannot run out of memory.
        self.tables.make_edges_private(memory, from)?;
        let to = self.place(memory, placement, new_len)?;
        let kept = PageRange::new(from.start(), from.len().min(to.len())).ok_or(MapError::Invalid)?;
        let mut areas = self.areas.clone();
        if is_left {
            areas.set_flags(from, area.flags.without(AreaFlags::LOCK))?;
        } else {
            areas.remove(from)?;
        }
        areas.insert(moved(area, from, to))?;
        self.tables.move_range(memory, kept, to.start())?;
        self.areas = areas;
        self.tables.clear_range(memory, from)?;
        Ok(to.start())
    }
}

/// The continuation of `area` over `more`, which begins where it ends.
fn extension(area: &Area, more: PageRange) -> Area {
    moved(area, more, more)
}

/// `area`'s part from `from` on, as an area over `to`.
fn moved(area: &Area, from: PageRange, to: PageRange) -> Area {
    let mut copy = area.clone();
    if let (Backing::Source { first, .. }, Some((_, index))) =
        (&mut copy.backing, area.source_page(from.start()))
    {
        *first = index;
    }
    copy.range = to;
    copy
}
