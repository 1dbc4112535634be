//! What a terminal stands in front of: a serial line, the other end of a pseudo-terminal, a test. The terminal knows keys, lines
//! and job control; its driver knows where bytes go. A driver that has received bytes hands them to [`super::Terminal::receive`].

use abi::terminal::Termios;

/// The device below a terminal.
///
/// Where it says "under the terminal's lock" the driver is quick, does not sleep, and takes only locks of a higher rank than
/// `TERMINAL`; it must not call the terminal.
pub trait TtyDriver: Send + Sync {
    /// How many bytes [`TtyDriver::write`] takes now. Under the terminal's lock. A driver that had no room calls
    /// [`super::Terminal::send`] when there is some again.
    fn room(&self) -> usize;

    /// Sends bytes, all of them: no more than there was room for. No lock is held, and nobody else writes meanwhile. It may wait for
    /// the line, but not sleep: an echo is sent where the interrupt of the key is served.
    fn write(&self, bytes: &[u8]);

    /// The settings are these from now on. Under the terminal's lock.
    fn set_termios(&self, _termios: &Termios) {}

    /// There is hardly room for more input, and a program could read what there is: the other side should send no more for now.
    /// Under the terminal's lock.
    fn throttle(&self, _termios: &Termios) {}

    /// There is room again, after [`TtyDriver::throttle`]. Under the terminal's lock.
    fn unthrottle(&self, _termios: &Termios) {}

    /// The terminal was hung up: nobody has it open in a way that still works. No lock is held.
    fn hang_up(&self) {}
}
