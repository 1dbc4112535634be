//! A line, processes and groups of a test's own.

use super::super::Terminal;
use super::super::driver::TtyDriver;
use super::super::processes::{Member, ProcessGroups, TtyCaller};
use abi::process::Pid;
use abi::signal::Signal;
use abi::terminal::Termios;
use alloc::sync::Arc;
use alloc::vec::Vec;
use std::cell::Cell;
use std::sync::Mutex;
use vfs::device_registry::DeviceNumber;

/// What a line was told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Told {
    Settings,
    Throttle,
    Unthrottle,
    HangUp,
}

/// A line that takes so many bytes until somebody makes room again.
pub struct FakeLine {
    sent: Mutex<Vec<u8>>,
    told: Mutex<Vec<Told>>,
    room: Mutex<usize>,
    /// What happens elsewhere during the next write.
    meanwhile: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl FakeLine {
    pub fn new() -> Arc<FakeLine> {
        Arc::new(FakeLine {
            sent: Mutex::default(),
            told: Mutex::default(),
            room: Mutex::new(usize::MAX),
            meanwhile: Mutex::default(),
        })
    }

    pub fn set_room(&self, room: usize) {
        *self.room.lock().unwrap() = room;
    }

    pub fn at_next_write(&self, act: impl FnOnce() + Send + 'static) {
        *self.meanwhile.lock().unwrap() = Some(Box::new(act));
    }

    pub fn take_sent(&self) -> Vec<u8> {
        core::mem::take(&mut *self.sent.lock().unwrap())
    }

    pub fn take_told(&self) -> Vec<Told> {
        core::mem::take(&mut *self.told.lock().unwrap())
    }

    fn note(&self, told: Told) {
        self.told.lock().unwrap().push(told);
    }
}

impl TtyDriver for FakeLine {
    fn room(&self) -> usize {
        *self.room.lock().unwrap()
    }

    fn write(&self, bytes: &[u8]) {
        let mut room = self.room.lock().unwrap();
        assert!(bytes.len() <= *room, "no more is sent than there is room for");
        *room -= bytes.len();
        drop(room);
        let act = self.meanwhile.lock().unwrap().take();
        if let Some(act) = act {
            act();
        }
        self.sent.lock().unwrap().extend(bytes);
    }

    fn set_termios(&self, _termios: &mut Termios) {
        self.note(Told::Settings);
    }

    fn throttle(&self, _termios: &Termios) {
        self.note(Told::Throttle);
    }

    fn unthrottle(&self, _termios: &Termios) {
        self.note(Told::Unthrottle);
    }

    fn hang_up(&self) {
        self.note(Told::HangUp);
    }
}

/// A process with one thread.
pub struct FakeProcess {
    pub pid: Pid,
    pub group: Pid,
    pub session: Pid,
    pub tenure: Cell<u32>,
    pub is_deaf: bool,
    pub is_privileged: bool,
}

impl FakeProcess {
    pub fn leader(pid: Pid) -> FakeProcess {
        FakeProcess {
            pid,
            group: pid,
            session: pid,
            tenure: Cell::new(0),
            is_deaf: false,
            is_privileged: false,
        }
    }

    /// A child in a group of its own.
    pub fn fork(&self, pid: Pid) -> FakeProcess {
        FakeProcess {
            group: pid,
            session: self.session,
            tenure: self.tenure.clone(),
            ..FakeProcess::leader(pid)
        }
    }
}

impl Member for FakeProcess {
    fn pid(&self) -> Pid {
        self.pid
    }

    fn group(&self) -> Pid {
        self.group
    }

    fn session(&self) -> Pid {
        self.session
    }

    fn tenure(&self) -> u32 {
        self.tenure.get()
    }

    fn set_tenure(&self, tenure: u32) {
        self.tenure.set(tenure);
    }
}

impl TtyCaller for FakeProcess {
    type Process = FakeProcess;

    fn member(&self) -> &FakeProcess {
        self
    }

    fn is_deaf_to(&self, _signal: Signal) -> bool {
        self.is_deaf
    }

    fn is_privileged(&self) -> bool {
        self.is_privileged
    }
}

/// Groups that keep the signals that they get.
#[derive(Default)]
pub struct FakeGroups {
    sent: Mutex<Vec<(Pid, Signal)>>,
    sessions: Mutex<Vec<(Pid, Pid)>>,
    orphans: Mutex<Vec<Pid>>,
}

impl FakeGroups {
    pub fn leak() -> &'static FakeGroups {
        Box::leak(Box::default())
    }

    pub fn add(&self, group: Pid, session: Pid) {
        self.sessions.lock().unwrap().push((group, session));
    }

    pub fn orphan(&self, group: Pid) {
        self.orphans.lock().unwrap().push(group);
    }

    pub fn take(&self) -> Vec<(Pid, Signal)> {
        core::mem::take(&mut *self.sent.lock().unwrap())
    }
}

impl ProcessGroups for FakeGroups {
    fn send(&self, group: Pid, signal: Signal) {
        self.sent.lock().unwrap().push((group, signal));
    }

    fn send_to_process(&self, process: Pid, signal: Signal) {
        self.sent.lock().unwrap().push((process, signal));
    }

    fn session_of(&self, group: Pid) -> Option<Pid> {
        let sessions = self.sessions.lock().unwrap();
        let found = sessions.iter().find(|(known, _)| *known == group);
        found.map(|(_, session)| *session)
    }

    fn is_orphaned(&self, group: Pid) -> bool {
        self.orphans.lock().unwrap().contains(&group)
    }
}

/// A terminal of that minor number, and its line.
pub fn terminal(minor: u32, groups: &'static FakeGroups) -> (Arc<Terminal>, Arc<FakeLine>) {
    let line = FakeLine::new();
    let number = DeviceNumber { major: 250, minor };
    let terminal = Terminal::try_new(number, line.clone(), groups).unwrap();
    (terminal, line)
}
