//! Processors: the block that TPIDR_EL1 points to, and data of which each processor has its own.

use crate::arch;
use crate::layout::image;
use crate::memory::stacks::BOOT_STACK_SIZE;
use aarch64_cpu::registers::{
    ID_AA64ISAR0_EL1, ID_AA64ISAR1_EL1, ID_AA64PFR0_EL1, MIDR_EL1, MPIDR_EL1, Readable, TPIDR_EL1, Writeable,
};
use core::ops::Range;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};

pub use crate::boot::secondary::{NotStarted, Obstacle, start_others};
pub use crate::per_cpu::PerCpu;
pub use mm::MAX_CPUS;
use mm::{Counters, Event};
use spin::Once;

/// What a processor must find without a register to spare. The vectors and head.s know the order of the words.
#[repr(C, align(64))]
pub(crate) struct CpuBlock {
    number: usize,
    emergency_stack_top: usize,
    stack_top: usize,
    /// What `thread` knows of the thread that runs.
    running: AtomicPtr<AtomicBool>,
    counters: Counters,
    /// The same of the thread that has the stack that it booted on.
    first: AtomicPtr<AtomicBool>,
}

impl CpuBlock {
    /// The block of processor `number`, which boots on the stack that ends at `stack_top`.
    ///
    /// # Panics
    /// When there can be no such processor.
    pub(crate) const fn new(number: usize, emergency_stack_top: usize, stack_top: usize) -> CpuBlock {
        assert!(number < MAX_CPUS, "there is no processor of that number");
        CpuBlock {
            number,
            emergency_stack_top,
            stack_top,
            running: AtomicPtr::new(ptr::null_mut()),
            counters: Counters::new(),
            first: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// Makes the running processor the one of this block. Until then it must not fault nor call anything else of this module.
    pub(crate) fn adopt(&'static self) {
        TPIDR_EL1.set((&raw const *self).expose_provenance() as u64);
    }
}

/// The block of the boot processor, written once.
static BOOT_BLOCK: Once<CpuBlock> = Once::new();
/// The counters of each processor that runs, in its block.
static COUNTERS: PerCpu<Once<&'static Counters>> = PerCpu::new([const { Once::new() }; MAX_CPUS]);
/// Processors that run the kernel: those with numbers below this.
static COUNT: AtomicUsize = AtomicUsize::new(1);
/// MIDR_EL1 of each processor that runs.
static MAIN_IDS: PerCpu<AtomicU64> = PerCpu::new([const { AtomicU64::new(0) }; MAX_CPUS]);

/// Makes the running processor the first.
pub(crate) fn become_boot_processor() {
    let block = || CpuBlock::new(0, image::emergency_stack_top(), image::boot_stack_top());
    BOOT_BLOCK.call_once(block).adopt();
    set_up();
}

/// Writes down what this processor is; it has its number.
pub(crate) fn set_up() {
    MAIN_IDS.get().store(MIDR_EL1.get(), Ordering::Relaxed);
    arch::vdso::tell_programs_number(number());
    COUNTERS.get().call_once(counters);
}

/// The running processor's counters.
#[inline(always)]
pub(crate) fn counters() -> &'static Counters {
    &block().counters
}

/// How often all processors together counted `event`.
pub(crate) fn counted(event: Event) -> u64 {
    let known = COUNTERS.all().iter().filter_map(Once::get);
    known.map(|counters| counters.get(event)).sum()
}

/// This processor, number [`count`], is ready: there is one more.
pub(crate) fn count_one_more() {
    COUNT.fetch_add(1, Ordering::Release);
}

/// The affinity fields of this processor's MPIDR_EL1, by which the device tree, PSCI and head.s know it.
pub(crate) fn affinity() -> u64 {
    MPIDR_EL1.get() & MPIDR_AFFINITY
}

/// Aff3 to Aff0 of MPIDR_EL1 (Arm ARM D24.2.131).
pub(crate) const MPIDR_AFFINITY: u64 = 0xff_00ff_ffff;

#[inline(always)]
fn block() -> &'static CpuBlock {
    let block = core::ptr::with_exposed_provenance::<CpuBlock>(TPIDR_EL1.get() as usize);
    // SAFETY: every processor passes `CpuBlock::adopt` before it runs Rust that could call this; blocks live for ever, and
    // nothing in them changes but atomics.
    unsafe { &*block }
}

/// The `runs` of the thread that this processor switched to last, or adopted; null before.
#[inline(always)]
pub(crate) fn running() -> &'static AtomicPtr<AtomicBool> {
    &block().running
}

/// The `runs` of the thread that this processor adopted; null before.
#[inline(always)]
pub(crate) fn first() -> &'static AtomicPtr<AtomicBool> {
    &block().first
}

/// The stack that this processor booted on.
pub(crate) fn boot_stack() -> Range<usize> {
    let top = block().stack_top;
    top - BOOT_STACK_SIZE..top
}

/// This processor's stack for exceptions without a stack.
pub(crate) fn emergency_stack() -> Range<usize> {
    let top = block().emergency_stack_top;
    top - EMERGENCY_STACK_SIZE..top
}

/// Bytes of an emergency stack, which lies below the guard of the boot stack.
pub(crate) const EMERGENCY_STACK_SIZE: usize = 0x7000;

/// How many processors run the kernel, the boot processor included; they have the numbers below this.
#[inline]
pub fn count() -> usize {
    COUNT.load(Ordering::Acquire)
}

/// The running processor's number, below [`MAX_CPUS`]. The processor that booted is 0.
#[inline(always)]
pub fn number() -> usize {
    let number = block().number;
    // SAFETY: `CpuBlock::new` checked it. Known here, no use of it as an index is checked again.
    unsafe { core::hint::assert_unchecked(number < MAX_CPUS) }
    number
}

/// What kind of processor `number` is, which runs: its MIDR_EL1 (Arm ARM D24.2.122).
pub fn main_id_of(number: usize) -> u64 {
    MAIN_IDS.of(number).load(Ordering::Relaxed)
}

/// What kind of processor this is.
pub fn main_id() -> u64 {
    main_id_of(number())
}

/// What the running processor's ID registers say of its instructions. Processors that differ from the first are not started
/// (`boot/secondary.rs`), so this holds for all of them.
#[derive(Clone, Copy, Debug)]
pub struct IdRegisters {
    /// ID_AA64ISAR0_EL1.
    pub instructions0: u64,
    /// ID_AA64ISAR1_EL1.
    pub instructions1: u64,
    /// ID_AA64PFR0_EL1.
    pub features0: u64,
}

/// Reads them.
pub fn id_registers() -> IdRegisters {
    IdRegisters {
        instructions0: ID_AA64ISAR0_EL1.get(),
        instructions1: ID_AA64ISAR1_EL1.get(),
        features0: ID_AA64PFR0_EL1.get(),
    }
}

/// Sleeps until an interrupt is pending for this processor (it stays masked: `interrupt::take` fetches it).
#[inline]
pub fn wait_for_interrupt() {
    // What was stored before must be seen by whoever wakes us.
    arch::dsb_sy();
    counters().count(Event::Barrier);
    arch::wfi();
}
