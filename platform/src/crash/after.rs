//! What follows the end.

/// What follows a crash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AfterPanic {
    /// Turn the machine off.
    PowerOff,
    /// Restart it after so many seconds.
    Restart {
        /// Seconds.
        seconds: u32,
    },
    /// Stay, for a debugger.
    Halt,
    /// End QEMU with exit status 1 (`-semihosting`).
    SemihostingExit,
}
