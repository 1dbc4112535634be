//! Processors: the block that TPIDR_EL1 points to, and data of which each processor has its own. One processor runs now; all
//! is laid out for [`MAX_CPUS`].

use crate::arch;
use crate::layout::image;
use aarch64_cpu::registers::{MIDR_EL1, Readable, TPIDR_EL1, Writeable};
use core::sync::atomic::{AtomicUsize, Ordering};

pub use mm::MAX_CPUS;

/// What a processor must find without a register to spare. The vectors know its layout.
#[repr(C, align(64))]
struct CpuBlock {
    number: usize,
    emergency_stack_top: AtomicUsize,
}

static BLOCKS: [CpuBlock; MAX_CPUS] = {
    let mut blocks = [const {
        CpuBlock {
            number: 0,
            emergency_stack_top: AtomicUsize::new(0),
        }
    }; MAX_CPUS];
    let mut number = 0;
    while number < MAX_CPUS {
        blocks[number].number = number;
        number += 1;
    }
    blocks
};

/// Makes the running processor number `number`. Until then it must not fault nor call anything else of this module.
pub(crate) fn become_number(number: usize, emergency_stack_top: usize) {
    let block = &BLOCKS[number];
    block
        .emergency_stack_top
        .store(emergency_stack_top, Ordering::Relaxed);
    TPIDR_EL1.set((&raw const *block).expose_provenance() as u64);
}

/// Makes the running processor the first.
pub(crate) fn become_boot_processor() {
    become_number(0, image::emergency_stack_top());
}

/// The running processor's number, below [`MAX_CPUS`]. The processor that booted is 0.
#[inline(always)]
pub fn number() -> usize {
    let block = core::ptr::with_exposed_provenance::<CpuBlock>(TPIDR_EL1.get() as usize);
    // SAFETY: every processor passes `become_number` before it runs Rust that could call this; blocks live for ever.
    unsafe { (*block).number }
}

/// What kind of processor this is: MIDR_EL1 (Arm ARM D24.2.122).
pub fn main_id() -> u64 {
    MIDR_EL1.get()
}

/// Sleeps until an interrupt is pending for this processor (it stays masked: `interrupt::take` fetches it).
#[inline]
pub fn wait_for_interrupt() {
    // What was stored before must be seen by whoever wakes us.
    arch::dsb_sy();
    arch::wfi();
}

/// One `T` for each processor.
#[derive(Debug)]
pub struct PerCpu<T>([T; MAX_CPUS]);

impl<T> PerCpu<T> {
    /// The value for each processor, by number.
    pub const fn new(values: [T; MAX_CPUS]) -> PerCpu<T> {
        PerCpu(values)
    }

    /// The running processor's value. A thread that keeps the reference while it moves shares it with that processor.
    #[inline(always)]
    pub fn get(&self) -> &T {
        &self.0[number()]
    }
}
