//! The end of the machine is a panic that unwinds the thread that asks for it; its payload is an [`End`].

use crate::interrupt;
use std::boxed::Box;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// What was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// Power off.
    Off,
    /// A restart.
    Restart,
    /// To stay as it is.
    Halt,
    /// An exit status for whoever runs the machine.
    Exit(u32),
    /// Nothing: the kernel panicked.
    Panic,
}

/// How the machine ended first, once it has.
static ENDED: Mutex<Option<End>> = Mutex::new(None);
static CHANGED: Condvar = Condvar::new();

/// The machine ends like that, if it has not ended yet.
pub(super) fn note(end: End) {
    ENDED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get_or_insert(end);
    CHANGED.notify_all();
}

/// For tests: waits for the end of the machine; `None` if it takes longer than `most`.
pub fn wait_for_end(most: Duration) -> Option<End> {
    let ended = ENDED.lock().unwrap_or_else(PoisonError::into_inner);
    let waited = CHANGED.wait_timeout_while(ended, most, |ended| ended.is_none());
    *waited.unwrap_or_else(PoisonError::into_inner).0
}

fn end(with: End) -> ! {
    note(with);
    std::panic::resume_unwind(Box::new(with))
}

/// Makes this processor the only one that goes on: the others end as soon as they take interrupts.
pub fn stop_others() {
    interrupt::stop_others();
}

/// Turns the machine off.
pub fn off() -> ! {
    stop_others();
    end(End::Off)
}

/// Restarts the machine.
pub fn restart() -> ! {
    stop_others();
    end(End::Restart)
}

/// Ends with exit status `code`.
pub fn semihosting_exit(code: u32) -> ! {
    stop_others();
    end(End::Exit(code))
}

/// Stays as it is.
pub fn halt() -> ! {
    stop_others();
    end(End::Halt)
}

/// Stops this processor for ever. Another one has asked for it, and says how the machine ends.
pub(crate) fn stop_here() -> ! {
    std::panic::resume_unwind(Box::new(End::Halt))
}

pub use crate::devices::watchdog::ResetReason;

/// Nobody knows.
pub fn reset_reason() -> Option<ResetReason> {
    None
}

/// There is none.
pub fn found_watchdog_armed() -> bool {
    false
}

/// There is none.
pub fn feed_watchdog(_seconds: u32) -> Option<u32> {
    None
}
