//! Processors of a host: each is a number that one thread has at a time. Those that run the kernel have the numbers from 0 on, and
//! hand them from kernel thread to kernel thread. Any other thread that asks for its number gets one of the rest, that no other
//! has, for as long as it lives.

use core::cell::Cell;
use core::sync::atomic::{AtomicUsize, Ordering};
use mm::{Counters, Event};
use std::sync::{Condvar, Mutex, PoisonError};
use std::vec::Vec;

use crate::interrupt;
pub use crate::per_cpu::PerCpu;
pub use mm::MAX_CPUS;

/// Numbers below this one are for processors that run the kernel.
const MOST: usize = 4;
/// A bit for each number that some thread has, or that is not for any thread.
static TAKEN: Mutex<u32> = Mutex::new((1 << MOST) - 1);
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
        if let Some(number) = self.0.take().filter(|&number| number >= MOST) {
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

/// The running thread's number, below [`MAX_CPUS`]. Where all are taken it waits until a thread ends.
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

/// A processor that does not run the kernel: there are more than a host's machine has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotStarted(usize);

impl core::fmt::Display for NotStarted {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "processor {}: there are more than {MOST}", self.0)
    }
}

/// Starts threads that are processors, `most` in all with this one, if that is said; each calls `entry`. Returns those that
/// should run and do not.
pub fn start_others(most: usize, entry: fn() -> !) -> Vec<NotStarted> {
    let wanted = if most == usize::MAX { 1 } else { most };
    for number in count()..wanted.min(MOST) {
        COUNT.fetch_add(1, Ordering::Release);
        std::thread::spawn(move || {
            become_processor(number);
            interrupt::set_up_processor();
            entry()
        });
    }
    (MOST..wanted).map(NotStarted).collect()
}
