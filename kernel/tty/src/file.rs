//! An open terminal.

use alloc::sync::Arc;
use task::thread::ThreadExt;

use abi::Errno;
use abi::file::{OpenFlags, POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM};
use memory::fallible;

use abi::signal::Signal;

use super::driver_list::TtyDriverLine;
use super::sessions::SESSIONS;
use super::{Terminal, console, registry};
use sched::scheduler;
use uaccess::{Sink, Source};
use vfs::caller::Caller;
use vfs::device_registry::{self, DeviceClass, DeviceDriver, DeviceNode, DeviceNumber, DeviceRange};
use vfs::file_ops::{FileOps, Io, Queues};
use vfs::file_owner::{FileOwner, Listeners, Whom};

/// `TTYAUX_MAJOR`: what stands for a terminal.
const AUXILIARY_MAJOR: u32 = 5;
const CONTROLLING: u32 = 0;
const CONSOLE: u32 = 1;

static CONTROLLING_NODES: [DeviceNode; 1] = [DeviceNode {
    name: "tty",
    minor: CONTROLLING,
    mode: 0o666,
}];

static CONSOLE_NODES: [DeviceNode; 1] = [DeviceNode {
    name: "console",
    minor: CONSOLE,
    mode: 0o600,
}];

static LINE_NODES: [DeviceNode; 1] = [DeviceNode {
    name: "ttyAMA0",
    minor: console::NUMBER.minor,
    mode: 0o620,
}];

/// What /proc/tty/drivers says of them.
pub(super) static DRIVERS: [TtyDriverLine; 3] = [
    TtyDriverLine {
        name: "/dev/tty",
        node: "tty",
        major: AUXILIARY_MAJOR,
        minors: CONTROLLING..=CONTROLLING,
        kind: "system:/dev/tty",
    },
    TtyDriverLine {
        name: "/dev/console",
        node: "console",
        major: AUXILIARY_MAJOR,
        minors: CONSOLE..=CONSOLE,
        kind: "system:console",
    },
    TtyDriverLine {
        name: "ttyAMA",
        node: "ttyAMA",
        major: console::NUMBER.major,
        minors: console::NUMBER.minor..=console::NUMBER.minor,
        kind: "serial",
    },
];

/// `/dev/tty` and `/dev/console`.
struct Auxiliary;

impl DeviceDriver for Auxiliary {
    fn open(&self, minor: u32, _flags: OpenFlags) -> Result<Arc<dyn FileOps>, Errno> {
        match minor {
            CONTROLLING => open_controlling(),
            CONSOLE => open_console(),
            _ => Err(Errno::ENXIO),
        }
    }
}

/// The terminals of a major number, by their own names.
pub(super) struct Terminals {
    pub(super) major: u32,
}

static LINES: Terminals = Terminals {
    major: console::NUMBER.major,
};

impl DeviceDriver for Terminals {
    fn open(&self, minor: u32, flags: OpenFlags) -> Result<Arc<dyn FileOps>, Errno> {
        let major = self.major;
        let terminal = registry::find(DeviceNumber { major, minor }).ok_or(Errno::ENXIO)?;
        open_named(terminal, flags)
    }
}

/// Registers the terminals' devices. Called once, at boot.
///
/// # Errors
/// `EBUSY`: another driver has one of their numbers. `ENOMEM`.
pub fn register() -> Result<(), Errno> {
    device_registry::register(DeviceRange {
        name: "/dev/tty",
        class: DeviceClass::Character,
        major: AUXILIARY_MAJOR,
        minors: CONTROLLING..=CONTROLLING,
        driver: &Auxiliary,
        nodes: &CONTROLLING_NODES,
    })?;
    device_registry::register(DeviceRange {
        name: "/dev/console",
        class: DeviceClass::Character,
        major: AUXILIARY_MAJOR,
        minors: CONSOLE..=CONSOLE,
        driver: &Auxiliary,
        nodes: &CONSOLE_NODES,
    })?;
    device_registry::register(DeviceRange {
        name: "ttyAMA",
        class: DeviceClass::Character,
        major: LINES.major,
        minors: console::NUMBER.minor..=console::NUMBER.minor,
        driver: &LINES,
        nodes: &LINE_NODES,
    })
}

/// Opens the controlling terminal. `ENXIO` if there is none.
fn open_controlling() -> Result<Arc<dyn FileOps>, Errno> {
    let terminal = SESSIONS.controlling(&**scheduler::current().process());
    open_terminal(terminal.ok_or(Errno::ENXIO)?)
}

/// Opens the console, which never becomes a controlling terminal by that, and survives hang-ups. `ENODEV` if there is none.
fn open_console() -> Result<Arc<dyn FileOps>, Errno> {
    let terminal = registry::find(console::NUMBER).ok_or(Errno::ENODEV)?;
    OpenTerminal::make(terminal, None)
}

fn open_terminal(terminal: Arc<Terminal>) -> Result<Arc<dyn FileOps>, Errno> {
    let hang_ups = terminal.hang_ups();
    OpenTerminal::make(terminal, Some(hang_ups))
}

/// Opens a terminal by its own name. It becomes the controlling terminal of a session leader that has none, unless the flags say
/// `O_NOCTTY`.
///
/// # Errors
/// `EIO`: its device is gone. `ENOMEM`.
pub(super) fn open_named(terminal: Arc<Terminal>, flags: OpenFlags) -> Result<Arc<dyn FileOps>, Errno> {
    let open = open_terminal(terminal.clone())?;
    if !flags.contains(OpenFlags::O_NOCTTY) {
        SESSIONS.adopt_if_free(&terminal, &**scheduler::current().process())?;
    }
    Ok(open)
}

struct OpenTerminal {
    terminal: Arc<Terminal>,
    /// How often the terminal had been hung up when it was opened; `None` if that does not matter.
    hang_ups: Option<u32>,
}

impl OpenTerminal {
    /// `ENOMEM`.
    fn make(terminal: Arc<Terminal>, hang_ups: Option<u32>) -> Result<Arc<dyn FileOps>, Errno> {
        let file = fallible::arc_with(|| {
            terminal.driver.open();
            OpenTerminal { terminal, hang_ups }
        })?;
        Ok(file)
    }

    /// Whether it was opened as /dev/console, which no job control stops.
    fn is_console(&self) -> bool {
        self.hang_ups.is_none()
    }

    fn is_dead(&self) -> bool {
        self.hang_ups
            .is_some_and(|before| before != self.terminal.hang_ups())
    }
}

impl FileOps for OpenTerminal {
    fn read(&self, io: &mut Io, to: &mut dyn Sink) -> Result<usize, Errno> {
        if !self.is_console() {
            self.terminal
                .check_foreground(Signal::SIGTTIN, &*scheduler::current())?;
        }
        self.terminal.read(io, to, || self.is_dead())
    }

    fn write(&self, _caller: &Caller<'_>, io: &mut Io, from: &mut dyn Source) -> Result<usize, Errno> {
        if self.is_dead() {
            return Err(super::HUNG_UP);
        }
        if !self.is_console() && self.terminal.stops_writers() {
            self.terminal
                .check_foreground(Signal::SIGTTOU, &*scheduler::current())?;
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

    fn usual_owner(&self) -> Option<FileOwner> {
        let current = scheduler::current();
        let foreground = self.terminal.state.lock().foreground;
        let whom = foreground.map_or(Whom::Process(current.process().pid), Whom::Group);
        Some(FileOwner::usual(whom, &current.process().credentials()))
    }

    fn queues(&self) -> Queues<'_> {
        [Some(&self.terminal.readable), Some(&self.terminal.writable)]
    }
}

impl Drop for OpenTerminal {
    fn drop(&mut self) {
        self.terminal.driver.close();
    }
}
