//! Stories of processes and threads: exec, credentials, sessions, limits, futexes, time.

use super::io::{BUFFER, HERE, Io};
use super::memory::{PAGES, PRIVATE};
use super::program::{User, place};
use super::{DATA, HELPERS, STEP, Story};
use abi::file::OpenFlags;
use abi::nr;
use abi::process::WaitStatus;
use abi::process::clone::CloneFlags;
use abi::terminal::{ECHO, ICANON, IXOFF, IXON};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

pub const STORIES: &[Story] = &[
    ("exec", exec),
    ("threads", threads),
    ("identity", identity),
    ("scheduling", scheduling),
    ("woken_by_one_interrupt", woken_by_one_interrupt),
    ("time", time),
    ("terminal", terminal),
    ("terminal_held_back", terminal_held_back),
];

/// Children of stories, where they begin.
pub const PIPE_WRITER: u64 = HELPERS;
pub const MEMORY_CHILD: u64 = HELPERS + STEP;
const EXECUTES: u64 = HELPERS + 2 * STEP;
const THREAD: u64 = HELPERS + 3 * STEP;
const EXITS: u64 = HELPERS + 4 * STEP;
const MEETS: u64 = HELPERS + 5 * STEP;

/// A page that [`super::memory`] shares with its child.
pub const SHARED: u64 = 0x2000_0000;
/// What [`PIPE_WRITER`] writes.
pub const WRITTEN: usize = 200_000;
pub const EXIT: u64 = 7;

pub fn place_helpers() {
    place(PIPE_WRITER, |user| pipe_writer(&Io::new(user)));
    place(MEMORY_CHILD, |user| memory_child(&Io::new(user)));
    place(EXECUTES, |user| executes(&Io::new(user)));
    place(THREAD, |user| thread(&Io::new(user)));
    place(MEETS, |user| meets(&Io::new(user)));
    place(EXITS, |user| {
        user.call(nr::EXIT_GROUP, &[EXIT]);
    });
}

/// The descriptor stands in the page of data.
fn pipe_writer(io: &Io) {
    let writer = io.user.word(DATA);
    let bytes: Vec<u8> = (0..WRITTEN).map(|at| (at % 251) as u8).collect();
    io.write(writer, &bytes);
}

fn memory_child(io: &Io) {
    for page in 0..PAGES {
        assert_eq!(io.user.word(PRIVATE + page * 4096), page);
    }
    io.user.store(PRIVATE, b"the child's own");
    io.user.store(SHARED, &PAGES.to_le_bytes());
}

fn executes(io: &Io) {
    // argv: the name of the file and one argument; no environment.
    let argument = io.other_path("argument");
    io.user.store(
        BUFFER,
        &[io.path("/script"), argument, 0, 0]
            .map(u64::to_le_bytes)
            .concat(),
    );
    let refused = io.call(nr::EXECVE, &[io.path("/script"), BUFFER, BUFFER + 24]);
    panic!("exec came back: {refused}");
}

/// The program that a script names: it ends with the count of its arguments.
pub fn other(user: &User) {
    let stack = user.stack();
    let count = user.word(stack);
    let text = |number: u64| {
        let at = user.word(stack + 8 + 8 * number);
        let bytes = user.load(at, 20);
        bytes[..bytes.iter().position(|byte| *byte == 0).expect("an end")].to_vec()
    };
    assert_eq!(text(0), b"/other");
    assert_eq!(text(1), b"of a script");
    assert_eq!(text(2), b"/script");
    user.call(nr::EXIT_GROUP, &[count]);
}

fn exec(io: &Io) {
    let child = io.fork(EXECUTES);
    assert_eq!(io.wait(child), WaitStatus::Exited(4).encode());
    let child = io.fork(EXITS);
    assert_eq!(io.wait(child), WaitStatus::Exited(EXIT as u8).encode());
    let no_child = io.call(nr::WAIT4, &[u64::MAX, BUFFER, 0, 0]);
    assert_eq!(no_child, -i64::from(abi::Errno::ECHILD.number()));
}

const WORD: u64 = DATA + 8;
const THREAD_ID: u64 = DATA + 16;
const FUTEX_WAIT: u64 = 0;
const FUTEX_WAKE: u64 = 1;

fn thread(io: &Io) {
    io.sleep(2_000_000);
    io.user.store(WORD, &1_u64.to_le_bytes());
    assert_eq!(
        io.ok(nr::FUTEX, &[WORD, FUTEX_WAKE, 1, 0, 0, 0]),
        1,
        "the first thread waits"
    );
    io.call(nr::EXIT, &[0]);
}

fn threads(io: &Io) {
    io.user.store(WORD, &[0; 8]);
    io.user.store(THREAD_ID, &1_u64.to_le_bytes());
    let flags = CloneFlags::CLONE_VM
        | CloneFlags::CLONE_FS
        | CloneFlags::CLONE_FILES
        | CloneFlags::CLONE_SIGHAND
        | CloneFlags::CLONE_THREAD
        | CloneFlags::CLONE_CHILD_CLEARTID;
    let stack = io.user.stack() - 0x8000;
    let id = io.user.clone_at(THREAD, [flags.bits(), stack, 0, 0, THREAD_ID]);
    assert!(id > 0, "{id}");
    assert_eq!(io.call(nr::FUTEX, &[WORD, FUTEX_WAIT, 0, 0, 0, 0]), 0);
    assert_eq!(io.user.word(WORD), 1);
    // Its end clears the word and wakes who waits for that.
    while io.user.word(THREAD_ID) != 0 {
        io.call(nr::FUTEX, &[THREAD_ID, FUTEX_WAIT, 1, 0, 0, 0]);
    }
    let again = io.call(nr::FUTEX, &[WORD, FUTEX_WAIT, 5, 0, 0, 0]);
    assert_eq!(again, -i64::from(abi::Errno::EAGAIN.number()));
}

fn identity(io: &Io) {
    assert_eq!(io.ok(nr::GETUID, &[]), 0);
    let session = io.ok(nr::SETSID, &[]);
    assert_eq!(
        (session, io.ok(nr::GETSID, &[0])),
        (io.ok(nr::GETPID, &[]), session)
    );
    assert_eq!(io.ok(nr::GETPGID, &[0]), session);
    io.ok(nr::UNAME, &[BUFFER]);
    assert!(io.user.load(BUFFER, 5) == b"Linux");
    io.user.store(BUFFER, &[100, 200].map(u64::to_le_bytes).concat());
    io.ok(nr::PRLIMIT64, &[0, 7, BUFFER, BUFFER + 16]);
    io.ok(nr::GETRLIMIT, &[7, BUFFER]);
    assert_eq!(io.user.word(BUFFER), 100);
    io.ok(nr::SYSINFO, &[BUFFER]);
    io.ok(nr::GETRUSAGE, &[0, BUFFER]);
    io.ok(nr::TIMES, &[BUFFER]);
    let name = io.other_path("renamed");
    io.ok(nr::PRCTL, &[15, name]);
    assert_eq!(io.text_of("/proc/self/comm"), "renamed\n");
    io.ok(nr::UMASK, &[0o027]);
    io.ok(nr::SETRESGID, &[1000, 1000, 1000]);
    io.ok(nr::SETRESUID, &[1000, 1000, 1000]);
    let refused = io.call(nr::OPENAT, &[HERE, io.path("/new"), 0o101, 0o600]);
    assert_eq!(refused, -i64::from(abi::Errno::EACCES.number()));
    assert_eq!(io.call(nr::SETUID, &[0]), -i64::from(abi::Errno::EPERM.number()));
}

fn scheduling(io: &Io) {
    io.ok(nr::SCHED_YIELD, &[]);
    io.ok(nr::SETPRIORITY, &[0, 0, 5]);
    assert_eq!(io.ok(nr::GETPRIORITY, &[0, 0]), 15);
    io.user.store(BUFFER, &1_u64.to_le_bytes());
    io.ok(nr::SCHED_SETAFFINITY, &[0, 8, BUFFER]);
    io.ok(nr::SCHED_GETAFFINITY, &[0, 128, BUFFER]);
    assert_eq!(io.user.word(BUFFER), 1);
    io.user.store(BUFFER, &10_u64.to_le_bytes());
    let fifo = 1;
    io.ok(nr::SCHED_SETSCHEDULER, &[0, fifo, BUFFER]);
    assert_eq!(io.ok(nr::SCHED_GETSCHEDULER, &[0]), fifo);
    io.sleep(1_000_000);
    // Longer than a turn while another one wants the processor.
    let child = io.fork(EXITS);
    io.user.store(BUFFER, &0_u64.to_le_bytes());
    io.ok(nr::SCHED_SETSCHEDULER, &[0, 0, BUFFER]);
    (0..2_500).for_each(|_| assert!(io.call(nr::GETPPID, &[]) > 0));
    assert_eq!(io.wait(child), WaitStatus::Exited(EXIT as u8).encode());
}

/// How many have come to where [`MEETS`] meet.
static MET: (Mutex<u64>, Condvar) = (Mutex::new(0), Condvar::new());
/// One for each processor but the first: the fourth is free for whoever waits for them.
const MEET: u64 = 3;

/// Waits for the timer that stands in the page of data, then keeps its processor until all run at the same time. Time stands still
/// meanwhile, so that no turn ends and nobody's patience: who waits for a processor then would wait for ever.
fn meets(io: &Io) {
    let pollin = 1_u64 << 32;
    io.user
        .store(BUFFER, &(io.user.word(DATA) | pollin).to_le_bytes());
    assert_eq!(io.ok(nr::PPOLL, &[BUFFER, 1, 0, 0, 8]), 1);
    let (met, came) = &MET;
    let mut count = met.lock().unwrap();
    *count += 1;
    came.notify_all();
    let (count, _) = came
        .wait_timeout_while(count, Duration::from_secs(20), |count| *count < MEET)
        .unwrap();
    assert_eq!(*count, MEET, "a thread waits while processors idle");
}

/// An idle processor's interrupt wakes several: it can run one of them, and calls those who idle for the others.
fn woken_by_one_interrupt(io: &Io) {
    let (monotonic, one_second) = (1, [0_u64, 0, 1, 0].map(u64::to_le_bytes).concat());
    let timer = io.ok(nr::TIMERFD_CREATE, &[monotonic, 0]);
    io.user.store(DATA, &timer.to_le_bytes());
    io.user.store(BUFFER, &one_second);
    io.ok(nr::TIMERFD_SETTIME, &[timer, 0, BUFFER, 0]);
    let children: Vec<u64> = (0..MEET).map(|_| io.fork(MEETS)).collect();
    for child in children {
        assert_eq!(io.wait(child), WaitStatus::Exited(0).encode());
    }
}

fn time(io: &Io) {
    let now = || {
        io.ok(nr::CLOCK_GETTIME, &[1, BUFFER]);
        io.user.word(BUFFER) * 1_000_000_000 + io.user.word(BUFFER + 8)
    };
    let before = now();
    assert_eq!(io.sleep(5_000_000_000), 0, "five seconds that nobody waits for");
    let slept = now() - before;
    assert!((5_000_000_000..5_010_000_000).contains(&slept), "{slept}");
    io.user
        .store(BUFFER, &[1000_u64, 0].map(u64::to_le_bytes).concat());
    io.ok(nr::CLOCK_SETTIME, &[0, BUFFER]);
    io.ok(nr::CLOCK_GETTIME, &[0, BUFFER]);
    assert_eq!(io.user.word(BUFFER), 1000);
    io.ok(nr::CLOCK_GETRES, &[0, BUFFER]);
    io.user.store(BUFFER, &[0; 208]);
    io.ok(nr::ADJTIMEX, &[BUFFER]);
}

fn terminal(io: &Io) {
    platform::host::console::type_bytes(b"helxo\x7f\x7flo\n");
    let console = io.open("/dev/console", OpenFlags::O_RDWR);
    assert_eq!(io.read(console), b"hello\n", "a line as it was edited");
    let (get_attributes, get_size, waiting) = (0x5401, 0x5413, 0x541b);
    io.ok(nr::IOCTL, &[console, get_attributes, BUFFER]);
    io.ok(nr::IOCTL, &[console, get_size, BUFFER]);
    io.ok(nr::IOCTL, &[console, waiting, BUFFER]);
    assert_eq!(io.user.word(BUFFER) as u32, 0);
    io.write(console, b"to the console\n");
}

/// Who types more than is read is told to stop by XOFF, and to go on by XON: [`has_held_back`].
fn terminal_held_back(io: &Io) {
    let line = io.open("/dev/ttyAMA0", OpenFlags::O_RDWR | OpenFlags::O_NOCTTY);
    let (get_attributes, set_attributes) = (0x5401, 0x5402);
    io.ok(nr::IOCTL, &[line, get_attributes, BUFFER]);
    let usual = io.user.load(BUFFER, size_of::<[u32; 4]>());
    let flags = [(0, IXOFF, IXON), (12, 0, ICANON | ECHO)];
    for (at, set, cleared) in flags {
        let old = io.user.word(BUFFER + at) as u32;
        io.user
            .store(BUFFER + at, &((old | set) & !cleared).to_le_bytes());
    }
    io.ok(nr::IOCTL, &[line, set_attributes, BUFFER]);
    platform::host::console::type_bytes(&[b'x'; 4000]);
    let mut read = 0;
    while read < 4000 {
        read += io.read(line).len();
    }
    io.ok(nr::IOCTL, &[line, get_attributes, BUFFER]);
    io.user.store(BUFFER, &usual);
    io.ok(nr::IOCTL, &[line, set_attributes, BUFFER]);
    io.close(line);
}

/// Whether the story of a terminal that is held back shows in what was written to the console.
pub fn has_held_back(written: &str) -> bool {
    written.contains("\x13\x11")
}
