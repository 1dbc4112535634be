//! Swap areas as the heart knows them: slots with counts, and the swap cache. What stands on the devices is known to whoever
//! reads and writes there (the kernel's `swap`); here is decided which frame and which slot are one page.
//!
//! * A slot's **count** is the number of descriptors that name it, as a frame's is: a table that is copied counts up the slots in it.
//!   When the last descriptor goes, the slot is free, and the cache lets go of its frame.
//! * A page is **cached** from its eviction until its bytes stand in the slot and nobody maps it. The cache holds a reference to
//!   the frame: so it is nobody's alone, and a store to it copies it (I1, I2). What is cached does not change.
//! * The two are **tied** while the page is cached: the slot's record names the frame, and the frame's record the slot. Further
//!   descriptors of the frame in other tables are given the same slot.
//! * A page waits in line to be written; one whose frame other tables still map leaves the line until the hand has been there too, or
//!   they have let go of it: written, it would take room on the device, and nothing would be free. A fault takes it out of the line, if that was the last descriptor: pages that are needed
//!   come back before they reach its end, which is how their use is noticed where the processor does not note it.
//!
//! One lock, taken under the locks of spaces; nothing in here sleeps. Nothing of it is touched while no page is swapped.

use crate::addr::Frame;
use crate::frames::{Frames, NoMemory};
use crate::mmu::Mmu;
use crate::page_source::{Interrupted, PageError};
use crate::sync::Mutex;
use alloc::sync::Arc;

mod area;
mod line;
mod transfer;

use area::SlotArea;
use line::Line;
pub use transfer::{NextInLine, Outgoing, Reading};

/// A page's place in a swap area: the area's number, and which of its pages.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Slot(pub(crate) u32);

impl Slot {
    /// Pages of an area, at most: 128 GiB.
    pub const MOST: u32 = 1 << Slot::OFFSET_BITS;
    /// A slot's number fits into so many bits.
    pub(crate) const BITS: u32 = 29;
    const OFFSET_BITS: u32 = 25;
    /// Areas, at most.
    pub const AREAS: usize = 1 << (Slot::BITS - Slot::OFFSET_BITS);

    const fn new(area: usize, offset: u32) -> Slot {
        Slot((area as u32) << Slot::OFFSET_BITS | offset)
    }

    /// Page `offset` of area `area`, if there are such.
    pub const fn of_area(area: usize, offset: u32) -> Slot {
        Slot::new(area, offset)
    }

    /// The number of its area.
    pub const fn area(self) -> usize {
        (self.0 >> Slot::OFFSET_BITS) as usize
    }

    /// Which page of its area.
    pub const fn offset(self) -> u32 {
        self.0 & (Slot::MOST - 1)
    }
}

/// Slots that are taken of one area before another of its priority has its turn: neighbours are written in one request.
const TURN: u32 = 64;

/// What lies below an area.
pub trait SwapDevice: Send + Sync {
    /// The slot is free: what stands in it is not needed any more. Called with locks held; does not sleep.
    fn note_free(&self, _slot: Slot) {}

    /// Sleeps until it is worthwhile to ask for the slot's page again. No lock may be held.
    ///
    /// # Errors
    /// [`Interrupted`]: the thread is to end.
    fn wait_for_page(&self, slot: Slot) -> Result<(), Interrupted>;
}

/// All swap areas, and what is cached of them.
#[derive(Default)]
pub struct Swap(Mutex<State>);

#[derive(Default)]
struct State {
    areas: [Option<SlotArea>; Slot::AREAS],
    /// Cached pages that are to be written, the first that was evicted first.
    line: Line,
    /// Slots that pages have, of all areas.
    used: usize,
    /// Pages that are cached.
    cached: usize,
    /// Where [`Swap::drop_unused`] goes on.
    hand: u32,
    /// The area that has its turn among those of one priority, and how many slots of it are still to be taken.
    turn: (usize, u32),
}

/// Where the bytes of a slot's page are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Content {
    /// Nowhere: the slot is free.
    #[default]
    Nothing,
    /// Cached only; some TLB may still let a program store to it.
    Leaving,
    /// Cached only, and in line to be written.
    ToWrite,
    /// Cached only, in no line: other descriptors of the frame still map it, so that nothing would be gained by writing it.
    StillMapped,
    /// Cached, and being written.
    InWriting,
    /// Cached only: the device would not have it.
    Unwritable,
    /// In the slot, perhaps cached too.
    Stored,
    /// In the slot, and being read.
    InReading,
    /// It could not be read; whoever asks next is told so once.
    Unreadable,
}

/// What is known of a slot.
#[derive(Clone, Copy, Default)]
struct Record {
    /// Descriptors that name it.
    count: u32,
    content: Content,
    /// The cached frame.
    frame: Option<Frame>,
    /// Its neighbours in line; of a free slot the next free one.
    before: Option<Slot>,
    behind: Option<Slot>,
}

/// Pages of all areas, and of one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SwapUsage {
    /// Slots.
    pub slots: u64,
    /// Those that pages have.
    pub used: u64,
}

impl State {
    /// The record of a slot that some descriptor names. One that does not exist is a broken invariant of ours: panics.
    fn record(&mut self, slot: Slot) -> &mut Record {
        let area = self.areas[slot.area()].as_mut();
        area.expect("a slot is of an area").record(slot.offset())
    }

    /// A free slot, of the area that is to be used first: of several with one priority each has its turn.
    fn allocate(&mut self) -> Option<Slot> {
        let usable = |area: &&SlotArea| area.is_open && area.has_free();
        let open = || self.areas.iter().flatten().filter(usable);
        let priority = open().map(|area| area.priority).max()?;
        let is_first = |number: usize| {
            let area = self.areas[number].as_ref().filter(usable);
            area.is_some_and(|area| area.priority == priority)
        };
        let (last, left) = self.turn;
        let (number, left) = match left > 0 && is_first(last) {
            true => (last, left),
            false => {
                let mut following = (1..=Slot::AREAS).map(|step| (last + step) % Slot::AREAS);
                (following.find(|number| is_first(*number))?, TURN)
            }
        };
        self.turn = (number, left - 1);
        let offset = self.areas[number].as_mut()?.take_free()?;
        self.used += 1;
        Some(Slot::new(number, offset))
    }

    /// The slot is nobody's.
    fn free(&mut self, slot: Slot) {
        if let Some(area) = &mut self.areas[slot.area()] {
            self.used -= 1;
            area.give_back(slot.offset());
            area.device.note_free(slot);
        }
    }

    /// Unties slot and frame: whose reference to it is the caller's.
    fn uncache(&mut self, frames: &Frames, slot: Slot) -> Option<Frame> {
        let frame = self.record(slot).frame.take()?;
        frames.set_swap_slot(frame, None);
        self.cached -= 1;
        Some(frame)
    }
}

impl Swap {
    /// One more area of `slots` pages, at most [`Slot::MOST`]; its number. Of areas with free slots that with the highest priority is
    /// used; those of one priority have their turns.
    ///
    /// # Errors
    /// [`NoMemory`]: there is none for the records, or there are too many areas.
    pub fn add_area(
        &self,
        slots: u32,
        priority: i16,
        device: Arc<dyn SwapDevice>,
    ) -> Result<usize, NoMemory> {
        self.add(SlotArea::new(slots.min(Slot::MOST), priority, device)?)
    }

    /// As [`Swap::add_area`], of one that no page goes to before [`Swap::reopen_area`].
    ///
    /// # Errors
    /// As of that.
    pub fn add_closed_area(
        &self,
        slots: u32,
        priority: i16,
        device: Arc<dyn SwapDevice>,
    ) -> Result<usize, NoMemory> {
        let mut area = SlotArea::new(slots.min(Slot::MOST), priority, device)?;
        area.is_open = false;
        self.add(area)
    }

    fn add(&self, area: SlotArea) -> Result<usize, NoMemory> {
        let mut state = self.0.lock();
        let free = state.areas.iter().position(Option::is_none).ok_or(NoMemory)?;
        state.areas[free] = Some(area);
        Ok(free)
    }

    /// No more pages go to an area: it is to be emptied.
    pub fn close_area(&self, area: usize) {
        if let Some(area) = &mut self.0.lock().areas[area] {
            area.is_open = false;
        }
    }

    /// Pages may go to an area again, which could not be emptied.
    pub fn reopen_area(&self, area: usize) {
        if let Some(area) = &mut self.0.lock().areas[area] {
            area.is_open = true;
        }
    }

    /// Removes an area that has no page any more; whether it has none.
    pub fn remove_area(&self, area: usize) -> bool {
        let mut state = self.0.lock();
        let is_empty = state.areas[area].as_ref().is_none_or(|area| area.used() == 0);
        let removed = if is_empty { state.areas[area].take() } else { None };
        drop(state);
        drop(removed);
        is_empty
    }

    /// How full an area is; `None`: there is none of that number.
    pub fn usage_of(&self, area: usize) -> Option<SwapUsage> {
        self.0.lock().areas.get(area)?.as_ref().map(SlotArea::usage)
    }

    /// How full all areas are.
    pub fn usage(&self) -> SwapUsage {
        let state = self.0.lock();
        let areas = state.areas.iter().flatten().map(SlotArea::usage);
        areas.fold(SwapUsage::default(), |sum, area| SwapUsage {
            slots: sum.slots + area.slots,
            used: sum.used + area.used,
        })
    }

    /// Whether no page at all is swapped: nobody needs to look for any.
    pub fn is_empty(&self) -> bool {
        self.0.lock().used == 0
    }

    /// Pages that are cached, and those of them that are in line to be written.
    pub fn cached(&self) -> (usize, usize) {
        let state = self.0.lock();
        (state.cached, state.line.len)
    }

    /// The slot of a page that is to be evicted from one descriptor, which names it from now on; `None`: there is none. The page
    /// is cached from now on, and may be written after [`Swap::settle`]. Its descriptor's reference is still the descriptor's.
    pub(crate) fn assign(&self, frames: &Frames, frame: Frame) -> Option<Slot> {
        let mut state = self.0.lock();
        if let Some(slot) = frames.swap_slot(frame) {
            state.record(slot).count += 1;
            return Some(slot);
        }
        let slot = state.allocate()?;
        frames.share(frame);
        frames.set_swap_slot(frame, Some(slot));
        *state.record(slot) = Record {
            count: 1,
            frame: Some(frame),
            content: Content::Leaving,
            ..Record::default()
        };
        state.cached += 1;
        Some(slot)
    }

    /// No TLB knows the pages any more whose slots were assigned: they are put in line. Not before: who writes them must see all that
    /// was stored there. This descriptor may have been the last of a frame that was still mapped elsewhere.
    pub(crate) fn settle(&self, slots: impl Iterator<Item = Slot>) {
        let mut state = self.0.lock();
        for slot in slots {
            if matches!(
                state.record(slot).content,
                Content::Leaving | Content::StillMapped
            ) {
                state.put_in_line(slot);
            }
        }
    }

    /// One more descriptor names the slot. The caller holds the lock of a table in which one does.
    pub(crate) fn share(&self, slot: Slot) {
        let mut state = self.0.lock();
        let record = state.record(slot);
        debug_assert_ne!(record.count, 0, "swap: a free slot was shared");
        record.count += 1;
    }

    /// One descriptor less names the slot.
    pub(crate) fn release(&self, frames: &Frames, mmu: &impl Mmu, slot: Slot) {
        let mut state = self.0.lock();
        let record = state.record(slot);
        debug_assert_ne!(record.count, 0, "swap: a free slot was released");
        record.count -= 1;
        if record.count != 0 || matches!(record.content, Content::InWriting | Content::InReading) {
            // Whoever writes or reads finds that nobody needs it any more.
            return;
        }
        let gone = state.forget(frames, slot);
        drop(state);
        if let Some(frame) = gone {
            frames.release(mmu, frame);
        }
    }

    /// The frame of the slot's page, if it is cached, with one reference added for the caller.
    ///
    /// # Errors
    /// [`PageError::NotYet`]: it is to be read first. [`PageError::BeyondEnd`]: it could not be read.
    pub(crate) fn page(&self, frames: &Frames, slot: Slot) -> Result<Frame, PageError> {
        let mut state = self.0.lock();
        let record = state.record(slot);
        if record.content == Content::Unreadable {
            // Who asks after that tries anew.
            record.content = Content::Stored;
            return Err(PageError::BeyondEnd);
        }
        let frame = record.frame.filter(|_| record.content != Content::InReading);
        let frame = frame.ok_or(PageError::NotYet)?;
        frames.share(frame);
        Ok(frame)
    }

    /// Descriptors that name the slot, and its cached frame: for who recounts.
    pub fn slot_state(&self, slot: Slot) -> (u32, Option<Frame>) {
        let mut state = self.0.lock();
        let record = state.record(slot);
        (record.count, record.frame)
    }

    /// The device of the slot's area.
    pub fn device(&self, slot: Slot) -> Option<Arc<dyn SwapDevice>> {
        let state = self.0.lock();
        state.areas[slot.area()]
            .as_ref()
            .map(|area| Arc::clone(&area.device))
    }
}

impl State {
    /// The slot, which no descriptor names and nobody reads or writes, is free; its cached frame, whose reference is the caller's.
    fn forget(&mut self, frames: &Frames, slot: Slot) -> Option<Frame> {
        if self.record(slot).content == Content::ToWrite {
            self.take_from_line(slot);
        }
        let frame = self.uncache(frames, slot);
        self.free(slot);
        frame
    }
}
