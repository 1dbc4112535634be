//! **A page goes out, and comes back.** A page of private memory is taken out of a table and stands in the swap cache from
//! then on, by the order "a page that goes out" of `mmu`: its descriptor is replaced by one that names a slot; then no TLB knows it
//! any more; then the descriptor's reference is dropped, and the page may be written. A fault brings it back (`fault::swap_in`).
//!
//! A table that several spaces share is visited once for all of them, in its place: that is the one change but for write protection
//! that a shared table sees (I3). Its other sharers read it under their own locks: one that copies the table could count up a frame
//! that is being freed, or put a descriptor back that was broken. So shared tables are touched only while *all others are stopped* outside of all
//! such locks ([`Others::Stopped`]); whoever copies tables pays nothing for it. What is the space's own needs no more than its lock.
//!
//! What a space has locked (mlock(2)) stays, also where it shares the table with one that has not locked it: that one's areas say nothing
//! of it. So shared tables are left alone while any space has locked areas.
//!
//! Every descriptor is replaced by itself: a frame that stands in several tables goes when the last of them has been visited, and
//! all of them name one slot. No descriptor of the frame can be written to meanwhile, for the cache holds the frame as well (I1).

use crate::addr::{Frame, Level, PageRange, VirtAddr};
use crate::area::{Area, AreaFlags, Purpose, Sharing};
use crate::descriptor::Descriptor;
use crate::events::Event;
use crate::memory::Memory;
use crate::mmu::Mmu;
use crate::page_source::PageError;
use crate::portion::behind;
use crate::range::slots;
use crate::space::AddressSpace;
use crate::swap::Slot;

/// What the other processors do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Others {
    /// They may be inside operations on other spaces: tables that are shared are left alone.
    AtWork,
    /// None of them is inside an operation on any space, nor begins one before this one returns.
    Stopped,
}

/// What became of a request to evict pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Evicted {
    /// All below was looked at.
    pub reached: VirtAddr,
    /// Descriptors that were replaced.
    pub pages: usize,
    /// A shared table was left alone, which the others at work are in the way of.
    pub has_shared: bool,
    /// There was no slot.
    pub is_full: bool,
}

/// What became of a request to bring pages back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BroughtBack {
    /// None is left below the address.
    UpTo(VirtAddr),
    /// The page of the slot is to be read first, and all is as it was from there on.
    Awaits(Slot, VirtAddr),
    /// The next one stands in a shared table.
    Shared(VirtAddr),
    /// The page of the next one could not be read.
    Broken(VirtAddr),
}

/// Pages evicted at once, at most.
const BATCH: usize = 64;
/// Entries looked at under one hold of a space's lock, roughly.
const LOOKED_AT: usize = 1024;
/// What a walk from the root counts for, in entries.
const WALK: usize = 4;

/// Pages that were taken out of tables, each still with its descriptor's reference (I5).
struct Batch {
    pages: [Leaving; BATCH],
    len: usize,
}

#[derive(Clone, Copy)]
struct Leaving {
    frame: Frame,
    address: VirtAddr,
    slot: Slot,
}

impl AddressSpace {
    /// Evicts pages of `range` from its start on, at most `most` and some 64. Locked ones, shared ones and those of objects stay.
    pub fn evict<M: Mmu>(
        &mut self,
        memory: &Memory<M>,
        range: PageRange,
        most: usize,
        others: Others,
    ) -> Evicted {
        let nothing = Leaving {
            frame: Frame(0),
            address: VirtAddr(0),
            slot: Slot(0),
        };
        let mut batch = Batch {
            pages: [nothing; BATCH],
            len: 0,
        };
        let most = most.min(BATCH);
        let mut evicted = Evicted {
            reached: range.start(),
            pages: 0,
            has_shared: false,
            is_full: false,
        };
        let mut entries = 0;
        while evicted.reached < range.end() && entries < LOOKED_AT && batch.len < most && !evicted.is_full {
            let at = evicted.reached;
            let path = self.tables.walk(memory, at);
            evicted.reached = behind(path, at).min(range.end());
            entries += WALK;
            let Some(table) = path.l3 else { continue };
            if path.is_shared && (others == Others::AtWork || memory.is_any_locking()) {
                evicted.has_shared |= others == Others::AtWork;
                continue;
            }
            let base = VirtAddr(at.0 & !(Level::L2.span() - 1));
            let rest = PageRange::between(at, evicted.reached).unwrap_or(range);
            let mut area = None;
            for (index, address) in slots(table, memory, Level::L3, base, rest) {
                entries += 1;
                let leaf = memory.mmu().load(table, index);
                if !is_evictable(memory, leaf) || !self.may_evict(&mut area, address) {
                    continue;
                }
                if batch.len == most {
                    evicted.reached = address;
                    break;
                }
                let Some(slot) = memory.swap().assign(memory.frames(), leaf.frame()) else {
                    (evicted.is_full, evicted.reached) = (true, address);
                    break;
                };
                memory.frames().mark_swapped(table);
                memory.mmu().store(table, index, leaf.swapped_to(slot));
                batch.pages[batch.len] = Leaving {
                    frame: leaf.frame(),
                    address,
                    slot,
                };
                batch.len += 1;
            }
        }
        evicted.pages = batch.len;
        batch.release(memory);
        evicted
    }

    /// Whether the area at `address` lets its private pages go; `last` is the one that was looked at last, and its end.
    fn may_evict(&self, last: &mut Option<(PageRange, bool)>, address: VirtAddr) -> bool {
        if let Some((range, may)) = last
            && range.contains(address)
        {
            return *may;
        }
        let Some(area) = self.areas.find(address) else {
            return false;
        };
        let may = lets_go(area);
        *last = Some((area.range(), may));
        may
    }

    /// Brings the swapped pages of swap area `area` back that this space has from `from` on, where they are cached: some of them.
    /// They come with the rights that they had but to write.
    pub fn bring_back<M: Mmu>(
        &mut self,
        memory: &Memory<M>,
        area: usize,
        from: VirtAddr,
        others: Others,
    ) -> BroughtBack {
        let (frames, mmu) = (memory.frames(), memory.mmu());
        let end = VirtAddr(crate::addr::USER_END);
        let (mut at, mut entries) = (from, 0);
        while at < end && entries < LOOKED_AT {
            let path = self.tables.walk(memory, at);
            let next = behind(path, at).min(end);
            entries += WALK;
            let table = path
                .l3
                .filter(|table| frames.occupancy(*table).may_have_swapped());
            if let (Some(table), Some(rest)) = (table, PageRange::between(at, next)) {
                let base = VirtAddr(at.0 & !(Level::L2.span() - 1));
                for (index, address) in slots(table, memory, Level::L3, base, rest) {
                    entries += 1;
                    let leaf = mmu.load(table, index);
                    if !leaf.is_swapped() || leaf.slot().area() != area {
                        continue;
                    }
                    if path.is_shared && others == Others::AtWork {
                        return BroughtBack::Shared(address);
                    }
                    let frame = match memory.swap().page(frames, leaf.slot()) {
                        Ok(frame) => frame,
                        Err(PageError::NotYet) => return BroughtBack::Awaits(leaf.slot(), address),
                        Err(_) => return BroughtBack::Broken(address),
                    };
                    let page = leaf.brought_back(frame);
                    if page.is_page_executable() {
                        frames.make_executable(mmu, frame);
                    }
                    mmu.dmb_ishst();
                    mmu.store(table, index, page);
                    mmu.dsb_ishst();
                    memory.count(Event::Fill);
                    memory.swap().release(frames, mmu, leaf.slot());
                }
            }
            at = next;
        }
        BroughtBack::UpTo(at)
    }

    /// Pages of this space that are swapped: looks at some tables from `from` on; the sum, and where to go on, or `None` at the end.
    pub fn count_swapped<M: Mmu>(&self, memory: &Memory<M>, range: PageRange) -> (u64, VirtAddr) {
        let mut pages = 0;
        let reached = self.visit_swapped(memory, range, |_, _| pages += 1);
        (pages, reached)
    }

    /// Visits the lowest swapped pages of `range`, some of them, and returns where to go on.
    pub fn visit_swapped<M: Mmu>(
        &self,
        memory: &Memory<M>,
        range: PageRange,
        mut visit: impl FnMut(VirtAddr, Slot),
    ) -> VirtAddr {
        let (mut at, mut entries) = (range.start(), 0);
        while at < range.end() && entries < LOOKED_AT {
            let path = self.tables.walk(memory, at);
            entries += WALK;
            let table = path
                .l3
                .filter(|table| memory.frames().occupancy(*table).may_have_swapped());
            if let Some(table) = table {
                let base = VirtAddr(at.0 & !(Level::L2.span() - 1));
                for (index, address) in slots(table, memory, Level::L3, base, range) {
                    entries += 1;
                    let leaf = memory.mmu().load(table, index);
                    if leaf.is_swapped() {
                        visit(address, leaf.slot());
                    }
                }
            }
            at = behind(path, at);
        }
        at.min(range.end())
    }

    /// The slot of the page at `address`, if it is swapped.
    pub fn swapped_page<M: Mmu>(&self, memory: &Memory<M>, address: VirtAddr) -> Option<Slot> {
        let leaf = self.tables.walk(memory, address).leaf;
        leaf.is_swapped().then(|| leaf.slot())
    }
}

impl Batch {
    /// After one flush in all ASIDs the references of the descriptors are dropped. The cache has one of its own to each frame.
    fn release<M: Mmu>(self, memory: &Memory<M>) {
        let pages = &self.pages[..self.len];
        match pages {
            [] => return,
            [page] => memory.flush_everywhere(Some(page.address)),
            _ => memory.flush_everywhere(None),
        }
        memory.count_several(Event::Evicted, pages.len() as u64);
        pages
            .iter()
            .for_each(|page| memory.frames().release(memory.mmu(), page.frame));
        memory.swap().settle(pages.iter().map(|page| page.slot));
    }
}

/// Whether a descriptor is of a page that a swap area could hold: not of a MAP_SHARED area, not an object's, not the zero frame.
fn is_evictable<M: Mmu>(memory: &Memory<M>, leaf: Descriptor) -> bool {
    leaf.is_valid()
        && !leaf.is_of_shared_area()
        && leaf.frame() != memory.zero_frame()
        && memory.frames().is_managed(leaf.frame())
        && !memory.frames().is_of_object(leaf.frame())
}

/// Whether an area's own pages may go.
fn lets_go(area: &Area) -> bool {
    area.sharing == Sharing::Private
        && area.purpose != Purpose::Kernel
        && !area.flags.has(AreaFlags::LOCKED.with(AreaFlags::MOVING))
}
