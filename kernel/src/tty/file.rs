//! An open terminal.

use alloc::sync::Arc;

use crate::fallible;
use abi::Errno;
use abi::file::{O_NOCTTY, POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM};

use abi::signal::Signal;

use super::{Terminal, console};
use crate::fs::OpenFile;
use crate::fs::file_owner::{Listeners, Whom};
use crate::fs::object::{Io, Object, Queues};
use crate::scheduler;
use crate::user_memory::{Sink, Source};

/// Opens `/dev/console`, which never becomes a controlling terminal by being opened and survives hang-ups.
pub fn open_console() -> Result<Arc<dyn Object>, Errno> {
    Ok(fallible::arc(OpenTerminal {
        terminal: console(),
        hang_ups: None,
    })?)
}

/// Opens the serial line by its own name; it becomes the controlling terminal of a session leader that has none.
pub fn open_line(flags: u32) -> Result<Arc<dyn Object>, Errno> {
    let line = fallible::arc(OpenTerminal {
        terminal: console(),
        hang_ups: Some(console().hang_ups()),
    })?;
    if flags & O_NOCTTY == 0 {
        console().adopt_if_free(&scheduler::current().process);
    }
    Ok(line)
}

/// Opens `/dev/tty`, the controlling terminal. `ENXIO` if there is none.
pub fn open_controlling() -> Result<Arc<dyn Object>, Errno> {
    if !console().is_controlling(&scheduler::current().process) {
        return Err(Errno::ENXIO);
    }
    Ok(fallible::arc(OpenTerminal {
        terminal: console(),
        hang_ups: Some(console().hang_ups()),
    })?)
}

struct OpenTerminal {
    terminal: &'static Terminal,
    /// How often the terminal had been hung up when it was opened; `None` if that does not matter.
    hang_ups: Option<u32>,
}

impl OpenTerminal {
    /// Whether it was opened as /dev/console, which no job control stops.
    fn is_console(&self) -> bool {
        self.hang_ups.is_none()
    }

    fn is_dead(&self) -> bool {
        self.hang_ups
            .is_some_and(|before| before != self.terminal.hang_ups())
    }
}

impl Object for OpenTerminal {
    fn read(&self, io: &mut Io, to: &mut dyn Sink) -> Result<usize, Errno> {
        if !self.is_console() {
            self.terminal.check_foreground(Signal::SIGTTIN)?;
        }
        self.terminal.read(io, to, || self.is_dead())
    }

    fn write(&self, io: &mut Io, from: &mut dyn Source) -> Result<usize, Errno> {
        if self.is_dead() {
            return Err(super::HUNG_UP);
        }
        if !self.is_console() && self.terminal.stops_writers() {
            self.terminal.check_foreground(Signal::SIGTTOU)?;
        }
        self.terminal.write(io, from, || self.is_dead())
    }

    fn ioctl(&self, request: u32, argument: u64) -> Result<usize, Errno> {
        if self.is_dead() {
            return Err(super::HUNG_UP);
        }
        self.terminal.ioctl(request, argument)
    }

    fn poll(&self) -> i16 {
        if self.is_dead() {
            return POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDNORM | POLLWRNORM;
        }
        let state = self.terminal.state.lock();
        let readable = if state.discipline.is_readable() {
            POLLIN | POLLRDNORM
        } else {
            0
        };
        let writable = if state.sending.is_writable() {
            POLLOUT | POLLWRNORM
        } else {
            0
        };
        readable | writable
    }

    fn listeners(&self) -> [Option<&Listeners>; 2] {
        [Some(&self.terminal.listeners), None]
    }

    fn propose_owner(&self, file: &OpenFile) {
        let current = scheduler::current();
        let foreground = self.terminal.state.lock().foreground;
        let whom = foreground.map_or(Whom::Process(current.process.pid), Whom::Group);
        let credentials = current.process.credentials();
        file.change_owner(|owner| {
            if owner.whom().is_none() {
                *owner = owner.changed_to(Some(whom), &credentials);
            }
        });
    }

    fn queues(&self) -> Queues<'_> {
        [Some(&self.terminal.readable), Some(&self.terminal.writable)]
    }
}
