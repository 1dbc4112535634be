//! A fault on a page that was swapped. Where it is cached, it is mapped at once, read-only, for the cache holds its frame too; else it
//! is waited for, as a page of an object is. A store goes on from there as a store to any page that others may have: it copies what
//! others have, and gets back what nobody else has.

use super::{NO_MEMORY, Outcome, Page, Refusal, Resolution};
use crate::addr::Level;
use crate::events::Event;
use crate::frames::NoMemory;
use crate::memory::Memory;
use crate::mmu::{Access, Mmu};
use crate::page_source::PageError;
use crate::table::Tables;

impl Page<'_> {
    #[cold]
    pub(super) fn swap_in<M: Mmu>(&self, memory: &Memory<M>, tables: &mut Tables) -> Outcome {
        let (frames, mmu) = (memory.frames(), memory.mmu());
        let slot = self.path.leaf.slot();
        let frame = match memory.swap().page(frames, slot) {
            Ok(frame) => frame,
            Err(PageError::NotYet) => return Outcome::Deferred,
            Err(PageError::NoMemory) => return NO_MEMORY,
            Err(PageError::BeyondEnd | PageError::NoSpace) => return Outcome::Refused(Refusal::BusError),
        };
        let leaf = self.leaf(memory, frame);
        let (table, is_placed) = match self.make_path(memory, tables, Some(leaf)) {
            Ok(path) => path,
            Err(NoMemory) => {
                frames.release(mmu, frame);
                return NO_MEMORY;
            }
        };
        if !is_placed {
            mmu.dmb_ishst();
            mmu.store(table, self.address.index(Level::L3), leaf);
            mmu.dsb_ishst();
            memory.count(Event::Fill);
            memory.swap().release(frames, mmu, slot);
        }
        if self.access != Access::Write {
            return Outcome::Resolved(Resolution::SwappedIn);
        }
        let page = Page {
            path: tables.walk(memory, self.address),
            ..*self
        };
        match page.write(memory, tables) {
            Outcome::Resolved(_) => Outcome::Resolved(Resolution::SwappedIn),
            unresolved => unresolved,
        }
    }
}
