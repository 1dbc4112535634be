//! Processors of a host: each is a number that one thread has at a time. A thread that asks for its number gets one that no
//! other has, for as long as it lives; a kernel thread gets that of whoever switches to it.

use core::cell::Cell;
use core::sync::atomic::{AtomicUsize, Ordering};
use mm::{Counters, Event};
use std::sync::{Condvar, Mutex, PoisonError};
use std::vec::Vec;

use crate::interrupt;
pub use crate::per_cpu::PerCpu;
pub use mm::MAX_CPUS;

/// A bit for each number that some thread has.
static TAKEN: Mutex<u32> = Mutex::new(0);
/// A number was given back.
static GIVEN_BACK: Condvar = Condvar::new();
/// Processors that run the kernel: those with numbers below this.
static COUNT: AtomicUsize = AtomicUsize::new(1);
static COUNTERS: PerCpu<Counters> = PerCpu::new([const { Counters::new() }; MAX_CPUS]);

/// The number of a thread, given back when it ends.
struct Number(Cell<Option<usize>>);

impl Number {
    fn get(&self) -> usize {
        self.0.get().unwrap_or_else(|| {
            let number = take();
            self.0.set(Some(number));
            number
        })
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        if let Some(number) = self.0.take() {
            give_back(number);
        }
    }
}

std::thread_local! {
    static NUMBER: Number = const { Number(Cell::new(None)) };
}

/// Waits until a number is free, and takes it.
fn take() -> usize {
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let number = taken.trailing_ones() as usize;
        if number < MAX_CPUS {
            *taken |= 1 << number;
            return number;
        }
        taken = GIVEN_BACK.wait(taken).unwrap_or_else(PoisonError::into_inner);
    }
}

fn give_back(number: usize) {
    *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) &= !(1 << number);
    GIVEN_BACK.notify_one();
}

/// The running thread's number, below [`MAX_CPUS`]. Where as many threads have one already it waits until one of them ends.
pub fn number() -> usize {
    NUMBER.with(Number::get)
}

/// Whether the running thread has a number. Works at any moment of its life.
pub(crate) fn is_processor() -> bool {
    NUMBER
        .try_with(|number| number.0.get().is_some())
        .unwrap_or(false)
}

/// The running thread becomes that processor; nobody else may be it.
pub(super) fn become_processor(number: usize) {
    NUMBER.with(|own| own.0.set(Some(number)));
}

/// The running thread's number, which goes to another thread.
pub(super) fn hand_over() -> usize {
    let own = number();
    NUMBER.with(|number| number.0.set(None));
    own
}

/// The running processor's counters.
pub(crate) fn counters() -> &'static Counters {
    COUNTERS.get()
}

/// How often all processors together counted `event`.
pub(crate) fn counted(event: Event) -> u64 {
    COUNTERS.all().iter().map(|counters| counters.get(event)).sum()
}

/// How many processors run the kernel.
pub fn count() -> usize {
    COUNT.load(Ordering::Acquire)
}

/// What kind of processor that is: a Cortex-A72, for those who describe it.
pub fn main_id_of(_: usize) -> u64 {
    0x410f_d083
}

/// What kind of processor this is.
pub fn main_id() -> u64 {
    main_id_of(number())
}

/// What the ID registers say of the instructions.
#[derive(Clone, Copy, Debug)]
pub struct IdRegisters {
    /// ID_AA64ISAR0_EL1.
    pub instructions0: u64,
    /// ID_AA64ISAR1_EL1.
    pub instructions1: u64,
    /// ID_AA64PFR0_EL1.
    pub features0: u64,
}

/// Those of a Cortex-A72 without the cryptographic extension (Arm 100095, 4.2).
pub fn id_registers() -> IdRegisters {
    IdRegisters {
        instructions0: 0x1_0000,
        instructions1: 0,
        features0: 0x2222,
    }
}

/// Sleeps until an interrupt is pending for this processor.
pub fn wait_for_interrupt() {
    crate::devices::gic::wait();
}

/// A processor that does not run the kernel: there are more than [`MAX_CPUS`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotStarted(usize);

impl core::fmt::Display for NotStarted {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "processor {}: there are more than {MAX_CPUS}", self.0)
    }
}

/// Starts threads that are processors, `most` in all with this one, if that is said; each calls `entry`. Returns those that
/// should run and do not.
pub fn start_others(most: usize, entry: fn() -> !) -> Vec<NotStarted> {
    let wanted = if most == usize::MAX { 1 } else { most };
    for number in count()..wanted.min(MAX_CPUS) {
        let taken = take();
        assert_eq!(
            taken, number,
            "processors are started before other threads ask for numbers"
        );
        COUNT.fetch_add(1, Ordering::Release);
        std::thread::spawn(move || {
            become_processor(number);
            interrupt::set_up_processor();
            entry()
        });
    }
    (MAX_CPUS..wanted).map(NotStarted).collect()
}
