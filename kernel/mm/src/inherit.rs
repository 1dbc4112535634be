//! What a child does not inherit: areas that its parent has told fork to leave out, pages that it has told fork to wipe
//! (MADV_DONTFORK, MADV_WIPEONFORK), and locks (mlock(2)).
//!
//! Fork itself shares all tables and knows nothing of this ([`crate::fork`]); a space in which such advice was ever given says so
//! by one flag. Only then the child, before it runs, is gone through area by area, and what it must not have is dropped like by
//! munmap(2): tables that it still shares are made its own at the ends of a range, or left whole. The parent keeps what it has.

use crate::addr::{PageRange, VirtAddr};
use crate::area::{Area, AreaFlags};
use crate::memory::Memory;
use crate::mmu::Mmu;
use crate::space::{AddressSpace, MapError};

/// Areas looked at under one hold of the child's lock.
const AREAS_AT_ONCE: usize = 64;

/// What fork has to look for, in one word: whether an area may have a flag that says so (bit 0), and how many mappings are on their
/// way to other addresses (the others).
#[derive(Clone, Copy, Default)]
pub(crate) struct ForkAdvice(u32);

impl ForkAdvice {
    const ONE_MOVE: u32 = 2;

    /// An area has such a flag.
    pub(crate) fn note_area(&mut self) {
        self.0 |= 1;
    }

    /// A mapping begins to move.
    pub(crate) fn begin_move(&mut self) {
        self.0 += Self::ONE_MOVE;
    }

    /// It has moved.
    pub(crate) fn end_move(&mut self) {
        self.0 -= Self::ONE_MOVE;
    }

    fn has_moves(self) -> bool {
        self.0 >= Self::ONE_MOVE
    }
}

impl AddressSpace {
    /// Whether some mapping is on its way to another address. A child that was forked meanwhile is to be given up: it has one half here,
    /// one half there.
    pub fn is_moving(&self) -> bool {
        self.fork_advice.has_moves()
    }

    /// Whether a mapping is on its way to `address`, and not there yet: who wants to access it waits.
    pub fn is_moving_to(&self, address: VirtAddr) -> bool {
        let is_reserved = |area: &Area| area.flags.has(AreaFlags::MOVING);
        self.is_moving() && self.areas.find(address).is_some_and(is_reserved)
    }

    /// Whether a child of this space has to be told what it does not inherit ([`AddressSpace::drop_uninherited`]).
    #[inline]
    pub fn has_fork_advice(&self) -> bool {
        self.fork_advice.0 != 0
    }

    /// Sets `flags` for the pages of `range`, a part of one area, instead of those that were said before.
    ///
    /// # Errors
    /// [`MapError::NotMapped`]: the range is no part of one area. [`MapError::NoMemory`]: nothing has changed.
    pub fn set_flags<M: Mmu>(
        &mut self,
        memory: &Memory<M>,
        range: PageRange,
        flags: AreaFlags,
    ) -> Result<(), MapError> {
        let area = self.areas.find(range.start());
        area.filter(|area| range.end() <= area.range().end())
            .ok_or(MapError::NotMapped)?;
        self.areas.set_flags(range, flags)?;
        if flags.has(AreaFlags::AT_FORK) {
            self.fork_advice.note_area();
        }
        self.begin_locking(memory, flags);
        if self.is_locking && self.areas.sums().locked == 0 {
            self.end_locking(memory);
        }
        Ok(())
    }

    /// An area has `flags`: if they lock it, the tables that this space shares with others are evicted from by nobody.
    pub(crate) fn begin_locking<M: Mmu>(&mut self, memory: &Memory<M>, flags: AreaFlags) {
        if flags.has(AreaFlags::LOCKED) && !self.is_locking {
            self.is_locking = true;
            memory.note_locking();
        }
    }

    /// No area is locked any more.
    #[inline]
    pub(crate) fn end_locking<M: Mmu>(&mut self, memory: &Memory<M>) {
        if core::mem::take(&mut self.is_locking) {
            memory.note_no_longer_locking();
        }
    }

    /// For a child that has not run yet: drops what it does not inherit from address `from` on, at most one area. Returns where to go on;
    /// `None`: nothing is left to do.
    ///
    /// # Errors
    /// [`MapError::NoMemory`]: the child cannot be used.
    pub fn drop_uninherited<M: Mmu>(
        &mut self,
        memory: &Memory<M>,
        from: VirtAddr,
    ) -> Result<Option<VirtAddr>, MapError> {
        let mut next = None;
        for area in self.areas.iter_from(from).take(AREAS_AT_ONCE) {
            let (range, flags) = (area.range(), area.flags);
            next = Some(range.end());
            if flags.has(AreaFlags::AT_FORK) {
                if flags.has(AreaFlags::DONT_FORK) {
                    self.unmap(memory, range.start(), range.len())?;
                } else {
                    if flags.has(AreaFlags::WIPE_ON_FORK) {
                        self.discard(memory, range.start(), range.len())?;
                    }
                    self.areas.set_flags(range, flags.without(AreaFlags::LOCK))?;
                }
                // No flush: it never ran. But the processor that will run it is perhaps another one.
                memory.dsb_ishst();
                break;
            }
        }
        Ok(next)
    }
}
