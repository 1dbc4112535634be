//! The terminal: the serial console with a line discipline in front of it, and job control (credentials(7), tty(4)).
//!
//! There is one terminal, the console. A session that has it as controlling terminal is noted here, not with each
//! process: a process's controlling terminal is the console if the console's session is its own.
//!
//! Bytes typed arrive by interrupt ([`handle_console_interrupt`]); signals they cause are sent behind the lock.

mod discipline;
mod file;
mod ioctl;
mod job_control;
mod output;
mod speed;
mod transfer;

use core::sync::atomic::{AtomicU32, Ordering};

use crate::sync::{Mutex, rank};
use abi::Errno;
use abi::signal::info::SI_KERNEL;
use abi::signal::{SigInfo, Signal};
use abi::terminal::WinSize;
use discipline::Discipline;
use spin::Once;

pub use file::{open_console, open_controlling, open_line};
pub use job_control::session_ended;

use crate::fs::inode::DeviceNumber;
use crate::fs::turn::Turn;
use crate::process::Pid;
use crate::signal;
use crate::wait::WaitQueue;

/// The console's own device number: ttyAMA0.
const NUMBER: DeviceNumber = DeviceNumber {
    major: 204,
    minor: 64,
};
/// The size until somebody sets it: a serial line cannot tell.
const DEFAULT_SIZE: WinSize = WinSize {
    row: 24,
    col: 80,
    xpixel: 0,
    ypixel: 0,
};

static CONSOLE: Once<Terminal> = Once::new();

/// A terminal.
struct Terminal {
    state: Mutex<State, { rank::TERMINAL }>,
    /// Whose read takes what was typed.
    reader: Turn,
    /// Whose write goes to the line, whole.
    writer: Turn,
    /// Woken when there may be something to read, or the settings or the hang-up state change.
    readable: WaitQueue,
    /// Woken when output goes on.
    writable: WaitQueue,
    /// How often it was hung up: what was opened before the last time is dead.
    hang_ups: AtomicU32,
}

struct State {
    discipline: Discipline,
    size: WinSize,
    session: Option<Pid>,
    foreground: Option<Pid>,
}

/// The console.
fn console() -> &'static Terminal {
    CONSOLE.call_once(Terminal::new)
}

impl Terminal {
    fn new() -> Self {
        let state = State {
            discipline: Discipline::default(),
            size: DEFAULT_SIZE,
            session: None,
            foreground: None,
        };
        Terminal {
            state: Mutex::new(state),
            reader: Turn::new(),
            writer: Turn::new(),
            readable: WaitQueue::new(),
            writable: WaitQueue::new(),
            hang_ups: AtomicU32::new(0),
        }
    }

    /// Takes the bytes that `next` gives, which were typed. Each is fetched under the lock: two processors that do this keep
    /// their order.
    fn receive(&self, mut next: impl FnMut() -> Option<u8>) {
        loop {
            let (effect, foreground) = {
                let mut state = self.state.lock();
                let Some(byte) = next() else { return };
                let effect = state.discipline.receive(byte, &mut platform::console::write);
                (effect, state.foreground)
            };
            if let (Some(signal), Some(group)) = (effect.signal, foreground) {
                signal::send_to_group(group, SigInfo::new(signal, SI_KERNEL));
            }
            if effect.is_input {
                self.readable.wake_all();
            }
            if effect.is_restart {
                self.writable.wake_all();
            }
        }
    }

    /// Sets the size and tells the foreground group if it is another (`TIOCSWINSZ`).
    fn set_size(&self, size: WinSize) {
        let (is_changed, foreground) = {
            let mut state = self.state.lock();
            (
                core::mem::replace(&mut state.size, size) != size,
                state.foreground,
            )
        };
        if let (true, Some(group)) = (is_changed, foreground) {
            signal::send_to_group(group, SigInfo::new(Signal::SIGWINCH, SI_KERNEL));
        }
    }

    fn hang_ups(&self) -> u32 {
        self.hang_ups.load(Ordering::Acquire)
    }
}

/// Takes what was typed at the console. Called with no lock held.
pub fn handle_console_interrupt() {
    console().receive(platform::console::read_byte);
}

/// The number of a session's controlling terminal, as /proc/PID/stat shows it (0: none), and the foreground group there.
pub fn controlling(session: Pid) -> Option<(u64, Pid)> {
    let state = console().state.lock();
    (state.session == Some(session)).then(|| (NUMBER.encode(), state.foreground.unwrap_or(0)))
}

/// An error for each call on a terminal that was hung up.
const HUNG_UP: Errno = Errno::EIO;
