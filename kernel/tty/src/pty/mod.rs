//! Pseudo-terminals: pty(7), `drivers/tty/pty.c` of Linux. The slave is a [`Terminal`](super::Terminal) like any other, which
//! stands in front of a [`PtyLine`]; the master (`master`) is the other end of that: it reads what the slave sends, and types.
//!
//! A pair is made by an open of ptmx, which gives it a place in a devpts (`super::devpts`), and ends with the master's last close.

mod ioctl;
mod master;
mod packet;
mod ring;

use abi::Errno;
use abi::terminal::{
    B38400, CBAUD, CREAD, CS8, CSIZE, EXTPROC, HUPCL, IXON, PARENB, Termios, VSTART, VSTOP, WinSize,
};
use abi::terminal::{
    TIOCPKT_DOSTOP, TIOCPKT_FLUSHREAD, TIOCPKT_FLUSHWRITE, TIOCPKT_IOCTL, TIOCPKT_NOSTOP, TIOCPKT_START,
    TIOCPKT_STOP,
};
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};
use lock::Mutex;
use memory::fallible;

use super::driver::{Ending, Flow, Flushed, Initial, TtyDriver};
use packet::Packets;
use ring::SentRing;
use sched::wait::WaitQueue;
use vfs::file_owner::{Event, Listeners};

pub use master::{Master, SlavePlace};

/// `UNIX98_PTY_SLAVE_MAJOR`.
pub const SLAVE_MAJOR: u32 = 136;
/// `UNIX98_PTY_MASTER_MAJOR`: no node has it, but /proc names it.
pub const MASTER_MAJOR: u32 = 128;
/// `NR_UNIX98_PTY_MAX`.
pub const MOST: u32 = 1 << 20;

/// What lies between master and slave.
pub struct PtyLine {
    pub(super) state: Mutex<LineState>,
    /// The slave cannot be opened: `TIOCSPTLCK`.
    is_locked: AtomicBool,
    /// Woken when the master may have something to read.
    readable: WaitQueue,
    /// Woken when the slave takes more input.
    writable: WaitQueue,
    /// Whose owners are told what the master can do.
    listeners: Listeners,
}

pub(super) struct LineState {
    /// What the slave has sent and the master has not read.
    sent: SentRing,
    /// How often the slave is open.
    opens: u32,
    /// It was open once.
    was_opened: bool,
    is_master_closed: bool,
    /// The slave takes no input for now.
    is_throttled: bool,
    pub(super) packets: Packets,
    /// What the master is told of settings in packet mode.
    has_flow_keys: bool,
    is_external: bool,
}

impl LineState {
    fn is_slave_closed(&self) -> bool {
        self.was_opened && self.opens == 0
    }

    fn has_input(&self) -> bool {
        !self.sent.is_empty() || self.packets.status() != 0
    }
}

/// Whether output is stopped by ^S and goes on by ^Q, which a master in packet mode can do by itself.
fn has_flow_keys(termios: &Termios) -> bool {
    termios.iflag & IXON != 0 && termios.cc[VSTOP] == 0x13 && termios.cc[VSTART] == 0x11
}

impl PtyLine {
    /// A line whose slave is locked.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn try_new() -> Result<Arc<Self>, Errno> {
        let termios = Termios::default();
        let state = LineState {
            sent: SentRing::try_new()?,
            opens: 0,
            was_opened: false,
            is_master_closed: false,
            is_throttled: false,
            packets: Packets::default(),
            has_flow_keys: has_flow_keys(&termios),
            is_external: false,
        };
        fallible::arc(PtyLine {
            state: Mutex::new(state),
            is_locked: AtomicBool::new(true),
            readable: WaitQueue::new(),
            writable: WaitQueue::new(),
            listeners: Listeners::new(),
        })
    }

    /// Whether the slave may be opened.
    ///
    /// # Errors
    /// `EIO`: it is locked, or the master is closed.
    pub fn check_open(&self) -> Result<(), Errno> {
        let is_refused = self.is_locked.load(Ordering::Relaxed) || self.state.lock().is_master_closed;
        if is_refused { Err(Errno::EIO) } else { Ok(()) }
    }

    /// A master in packet mode is told. May be called under the terminal's lock.
    fn tell(&self, drop: u8, add: u8) {
        let is_news = self.state.lock().packets.note(drop, add);
        if is_news {
            self.readable.wake_all();
        }
    }
}

impl TtyDriver for PtyLine {
    fn room(&self) -> usize {
        self.state.lock().sent.room()
    }

    fn write(&self, bytes: &[u8]) {
        self.state.lock().sent.push(bytes);
        self.readable.wake_all();
        self.listeners.tell(Event::Input, || ());
    }

    fn initial(&self) -> Initial {
        let usual = Termios::default();
        let cflag = usual.cflag & !(CBAUD | HUPCL) | B38400;
        Initial {
            termios: Termios { cflag, ..usual },
            size: WinSize::default(),
        }
    }

    fn ending(&self) -> Ending {
        Ending::Program
    }

    /// There is no line that could have other characters than of eight bits.
    fn set_termios(&self, termios: &mut Termios) {
        termios.cflag = termios.cflag & !(CSIZE | PARENB) | CS8 | CREAD;
        let has_keys = has_flow_keys(termios);
        let is_external = termios.lflag & EXTPROC != 0;
        let (had_keys, was_external) = {
            let mut state = self.state.lock();
            (
                core::mem::replace(&mut state.has_flow_keys, has_keys),
                core::mem::replace(&mut state.is_external, is_external),
            )
        };
        match (had_keys, has_keys) {
            (false, true) => self.tell(TIOCPKT_NOSTOP, TIOCPKT_DOSTOP),
            (true, false) => self.tell(TIOCPKT_DOSTOP, TIOCPKT_NOSTOP),
            _ => {}
        }
        if is_external || was_external {
            self.tell(0, TIOCPKT_IOCTL);
        }
    }

    fn throttle(&self, _termios: &Termios) {
        self.state.lock().is_throttled = true;
    }

    fn unthrottle(&self, _termios: &Termios) {
        self.state.lock().is_throttled = false;
        self.writable.wake_all();
    }

    fn set_flow(&self, flow: Flow) {
        match flow {
            Flow::Stopped => self.tell(TIOCPKT_START, TIOCPKT_STOP),
            Flow::Running => self.tell(TIOCPKT_STOP, TIOCPKT_START),
        }
    }

    fn note_flushed(&self, what: Flushed) {
        match what {
            Flushed::Input => self.tell(0, TIOCPKT_FLUSHREAD),
            Flushed::Output => self.tell(0, TIOCPKT_FLUSHWRITE),
            Flushed::Both => self.tell(0, TIOCPKT_FLUSHREAD | TIOCPKT_FLUSHWRITE),
        }
    }

    fn open(&self) {
        let mut state = self.state.lock();
        state.opens += 1;
        state.was_opened = true;
    }

    /// With the last one the master finds out.
    fn close(&self) {
        let is_closed = {
            let mut state = self.state.lock();
            state.opens -= 1;
            state.is_slave_closed()
        };
        if is_closed {
            self.readable.wake_all();
            self.writable.wake_all();
        }
    }
}
