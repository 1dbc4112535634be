//! Kernel stacks: 32 KiB in the upper half of a 64 KiB slot, the lower half unmapped. So a stack that runs over hits nothing,
//! and one bit of the stack pointer tells the vectors about it (arch/vectors.s, STACK_BIT).
//!
//! ```text
//! slot n = STACK_BASE + n * 64 KiB     | 32 KiB unmapped | 32 KiB stack |
//! ```
//!
//! The slot of a processor's boot stack has its emergency stack at its start, as the boot processor's has (boot/head.s).

use super::kernel_tables::Rights;
use super::{kernel_tables, ram};
use crate::cpu::{EMERGENCY_STACK_SIZE, MAX_CPUS, PerCpu};
use crate::fault_injection;
use crate::layout::STACK_BASE;
use crate::lock::{Contention, Lock};
use core::ops::Range;
use mm::{NoMemory, PAGE_SIZE};

/// Bytes of a stack.
pub(crate) const STACK_SIZE: usize = 32 << 10;
const SLOT: usize = 2 * STACK_SIZE;
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
pub(crate) fn give_back(stack: Stack) {
    let Err(stack) = CACHES.get().lock().push(stack) else {
        return;
    };
    let mut stacks = STACKS.lock();
    let Err(stack) = stacks.cache.push(stack) else {
        return;
    };
    kernel_tables().unmap(stack.range());
    stacks.free_slot(stack.slot);
    ram::give_back(stack.frames);
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
    let stack = Stack::take()?;
    let start = STACK_BASE + stack.slot * SLOT;
    let emergency = start..start + EMERGENCY_STACK_SIZE;
    let frames = match ram::take(EMERGENCY_STACK_SIZE) {
        Ok(frames) => frames,
        Err(error) => {
            give_back(stack);
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
            None => stacks.map_new(),
        }
    }

    /// Its addresses.
    pub(crate) fn range(&self) -> Range<usize> {
        let start = STACK_BASE + self.slot * SLOT + STACK_SIZE;
        start..start + STACK_SIZE
    }
}

impl Stacks {
    fn map_new(&mut self) -> Result<Stack, NoMemory> {
        let slot = self.take_slot().ok_or(NoMemory)?;
        let frames = match ram::take(STACK_SIZE) {
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
