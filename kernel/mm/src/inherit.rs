//! What a child does not inherit: areas that its parent has told fork to leave out, pages that it has told fork to wipe
//! (MADV_DONTFORK, MADV_WIPEONFORK), and locks (mlock(2)).
//!
//! Fork itself shares all tables and knows nothing of this ([`crate::fork`]); a space in which such advice was ever given says so
//! by one flag. Only then the child, before it runs, is gone through area by area, and what it must not have is dropped like by
//! munmap(2): tables that it still shares are made its own at the ends of a range, or left whole. The parent keeps what it has.

use crate::addr::{PageRange, VirtAddr};
use crate::area::AreaFlags;
use crate::memory::Memory;
use crate::mmu::Mmu;
use crate::space::{AddressSpace, MapError};

/// Areas looked at under one hold of the child's lock.
const AREAS_AT_ONCE: usize = 64;

impl AddressSpace {
    /// Whether a child of this space has to be told what it does not inherit ([`AddressSpace::drop_uninherited`]).
    #[inline]
    pub fn has_fork_advice(&self) -> bool {
        self.has_fork_advice
    }

    /// Sets `flags` for the pages of `range`, a part of one area, instead of those that were said before.
    /// [`MapError::NotMapped`] if the range is no part of one area.
    pub fn set_flags(&mut self, range: PageRange, flags: AreaFlags) -> Result<(), MapError> {
        let area = self.areas.find(range.start());
        area.filter(|area| range.end() <= area.range().end())
            .ok_or(MapError::NotMapped)?;
        self.areas.set_flags(range, flags)?;
        self.has_fork_advice |= flags.has(AreaFlags::AT_FORK);
        Ok(())
    }

    /// For a child that has not run yet: drops what it does not inherit from address `from` on, at most one area. Returns where to go on;
    /// `None`: nothing is left to do. [`MapError::NoMemory`]: the child cannot be used.
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
