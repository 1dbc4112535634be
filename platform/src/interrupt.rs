//! Interrupts as values. They are masked while the kernel runs; `user::run` returns with one pending, and an idle processor
//! wakes with one pending. [`take`] fetches them.

use crate::devices::gic;
use crate::{arch, cpu, power, timer};
use spin::Once;

/// What happened.
#[derive(Debug)]
pub enum Interrupt {
    /// The alarm of this processor was due; it is cleared.
    Timer,
    /// Another processor wants this one to look at its run queue.
    Reschedule,
    /// A device wants something, which its driver knows.
    Device(Active),
}

/// An interrupt that this processor took and serves. The drop ends it, and until then the processor takes no other: by then the
/// driver has made the device let go of its line.
#[derive(Debug)]
#[must_use]
pub struct Active {
    acknowledged: u32,
}

impl Active {
    /// Which interrupt (INTID), as the device tree counts them: shared ones from 32 on.
    #[inline]
    pub fn number(&self) -> u32 {
        gic::number(self.acknowledged)
    }
}

impl Drop for Active {
    #[inline]
    fn drop(&mut self) {
        gic::end(self.acknowledged);
    }
}

/// The software-generated interrupt that means [`Interrupt::Reschedule`].
pub(crate) const RESCHEDULE: u32 = 0;

/// The one by which a processor is stopped for ever; nobody above hears of it.
const STOP: u32 = 1;

/// The interrupt (INTID) of each processor's timer.
static TIMER: Once<u32> = Once::new();

/// The interrupt of the timer, once it is known.
pub(crate) fn timer() -> Option<u32> {
    TIMER.get().copied()
}

/// Lets the interrupts through that each processor has for itself, to this one; the timer's is `timer`.
pub(crate) fn set_up(timer: u32) {
    enable_private(*TIMER.call_once(|| timer));
}

/// Sets up this processor's part of the interrupt controller, after [`set_up`] on the first processor.
pub(crate) fn set_up_processor() {
    gic::set_up_processor();
    if let Some(&timer) = TIMER.get() {
        enable_private(timer);
    }
}

fn enable_private(timer: u32) {
    gic::enable(RESCHEDULE);
    gic::enable(STOP);
    gic::enable(timer);
}

/// Lets the interrupt of a device through, to the processor that booted; one that is private to each processor, to this one.
pub fn enable(number: u32) {
    gic::enable(number);
}

/// Keeps the interrupt of a device back. One that is being served is ended as ever.
pub fn disable(number: u32) {
    gic::disable(number);
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

/// Fetches one pending interrupt. Those of the processor itself are silenced and ended; that of a device is ended by the drop of
/// [`Active`]. `None` when nothing is pending, or the interrupt went away (spurious).
#[inline]
pub fn take() -> Option<Interrupt> {
    let active = Active {
        acknowledged: gic::acknowledge()?,
    };
    match active.number() {
        RESCHEDULE => Some(Interrupt::Reschedule),
        STOP => power::stop_here(),
        number if TIMER.get() == Some(&number) => {
            timer::clear_alarm();
            Some(Interrupt::Timer)
        }
        _ => Some(Interrupt::Device(active)),
    }
}
