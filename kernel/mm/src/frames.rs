//! Physical frames: who refers to each, and which are free. A record per frame of RAM ([`FrameInfos`]) holds an atomic reference
//! count: the number of descriptors that point to the frame plus the references that the kernel holds. Free frames stand on
//! one stack per processor, threaded through the same records and refilled in runs from a [`FrameSource`] (the buddy
//! allocator on the board).
//!
//! Orders (loom-tested in `tests/counts`): an increment is relaxed, for whoever increments holds a reference already; a
//! decrement is a release, and the one that reaches 0 acquires; reading 1 under the lock of the sole holder acquires, and is
//! stable, for nobody else can take a new reference.

mod stack;

use crate::addr::{Frame, TABLE_ENTRIES};
use crate::descriptor::Descriptor;
use crate::mmu::{MAX_CPUS, Mmu};
use crate::occupancy::Occupancy;
use crate::records::{FrameInfos, Records};
use crate::swap::Slot;
use crate::sync::{Mutex, Ordering, fence};

pub use stack::FreeChain;
use stack::{FreeStack, JUNK, ZEROS};

/// There is no free frame, or a count is full: the operation left nothing behind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoMemory;

/// Frames taken from the source at once.
const REFILL: usize = 64;

/// A count that refuses a further reference taken by [`Frames::try_share`]. Descriptors alone cannot reach it: 2^31 of them
/// would fill 16 GiB with tables. Low in debug builds, so that the tests reach it.
const COUNT_LIMIT: u32 = if cfg!(debug_assertions) { 1 << 16 } else { 1 << 31 };

/// Page frames: the instruction caches have seen what the kernel put there.
const INSTRUCTIONS_CLEAN: u32 = 1;
/// Page frames: an object holds it, so that whoever maps it has no copy of his own.
const OF_OBJECT: u32 = 2;
/// Page frames: it is in the swap cache, and the bits above are its slot.
const IN_SWAP_CACHE: u32 = 4;
/// Page frames: the bits above count the kernel's writes, so that one in the middle of the cleaning is seen.
const ONE_WRITE: u32 = 8;
const SLOT_SHIFT: u32 = 3;

const _: () = assert!(SLOT_SHIFT + Slot::BITS == u32::BITS);

/// Contiguous frames, `len` of them from `first`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameRun {
    /// The lowest frame.
    pub first: Frame,
    /// How many.
    pub len: usize,
}

/// Where free frames come from in runs, and go back to when the source runs short: the buddy allocator. Must not call back.
pub trait FrameSource: Sync {
    /// At most `wanted` (not 0) contiguous frames, their contents anything; `None` when the source has none to spare.
    fn take(&self, wanted: usize) -> Option<FrameRun>;
    /// Takes frames back.
    fn give(&self, run: FrameRun);
    /// How many frames [`FrameSource::take`] would still hand out.
    fn spare(&self) -> usize;
}

/// The frames of the machine.
pub struct Frames {
    records: Records,
    source: &'static dyn FrameSource,
    stacks: [FreeStack; MAX_CPUS],
    /// Held while frames are on their way from the stacks to the source.
    replenishing: Mutex<()>,
}

impl Frames {
    /// The frames from `first` on, one record each. The records are all zeros; `source` owns every free frame.
    pub fn new(first: Frame, infos: FrameInfos, source: &'static dyn FrameSource) -> Frames {
        Frames {
            records: Records::new(first, infos),
            source,
            stacks: Default::default(),
            replenishing: Mutex::default(),
        }
    }

    /// The records, for a loop over many frames.
    #[inline]
    pub(crate) fn records(&self) -> Records {
        self.records
    }

    /// Whether `frame` has a record here.
    pub fn is_managed(&self, frame: Frame) -> bool {
        self.records.index(frame) < self.records.len()
    }

    /// The lowest frame that has a record, and how many have one.
    pub fn managed(&self) -> FrameRun {
        FrameRun {
            first: self.records.first(),
            len: self.records.len(),
        }
    }

    /// A frame filled with zeros, with one reference.
    ///
    /// # Errors
    /// [`NoMemory`]: no frame is free.
    // Always: the compiler sees callers in several crates and would keep one copy apart, which costs each fault its prologue.
    #[inline(always)]
    #[cfg_attr(feature = "places", track_caller)]
    pub fn allocate(&self, mmu: &impl Mmu) -> Result<Frame, NoMemory> {
        if mmu.refuses_frame() {
            return Err(NoMemory);
        }
        let cpu = mmu.cpu();
        let (index, is_zeroed) = match self.pop_zeroed(cpu) {
            Some(found) => found,
            None => (self.refill(cpu)?, false),
        };
        let frame = self.begin_use(index);
        if !is_zeroed {
            crate::memory::zero_frame(mmu, frame);
        }
        Ok(frame)
    }

    /// A frame whose contents the caller overwrites whole before anybody else can see it, with one reference.
    #[inline]
    pub(crate) fn allocate_unfilled(&self, mmu: &impl Mmu) -> Result<Frame, NoMemory> {
        if mmu.refuses_frame() {
            return Err(NoMemory);
        }
        self.take_unfilled(mmu)
    }

    // Always: as for `allocate`.
    #[inline(always)]
    fn take_unfilled(&self, mmu: &impl Mmu) -> Result<Frame, NoMemory> {
        let cpu = mmu.cpu();
        let index = match self.pop(cpu, JUNK) {
            Some(index) => index,
            None => self.refill(cpu)?,
        };
        Ok(self.begin_use(index))
    }

    /// The frame of a record.
    #[inline]
    fn frame(&self, index: u32) -> Frame {
        Frame(self.records.first().0 + index)
    }

    /// Takes the first reference to a frame that came from a stack or the source.
    // Always: as for `allocate`.
    #[inline(always)]
    fn begin_use(&self, index: u32) -> Frame {
        let count = self.records.count_at(index as usize);
        debug_assert_eq!(
            count.load(Ordering::Relaxed),
            0,
            "frames: a free frame had references"
        );
        self.records.word_at(index as usize).store(0, Ordering::Relaxed);
        count.store(1, Ordering::Relaxed);
        self.frame(index)
    }

    /// Frames for an empty stack: from the source, else from another processor. Returns one, keeps the rest.
    #[cold]
    fn refill(&self, cpu: usize) -> Result<u32, NoMemory> {
        self.try_refill(cpu)
            .or_else(|| {
                // Those on their way back to the source are there afterwards.
                drop(self.replenishing.lock());
                self.try_refill(cpu)
            })
            .ok_or(NoMemory)
    }

    fn try_refill(&self, cpu: usize) -> Option<u32> {
        let Some(run) = self.source.take(REFILL) else {
            return (0..MAX_CPUS).find_map(|other| self.pop_any(other));
        };
        let index = run.first.0 - self.records.first().0;
        for further in (1..run.len as u32).rev() {
            self.push(cpu, JUNK, index + further);
        }
        Some(index)
    }

    /// One more reference to `frame`. The caller holds one, or the lock of a table that does.
    #[inline]
    pub fn share(&self, frame: Frame) {
        self.records.share(frame);
    }

    /// One more reference to `frame`, unless its count is full. Contract as [`Frames::share`].
    ///
    /// # Errors
    /// [`NoMemory`]: its count is full, and stays as it was.
    #[inline]
    pub fn try_share(&self, frame: Frame) -> Result<(), NoMemory> {
        if self.records.count(frame).load(Ordering::Relaxed) >= COUNT_LIMIT {
            return Err(NoMemory);
        }
        self.share(frame);
        Ok(())
    }

    /// Drops one reference to a *page* frame; the last one frees it. Only after no TLB reaches the frame by the descriptor
    /// that held the reference (I5). Tables are released by `table::release`, which knows what they hold.
    #[inline]
    pub fn release(&self, mmu: &impl Mmu, frame: Frame) {
        if self.drop_reference(frame) {
            self.free(mmu, frame);
        }
    }

    /// Drops one reference; whether it was the last. Then the caller owns the frame alone, at count 0.
    #[inline]
    pub(crate) fn drop_reference(&self, frame: Frame) -> bool {
        let count = self.records.count(frame);
        // The sole holder needs no atomic subtraction: nobody else can have or take a reference.
        if count.load(Ordering::Acquire) == 1 {
            count.store(0, Ordering::Relaxed);
            return true;
        }
        let before = count.fetch_sub(1, Ordering::Release);
        debug_assert_ne!(before, 0, "frames: a free frame was released");
        if before != 1 {
            return false;
        }
        fence(Ordering::Acquire);
        true
    }

    /// Puts a frame at count 0, owned by the caller alone, on the free stack.
    #[inline]
    pub(crate) fn free(&self, mmu: &impl Mmu, frame: Frame) {
        mmu.junk_frame(frame);
        self.push(mmu.cpu(), JUNK, frame.0 - self.records.first().0);
    }

    /// As [`Frames::free`], for a frame that holds nothing but zeros.
    #[inline]
    pub(crate) fn free_zeros(&self, mmu: &impl Mmu, frame: Frame) {
        debug_assert!(
            (0..TABLE_ENTRIES).all(|index| mmu.load(frame, index) == Descriptor::INVALID),
            "frames: {frame:?} was to hold zeros"
        );
        self.push(mmu.cpu(), ZEROS, frame.0 - self.records.first().0);
    }

    /// References to `frame`: descriptors and the kernel's own. 1 read under the lock of the holder is stable.
    #[inline]
    pub fn count(&self, frame: Frame) -> u32 {
        self.records.count(frame).load(Ordering::Acquire)
    }

    /// Frames that can still be allocated.
    pub fn free_count(&self) -> usize {
        let stacked: usize = self
            .stacks
            .iter()
            .map(|stack| stack.len.load(Ordering::Relaxed))
            .sum();
        stacked + self.source.spare()
    }

    /// Gives the stacked frames back to a source that has fewer than `low` to spare, lowest first, so that the source can
    /// join neighbours. Long work: for a moment when nobody waits.
    pub fn replenish_source(&self, low: usize) {
        let _alone = self.replenishing.lock();
        if self.source.spare() >= low {
            return;
        }
        let indices = (0..MAX_CPUS).flat_map(|cpu| core::iter::from_fn(move || self.pop_any(cpu)));
        // Count 0 and a mark in `word` tell a stacked frame from one that the source holds.
        indices.for_each(|index| {
            self.records
                .word_at(index as usize)
                .store(u32::MAX, Ordering::Relaxed);
        });
        for index in 0..self.records.len() {
            let word = self.records.word_at(index);
            let is_marked = word.load(Ordering::Relaxed) == u32::MAX;
            if is_marked && self.records.count_at(index).load(Ordering::Relaxed) == 0 {
                word.store(0, Ordering::Relaxed);
                let first = self.frame(index as u32);
                self.source.give(FrameRun { first, len: 1 });
            }
        }
    }

    /// The kernel changed the bytes of `frame`: before anybody executes them the instruction caches must be told.
    #[inline]
    pub fn note_kernel_write(&self, frame: Frame) {
        let written = |word: u32| Some((word & !INSTRUCTIONS_CLEAN).wrapping_add(ONE_WRITE));
        let word = self.records.word(frame);
        // It never fails. A release: whoever sees the count sees the bytes.
        let _ = word.fetch_update(Ordering::Release, Ordering::Relaxed, written);
    }

    /// `frame` becomes a page of an object, until it is free again.
    pub fn note_object(&self, frame: Frame) {
        self.records.word(frame).fetch_or(OF_OBJECT, Ordering::Relaxed);
    }

    /// Whether `frame`, a page, is one of an object.
    pub(crate) fn is_of_object(&self, frame: Frame) -> bool {
        self.records.word(frame).load(Ordering::Relaxed) & OF_OBJECT != 0
    }

    /// [`Frames::is_of_object`] for a loop that asks it of many frames.
    #[inline(always)]
    pub(crate) fn object_test(&self) -> impl Fn(Frame) -> bool + use<> {
        let records = self.records;
        move |frame| records.word(frame).load(Ordering::Relaxed) & OF_OBJECT != 0
    }

    /// The slot of `frame`, a page, if it is in the swap cache.
    pub(crate) fn swap_slot(&self, frame: Frame) -> Option<Slot> {
        let word = self.records.word(frame).load(Ordering::Relaxed);
        (word & IN_SWAP_CACHE != 0).then_some(Slot(word >> SLOT_SHIFT))
    }

    /// `frame`, a page, is in the swap cache with this slot from now on, or no longer. What is there does not change, so nobody counts
    /// writes to it meanwhile.
    pub(crate) fn set_swap_slot(&self, frame: Frame, slot: Option<Slot>) {
        let tied = slot.map_or(0, |slot| IN_SWAP_CACHE | slot.0 << SLOT_SHIFT);
        let word = self.records.word(frame);
        // It never fails.
        let _ = word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| {
            Some(word & (INSTRUCTIONS_CLEAN | OF_OBJECT) | tied)
        });
    }

    /// Descriptors of `table`, which may be shared, are about to be swapped.
    pub(crate) fn mark_swapped(&self, table: Frame) {
        self.records
            .word(table)
            .fetch_or(Occupancy::SWAPPED, Ordering::Relaxed);
    }

    /// Makes what the kernel wrote to `frame` fit to be executed, if that was not done yet. `frame` is a page.
    pub(crate) fn make_executable(&self, mmu: &impl Mmu, frame: Frame) {
        let word = self.records.word(frame);
        let before = word.load(Ordering::Acquire);
        if before & INSTRUCTIONS_CLEAN == 0 {
            crate::memory::sync_icache(mmu, frame);
            // It fails where the kernel has written meanwhile: then the frame is not clean.
            let clean = before | INSTRUCTIONS_CLEAN;
            let _ = word.compare_exchange(before, clean, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// What is known of a table beside its entries, as a word: equal words, equal knowledge.
    pub fn record(&self, table: Frame) -> u32 {
        self.occupancy(table).word()
    }

    /// The occupancy of a table: meaningful only for a frame in use as one.
    #[inline]
    pub(crate) fn occupancy(&self, table: Frame) -> Occupancy {
        Occupancy::from_word(self.records.word(table).load(Ordering::Relaxed))
    }

    /// Replaces the occupancy of a table that the caller owns alone.
    #[inline]
    pub(crate) fn set_occupancy(&self, table: Frame, occupancy: Occupancy) {
        self.records
            .word(table)
            .store(occupancy.word(), Ordering::Relaxed);
    }

    /// Changes the occupancy of a table that the caller owns alone.
    #[inline]
    pub(crate) fn update_occupancy(&self, table: Frame, change: impl FnOnce(Occupancy) -> Occupancy) {
        let word = self.records.word(table);
        word.store(
            change(Occupancy::from_word(word.load(Ordering::Relaxed))).word(),
            Ordering::Relaxed,
        );
    }

    /// I4: descriptors of `table`, which may be shared, are about to lose write access while other ASIDs may have cached them.
    /// Whoever then reads a write-protected descriptor, and fences, sees the mark.
    #[inline]
    pub(crate) fn mark_write_protected(&self, table: Frame) {
        self.records
            .word(table)
            .fetch_or(Occupancy::WRITE_PROTECTED, Ordering::Relaxed);
        fence(Ordering::Release);
    }
}
