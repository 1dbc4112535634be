//! Interrupts as values. They are masked while the kernel runs; `user::run` returns with one pending, and an idle processor
//! wakes with one pending. [`take`] fetches them.

use crate::devices::gic;
use crate::{arch, console, cpu, power, timer};
use spin::Once;

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interrupt {
    /// The alarm of this processor was due; it is cleared.
    Timer,
    /// Bytes were received; `console::read_byte` has them.
    Console,
    /// Another processor wants this one to look at its run queue.
    Reschedule,
    /// An interrupt that nobody asked for.
    Unknown(u32),
}

/// The software-generated interrupt that means [`Interrupt::Reschedule`].
const RESCHEDULE: u32 = 0;

/// The one by which a processor is stopped for ever; nobody above hears of it.
const STOP: u32 = 1;

/// Interrupt numbers (INTID) of this machine.
pub(crate) struct Numbers {
    pub(crate) timer: u32,
    pub(crate) console: Option<u32>,
}

static NUMBERS: Once<Numbers> = Once::new();

/// Lets the interrupts through that the kernel serves, to this processor.
pub(crate) fn set_up(numbers: Numbers) {
    let numbers = NUMBERS.call_once(|| numbers);
    enable_private(numbers);
    if let Some(console) = numbers.console {
        gic::enable(console);
    }
}

/// Sets up this processor's part of the interrupt controller, after [`set_up`] on the first processor.
pub(crate) fn set_up_processor() {
    gic::set_up_processor();
    if let Some(numbers) = NUMBERS.get() {
        enable_private(numbers);
    }
}

/// Lets through what each processor has for itself.
fn enable_private(numbers: &Numbers) {
    gic::enable(RESCHEDULE);
    gic::enable(STOP);
    gic::enable(numbers.timer);
}

/// Interrupts processor `cpu`, which runs: it gets [`Interrupt::Reschedule`] when it is at EL0, idle, or next takes
/// interrupts. It sees then what this processor stored before.
///
/// # Panics
/// When there can be no such processor.
pub fn send_reschedule(cpu: usize) {
    gic::send(RESCHEDULE, cpu);
}

/// Stops all other processors, each when it next takes interrupts.
pub(crate) fn stop_others() {
    let own = cpu::number();
    (0..cpu::count())
        .filter(|&other| other != own)
        .for_each(|other| gic::send(STOP, other));
}

/// Whether an interrupt waits to be taken by this processor. Asks the processor, which is quicker than the interrupt controller: for
/// those who ask again and again.
#[inline]
pub fn is_pending() -> bool {
    arch::is_interrupt_pending()
}

/// Fetches one pending interrupt, silences its source and ends it. `None` when nothing is pending, or the interrupt went away
/// (spurious).
#[inline]
pub fn take() -> Option<Interrupt> {
    gic::take(|number| match NUMBERS.get() {
        Some(numbers) if number == numbers.timer => {
            timer::clear_alarm();
            Interrupt::Timer
        }
        Some(numbers) if Some(number) == numbers.console => {
            console::receive();
            Interrupt::Console
        }
        _ if number == RESCHEDULE => Interrupt::Reschedule,
        _ if number == STOP => power::stop_here(),
        _ => Interrupt::Unknown(number),
    })
}
