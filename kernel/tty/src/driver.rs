//! What a terminal stands in front of: a serial line, the other end of a pseudo-terminal, a test. The terminal knows keys, lines
//! and job control; its driver knows where bytes go. A driver that has received bytes hands them to [`super::Terminal::receive`].

use abi::terminal::{Termios, WinSize};

/// Until somebody sets it: a serial line cannot tell.
const USUAL_SIZE: WinSize = WinSize {
    row: 24,
    col: 80,
    xpixel: 0,
    ypixel: 0,
};

/// What a terminal begins with.
pub struct Initial {
    /// Its settings.
    pub termios: Termios,
    /// Its size.
    pub size: WinSize,
}

impl Default for Initial {
    fn default() -> Self {
        Initial {
            termios: Termios::default(),
            size: USUAL_SIZE,
        }
    }
}

/// Whether output goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    /// It was stopped, by a key or a program.
    Stopped,
    /// It goes on.
    Running,
}

/// What was dropped before it was read or sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flushed {
    /// What was typed.
    Input,
    /// What was written.
    Output,
    /// Both.
    Both,
}

/// Whether the other end of a terminal is a device or a program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// A device: output takes its time, and the end of a session is heard by a hang-up.
    Device,
    /// A program, as of a pseudo-terminal: output is sent once it is written, and the terminal survives its session.
    Program,
}

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

    /// What its terminal begins with.
    fn initial(&self) -> Initial {
        Initial::default()
    }

    /// What the other end is; always the same.
    fn ending(&self) -> Ending {
        Ending::Device
    }

    /// The settings are these from now on; the driver corrects what it cannot do. Under the terminal's lock.
    fn set_termios(&self, _termios: &mut Termios) {}

    /// There is hardly room for more input, and a program could read what there is: the other side should send no more for now.
    /// Under the terminal's lock.
    fn throttle(&self, _termios: &Termios) {}

    /// There is room again, after [`TtyDriver::throttle`]. Under the terminal's lock.
    fn unthrottle(&self, _termios: &Termios) {}

    /// Output was stopped, or goes on. Under the terminal's lock.
    fn set_flow(&self, _flow: Flow) {}

    /// Something was dropped. Under the terminal's lock.
    fn note_flushed(&self, _what: Flushed) {}

    /// A program has opened the terminal once more. No lock is held.
    fn open(&self) {}

    /// Somebody has closed it for good who had opened it. No lock is held.
    fn close(&self) {}

    /// The terminal was hung up: nobody has it open in a way that still works. No lock is held.
    fn hang_up(&self) {}
}
