//! Terminals with lines of a test's own: what is typed at one stays there, its keys tell its own foreground group, and its line is
//! told what concerns it.

mod fakes;
mod pty;
mod sessions;

use super::file::Terminals;
use super::ioctl::When;
use super::sessions::{Sessions, Steal};
use super::{HUNG_UP, Terminal, registry};
use abi::Errno;
use abi::file::{OpenFlags, POLLIN};
use abi::signal::Signal;
use abi::terminal::{ICANON, TOSTOP, Termios, WinSize};
use alloc::sync::Arc;
use alloc::vec::Vec;
use fakes::{FakeGroups, FakeLine, FakeProcess, Told, terminal};
use memory::fallible;
use platform::heap::KernelHeap;
use uaccess::{KernelSink, KernelSource};
use vfs::device_registry::{DeviceDriver, DeviceNumber};
use vfs::file_ops::Io;

/// What tests let fail.
#[global_allocator]
static HEAP: KernelHeap = KernelHeap::new();

const INTR: u8 = 3;
const QUIT: u8 = 0x1c;
const STOP: u8 = 0x13;
const START: u8 = 0x11;

fn type_bytes(terminal: &Terminal, bytes: &[u8]) {
    let mut typed = bytes.iter().copied();
    terminal.receive(|| typed.next());
}

/// Reads once, without waiting.
fn read(terminal: &Terminal, most: usize) -> Result<Vec<u8>, Errno> {
    let mut bytes = vec![0; most];
    let io = Io {
        position: 0,
        flags: OpenFlags::O_NONBLOCK,
    };
    let len = terminal.read(&io, &mut KernelSink::new(&mut bytes), || false)?;
    bytes.truncate(len);
    Ok(bytes)
}

/// Writes once, without waiting.
fn write(terminal: &Terminal, bytes: &[u8]) -> Result<usize, Errno> {
    let io = Io {
        position: 0,
        flags: OpenFlags::O_NONBLOCK,
    };
    let hang_ups = terminal.hang_ups();
    terminal.write(&io, &mut KernelSource(bytes), || terminal.hang_ups() != hang_ups)
}

fn change(terminal: &Terminal, caller: &FakeProcess, change: impl FnOnce(&mut Termios)) {
    let mut termios = *terminal.state.lock().discipline.termios();
    change(&mut termios);
    terminal.set_termios(termios, When::Now, caller).unwrap();
}

/// Two terminals, each with a session that has it.
struct Two {
    groups: &'static FakeGroups,
    sessions: Sessions,
    terminals: [Arc<Terminal>; 2],
    lines: [Arc<FakeLine>; 2],
    leaders: [FakeProcess; 2],
}

fn two() -> Two {
    let groups = FakeGroups::leak();
    let sessions = Sessions::new();
    let leaders = [10, 20].map(FakeProcess::leader);
    let ((one, line), (other, other_line)) = (terminal(0, groups), terminal(1, groups));
    let terminals = [one, other];
    for (terminal, leader) in terminals.iter().zip(&leaders) {
        sessions.adopt_if_free(terminal, leader).unwrap();
        groups.add(leader.pid, leader.pid);
    }
    Two {
        groups,
        sessions,
        terminals,
        lines: [line, other_line],
        leaders,
    }
}

#[test]
fn what_is_typed_at_one_terminal_stays_there() {
    let two = two();
    type_bytes(&two.terminals[0], b"helxo\x7f\x7flo\n");
    assert_eq!(two.lines[0].take_sent(), b"helxo\x08 \x08\x08 \x08lo\r\n");
    assert_eq!(two.lines[1].take_sent(), b"");
    assert_eq!(read(&two.terminals[1], 100), Err(Errno::EAGAIN));
    assert_eq!(read(&two.terminals[0], 100).unwrap(), b"hello\n");
    write(&two.terminals[1], b"to the other\n").unwrap();
    assert_eq!(two.lines[0].take_sent(), b"");
    assert_eq!(two.lines[1].take_sent(), b"to the other\r\n");
}

#[test]
fn a_key_tells_the_foreground_group_of_its_own_terminal() {
    let two = two();
    let job = two.leaders[1].fork(21);
    two.groups.add(21, 20);
    two.terminals[1].set_foreground(21, &two.leaders[1]).unwrap();
    type_bytes(&two.terminals[1], &[INTR]);
    assert_eq!(two.groups.take(), [(21, Signal::SIGINT)]);
    type_bytes(&two.terminals[0], &[QUIT]);
    assert_eq!(two.groups.take(), [(10, Signal::SIGQUIT)]);
    let size = WinSize {
        row: 50,
        ..WinSize::default()
    };
    two.terminals[1].set_size(size);
    two.terminals[1].set_size(size);
    assert_eq!(
        two.groups.take(),
        [(21, Signal::SIGWINCH)],
        "once: it was that size"
    );
    assert_eq!(two.terminals[1].foreground(&job), Ok(21));
    assert_eq!(two.terminals[0].foreground(&job), Err(Errno::ENOTTY));
}

#[test]
fn who_is_in_the_background_is_stopped() {
    let two = two();
    let [terminal, other] = &two.terminals;
    let mut job = two.leaders[0].fork(11);
    assert_eq!(
        terminal.check_foreground(Signal::SIGTTIN, &two.leaders[0]),
        Ok(())
    );
    assert_eq!(
        terminal.check_foreground(Signal::SIGTTIN, &job),
        Err(Errno::RESTART)
    );
    assert_eq!(two.groups.take(), [(11, Signal::SIGTTIN)]);
    assert_eq!(
        other.check_foreground(Signal::SIGTTIN, &job),
        Ok(()),
        "job control is for the own terminal"
    );
    assert!(!terminal.stops_writers());
    change(terminal, &two.leaders[0], |termios| termios.lflag |= TOSTOP);
    assert!(terminal.stops_writers() && !other.stops_writers());
    assert_eq!(
        terminal.set_termios(Termios::default(), When::Now, &job),
        Err(Errno::RESTART)
    );
    assert_eq!(two.groups.take(), [(11, Signal::SIGTTOU)]);
    job.is_deaf = true;
    assert_eq!(terminal.check_foreground(Signal::SIGTTOU, &job), Ok(()));
    assert_eq!(terminal.check_foreground(Signal::SIGTTIN, &job), Err(Errno::EIO));
    job.is_deaf = false;
    two.groups.orphan(11);
    assert_eq!(terminal.check_foreground(Signal::SIGTTIN, &job), Err(Errno::EIO));
    assert_eq!(two.groups.take(), []);
}

#[test]
fn the_foreground_is_a_group_of_the_session() {
    let two = two();
    let terminal = &two.terminals[0];
    let leader = &two.leaders[0];
    assert_eq!(terminal.set_foreground(-1, leader), Err(Errno::EINVAL));
    assert_eq!(terminal.set_foreground(99, leader), Err(Errno::ESRCH));
    assert_eq!(terminal.set_foreground(20, leader), Err(Errno::EPERM));
    assert_eq!(terminal.set_foreground(20, &two.leaders[1]), Err(Errno::ENOTTY));
    assert_eq!(terminal.foreground(leader), Ok(10));
}

#[test]
fn a_terminal_is_hung_up_with_its_session_and_no_other() {
    let two = two();
    let [terminal, other] = &two.terminals;
    type_bytes(terminal, &[STOP]);
    assert_eq!(write(terminal, b"never sent").unwrap(), 10);
    two.sessions.end(10, two.groups);
    assert_eq!(two.groups.take(), [(10, Signal::SIGHUP)]);
    assert_eq!(two.lines[0].take_told(), [Told::HangUp]);
    assert_eq!(two.lines[0].take_sent(), b"");
    assert_eq!((terminal.hang_ups(), other.hang_ups()), (1, 0));
    let io = Io {
        position: 0,
        flags: OpenFlags::empty(),
    };
    let mut bytes = [0; 8];
    let mut to = KernelSink::new(&mut bytes);
    assert_eq!(terminal.read(&io, &mut to, || true), Ok(0), "end of file");
    let mut from = KernelSource(b"text");
    assert_eq!(terminal.write(&io, &mut from, || true), Err(HUNG_UP));
    two.sessions.end(10, two.groups);
    assert_eq!((two.groups.take(), two.lines[0].take_told()), (vec![], vec![]));
    let next = FakeProcess::leader(30);
    two.sessions.take_over(terminal, &next, Steal::Refused).unwrap();
    write(terminal, b"again").unwrap();
    assert_eq!(two.lines[0].take_sent(), b"again");
    assert_eq!(two.lines[1].take_told(), []);
    assert!(other.is_controlling(&two.leaders[1]));
}

#[test]
fn a_line_without_room_gets_the_rest_later() {
    let two = two();
    let (terminal, line) = (&two.terminals[0], &two.lines[0]);
    line.set_room(10);
    assert_eq!(write(terminal, b"twenty-five bytes of text"), Ok(25));
    assert_eq!(line.take_sent(), b"twenty-fiv");
    line.set_room(3);
    terminal.send();
    assert_eq!(line.take_sent(), b"e b");
    type_bytes(terminal, &[STOP]);
    line.set_room(usize::MAX);
    terminal.send();
    assert_eq!(line.take_sent(), b"");
    type_bytes(terminal, &[START]);
    assert_eq!(line.take_sent(), b"ytes of text");
    line.set_room(0);
    let long = [b'x'; 5000];
    let taken = write(terminal, &long).unwrap();
    assert!(
        (500..=1024).contains(&taken),
        "{taken}: what may wait, and no more"
    );
    assert_eq!(write(terminal, &long), Err(Errno::EAGAIN));
}

#[test]
fn the_echo_of_a_key_that_drops_output_is_sent() {
    let two = two();
    let (terminal, line) = (two.terminals[0].clone(), &two.lines[0]);
    let elsewhere = terminal.clone();
    line.at_next_write(move || type_bytes(&elsewhere, &[INTR]));
    assert_eq!(write(&terminal, &[b'x'; 16]), Ok(16));
    assert_eq!(two.groups.take(), [(10, Signal::SIGINT)]);
    let sent = [&[b'x'; 16][..], b"^C"].concat();
    assert_eq!(line.take_sent(), sent, "what is under way cannot be dropped");
    line.at_next_write(move || type_bytes(&terminal, b"key"));
    assert_eq!(write(&two.terminals[0], b"a line, and "), Ok(12));
    assert_eq!(
        line.take_sent(),
        b"a line, and key",
        "who sends takes along what came"
    );
}

#[test]
fn a_line_is_held_back_while_nobody_reads() {
    let two = two();
    let (terminal, line) = (&two.terminals[0], &two.lines[0]);
    type_bytes(terminal, &[b'x'; 4096]);
    assert_eq!(
        line.take_told(),
        [],
        "no read could make room before the line ends"
    );
    type_bytes(terminal, b"\n");
    assert_eq!(line.take_told(), [Told::Throttle]);
    assert_eq!(read(terminal, 3967).unwrap().len(), 3967);
    assert_eq!(line.take_told(), [], "129 bytes are left");
    assert_eq!(read(terminal, 1).unwrap().len(), 1);
    assert_eq!(line.take_told(), [Told::Unthrottle]);
    change(terminal, &two.leaders[0], |termios| termios.lflag &= !ICANON);
    assert_eq!(line.take_told(), [Told::Settings]);
    type_bytes(terminal, &[b'y'; 4096 - 128 - 128]);
    assert_eq!(line.take_told(), []);
    type_bytes(terminal, b"y");
    assert_eq!(line.take_told(), [Told::Throttle]);
    type_bytes(terminal, b"y");
    terminal.flush(0, &two.leaders[0]).unwrap();
    assert_eq!(line.take_told(), [Told::Unthrottle]);
    assert_eq!(two.lines[1].take_told(), []);
}

#[test]
fn a_terminal_for_which_there_is_no_memory_is_not_made() {
    let groups = FakeGroups::leak();
    let line = FakeLine::new();
    let number = DeviceNumber { major: 250, minor: 7 };
    let mut refusals = 0;
    let terminal = loop {
        fallible::fail_after(Some(refusals));
        let made = Terminal::try_new(number, line.clone(), groups);
        fallible::fail_after(None);
        match made {
            Ok(terminal) => break terminal,
            Err(error) => assert_eq!(error, Errno::ENOMEM),
        }
        assert_eq!(Arc::strong_count(&line), 1, "nothing is left of it");
        refusals += 1;
    };
    assert!(refusals >= 3, "{refusals}: input, output, the terminal");
    drop(terminal);
    assert_eq!(Arc::strong_count(&line), 1);
}

#[test]
fn a_terminal_is_opened_by_its_number() {
    static LINES: Terminals = Terminals { major: 250 };
    let groups = FakeGroups::leak();
    let ((first, _), (second, _)) = (terminal(2, groups), terminal(3, groups));
    assert_eq!(LINES.open(2, OpenFlags::O_NOCTTY).err(), Some(Errno::ENXIO));
    registry::register(first.clone()).unwrap();
    registry::register(second).unwrap();
    assert_eq!(registry::register(terminal(2, groups).0), Err(Errno::EBUSY));
    let opened = [2, 3].map(|minor| LINES.open(minor, OpenFlags::O_NOCTTY).unwrap());
    type_bytes(&first, b"line\n");
    assert_eq!(opened.map(|file| file.poll() & POLLIN != 0), [true, false]);
}
