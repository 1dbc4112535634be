//! Which process has which terminal, against what Linux keeps of that: a pointer in each process.

use super::super::Terminal;
use super::super::sessions::{Sessions, Steal};
use super::fakes::{FakeGroups, FakeProcess, terminal};
use abi::Errno;
use abi::process::Pid;
use abi::signal::Signal;
use alloc::sync::Arc;
use alloc::vec::Vec;
use memory::fallible;

#[test]
fn a_stale_tenure_of_one_terminal_does_not_fit_another() {
    let groups = FakeGroups::leak();
    let sessions = Sessions::new();
    let [first, second] = [0, 1].map(|minor| terminal(minor, groups).0);
    let leader = FakeProcess::leader(10);
    sessions.adopt_if_free(&first, &leader).unwrap();
    let child = leader.fork(11);
    assert!(first.is_controlling(&child));
    sessions.give_up(&first, &leader).unwrap();
    assert_eq!(
        groups.take(),
        [(10, Signal::SIGHUP), (10, Signal::SIGCONT)],
        "those in the foreground are told"
    );
    sessions.take_over(&second, &leader, Steal::Refused).unwrap();
    assert!(second.is_controlling(&leader));
    assert!(!second.is_controlling(&child), "it was not forked under this one");
    assert!(sessions.controlling(&child).is_none());
    assert!(second.is_controlling(&leader.fork(12)));
    assert_eq!(sessions.give_up(&second, &child), Err(Errno::ENOTTY));
}

#[test]
fn a_terminal_has_one_session_and_a_session_one_terminal() {
    let groups = FakeGroups::leak();
    let sessions = Sessions::new();
    let [first, second] = [0, 1].map(|minor| terminal(minor, groups).0);
    let [one, other] = [10, 20].map(FakeProcess::leader);
    let take = |terminal: &_, process: &FakeProcess, steal| sessions.take_over(terminal, process, steal);
    assert_eq!(take(&first, &one, Steal::Refused), Ok(()));
    assert_eq!(take(&first, &one, Steal::Refused), Ok(()), "it has it");
    assert_eq!(take(&second, &one, Steal::Allowed), Err(Errno::EPERM));
    assert_eq!(take(&first, &one.fork(11), Steal::Allowed), Err(Errno::EPERM));
    assert_eq!(take(&first, &other, Steal::Refused), Err(Errno::EPERM));
    sessions.adopt_if_free(&first, &other).unwrap();
    assert!(!first.is_controlling(&other), "an open does not steal");
    sessions.adopt_if_free(&second, &one).unwrap();
    assert!(!second.is_controlling(&one), "an open changes no terminal");
    assert_eq!(take(&first, &other, Steal::Allowed), Ok(()));
    assert!(sessions.controlling(&one).is_none() && first.is_controlling(&other));
    assert_eq!(take(&second, &one, Steal::Refused), Ok(()));
    sessions.end(10, groups);
    assert_eq!((first.hang_ups(), second.hang_ups()), (0, 1));
}

#[test]
fn without_memory_a_terminal_stays_whose_it_was() {
    let groups = FakeGroups::leak();
    let sessions = Sessions::new();
    let (terminal, _) = terminal(0, groups);
    let [one, other] = [10, 20].map(FakeProcess::leader);
    fallible::fail_after(Some(0));
    let adopted = sessions.adopt_if_free(&terminal, &one);
    fallible::fail_after(None);
    assert_eq!(adopted, Err(Errno::ENOMEM));
    assert!(terminal.session().is_none() && one.tenure.get() == 0);
    sessions.adopt_if_free(&terminal, &one).unwrap();
    sessions.take_over(&terminal, &other, Steal::Allowed).unwrap();
    assert!(terminal.is_controlling(&other));
}

/// As Linux has it: each process knows its terminal, and each terminal its session.
#[derive(Default)]
struct Model {
    of_process: Vec<Option<usize>>,
    of_terminal: Vec<Option<Pid>>,
}

struct World {
    groups: &'static FakeGroups,
    sessions: Sessions,
    terminals: Vec<Arc<Terminal>>,
    processes: Vec<FakeProcess>,
    model: Model,
    random: u64,
}

impl World {
    fn new(seed: u64) -> World {
        let groups = FakeGroups::leak();
        World {
            groups,
            sessions: Sessions::new(),
            terminals: (0..3).map(|minor| terminal(minor, groups).0).collect(),
            processes: Vec::new(),
            model: Model {
                of_process: Vec::new(),
                of_terminal: vec![None; 3],
            },
            random: seed,
        }
    }

    /// Below `end`, as if at random (xorshift).
    fn below(&mut self, end: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random % end as u64) as usize
    }

    fn add(&mut self, process: FakeProcess, terminal: Option<usize>) {
        self.processes.push(process);
        self.model.of_process.push(terminal);
    }

    /// `session_clear_tty`.
    fn clear(&mut self, session: Pid) {
        for (process, terminal) in self.processes.iter().zip(&mut self.model.of_process) {
            if process.session == session {
                *terminal = None;
            }
        }
    }

    /// `TIOCSCTTY`.
    fn take(&mut self, at: usize, terminal: usize, steal: Steal) {
        let process = &self.processes[at];
        let got = self.sessions.take_over(&self.terminals[terminal], process, steal);
        let session = process.session;
        let is_leader = process.pid == session;
        let (own, owner) = (self.model.of_process[at], self.model.of_terminal[terminal]);
        if is_leader && owner == Some(session) {
            assert_eq!(got, Ok(()));
        } else if !is_leader || own.is_some() || (owner.is_some() && steal == Steal::Refused) {
            assert_eq!(got, Err(Errno::EPERM));
        } else {
            assert_eq!(got, Ok(()));
            if let Some(loser) = owner {
                self.clear(loser);
            }
            self.model.of_terminal[terminal] = Some(session);
            self.model.of_process[at] = Some(terminal);
        }
    }

    /// `TIOCNOTTY`.
    fn give_up(&mut self, at: usize, terminal: usize) {
        let process = &self.processes[at];
        let got = self.sessions.give_up(&self.terminals[terminal], process);
        let (pid, session) = (process.pid, process.session);
        if self.model.of_process[at] != Some(terminal) {
            return assert_eq!(got, Err(Errno::ENOTTY));
        }
        assert_eq!(got, Ok(()));
        if pid == session {
            self.model.of_terminal[terminal] = None;
            self.clear(session);
        } else {
            self.model.of_process[at] = None;
        }
    }

    /// The leader of a session ends; those that are left keep its number.
    fn end(&mut self, at: usize) {
        let session = self.processes[at].session;
        self.sessions.end(session, self.groups);
        if let Some(terminal) = self.model.of_terminal.iter().position(|of| *of == Some(session)) {
            self.model.of_terminal[terminal] = None;
        }
        self.clear(session);
    }

    /// The device of a terminal goes, and another one comes: `__tty_hangup`.
    fn retire(&mut self, terminal: usize) {
        let gone = core::mem::replace(&mut self.terminals[terminal], self::terminal(3, self.groups).0);
        self.groups.take();
        self.sessions.retire(&gone);
        let told = self.groups.take();
        match self.model.of_terminal[terminal].take() {
            Some(session) => {
                self.clear(session);
                assert_eq!(told, [(session, Signal::SIGHUP), (session, Signal::SIGCONT)]);
            }
            None => assert_eq!(told, []),
        }
        let late = FakeProcess::leader(9999);
        assert_eq!(
            self.sessions.take_over(&gone, &late, Steal::Allowed),
            Err(Errno::EIO)
        );
    }

    fn step(&mut self, pid: Pid) {
        let (at, terminal) = (self.below(self.processes.len()), self.below(3));
        match self.below(9) {
            0 => self.add(FakeProcess::leader(pid), None),
            1 | 2 => self.add(self.processes[at].fork(pid), self.model.of_process[at]),
            3 => self.take(at, terminal, Steal::Allowed),
            4 | 5 => self.take(at, terminal, Steal::Refused),
            6 => self.give_up(at, terminal),
            7 => self.retire(terminal),
            _ => self.end(at),
        }
    }

    fn compare(&self) {
        for (process, expected) in self.processes.iter().zip(&self.model.of_process) {
            let found = self.sessions.controlling(process);
            let found = found.map(|found| self.terminals.iter().position(|one| Arc::ptr_eq(one, &found)));
            assert_eq!(found.map(Option::unwrap), *expected, "process {}", process.pid);
            let is_controlling = |terminal: &Arc<Terminal>| terminal.is_controlling(process);
            let controlling = self.terminals.iter().position(is_controlling);
            assert_eq!(controlling, *expected);
        }
    }
}

#[test]
fn every_process_has_the_terminal_that_it_has_under_linux() {
    for seed in 0..40 {
        let mut world = World::new(0x9e37_79b9_7f4a_7c15 ^ seed);
        world.add(FakeProcess::leader(1), None);
        for pid in 2..150 {
            world.step(pid);
            world.compare();
        }
    }
}
