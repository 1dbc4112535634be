//! The swap area: pages leave the tables for the swap cache, a device writes them when it is told to, and reads what a program needs.
//! What `kernel/swap` does on the board, on a device that takes no time.

use crate::file::WORD;
use crate::kernel::Kernel;
use crate::report::{Report, Word};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::rc::Rc;
use alloc::vec::Vec;
use machine::PROBES;
use mm::{
    Access, Evicted, Frame, Interrupted, NextInLine, NoMemory, Others, Outcome, PAGE_SHIFT, PAGE_SIZE,
    PageError, PageRange, Reading, Refusal, Slot, SwapDevice, USER_END, VirtAddr,
};
use serde::Serialize;
use spin::Mutex;

/// Slots of the area: so few that it can be seen full.
pub const SLOTS: u32 = 8;

/// What stands on the device, by slot.
#[derive(Default)]
pub struct Device(Mutex<BTreeMap<Slot, Vec<u64>>>);

impl Device {
    /// The word that programs use of the page in a slot.
    pub fn word(&self, slot: Slot) -> Option<u64> {
        self.0.lock().get(&slot).map(|page| page[PROBES[WORD]])
    }
}

/// The swap area, as the page shows it.
#[derive(Clone, Debug, Serialize)]
pub struct SwapState {
    total: u32,
    slots: Vec<SlotState>,
    /// Pages in line to be written.
    waiting: usize,
}

#[derive(Clone, Debug, Serialize)]
struct SlotState {
    slot: u32,
    /// Descriptors that name it.
    count: u32,
    /// Its frame in the swap cache.
    frame: Option<u32>,
    /// What stands on the device.
    stored: Option<u64>,
}

impl SwapDevice for Device {
    fn note_free(&self, slot: Slot) {
        self.0.lock().remove(&slot);
    }

    /// Nobody sleeps here: whoever needs a page reads it ([`Kernel::serve`]).
    fn wait_for_page(&self, _slot: Slot) -> Result<(), Interrupted> {
        Ok(())
    }
}

impl Kernel {
    /// A page leaves the tables, or all pages of a process that can.
    pub fn page_out(&mut self, (number, cpu, space): (u32, usize, usize), page: Option<VirtAddr>) -> Report {
        let range = match page {
            Some(page) => PageRange::new(page, PAGE_SIZE as u64),
            None => PageRange::new(VirtAddr(0), USER_END),
        };
        let what = match page {
            Some(page) => format!("page {:x} of process {number}", page.0 >> PAGE_SHIFT),
            None => format!("all pages of process {number}"),
        };
        let (mut pages, mut is_full) = (0, false);
        let mut rest = range;
        while let Some(range) = rest.filter(|range| !range.is_empty() && !is_full) {
            let Some(evicted) = self.evict(cpu, space, range) else {
                break;
            };
            (pages, is_full) = (pages + evicted.pages, evicted.is_full);
            rest = PageRange::between(evicted.reached, range.end());
        }
        let sentence = match (pages, is_full, page) {
            (0, true, _) => format!("{what}: the swap area is full"),
            (0, false, Some(page)) => format!("{what} stays: {}", self.why_it_stays(space, page)),
            (0, false, None) => format!("{what}: none of them can go"),
            (1, _, Some(_)) => {
                format!("{what} is swapped out: its frame waits in the swap cache to be written")
            }
            _ => format!(
                "of {what} {pages} are swapped out{}",
                if is_full {
                    ", then the swap area is full"
                } else {
                    ""
                }
            ),
        };
        Report::of(Word::Done, sentence)
    }

    /// Between two commands no processor is at work: shared tables may be visited.
    fn evict(&mut self, cpu: usize, space: usize, range: PageRange) -> Option<Evicted> {
        self.mmu().set_stopped(true);
        let evicted = self.with_space(cpu, space, |memory, inner| {
            inner.evict(memory, range, usize::MAX, Others::Stopped)
        });
        self.mmu().set_stopped(false);
        evicted
    }

    fn why_it_stays(&self, space: usize, address: VirtAddr) -> &'static str {
        let inner = &self.spaces[&space].inner;
        if inner.swapped_page(&self.memory, address).is_some() {
            return "it is out already";
        }
        match inner.page(&self.memory, address) {
            None => "nothing is mapped there",
            Some(page) if page.is_zero => "it is the zero frame, which everybody has",
            Some(page) if page.is_of_object => "it is a file's page, which the file has",
            Some(_) => "its area does not let it go",
        }
    }

    /// The device writes all that waits for it and that nobody maps any more; its frames are free then.
    pub fn write_out(&mut self) -> Report {
        let memory = Rc::clone(&self.memory);
        let (swap, frames, mmu) = (memory.swap(), memory.frames(), memory.mmu());
        let before = frames.free_count();
        let mut written = 0;
        self.in_kernel(0, || {
            // What others have let go of meanwhile waits in line again.
            while !swap.drop_unused(frames, mmu, SLOTS as usize).1 {}
            loop {
                let outgoing = match swap.begin_write(frames) {
                    NextInLine::Page(outgoing) => outgoing,
                    NextInLine::Later => continue,
                    NextInLine::Nobody => break,
                };
                let (Frame(frame), slot) = (outgoing.frame, outgoing.slot);
                mmu.note(|| format!("the device writes frame {frame:x} to slot {}", slot.offset()));
                self.device.0.lock().insert(slot, mmu.read_frame(outgoing.frame));
                if let Some(frame) = swap.finish_write(frames, mmu, outgoing, Ok(())) {
                    frames.release(mmu, frame);
                }
                written += 1;
            }
            while !swap.drop_unused(frames, mmu, SLOTS as usize).1 {}
        });
        let freed = frames.free_count() - before;
        Report::of(
            Word::Done,
            format!(
                "the device writes what waits in the swap cache: pages {written}, frames free again {freed}"
            ),
        )
    }

    /// The kernel serves a fault. A page that must be read first is read, and all is looked at anew.
    pub fn serve(
        &mut self,
        (cpu, space): (usize, usize),
        address: VirtAddr,
        access: Access,
    ) -> Option<Outcome> {
        let ask = |kernel: &mut Kernel| {
            kernel.with_space(cpu, space, |memory, inner| {
                inner.handle_fault(memory, address, access)
            })
        };
        let outcome = ask(self);
        if outcome != Some(Outcome::Deferred) {
            return outcome;
        }
        let slot = self.spaces[&space].inner.swapped_page(&self.memory, address)?;
        if self.read_in(cpu, slot) {
            ask(self)
        } else {
            Some(Outcome::Refused(Refusal::NoMemory))
        }
    }

    /// The page of a slot is read into a frame of the swap cache; whether there was one.
    fn read_in(&self, cpu: usize, slot: Slot) -> bool {
        let (swap, frames, mmu) = (self.memory.swap(), self.memory.frames(), self.mmu());
        self.in_kernel(cpu, || {
            if swap.begin_read(slot) != Reading::Begun {
                return true;
            }
            let read = frames.allocate(mmu).map_err(|NoMemory| PageError::NoMemory);
            if let Ok(frame) = read {
                mmu.note(|| format!("the device reads slot {} into frame {:x}", slot.offset(), frame.0));
                let page = self.device.0.lock().get(&slot).cloned();
                mmu.complain_if(page.is_none(), || format!("{slot:?} was never written"));
                mmu.fill_from_device(frame, &page.unwrap_or_default());
                mmu.give_back_lock();
            }
            swap.finish_read(frames, mmu, slot, read);
            read.is_ok()
        })
    }

    /// What a swapped page holds, wherever that is.
    pub fn swapped_word(&self, slot: Slot) -> Option<u64> {
        match self.memory.swap().slot_state(slot).1 {
            Some(frame) => Some(self.mmu().read_probe(frame, WORD)),
            None => self.device.word(slot),
        }
    }

    /// What there is to see of the area.
    pub fn swap_state(&self) -> SwapState {
        let slots = self.used_slots().map(|(slot, count, frame)| SlotState {
            slot: slot.offset(),
            count,
            frame: frame.map(|frame| frame.0),
            stored: self.device.word(slot),
        });
        SwapState {
            total: SLOTS,
            slots: slots.collect(),
            waiting: self.memory.swap().cached().1,
        }
    }

    /// The slots that pages have: each with the number of descriptors that name it, and its frame in the swap cache.
    pub fn used_slots(&self) -> impl Iterator<Item = (Slot, u32, Option<Frame>)> {
        let slots = (0..SLOTS).map(|offset| Slot::of_area(0, offset));
        slots
            .map(|slot| (slot, self.memory.swap().slot_state(slot)))
            .filter(|(_, (count, _))| *count > 0)
            .map(|(slot, (count, frame))| (slot, count, frame))
    }

    /// Where each page is that a process has swapped out, lowest first.
    pub fn swapped_pages(&self, space: usize) -> Vec<(VirtAddr, Slot)> {
        let mut found = Vec::new();
        let Some(space) = self.spaces.get(&space) else {
            return found;
        };
        let mut rest = PageRange::new(VirtAddr(0), USER_END);
        while let Some(range) = rest.filter(|range| !range.is_empty()) {
            let at = space
                .inner
                .visit_swapped(&self.memory, range, |address, slot| found.push((address, slot)));
            rest = PageRange::between(at, range.end());
        }
        found
    }
}
