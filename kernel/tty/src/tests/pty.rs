//! Pairs of a test's own: what one end does is seen at the other, as pty(7) has it. What needs calls and a devpts is shown by
//! `tests/programs/ptys.c`, on Linux too.

use super::super::pty::{Master, PtyLine, SlavePlace};
use super::super::sessions::Sessions;
use super::super::{Terminal, driver::TtyDriver};
use super::fakes::{FakeGroups, FakeProcess};
use super::{INTR, START, STOP, change, read as read_slave, write as write_slave};
use abi::Errno;
use abi::file::{OpenFlags, POLLHUP, POLLIN, POLLOUT, POLLPRI, POLLRDNORM, POLLWRNORM};
use abi::signal::Signal;
use abi::terminal::{B38400, CBAUD, CS8, CSIZE, ECHO, ICANON, IXON, WinSize};
use abi::terminal::{
    TIOCPKT_DOSTOP, TIOCPKT_FLUSHREAD, TIOCPKT_FLUSHWRITE, TIOCPKT_NOSTOP, TIOCPKT_START, TIOCPKT_STOP,
};
use alloc::sync::Arc;
use alloc::vec::Vec;
use memory::fallible;
use uaccess::{KernelSink, KernelSource};
use vfs::Dentry;
use vfs::device_registry::DeviceNumber;
use vfs::file_ops::{FileOps, Io};

/// A slave that stands nowhere.
struct Nowhere;

impl SlavePlace for Nowhere {
    fn index(&self) -> u32 {
        7
    }

    fn node(&self) -> &Arc<Dentry> {
        panic!("it has no name")
    }
}

struct Pair {
    groups: &'static FakeGroups,
    sessions: &'static Sessions,
    master: Option<Master<Nowhere>>,
    slave: Arc<Terminal>,
    line: Arc<PtyLine>,
    leader: FakeProcess,
}

/// A pair whose slave is open, in a session that has it.
fn pair() -> Pair {
    let groups = FakeGroups::leak();
    let sessions: &'static Sessions = Box::leak(Box::new(Sessions::new()));
    let line = PtyLine::try_new().unwrap();
    let number = DeviceNumber { major: 136, minor: 7 };
    let slave = Terminal::try_new(number, line.clone(), groups).unwrap();
    let master = Some(Master::new(line.clone(), slave.clone(), Nowhere, sessions));
    let leader = FakeProcess::leader(10);
    groups.add(10, 10);
    sessions.adopt_if_free(&slave, &leader).unwrap();
    line.open();
    Pair {
        groups,
        sessions,
        master,
        slave,
        line,
        leader,
    }
}

const NONBLOCKING: Io = Io {
    position: 0,
    flags: OpenFlags::O_NONBLOCK,
};

impl Pair {
    fn master(&self) -> &Master<Nowhere> {
        self.master.as_ref().unwrap()
    }

    /// Reads the master once, without waiting.
    fn read(&self) -> Result<Vec<u8>, Errno> {
        let mut bytes = vec![0; 20_000];
        let len = self
            .master()
            .read(&mut { NONBLOCKING }, &mut KernelSink::new(&mut bytes))?;
        bytes.truncate(len);
        Ok(bytes)
    }

    /// Writes to the master once, without waiting.
    fn write(&self, bytes: &[u8]) -> Result<usize, Errno> {
        self.master().type_at(&NONBLOCKING, &mut KernelSource(bytes))
    }
}

#[test]
fn what_is_typed_at_the_master_is_echoed_and_read_at_the_slave() {
    let pair = pair();
    assert_eq!(pair.read(), Err(Errno::EAGAIN));
    assert_eq!(pair.write(b"hel\x7flo\n"), Ok(7));
    assert_eq!(pair.read().unwrap(), b"hel\x08 \x08lo\r\n");
    assert_eq!(read_slave(&pair.slave, 100).unwrap(), b"helo\n");
    assert_eq!(write_slave(&pair.slave, b"out\n"), Ok(4));
    assert_eq!(pair.read().unwrap(), b"out\r\n");
}

#[test]
fn it_begins_as_on_linux() {
    let pair = pair();
    let state = pair.slave.state.lock();
    assert_eq!(state.size, WinSize::default());
    let termios = state.discipline.termios();
    assert_eq!((termios.cflag & CBAUD, termios.cflag & CSIZE), (B38400, CS8));
    drop(state);
    change(&pair.slave, &pair.leader, |termios| termios.cflag &= !CSIZE);
    let cflag = pair.slave.state.lock().discipline.termios().cflag;
    assert_eq!(cflag & CSIZE, CS8, "it has no other characters");
}

#[test]
fn a_slave_whose_reader_is_slow_holds_its_master_back() {
    let pair = pair();
    change(&pair.slave, &pair.leader, |termios| {
        termios.lflag &= !(ICANON | ECHO)
    });
    let first = pair.write(&[b'x'; 10_000]).unwrap();
    assert!((3900..4096).contains(&first), "{first}");
    assert_eq!(pair.write(b"more"), Err(Errno::EAGAIN));
    assert_eq!(pair.master().poll(), 0);
    let mut total = 0;
    while let Ok(bytes) = read_slave(&pair.slave, 1000) {
        assert!(bytes.iter().all(|byte| *byte == b'x'));
        total += bytes.len();
    }
    assert_eq!(total, first, "nothing is lost");
    assert_eq!(pair.master().poll(), POLLOUT | POLLWRNORM);
    assert_eq!(pair.write(b"more"), Ok(4));
}

#[test]
fn a_master_that_does_not_read_holds_its_slave_back() {
    let pair = pair();
    let text: Vec<u8> = (0..20_000u32).map(|at| b'a' + (at % 23) as u8).collect();
    let mut written = write_slave(&pair.slave, &text).unwrap();
    assert!((8192..10_000).contains(&written), "{written}");
    assert_eq!(write_slave(&pair.slave, &[b'b'; 16]), Err(Errno::EAGAIN));
    let mut got = Vec::new();
    while written < text.len() {
        got.extend(pair.read().unwrap());
        written += write_slave(&pair.slave, &text[written..]).unwrap_or(0);
    }
    while let Ok(bytes) = pair.read() {
        got.extend(bytes);
    }
    assert!(got == text, "nothing is lost or twice");
}

#[test]
fn packet_mode_tells_what_happens_at_the_slave() {
    let pair = pair();
    pair.line.state.lock().packets.turn_on();
    write_slave(&pair.slave, b"text").unwrap();
    assert_eq!(pair.read().unwrap(), b"\0text");
    pair.write(&[STOP]).unwrap();
    assert_eq!(pair.master().poll() & POLLPRI, POLLPRI);
    assert_eq!(pair.read().unwrap(), [TIOCPKT_STOP]);
    pair.write(&[START]).unwrap();
    assert_eq!(pair.read().unwrap(), [TIOCPKT_START]);
    pair.write(&[INTR]).unwrap();
    assert_eq!(pair.read().unwrap(), [TIOCPKT_FLUSHREAD | TIOCPKT_FLUSHWRITE]);
    assert_eq!(pair.groups.take(), [(10, Signal::SIGINT)]);
    assert_eq!(pair.read().unwrap(), b"\0^C");
    change(&pair.slave, &pair.leader, |termios| termios.iflag &= !IXON);
    assert_eq!(pair.read().unwrap(), [TIOCPKT_NOSTOP]);
    change(&pair.slave, &pair.leader, |termios| termios.iflag |= IXON);
    assert_eq!(pair.read().unwrap(), [TIOCPKT_DOSTOP]);
    change(&pair.slave, &pair.leader, |_| ());
    assert_eq!(pair.read(), Err(Errno::EAGAIN), "nothing new");
}

#[test]
fn the_master_reads_what_was_sent_and_then_an_error_when_the_slave_is_closed() {
    let pair = pair();
    write_slave(&pair.slave, b"last words").unwrap();
    pair.line.open();
    pair.line.close();
    assert_eq!(pair.master().poll(), POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM);
    pair.line.close();
    assert_eq!(
        pair.master().poll(),
        POLLHUP | POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM
    );
    assert_eq!(pair.read().unwrap(), b"last words");
    assert_eq!(pair.read(), Err(Errno::EIO));
    pair.line.open();
    assert_eq!(pair.read(), Err(Errno::EAGAIN), "it is open again");
}

#[test]
fn the_last_close_of_the_master_hangs_up() {
    let mut pair = pair();
    let job = pair.leader.fork(11);
    pair.groups.add(11, 10);
    pair.slave.set_foreground(11, &pair.leader).unwrap();
    drop(pair.master.take());
    assert_eq!(pair.groups.take(), [(10, Signal::SIGHUP), (10, Signal::SIGCONT)]);
    assert_eq!(pair.slave.hang_ups(), 1);
    assert!(pair.sessions.controlling(&job).is_none() && !pair.slave.is_controlling(&pair.leader));
    assert_eq!(pair.line.check_open(), Err(Errno::EIO));
    pair.sessions.end(10, pair.groups);
    let told = [(11, Signal::SIGHUP), (11, Signal::SIGCONT)];
    assert_eq!(pair.groups.take(), told, "who was in the foreground");
}

#[test]
fn the_end_of_the_session_leaves_the_slave_usable() {
    let pair = pair();
    pair.sessions.end(10, pair.groups);
    assert_eq!(pair.groups.take(), [(10, Signal::SIGHUP)]);
    assert_eq!(pair.slave.hang_ups(), 0);
    assert_eq!(write_slave(&pair.slave, b"on"), Ok(2));
    assert_eq!(pair.read().unwrap(), b"on");
}

#[test]
fn without_memory_there_is_no_pair() {
    let groups = FakeGroups::leak();
    let number = DeviceNumber { major: 136, minor: 7 };
    let make = || {
        let line = PtyLine::try_new()?;
        Terminal::try_new(number, line, groups).map(drop)
    };
    let mut refused = 0;
    for after in 0.. {
        fallible::fail_after(Some(after));
        let made = make();
        fallible::fail_after(None);
        match made {
            Ok(()) => break,
            Err(error) => assert_eq!(error, Errno::ENOMEM),
        }
        refused += 1;
    }
    assert!(refused >= 4, "{refused}");
}
