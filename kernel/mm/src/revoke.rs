//! The way from an object to its mappings: pages that a file has lost (truncate(2), punched holes) are taken from every space
//! that maps them.
//!
//! The object's owner sees to it that faults get no such page any more, and asks every space there is, one after the other. It
//! holds the pages until then, so that a store to private memory copies them. Meanwhile no page may get from a space that was not asked yet to one that was, nor to a lower address: whoever forks or
//! moves a mapping then waits for the end (the kernel's `sched::space::mappings`). So fork does nothing for this. A shared table is made
//! private as for munmap(2); its other sharers lose the page when they are asked (I3).

use crate::addr::{PAGE_SHIFT, PageRange, VirtAddr};
use crate::area::{Area, Backing, Sharing};
use crate::frames::NoMemory;
use crate::memory::Memory;
use crate::mmu::Mmu;
use crate::space::AddressSpace;
use core::ops::Range;

/// Pages that an object has lost.
#[derive(Clone, Debug)]
pub struct Revocation {
    /// The object ([`PageSource::object`](crate::PageSource::object)).
    pub object: usize,
    /// Which of its pages.
    pub pages: Range<u64>,
    /// Private copies of the pages go as well: the object has become shorter. A hole leaves them.
    pub takes_copies: bool,
}

/// How far [`AddressSpace::revoke`] came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Revoked {
    /// The space maps none of the pages.
    All,
    /// The space maps none of them below the address.
    UpTo(VirtAddr),
}

/// Pages that are taken from one space one by one under one hold of its lock.
const MOST_PAGES: usize = 16;

impl AddressSpace {
    /// Takes the pages away from where they are mapped, from address `from` on: looks at `most` areas, or clears part of one.
    ///
    /// # Errors
    /// [`NoMemory`]: a table could not be made private; some pages may be gone.
    pub fn revoke<M: Mmu>(
        &mut self,
        memory: &Memory<M>,
        what: &Revocation,
        from: VirtAddr,
        most: usize,
    ) -> Result<Revoked, NoMemory> {
        let mut next = None;
        let mut found = None;
        for area in self.areas.iter_from(from).take(most) {
            next = Some(area.range().end());
            found = what.part_of(area, from);
            if found.is_some() {
                break;
            }
        }
        let Some((range, sharing)) = found else {
            return Ok(next.map_or(Revoked::All, Revoked::UpTo));
        };
        let reached = if sharing == Sharing::Shared || what.takes_copies {
            self.tables.clear_range(memory, range).map(|()| range.end())
        } else {
            self.revoke_originals(memory, range)
        };
        if !self.tables.tag.has_run() {
            // No flush was needed. But the processor that will run it is perhaps another one.
            memory.dsb_ishst();
        }
        reached.map(Revoked::UpTo)
    }

    /// Clears the first of the pages in `range`, part of a private area, that are the object's own; returns where to go on.
    fn revoke_originals<M: Mmu>(
        &mut self,
        memory: &Memory<M>,
        range: PageRange,
    ) -> Result<VirtAddr, NoMemory> {
        let mut originals = [None; MOST_PAGES];
        let mut count = 0;
        let looked_at = self.visit_pages(memory, range, |page| {
            if page.is_of_object {
                if let Some(place) = originals.get_mut(count) {
                    *place = Some(page.address);
                }
                count += 1;
            }
        });
        let mut last = range.start();
        for page in originals.into_iter().flatten() {
            last = VirtAddr(page.0 + (1 << PAGE_SHIFT));
            let page = PageRange::between(page, last).unwrap_or(range);
            self.tables.clear_range(memory, page)?;
        }
        Ok(if count > MOST_PAGES { last } else { looked_at })
    }
}

impl Revocation {
    /// Where, from `from` on, the area shows such pages; and whether it shares them.
    fn part_of(&self, area: &Area, from: VirtAddr) -> Option<(PageRange, Sharing)> {
        let Backing::Source { source, first } = &area.backing else {
            return None;
        };
        if source.object() != self.object {
            return None;
        }
        let address_of = |page: u64| {
            let pages = page.saturating_sub(*first).min(area.range().pages());
            VirtAddr(area.range().start().0 + (pages << PAGE_SHIFT))
        };
        let start = address_of(self.pages.start).max(from);
        let range = PageRange::between(start, address_of(self.pages.end))?;
        (!range.is_empty()).then_some((range, area.sharing))
    }
}
