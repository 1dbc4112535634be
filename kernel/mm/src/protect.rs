//! mprotect(2). Fewer rights are gone on return. More are there where the space can see at once that it may have them, by way of its
//! own tables and, to write, in pages that nobody else has; elsewhere the next fault brings them.

use crate::addr::{PageRange, VirtAddr};
use crate::area::Protection;
use crate::frames::NoMemory;
use crate::memory::Memory;
use crate::mmu::Mmu;
use crate::portion::Portion;
use crate::space::{AddressSpace, MapError};

impl AddressSpace {
    /// mprotect(2), to its end.
    ///
    /// # Errors
    /// [`MapError::Invalid`]: the range. [`MapError::NotMapped`], [`MapError::NoMemory`]: as on Linux, what lies before the hole, or before
    /// where memory ran out, has changed.
    pub fn protect<M: Mmu>(
        &mut self,
        memory: &Memory<M>,
        start: VirtAddr,
        len: u64,
        protection: Protection,
    ) -> Result<(), MapError> {
        let range = PageRange::new(start, len).ok_or(MapError::Invalid)?;
        let mut at = range.start();
        while let Some(rest) = PageRange::between(at, range.end()).filter(|rest| !rest.is_empty()) {
            at = self.protect_some(memory, rest, protection, Portion::USUAL)?;
        }
        Ok(())
    }

    /// mprotect(2) of the first part of `range`, which is not empty; where to go on.
    ///
    /// # Errors
    /// Those of [`AddressSpace::protect`], of the first page: nothing has changed.
    pub fn protect_some<M: Mmu>(
        &mut self,
        memory: &Memory<M>,
        range: PageRange,
        protection: Protection,
        most: Portion,
    ) -> Result<VirtAddr, MapError> {
        let end = self.areas.covered_end(self.areas_at_once(range, most));
        let covered = PageRange::between(range.start(), end).filter(|covered| !covered.is_empty());
        let covered = covered.ok_or(MapError::NotMapped)?;
        let takes_rights = self
            .areas
            .overlapping(covered)
            .any(|area| !protection.includes(area.protection));
        let part = self.tables.entries_at_once(memory, covered, most);
        if takes_rights {
            self.tables.make_range_private(memory, part)?;
        }
        let reached = self.protect_areas(part, protection)?;
        let changed = PageRange::between(part.start(), reached).unwrap_or(part);
        let mut has_changed = false;
        for area in self.areas.overlapping(changed) {
            has_changed |= self.tables.set_rights(memory, area, changed);
        }
        if has_changed {
            self.tables.flush(memory);
        }
        Ok(reached)
    }

    /// Gives what is mapped in `range`, which has no hole, that protection; how far that got. [`NoMemory`] if not even one area could
    /// be changed.
    fn protect_areas(&mut self, range: PageRange, protection: Protection) -> Result<VirtAddr, NoMemory> {
        let mut at = range.start();
        while let Some(rest) = PageRange::between(at, range.end()).filter(|rest| !rest.is_empty()) {
            let end = self.areas.find(at).map_or(rest.end(), |area| area.range().end());
            let part = PageRange::between(at, end.min(rest.end())).unwrap_or(rest);
            match self.areas.protect(part, protection) {
                Err(NoMemory) if at == range.start() => return Err(NoMemory),
                Err(NoMemory) => break,
                Ok(()) => at = part.end(),
            }
        }
        Ok(at)
    }
}
