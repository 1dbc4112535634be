//! The terminal: the serial console with a line discipline in front of it, and job control (credentials(7), tty(4)).
//!
//! There is one terminal, the console. The session that has it as controlling terminal is noted here, and with each process
//! since which tenure it is its own: a process may give it up alone, and what was given up does not come back by itself.
//!
//! Bytes typed arrive by interrupt (`tty/console.rs`); signals they cause are sent behind the lock.

mod console;
mod file;
mod ioctl;
mod job_control;
mod sending;
mod speed;
mod transfer;

use core::sync::atomic::{AtomicU32, Ordering};

use abi::Errno;
use abi::signal::info::SI_KERNEL;
use abi::signal::{SigInfo, Signal};
use abi::terminal::WinSize;
use formats::line_discipline::{Discipline, Effect};
use lock::{Mutex, rank};
use sending::Sending;
use spin::Once;

pub use console::register_interrupt;
pub use file::register;
pub use job_control::session_ended;

use crate::fs::device_registry::DeviceNumber;
use crate::fs::file_owner::{Event, Listeners};
use crate::process::{Pid, Process};
use crate::sched::SleepingMutex;
use crate::sched::wait::WaitQueue;
use crate::signal;

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
    reader: SleepingMutex,
    /// Whose write goes to the line, whole.
    writer: SleepingMutex,
    /// Woken when there may be something to read, or the settings or the hang-up state change.
    readable: WaitQueue,
    /// Woken when output goes on.
    writable: WaitQueue,
    /// How often it was hung up: what was opened before the last time is dead.
    hang_ups: AtomicU32,
    /// Whose owners are told of input and room (`O_ASYNC`).
    listeners: Listeners,
}

struct State {
    discipline: Discipline,
    size: WinSize,
    session: Option<Pid>,
    foreground: Option<Pid>,
    /// How often it became the controlling terminal of a session; 0: never.
    tenure: u32,
    sending: Sending,
}

impl State {
    /// Whether it is the process's controlling terminal.
    fn is_controlling(&self, process: &Process) -> bool {
        self.session == Some(process.session()) && self.tenure == process.terminal_tenure()
    }

    /// It becomes the controlling terminal of a session, by its leader.
    fn give_to(&mut self, leader: &Process) {
        self.session = Some(leader.session());
        self.foreground = Some(leader.group());
        self.tenure = self.tenure.wrapping_add(1).max(1);
        leader.set_terminal_tenure(self.tenure);
    }
}

/// The console.
fn console() -> &'static Terminal {
    CONSOLE.call_once(Terminal::new)
}

impl Terminal {
    fn new() -> Self {
        let state = State {
            discipline: Discipline::try_new().expect("there is memory for a console"),
            size: DEFAULT_SIZE,
            session: None,
            foreground: None,
            tenure: 0,
            sending: Sending::new(),
        };
        Terminal {
            state: Mutex::new(state),
            reader: SleepingMutex::new(),
            writer: SleepingMutex::new(),
            readable: WaitQueue::new(),
            writable: WaitQueue::new(),
            hang_ups: AtomicU32::new(0),
            listeners: Listeners::new(),
        }
    }

    /// Takes the bytes that `next` gives, which were typed, and sends their echo and what they let go on; between two pieces
    /// of that it looks for typed bytes again.
    fn receive(&self, mut next: impl FnMut() -> Option<u8>) {
        loop {
            if let Some((effect, foreground)) = self.receive_one(&mut next) {
                self.perform(effect, foreground);
            } else if !self.send_piece() {
                return;
            }
        }
    }

    /// Takes one byte; also says which group is in the foreground. It is fetched under the lock: two processors that do this
    /// keep the order.
    fn receive_one(&self, next: &mut impl FnMut() -> Option<u8>) -> Option<(Effect, Option<Pid>)> {
        let mut state = self.state.lock();
        let State {
            discipline, sending, ..
        } = &mut *state;
        let byte = next()?;
        let before = sending.len();
        let effect = discipline.receive(byte, &mut |echo| sending.push(echo));
        if effect.drops_output {
            // All but the echo of this very byte.
            sending.drop_first(before);
        }
        Some((effect, state.foreground))
    }

    fn perform(&self, effect: Effect, foreground: Option<Pid>) {
        if let (Some(signal), Some(group)) = (effect.signal, foreground) {
            signal::send_to_group(group, SigInfo::new(signal, SI_KERNEL));
        }
        if effect.is_input {
            self.readable.wake_all();
            self.listeners.tell(Event::Input, || ());
        }
        if effect.is_restart || effect.drops_output {
            self.writable.wake_all();
            self.listeners.tell(Event::Output, || ());
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

/// The number of a process's controlling terminal, as /proc/PID/stat shows it, and the foreground group there.
pub fn controlling(process: &Process) -> Option<(u64, Pid)> {
    let state = console().state.lock();
    state
        .is_controlling(process)
        .then(|| (NUMBER.encode(), state.foreground.unwrap_or(0)))
}

/// An error for each call on a terminal that was hung up.
const HUNG_UP: Errno = Errno::EIO;
