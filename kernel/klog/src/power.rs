//! The end of the machine: reboot(2), /proc/sysrq-trigger, a panic, the end of init. `panic=` and `semihosting` of the command line
//! (`boot`) say how.

use crate::boot_arguments;
use crate::info;
use platform::crash::AfterPanic;

/// reboot(2): off. A test run ends with status 0.
pub fn power_off() -> ! {
    info!("reboot: Power down");
    if is_emulated() {
        platform::power::semihosting_exit(0);
    }
    platform::power::off()
}

/// reboot(2): again.
pub fn restart() -> ! {
    info!("reboot: Restarting system");
    platform::power::restart()
}

/// reboot(2): stop without turning off.
pub fn halt() -> ! {
    info!("reboot: System halted");
    platform::power::halt()
}

/// Ends as `semihosting` and `panic=` say, in an emulator with the exit status `code`; the machine is turned off if they say
/// nothing.
pub fn end(code: u32) -> ! {
    match after_panic() {
        AfterPanic::SemihostingExit => platform::power::semihosting_exit(code),
        AfterPanic::Restart { seconds } => {
            info!("Rebooting in {seconds} seconds..");
            platform::power::stop_others();
            platform::timer::spin(seconds);
            platform::power::restart()
        }
        AfterPanic::Halt => halt(),
        AfterPanic::PowerOff => platform::power::off(),
    }
}

/// What follows a panic.
pub fn after_panic() -> AfterPanic {
    if is_emulated() {
        return AfterPanic::SemihostingExit;
    }
    match boot_arguments::command_line().and_then(|line| line.panic()) {
        None => AfterPanic::PowerOff,
        Some(0) => AfterPanic::Halt,
        Some(seconds) => AfterPanic::Restart {
            seconds: u32::try_from(seconds).unwrap_or(0),
        },
    }
}

/// Whether the emulator is to end, with a status, where the machine would.
fn is_emulated() -> bool {
    boot_arguments::command_line().is_some_and(|line| line.has_flag("semihosting"))
}
