//! Stories of signals: handlers, masks, what a sleeper does, ends and stops.

use super::io::{BUFFER, Io};
use super::processes::EXIT;
use super::program::place;
use super::{DATA, HELPERS, STEP, Story};
use abi::process::WaitStatus;
use abi::signal::{SIG_DFL, Signal};
use abi::{Errno, nr};

pub const STORIES: &[Story] = &[
    ("handler", handler),
    ("sleeper", sleeper),
    ("segfault", segfault),
    ("stop", stop),
    ("alarm", alarm),
];

const HANDLER: u64 = HELPERS + 16 * STEP;
const SLEEPS: u64 = HELPERS + 17 * STEP;
const CRASHES: u64 = HELPERS + 18 * STEP;
const STOPS: u64 = HELPERS + 19 * STEP;
/// Where the handler notes its signal.
const SEEN: u64 = DATA + 0x40;

pub fn place_handlers() {
    place(HANDLER, |user| {
        let seen = user.word(SEEN);
        user.store(SEEN, &(seen + 1).to_le_bytes());
    });
    place(SLEEPS, |user| {
        Io::new(user).sleep(1_000_000_000_000);
    });
    place(CRASHES, |user| user.store(8, b"nothing is mapped there"));
    place(STOPS, |user| {
        let own = user.call(nr::GETPID, &[]) as u64;
        user.call(nr::KILL, &[own, u64::from(Signal::SIGSTOP.number())]);
        user.call(nr::EXIT_GROUP, &[EXIT]);
    });
}

fn number(signal: Signal) -> u64 {
    u64::from(signal.number())
}

fn act(io: &Io, signal: Signal, handler: u64, flags: u64) {
    io.user
        .store(BUFFER, &[handler, flags, 0, 0].map(u64::to_le_bytes).concat());
    io.ok(nr::RT_SIGACTION, &[number(signal), BUFFER, 0, 8]);
}

fn set_mask(io: &Io, how: u64, set: u64) {
    io.user.store(BUFFER, &set.to_le_bytes());
    io.ok(nr::RT_SIGPROCMASK, &[how, BUFFER, 0, 8]);
}

fn handler(io: &Io) {
    let own = io.ok(nr::GETPID, &[]);
    let signal = number(Signal::SIGUSR1);
    io.user.store(SEEN, &[0; 8]);
    act(io, Signal::SIGUSR1, HANDLER, 0);
    io.ok(nr::KILL, &[own, signal]);
    assert_eq!(io.user.word(SEEN), 1, "the handler ran before the call came back");
    let (block, unblock) = (0, 1);
    set_mask(io, block, 1 << (signal - 1));
    io.ok(nr::KILL, &[own, signal]);
    io.ok(nr::KILL, &[own, signal]);
    assert_eq!(io.user.word(SEEN), 1);
    io.ok(nr::RT_SIGPENDING, &[BUFFER, 8]);
    assert_eq!(io.user.word(BUFFER), 1 << (signal - 1));
    set_mask(io, unblock, 1 << (signal - 1));
    assert_eq!(io.user.word(SEEN), 2, "two that waited are one");
    act(io, Signal::SIGUSR1, SIG_DFL, 0);
    assert_eq!(io.call(nr::KILL, &[own, 65]), -i64::from(Errno::EINVAL.number()));
}

fn sleeper(io: &Io) {
    let child = io.fork(SLEEPS);
    io.sleep(1_000_000);
    io.ok(nr::KILL, &[child, number(Signal::SIGTERM)]);
    let status = WaitStatus::Signaled {
        signal: Signal::SIGTERM.number(),
        core: false,
    };
    assert_eq!(io.wait(child), status.encode());
}

fn segfault(io: &Io) {
    let child = io.fork(CRASHES);
    assert_eq!(io.wait(child) & 0x7f, u32::from(Signal::SIGSEGV.number()));
}

fn stop(io: &Io) {
    let child = io.fork(STOPS);
    let untraced = 2;
    assert_eq!(io.ok(nr::WAIT4, &[child, BUFFER, untraced, 0]), child);
    assert_eq!(io.user.word(BUFFER) as u32 & 0xff, 0x7f, "it has stopped");
    io.ok(nr::KILL, &[child, number(Signal::SIGCONT)]);
    assert_eq!(io.wait(child), WaitStatus::Exited(EXIT as u8).encode());
}

fn alarm(io: &Io) {
    act(io, Signal::SIGALRM, HANDLER, 0);
    let interval = [0_u64, 0, 0, 3_000];
    io.user.store(BUFFER, &interval.map(u64::to_le_bytes).concat());
    io.ok(nr::SETITIMER, &[0, BUFFER, 0]);
    let seen = io.user.word(SEEN);
    assert_eq!(io.sleep(10_000_000_000), -i64::from(Errno::EINTR.number()));
    assert_eq!(io.user.word(SEEN), seen + 1);
}
