//! Terminals: a line discipline in front of a device, and job control (credentials(7), tty(4)).
//!
//! A [`Terminal`] is made for a [`driver::TtyDriver`], which takes what is sent and hands over what is received; the serial console
//! (`console.rs`) is the first. Terminals are found by device number (`registry.rs`), and as the controlling terminal of a
//! session (`sessions.rs`).
//!
//! Bytes typed arrive by interrupt; signals they cause are sent behind the lock.
//!
//! For boot and /proc; system calls come to it as to any file. It stands above processes, whose groups it signals, and is told of the end of sessions by a hook.
//!
//! Its locks, in order: the sessions', a terminal's, a driver's.
//!
//! Where to read on: kernel/README.md, Story 3.
#![warn(clippy::missing_errors_doc)]
#![cfg_attr(target_os = "none", no_std)]
#![feature(allocator_api)]
#![forbid(unsafe_code)]

extern crate alloc;

mod console;
mod driver;
mod file;
mod ioctl;
mod job_control;
mod processes;
mod registry;
mod sending;
mod sessions;
mod speed;
#[cfg(test)]
mod tests;
mod throttle;
mod transfer;

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, Ordering};

use abi::Errno;
use abi::signal::Signal;
use abi::terminal::WinSize;
use driver::TtyDriver;
use formats::line_discipline::{Discipline, Effect};
use lock::{Mutex, rank};
use memory::fallible;
use processes::{Member, ProcessGroups};
use sending::Sending;
use sessions::SESSIONS;

pub use console::{make as make_console, register_interrupt};
pub use file::register;

use sched::SleepingMutex;
use sched::wait::WaitQueue;
use task::process::{Pid, Process};
use vfs::device_registry::DeviceNumber;
use vfs::file_owner::{Event, Listeners};

/// The size until somebody sets it: a serial line cannot tell.
const DEFAULT_SIZE: WinSize = WinSize {
    row: 24,
    col: 80,
    xpixel: 0,
    ypixel: 0,
};

/// A terminal.
pub struct Terminal {
    number: DeviceNumber,
    driver: Arc<dyn TtyDriver>,
    /// Whom signals are sent to.
    groups: &'static dyn ProcessGroups,
    state: Mutex<TerminalState, { rank::TERMINAL }>,
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

struct TerminalState {
    discipline: Discipline,
    size: WinSize,
    /// Whose controlling terminal it is. Changed under the lock of [`sessions::Sessions`] too.
    session: Option<Pid>,
    foreground: Option<Pid>,
    /// The last tenure in which a session had it; 0: there was none.
    tenure: u32,
    sending: Sending,
    /// The driver was told to hold input back.
    is_throttled: bool,
}

impl TerminalState {
    /// Whether it is the process's controlling terminal.
    fn is_controlling(&self, process: &impl Member) -> bool {
        self.session == Some(process.session()) && self.tenure == process.tenure()
    }
}

impl Terminal {
    /// A terminal in front of that device; nobody's controlling terminal yet.
    ///
    /// # Errors
    /// `ENOMEM`.
    fn try_new(
        number: DeviceNumber,
        driver: Arc<dyn TtyDriver>,
        groups: &'static dyn ProcessGroups,
    ) -> Result<Arc<Self>, Errno> {
        let state = TerminalState {
            discipline: Discipline::try_new().map_err(|_| Errno::ENOMEM)?,
            size: DEFAULT_SIZE,
            session: None,
            foreground: None,
            tenure: 0,
            sending: Sending::try_new()?,
            is_throttled: false,
        };
        fallible::arc(Terminal {
            number,
            driver,
            groups,
            state: Mutex::new(state),
            reader: SleepingMutex::new(),
            writer: SleepingMutex::new(),
            readable: WaitQueue::new(),
            writable: WaitQueue::new(),
            hang_ups: AtomicU32::new(0),
            listeners: Listeners::new(),
        })
    }

    /// Its device number.
    fn number(&self) -> DeviceNumber {
        self.number
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
        let TerminalState {
            discipline, sending, ..
        } = &mut *state;
        let byte = next()?;
        let before = sending.waiting();
        let effect = discipline.receive(byte, &mut |echo| sending.push(echo));
        if effect.drops_output {
            // All but the echo of this very byte.
            sending.drop_first(before);
        }
        state.update_throttle(&*self.driver);
        Some((effect, state.foreground))
    }

    fn perform(&self, effect: Effect, foreground: Option<Pid>) {
        if let (Some(signal), Some(group)) = (effect.signal, foreground) {
            self.groups.send(group, signal);
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
            self.groups.send(group, Signal::SIGWINCH);
        }
    }

    fn hang_ups(&self) -> u32 {
        self.hang_ups.load(Ordering::Acquire)
    }
}

/// The number of a process's controlling terminal, as /proc/PID/stat shows it, and the foreground group there.
pub fn controlling(process: &Process) -> Option<(u64, Pid)> {
    let terminal = SESSIONS.controlling(process)?;
    let foreground = terminal.foreground(process).ok()?;
    Some((terminal.number.encode(), foreground))
}

/// The leader of the session ended: its terminal is hung up and belongs to nobody (setsid(2)).
pub fn session_ended(session: Pid) {
    SESSIONS.end(session);
}

/// An error for each call on a terminal that was hung up.
const HUNG_UP: Errno = Errno::EIO;
