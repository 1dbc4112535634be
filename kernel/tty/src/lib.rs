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
mod devpts;
mod driver;
mod driver_list;
mod file;
mod ioctl;
mod job_control;
mod processes;
mod pty;
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
use driver::{Flow, Flushed, TtyDriver};
use formats::line_discipline::{Discipline, Effect};
use lock::{Mutex, rank};
use memory::fallible;
use processes::{Member, ProcessGroups};
use sending::Sending;
use sessions::SESSIONS;

pub use console::{make as make_console, register_interrupt};
pub use devpts::{Limit as PtyLimit, count as pty_count, register as register_devpts};
pub use driver_list::TtyDriverLine;

use sched::SleepingMutex;
use sched::wait::WaitQueue;
use task::process::{Pid, Process};
use vfs::device_registry::DeviceNumber;
use vfs::file_owner::{Event, Listeners};

/// Bytes that are received under one hold of the lock; their echo has room in what waits to be sent.
const RECEIVED_AT_ONCE: usize = 32;

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
    /// Its device is there no more: no session gets it. Changed under the lock of [`sessions::Sessions`] too.
    is_gone: bool,
}

impl TerminalState {
    /// Whether it is the process's controlling terminal.
    fn is_controlling(&self, process: &impl Member) -> bool {
        self.session == Some(process.session()) && self.tenure == process.tenure()
    }

    /// Takes one byte.
    fn receive_one(&mut self, byte: u8, driver: &dyn TtyDriver) -> Effect {
        let TerminalState {
            discipline, sending, ..
        } = self;
        let before = sending.waiting();
        let was_stopped = discipline.is_stopped();
        let effect = discipline.receive(byte, &mut |echo| sending.push(echo));
        let is_changed = discipline.is_stopped() != was_stopped;
        if effect.drops_output {
            // All but the echo of this very byte.
            sending.drop_first(before);
            driver.note_flushed(Flushed::Both);
        }
        if is_changed {
            self.tell_flow(driver);
        }
        effect
    }

    /// Does something that may stop output or let it go on; the driver is told.
    fn change_flow(&mut self, driver: &dyn TtyDriver, change: impl FnOnce(&mut Discipline)) {
        let was_stopped = self.discipline.is_stopped();
        change(&mut self.discipline);
        if self.discipline.is_stopped() != was_stopped {
            self.tell_flow(driver);
        }
    }

    fn tell_flow(&self, driver: &dyn TtyDriver) {
        driver.set_flow(if self.discipline.is_stopped() {
            Flow::Stopped
        } else {
            Flow::Running
        });
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
        let initial = driver.initial();
        let mut discipline = Discipline::try_new().map_err(|_| Errno::ENOMEM)?;
        discipline.set_termios(initial.termios);
        let state = TerminalState {
            discipline,
            size: initial.size,
            session: None,
            foreground: None,
            tenure: 0,
            sending: Sending::try_new()?,
            is_throttled: false,
            is_gone: false,
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
            if let Some((effect, foreground)) = self.receive_some(&mut next) {
                self.perform(effect, foreground);
            } else if !self.send_piece() {
                return;
            }
        }
    }

    /// Takes some bytes, up to one that sends a signal; also says which group is in the foreground. They are fetched under the lock:
    /// two processors that do this keep the order, and what has come together is read together.
    fn receive_some(&self, next: &mut impl FnMut() -> Option<u8>) -> Option<(Effect, Option<Pid>)> {
        let mut state = self.state.lock();
        let mut all = state.receive_one(next()?, &*self.driver);
        for _ in 1..RECEIVED_AT_ONCE {
            if all.signal.is_some() {
                break;
            }
            let Some(byte) = next() else { break };
            let one = state.receive_one(byte, &*self.driver);
            all.signal = one.signal;
            all.is_input |= one.is_input;
            all.is_restart |= one.is_restart;
            all.drops_output |= one.drops_output;
        }
        state.update_throttle(&*self.driver);
        Some((all, state.foreground))
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

/// Registers the terminals' devices. Called once, at boot.
///
/// # Errors
/// `EBUSY`: another driver has one of their numbers. `ENOMEM`.
pub fn register() -> Result<(), Errno> {
    file::register()?;
    devpts::register_devices()
}

/// The drivers of terminals, in the order of /proc/tty/drivers.
pub fn drivers() -> impl Iterator<Item = &'static TtyDriverLine> {
    file::DRIVERS.iter().chain(&devpts::DRIVERS)
}

/// The number of a process's controlling terminal, as /proc/PID/stat shows it, and the foreground group there.
pub fn controlling(process: &Process) -> Option<(u64, Pid)> {
    let terminal = SESSIONS.controlling(process)?;
    let foreground = terminal.foreground(process).ok()?;
    Some((terminal.number.encode(), foreground))
}

/// The leader of the session ended: its terminal belongs to nobody (setsid(2)).
pub fn session_ended(session: Pid) {
    SESSIONS.end(session, &processes::AllGroups);
}

/// An error for each call on a terminal that was hung up.
const HUNG_UP: Errno = Errno::EIO;
