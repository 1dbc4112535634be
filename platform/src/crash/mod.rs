//! The kernel's own end: panics, exceptions of the kernel, and boot that cannot go on. All speak on the console, or on the
//! likely UART when there is none yet, and turn the machine off or restart it.

mod after;
mod backtrace;
mod exception;
mod fixup;
mod names;

pub use after::AfterPanic;
pub(crate) use backtrace::set_symbols;
pub use exception::{MemoryErrors, spurious_faults};

use crate::console::LastWords;
use crate::{arch, cpu, power, timer};
use core::fmt::{Arguments, Write};
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

/// What follows an exception of the kernel, for which nobody can be asked: [`AfterPanic`] as a number.
static AFTER_EXCEPTION: AtomicU32 = AtomicU32::new(0);
const HALT: u32 = u32::MAX;
const SEMIHOSTING: u32 = u32::MAX - 1;

/// Crashes so far, all of one processor; a crash in a crash says less, a third one nothing.
static CRASHES: AtomicUsize = AtomicUsize::new(0);

/// Chooses what follows when the kernel takes an exception. At first: power off.
pub fn set_after_exception(then: AfterPanic) {
    let number = match then {
        AfterPanic::PowerOff => 0,
        AfterPanic::Restart { seconds } => seconds.clamp(1, SEMIHOSTING - 1),
        AfterPanic::Halt => HALT,
        AfterPanic::SemihostingExit => SEMIHOSTING,
    };
    AFTER_EXCEPTION.store(number, Ordering::Relaxed);
}

fn after_exception() -> AfterPanic {
    match AFTER_EXCEPTION.load(Ordering::Relaxed) {
        0 => AfterPanic::PowerOff,
        HALT => AfterPanic::Halt,
        SEMIHOSTING => AfterPanic::SemihostingExit,
        seconds => AfterPanic::Restart { seconds },
    }
}

/// Says that the kernel panicked, where and why, with a backtrace, and ends. To be called by the kernel's panic handler.
pub fn panic(info: &PanicInfo, then: AfterPanic) -> ! {
    end(then, |out| {
        writeln!(
            out,
            "\n*** kernel panic on cpu {}: {}",
            cpu::number(),
            info.message()
        )?;
        if let Some(location) = info.location() {
            writeln!(out, "    at {location}")?;
        }
        backtrace::print_own(out)
    })
}

/// Says why the kernel cannot start, and turns the machine off.
pub(crate) fn cannot_start(reason: Arguments) -> ! {
    end(AfterPanic::PowerOff, |out| {
        writeln!(out, "holstein: cannot start: {reason}")
    })
}

/// Lets `report` speak, unless the report itself is what crashed, and ends as `then` says.
fn end(then: AfterPanic, report: impl FnOnce(&mut LastWords) -> core::fmt::Result) -> ! {
    arch::mask_all();
    power::stop_others();
    match CRASHES.fetch_add(1, Ordering::Relaxed) {
        0 => {
            // The console takes every text; there is nobody to tell otherwise.
            let _ = report(&mut LastWords::new());
        }
        1 => {
            let _ = writeln!(LastWords::new(), "\n*** crashed again while reporting a crash");
        }
        _ => power::halt(),
    }
    match then {
        AfterPanic::PowerOff => power::off(),
        AfterPanic::Restart { seconds } => {
            timer::spin(seconds);
            power::restart()
        }
        AfterPanic::Halt => power::halt(),
        AfterPanic::SemihostingExit => power::semihosting_exit(1),
    }
}
