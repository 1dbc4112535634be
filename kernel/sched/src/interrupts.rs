//! Interrupts of devices, by number: a driver registers its handler at boot, and the scheduler's loop calls it without knowing
//! what it is for. Nothing is allocated and no lock is taken when an interrupt comes.

mod table;

use alloc::sync::Arc;
use platform::interrupt::Active;
use spin::Once;
use table::InterruptTable;

pub use table::{InterruptLine, RegisterError};

/// What a driver does when its device interrupts.
pub trait InterruptHandler: Send + Sync {
    /// Serves the device, and makes it let go of its interrupt line. Runs on the processor that took the interrupt, which takes
    /// no other meanwhile; no lock is held, and the handler must not sleep.
    fn handle(&self);
}

static TABLE: InterruptTable = InterruptTable::new();
/// Who is told of a number for which there is no handler.
static STRAY: Once<fn(u32)> = Once::new();

/// From now on `handler` serves interrupt `number` (INTID), which /proc/interrupts calls `name`, and the interrupt is let through.
///
/// # Errors
/// The number has a handler, or there are too many.
pub fn register(
    number: u32,
    name: &'static str,
    handler: Arc<dyn InterruptHandler>,
) -> Result<(), RegisterError> {
    TABLE.register(number, name, handler)?;
    platform::interrupt::enable(number);
    Ok(())
}

/// Has `tell` called, once for each, with the numbers that come without a handler. They are kept back from then on.
pub fn set_stray_handler(tell: fn(u32)) {
    STRAY.call_once(|| tell);
}

/// Serves the interrupt of a device, on processor `here`, and ends it; whether it had a handler. Not inlined: the scheduler's loop
/// would need more registers for what comes rarely.
#[inline(never)]
pub fn serve(active: Active, here: usize) -> bool {
    let number = active.number();
    let is_known = TABLE.serve(number, here);
    if !is_known {
        turn_away(number);
    }
    is_known
}

/// A device that nobody can silence would interrupt for ever.
#[cold]
fn turn_away(number: u32) {
    platform::interrupt::disable(number);
    if let Some(tell) = STRAY.get() {
        tell(number);
    }
}

/// What is registered, in that order.
pub fn lines() -> impl Iterator<Item = &'static InterruptLine> {
    TABLE.lines()
}
