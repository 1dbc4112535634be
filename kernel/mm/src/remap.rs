//! mremap(2): grow or shrink a mapping where it is, or move it with its pages, leaving nothing or an empty mapping behind.

use crate::addr::{PAGE_SIZE, PageRange, VirtAddr};
use crate::area::{Area, AreaFlags};
use crate::memory::Memory;
use crate::mmu::Mmu;
use crate::portion::Portion;
use crate::relocation::{Left, Move};
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

/// What became of a call of mremap.
#[must_use]
pub enum Remapped {
    /// It is done; where the mapping is.
    Done(VirtAddr),
    /// Its pages are too many to move at once.
    Moving(Move),
}

impl AddressSpace {
    /// [`AddressSpace::begin_remap`] of what is done at once, and else its end.
    ///
    /// # Errors
    /// Those of [`AddressSpace::begin_remap`]; out of memory in the middle, the mapping stays where its parts are.
    pub fn remap<M: Mmu>(
        &mut self,
        memory: &Memory<M>,
        old: VirtAddr,
        old_len: u64,
        new_len: u64,
        placement: RemapPlacement,
    ) -> Result<VirtAddr, MapError> {
        match self.begin_remap(memory, old, old_len, new_len, placement, Portion::USUAL)? {
            Remapped::Done(start) => Ok(start),
            Remapped::Moving(mut moving) => loop {
                match self.move_some(memory, &mut moving, Portion::USUAL) {
                    Ok(true) => return Ok(moving.target()),
                    Ok(false) => {}
                    Err(error) => {
                        self.give_up_move(moving);
                        return Err(error);
                    }
                }
            },
        }
    }

    /// Makes the mapping of `old_len` bytes at `old` one of `new_len` bytes; returns where it is then, or what remains to be done.
    ///
    /// # Errors
    /// [`MapError::NotMapped`]: the old range does not lie in one area. [`MapError::Invalid`]: a range or a target that cannot be.
    /// [`MapError::NoMemory`]: no memory, or no room; of all that could be seen, what was at a fixed target may be gone.
    pub fn begin_remap<M: Mmu>(
        &mut self,
        memory: &Memory<M>,
        old: VirtAddr,
        old_len: u64,
        new_len: u64,
        placement: RemapPlacement,
        most: Portion,
    ) -> Result<Remapped, MapError> {
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
            .filter(|area| from.end() <= area.range().end() && !area.flags.has(AreaFlags::MOVING));
        let area = area.cloned().ok_or(MapError::NotMapped)?;
        let (placement, left) = match placement {
            RemapPlacement::Fixed(target) => (Placement::Fixed(target), Left::Nothing),
            RemapPlacement::Leaving(target) if new_len == from.len() => (target, Left::Mapping),
            RemapPlacement::Leaving(_) => return Err(MapError::Invalid),
            RemapPlacement::InPlace | RemapPlacement::MayMove => {
                let to = to.ok_or(MapError::NoMemory)?;
                if self.resize(memory, &area, from, to)? {
                    return Ok(Remapped::Done(old));
                }
                if placement == RemapPlacement::InPlace {
                    return Err(MapError::NoMemory);
                }
                (Placement::Hint(VirtAddr(0)), Left::Nothing)
            }
        };
        let to = self.free_target(memory, from, new_len, placement)?;
        let kept = PageRange::new(from.start(), from.len().min(to.len())).ok_or(MapError::Invalid)?;
        if self.tables.moved_at_once(memory, kept, to.start(), most) == kept {
            self.move_piece(memory, &area, from, to, left)?;
            return Ok(Remapped::Done(to.start()));
        }
        Ok(Remapped::Moving(self.begin_move(area, from, to, left)?))
    }

    /// Makes `from`, which `area` covers, `to` where it is; false if it would have to move.
    fn resize<M: Mmu>(
        &mut self,
        memory: &Memory<M>,
        area: &Area,
        from: PageRange,
        to: PageRange,
    ) -> Result<bool, MapError> {
        if to.len() <= from.len() {
            self.drop_tail(memory, from, to)?;
            return Ok(true);
        }
        let more = PageRange::between(from.end(), to.end()).ok_or(MapError::Invalid)?;
        let has_room = from.end() == area.range().end() && self.areas.is_free(more);
        if has_room {
            self.areas.insert(area.moved(more, more))?;
        }
        Ok(has_room)
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

    /// Where `from` is to go; nothing is there any more.
    fn free_target<M: Mmu>(
        &mut self,
        memory: &Memory<M>,
        from: PageRange,
        new_len: u64,
        placement: Placement,
    ) -> Result<PageRange, MapError> {
        if let Placement::Fixed(target) = placement {
            let target = PageRange::new(target, new_len).ok_or(MapError::Invalid)?;
            if target.is_empty() || target.overlaps(from) {
                return Err(MapError::Invalid);
            }
        }
        // Before anything is unmapped there.
        self.tables.make_edges_private(memory, from)?;
        self.place(memory, placement, new_len)
    }
}
