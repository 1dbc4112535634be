//! Kernel stacks: 16 KiB at the start of the upper half of a 64 KiB slot, the lower half unmapped. So a stack that runs over hits
//! nothing, and one bit of the stack pointer tells the vectors about it (arch/vectors.s, STACK_BIT).
//!
//! ```text
//! slot n = STACK_BASE + n * 64 KiB     | 32 KiB unmapped | 16 KiB stack | 16 KiB unmapped |
//! ```
//!
//! The stack that a processor boots on fills the upper half, and its slot has its emergency stack at its start, as the boot
//! processor's has (boot/head.s).
//!
//! Builds with checks paint each stack when it is mapped, and look how deep its threads have gone whenever one gives it back: one
//! that came near the end is a panic, whatever else it did right.

use super::kernel_tables::Rights;
use super::{kernel_tables, ram};
use crate::cpu::{EMERGENCY_STACK_SIZE, MAX_CPUS, PerCpu};
use crate::fault_injection;
use crate::layout::{STACK_BASE, image};
use crate::lock::{Contention, Lock};
use arrayvec::ArrayVec;
use core::ops::Range;
use mm::{NoMemory, PAGE_SIZE};

/// Bytes of a thread's stack.
pub(crate) const STACK_SIZE: usize = 16 << 10;
/// Bytes of the stack that a processor boots on.
pub(crate) const BOOT_STACK_SIZE: usize = 32 << 10;
const SLOT: usize = 2 * BOOT_STACK_SIZE;
/// Bytes at the end of a thread's stack that no thread is to need.
const SPARE: usize = 2 << 10;
/// Whether it is watched that none does.
const IS_WATCHED: bool = cfg!(debug_assertions);
/// What a stack holds where no thread has been.
const PAINT: u64 = 0x7061_696e_7465_6421;
/// Threads that can exist: 2^16 slots fill 4 GiB of addresses.
const SLOTS: usize = 1 << 16;
/// Free stacks that are kept mapped for the next thread: at each processor, and beyond that for all.
const CACHED_HERE: usize = 4;
const CACHED: usize = 32;

/// A mapped kernel stack, to be given back by [`give_back`].
#[derive(Debug)]
pub(crate) struct Stack {
    slot: usize,
    frames: ram::Block,
}

/// Free stacks, mapped.
struct Cache<const ROOM: usize> {
    stacks: [Option<Stack>; ROOM],
    held: usize,
}

impl<const ROOM: usize> Cache<ROOM> {
    const fn new() -> Cache<ROOM> {
        Cache {
            stacks: [const { None }; ROOM],
            held: 0,
        }
    }

    fn pop(&mut self) -> Option<Stack> {
        self.held = self.held.checked_sub(1)?;
        self.stacks.get_mut(self.held)?.take()
    }

    /// Takes the stack, or gives it back when there is no room.
    fn push(&mut self, stack: Stack) -> Result<(), Stack> {
        let Some(place) = self.stacks.get_mut(self.held) else {
            return Err(stack);
        };
        *place = Some(stack);
        self.held += 1;
        Ok(())
    }
}

struct Stacks {
    cache: Cache<CACHED>,
    /// One bit for each slot in use.
    in_use: [u64; SLOTS / 64],
    /// No word of `in_use` below this one has a free bit.
    first_free_word: usize,
}

/// Under it stacks come from, and go to, [`ram`].
static STACKS: Lock<Stacks> = Lock::new(Stacks {
    cache: Cache::new(),
    in_use: [0; SLOTS / 64],
    first_free_word: 0,
});

/// The stacks that each processor has at hand: the lock is its own, but for who counts.
static CACHES: PerCpu<Lock<Cache<CACHED_HERE>>> = PerCpu::new([const { Lock::new(Cache::new()) }; MAX_CPUS]);

/// What waiting for the stacks has cost.
pub(crate) fn contention() -> Contention {
    STACKS.contention("stacks")
}

/// Frames held by stacks that no thread uses.
pub fn cached_frames() -> usize {
    let here: usize = CACHES.all().iter().map(|cache| cache.lock().held).sum();
    (here + STACKS.lock().cache.held) * (STACK_SIZE / PAGE_SIZE)
}

/// Gives a stack that no thread is on to the cache, or its memory back.
///
/// # Panics
/// In builds with checks, if a thread came within [`SPARE`] bytes of its end.
pub(crate) fn give_back(stack: Stack) {
    if IS_WATCHED {
        let used = stack.deepest_use();
        assert!(
            used <= STACK_SIZE - SPARE,
            "a thread used {used} bytes of its kernel stack, which has {STACK_SIZE}, by way of {:x?}",
            stack.callers()
        );
    }
    let Err(stack) = CACHES.get().lock().push(stack) else {
        return;
    };
    let mut stacks = STACKS.lock();
    let Err(stack) = stacks.cache.push(stack) else {
        return;
    };
    stacks.unmap(stack);
}

/// The stacks of a processor, for ever.
pub(crate) struct ProcessorStacks {
    /// End of the stack that it boots on.
    pub(crate) top: usize,
    /// End of its emergency stack.
    pub(crate) emergency_top: usize,
}

/// Makes the stacks of another processor.
///
/// # Errors
/// No memory for them, or no slot.
pub(crate) fn take_for_processor() -> Result<ProcessorStacks, NoMemory> {
    let stack = STACKS.lock().map_new(BOOT_STACK_SIZE)?;
    let start = STACK_BASE + stack.slot * SLOT;
    let emergency = start..start + EMERGENCY_STACK_SIZE;
    let frames = match ram::take(EMERGENCY_STACK_SIZE) {
        Ok(frames) => frames,
        Err(error) => {
            STACKS.lock().unmap(stack);
            return Err(error);
        }
    };
    // The whole slot lies in one level-3 table, which the stack has: no further one is needed.
    kernel_tables().map(emergency.clone(), frames.physical(), Rights::Data, &mut || None)?;
    Ok(ProcessorStacks {
        top: stack.range().end,
        emergency_top: emergency.end,
    })
}

/// Where all slots are.
pub(crate) fn region() -> Range<usize> {
    STACK_BASE..STACK_BASE + SLOTS * SLOT
}

impl Stack {
    /// A stack, contents anything.
    ///
    /// # Errors
    /// No memory for it, or no slot.
    pub(crate) fn take() -> Result<Stack, NoMemory> {
        if fault_injection::refuses_frame() {
            return Err(NoMemory);
        }
        if let Some(stack) = CACHES.get().lock().pop() {
            return Ok(stack);
        }
        let mut stacks = STACKS.lock();
        match stacks.cache.pop() {
            Some(stack) => Ok(stack),
            None => {
                let stack = stacks.map_new(STACK_SIZE)?;
                if IS_WATCHED {
                    stack.paint();
                }
                Ok(stack)
            }
        }
    }

    /// Its addresses.
    pub(crate) fn range(&self) -> Range<usize> {
        let start = STACK_BASE + self.slot * SLOT + BOOT_STACK_SIZE;
        start..start + self.frames.len()
    }

    /// Its words, lowest first.
    fn words(&self) -> impl Iterator<Item = *mut u64> {
        let words = self.range().step_by(size_of::<u64>());
        words.map(core::ptr::with_exposed_provenance_mut)
    }

    fn paint(&self) {
        // SAFETY: the aligned words of a mapped stack that no thread is on.
        self.words().for_each(|word| unsafe { word.write(PAINT) });
    }

    /// Words that look like return addresses, the deepest first: by way of whom threads came so deep.
    fn callers(&self) -> ArrayVec<u64, 48> {
        let text = image::text();
        // SAFETY: as in `paint`, which has written all of them.
        let words = self.words().map(|word| unsafe { word.read() });
        words
            .filter(|word| text.contains(&(*word as usize)))
            .take(48)
            .collect()
    }

    /// Bytes that threads have used at most since it was painted.
    fn deepest_use(&self) -> usize {
        // SAFETY: as in `paint`, which has written all of them.
        let is_used = |word: &*mut u64| unsafe { word.read() } != PAINT;
        let first = self.words().find(is_used);
        first.map_or(0, |word| self.range().end - word.addr())
    }
}

impl Stacks {
    /// A stack of so many bytes. No memory, or no slot: an error.
    fn map_new(&mut self, len: usize) -> Result<Stack, NoMemory> {
        let slot = self.take_slot().ok_or(NoMemory)?;
        let frames = match ram::take(len) {
            Ok(frames) => frames,
            Err(error) => {
                self.free_slot(slot);
                return Err(error);
            }
        };
        let stack = Stack { slot, frames };
        // All pages of a stack lie in one level-3 table, so a table that is missing fails before anything is mapped.
        match kernel_tables().map(
            stack.range(),
            stack.frames.physical(),
            Rights::Data,
            &mut ram::new_table,
        ) {
            Ok(()) => Ok(stack),
            Err(error) => {
                self.free_slot(slot);
                ram::give_back(stack.frames);
                Err(error)
            }
        }
    }

    /// Gives back the memory of a stack that no thread is on.
    fn unmap(&mut self, stack: Stack) {
        kernel_tables().unmap(stack.range());
        self.free_slot(stack.slot);
        ram::give_back(stack.frames);
    }

    fn take_slot(&mut self) -> Option<usize> {
        let words = &mut self.in_use[self.first_free_word..];
        let (at, word) = words
            .iter_mut()
            .enumerate()
            .find(|(_, word)| **word != u64::MAX)?;
        let bit = word.trailing_ones() as usize;
        *word |= 1 << bit;
        self.first_free_word += at;
        Some(self.first_free_word * 64 + bit)
    }

    fn free_slot(&mut self, slot: usize) {
        self.in_use[slot / 64] &= !(1 << (slot % 64));
        self.first_free_word = self.first_free_word.min(slot / 64);
    }
}
