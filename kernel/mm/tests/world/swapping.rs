//! Pages that go out and come back: a swap device that remembers whole pages, and a kernel around it that evicts, writes, reads and
//! empties it, while others go on.

use super::object::{machine, with_machine};
use super::settings::Settings;
use super::{Space, World, bump};
use machine::FRAME_WORDS;
use machine::random::Random;
use mm::{
    BroughtBack, Evicted, Frame, Interrupted, NextInLine, Others, PageError, PageRange, Reading, Slot,
    SwapDevice, USER_END, VirtAddr, WriteBackError,
};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

/// Slots of the area, few enough that it is full now and then.
const SLOTS: u32 = 40;

/// What a kernel might do wrong with pages that go out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SwapMistake {
    /// Shared tables are evicted from while others are at work: there is no lock between who copies a table and who takes pages
    /// out of it.
    EvictsWhileOthersWork,
    /// A frame is given back though its page was not written.
    FreesUnwritten,
    /// What could not be written is called written.
    IgnoresWriteErrors,
    /// A page is written to another page's slot.
    WritesToNeighbour,
    /// What could not be read is called read.
    IgnoresReadErrors,
    /// Who has begun to write a page does not say that it is written.
    NeverFinishes,
}

/// What stands on the device.
#[derive(Default)]
pub struct Device {
    pages: Mutex<BTreeMap<Slot, Vec<u64>>>,
    errors: Mutex<Errors>,
}

#[derive(Default)]
struct Errors {
    dice: Option<Random>,
    /// The kernel's mistake not to look whether a read has failed.
    are_reads_ignored: bool,
    /// Operations that succeed before one fails.
    until_failure: Option<usize>,
    /// Reads that have failed and that nobody was told of yet.
    untold: usize,
}

impl Device {
    fn fails(&self) -> bool {
        let mut errors = self.errors.lock().unwrap();
        if let Some(left) = errors.until_failure {
            errors.until_failure = left.checked_sub(1);
            return left == 0;
        }
        errors.dice.as_mut().is_some_and(|dice| dice.one_in(12))
    }

    /// Its operation number `nth` fails, and no other from then on.
    pub fn fail_at(&self, nth: usize) {
        self.errors.lock().unwrap().until_failure = Some(nth);
    }

    /// Somebody is told by SIGBUS that a page could not be read: whether there was such a page. Each is told of once.
    pub fn tell_error(&self) -> bool {
        let mut errors = self.errors.lock().unwrap();
        let told = errors.untold.checked_sub(1);
        errors.untold = told.unwrap_or(0);
        told.is_some()
    }

    /// What stands in the slot.
    pub fn stored(&self, slot: Slot) -> Option<Vec<u64>> {
        self.pages.lock().unwrap().get(&slot).cloned()
    }
}

impl SwapDevice for Device {
    fn note_free(&self, slot: Slot) {
        self.pages.lock().unwrap().remove(&slot);
    }

    /// Reads the page; out of memory the thread is told to end.
    fn wait_for_page(&self, slot: Slot) -> Result<(), Interrupted> {
        with_machine(|memory| {
            let (swap, frames, mmu) = (memory.swap(), memory.frames(), memory.mmu());
            match swap.begin_read(slot) {
                Reading::Begun => {}
                Reading::NotNeeded => return Ok(()),
                // By a thread that this one interrupts: it would be waited for in vain.
                Reading::UnderWay => return Err(Interrupted),
            }
            let is_ignored = self.errors.lock().unwrap().are_reads_ignored;
            let has_failed = self.fails();
            if has_failed && !is_ignored {
                self.errors.lock().unwrap().untold += 1;
                swap.finish_read(frames, mmu, slot, Err(PageError::BeyondEnd));
                return Ok(());
            }
            let Ok(frame) = frames.allocate(mmu) else {
                swap.finish_read(frames, mmu, slot, Err(PageError::NoMemory));
                return Err(Interrupted);
            };
            let words = self
                .stored(slot)
                .map(|words| if has_failed { Vec::new() } else { words });
            mmu.complain_if(words.is_none(), || {
                format!("{slot:?} is read and was never written")
            });
            mmu.fill_from_device(frame, &words.unwrap_or_default());
            mmu.give_back_lock();
            swap.finish_read(frames, mmu, slot, Ok(frame));
            Ok(())
        })
    }
}

/// What the world knows of swap.
pub(super) struct Swapping {
    pub(super) device: Arc<Device>,
    mistake: Option<SwapMistake>,
    is_writing: Cell<bool>,
}

impl Swapping {
    pub(super) fn new(settings: &Settings) -> Swapping {
        let device = Arc::new(Device::default());
        device.errors.lock().unwrap().dice = settings
            .has_swap_errors
            .then(|| Random::new(settings.seed ^ 0x5a3b));
        device.errors.lock().unwrap().are_reads_ignored =
            settings.swap_mistake == Some(SwapMistake::IgnoresReadErrors);
        let area = machine()
            .swap()
            .add_area(SLOTS, 0, Arc::clone(&device) as Arc<dyn SwapDevice>);
        assert_eq!(area, Ok(0), "there is no other area");
        Swapping {
            device,
            mistake: settings.swap_mistake,
            is_writing: Cell::new(false),
        }
    }
}

impl World {
    /// Evicts some pages of the range; whether shared tables are visited too is for the dice to say, if all others can be stopped.
    pub fn evict(&self, cpu: usize, space: &Rc<Space>, range: PageRange) {
        let most = self.throw(|dice| 1 + dice.below(8));
        let stops = self.throw(|dice| dice.one_in(2));
        let others = self.stop_others(stops);
        self.evict_most(cpu, space, range, most, others);
        self.start_others();
        self.verdict();
    }

    /// Evicts at most `most` pages of the range; `None` while the space is locked. Who says that others are stopped has stopped them.
    fn evict_most(
        &self,
        cpu: usize,
        space: &Rc<Space>,
        range: PageRange,
        most: usize,
        others: Others,
    ) -> Option<Evicted> {
        self.mmu()
            .note(|| format!("evict {range:?}, {others:?}, root {:?}", space.root));
        let evicted = self.with_space(cpu, space, |inner| inner.evict(&self.memory, range, most, others))?;
        if evicted.pages > 0 {
            bump(&self.statistics.evicted);
        }
        Some(evicted)
    }

    /// Evicts all pages of the range that can go, from shared tables as well if `others` are to be stopped.
    pub fn evict_all(&self, cpu: usize, space: &Rc<Space>, range: PageRange, others: Others) -> Evicted {
        let others = self.stop_others(others == Others::Stopped);
        let evicted = self.evict_most(cpu, space, range, usize::MAX, others);
        self.start_others();
        self.verdict();
        evicted.expect("nobody else is at work")
    }

    /// Whether the kernel does not care what others do when it evicts.
    pub fn evicts_carelessly(&self) -> bool {
        self.swapping.mistake == Some(SwapMistake::EvictsWhileOthersWork)
    }

    /// Stops all others if it is wanted and possible, or if the kernel makes the mistake not to care.
    fn stop_others(&self, is_wanted: bool) -> Others {
        let is_careless = self.evicts_carelessly();
        if !is_wanted || (self.is_busy() && !is_careless) {
            return Others::AtWork;
        }
        self.is_stopped.set(!is_careless);
        self.mmu().set_stopped(true);
        Others::Stopped
    }

    fn start_others(&self) {
        self.is_stopped.set(false);
        self.mmu().set_stopped(self.evicts_carelessly());
    }

    /// The page that has waited longest is written, and others act meanwhile.
    pub fn write_out(&self, others: &mut dyn FnMut()) {
        let (swap, frames) = (self.memory.swap(), self.memory.frames());
        let mistake = self.swapping.mistake;
        let NextInLine::Page(outgoing) = swap.begin_write(frames) else {
            return;
        };
        self.mmu().note(|| format!("write out {outgoing:?}"));
        let before = self.mmu().read_frame(outgoing.frame);
        self.swapping.is_writing.set(true);
        others();
        self.swapping.is_writing.set(false);
        let words = self.mmu().read_frame(outgoing.frame);
        self.mmu().complain_if(words != before, || {
            format!("{outgoing:?} changes while it is being written")
        });
        let has_failed = self.swapping.device.fails();
        let slot = match mistake {
            Some(SwapMistake::WritesToNeighbour) => self.neighbour(outgoing.slot),
            _ => outgoing.slot,
        };
        if !has_failed && mistake != Some(SwapMistake::FreesUnwritten) {
            self.swapping.device.pages.lock().unwrap().insert(slot, words);
        }
        if mistake == Some(SwapMistake::NeverFinishes) && self.throw(|dice| dice.one_in(8)) {
            return;
        }
        let is_written = !has_failed || mistake == Some(SwapMistake::IgnoresWriteErrors);
        let outcome = is_written.then_some(()).ok_or(WriteBackError::Device);
        if let Some(frame) = swap.finish_write(frames, self.mmu(), outgoing, outcome) {
            frames.release(self.mmu(), frame);
        }
        self.verdict();
    }

    /// The device, which fails at its operation number `nth`.
    pub fn fail_device_at(&self, nth: usize) {
        self.swapping.device.fail_at(nth);
    }

    /// Pages that stand on the device.
    pub fn written(&self) -> usize {
        self.swapping.device.pages.lock().unwrap().len()
    }

    /// Another slot that something stands in, if there is one.
    fn neighbour(&self, slot: Slot) -> Slot {
        let pages = self.swapping.device.pages.lock().unwrap();
        pages.keys().copied().find(|other| *other != slot).unwrap_or(slot)
    }

    /// Frames of written pages that nobody maps are given back.
    pub fn drop_unused(&self) {
        while !self
            .memory
            .swap()
            .drop_unused(self.memory.frames(), self.mmu(), 4)
            .1
        {}
    }

    /// swapoff(2), and swapon(2) again: nothing is left there. It gives up where memory, the device or a lock is in the way.
    pub fn swap_off(&self, cpu: usize) {
        if self.is_busy() {
            return;
        }
        let swap = self.memory.swap();
        swap.close_area(0);
        let interruptions = self.statistics.interruptions.get();
        let is_done = self.spaces().iter().all(|space| self.bring_all_back(cpu, space));
        // Others fork meanwhile, and leave tables to be released.
        let was_alone = self.statistics.interruptions.get() == interruptions;
        if is_done && was_alone && !self.swapping.is_writing.get() {
            let usage = swap.usage();
            self.mmu().complain_if(usage.used != 0, || {
                format!("all spaces were asked for their swapped pages, and {usage:?}")
            });
        }
        swap.reopen_area(0);
        self.verdict();
    }

    fn bring_all_back(&self, cpu: usize, space: &Rc<Space>) -> bool {
        let (mut at, mut others) = (VirtAddr(0), Others::AtWork);
        loop {
            if others == Others::Stopped {
                others = self.stop_others(true);
            }
            let step = self.with_space(cpu, space, |inner| inner.bring_back(&self.memory, 0, at, others));
            self.start_others();
            others = Others::AtWork;
            match step {
                // It has ended, or is locked.
                None => return false,
                Some(BroughtBack::UpTo(VirtAddr(USER_END))) => return true,
                Some(BroughtBack::UpTo(next)) => at = next,
                Some(BroughtBack::Shared(next)) => (at, others) = (next, Others::Stopped),
                Some(BroughtBack::Awaits(slot, next)) => {
                    at = next;
                    if self.swapping.device.wait_for_page(slot).is_err() {
                        return false;
                    }
                }
                Some(BroughtBack::Broken(_)) => return false,
            }
        }
    }

    /// The slot of the page at `address`, if it is swapped.
    pub fn swapped(&self, space: &Space, address: VirtAddr) -> Option<Slot> {
        let guard = space.inner.borrow();
        guard.as_ref()?.swapped_page(&self.memory, address)
    }

    /// What a swapped page holds, wherever that is.
    pub(super) fn swapped_words(&self, slot: Slot) -> Option<Vec<u64>> {
        match self.memory.swap().slot_state(slot).1 {
            Some(frame) => Some(self.mmu().read_frame(frame)),
            None => self.swapping.device.stored(slot),
        }
    }

    /// Frames that the swap cache holds.
    pub(super) fn cached_frames(&self) -> Vec<Frame> {
        (0..SLOTS)
            .filter_map(|offset| self.memory.swap().slot_state(Slot::of_area(0, offset)).1)
            .collect()
    }

    /// Every slot's count is the number of descriptors that were found to name it.
    pub(super) fn check_slots(&self, found: &BTreeMap<Slot, u32>) {
        for offset in 0..SLOTS {
            let slot = Slot::of_area(0, offset);
            let (count, frame) = self.memory.swap().slot_state(slot);
            let expected = found.get(&slot).copied().unwrap_or(0);
            self.mmu().complain_if(count != expected, || {
                format!("{slot:?} has count {count}, frame {frame:?}; {expected} descriptors name it")
            });
        }
    }
}

const _: () = assert!(FRAME_WORDS == 512);
