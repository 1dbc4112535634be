//! Sessions and foreground groups: who may read, write and set the terminal; tty_ioctl(4), termios(3), setsid(2).

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use abi::Errno;
use abi::signal::info::SI_KERNEL;
use abi::signal::{SigInfo, Signal};

use super::{Terminal, console};
use crate::process::{self, Pid, Process};
use crate::sched::scheduler;
use crate::signal;
use crate::thread::Thread;

/// The leader of the session ended: its terminal is hung up and belongs to nobody (setsid(2)).
pub fn session_ended(session: Pid) {
    if console().leave_session(session) {
        console().hang_up();
    }
}

impl Terminal {
    /// Whether this is the process's controlling terminal.
    pub(super) fn is_controlling(&self, process: &Process) -> bool {
        self.state.lock().is_controlling(process)
    }

    /// A process of another group than the foreground's wants to read, write with TOSTOP, or set something: `signal`
    /// (SIGTTIN or SIGTTOU) goes to its group and the call is made again, once the group was continued. A reader that
    /// could not be stopped gets `EIO`; a writer that ignores the signal may go on.
    pub(super) fn check_foreground(&self, stop: Signal) -> Result<(), Errno> {
        let current = scheduler::current();
        let process = &current.process;
        {
            let state = self.state.lock();
            let is_elsewhere = !state.is_controlling(process);
            if is_elsewhere || state.foreground.is_none_or(|group| group == process.group()) {
                return Ok(());
            }
        }
        if signal::is_blocked_or_ignored(&current, stop) {
            return if stop == Signal::SIGTTIN {
                Err(Errno::EIO)
            } else {
                Ok(())
            };
        }
        if process::is_orphaned_group(process.group()) {
            return Err(Errno::EIO);
        }
        signal::send_to_group(process.group(), SigInfo::new(stop, SI_KERNEL));
        Err(Errno::RESTART)
    }

    /// Opening without `O_NOCTTY` by a session leader without a controlling terminal makes it that.
    pub(super) fn adopt_if_free(&self, process: &Process) {
        if process.pid != process.session() || super::controlling(process).is_some() {
            return;
        }
        let mut state = self.state.lock();
        if state.session.is_none() {
            state.give_to(process);
        }
    }

    /// `TIOCSCTTY`: `EPERM` unless by a session leader for a terminal that is nobody's; with `is_forced`, user 0 may
    /// take it from another session.
    pub(super) fn take_over(&self, process: &Process, is_forced: bool) -> Result<(), Errno> {
        let session = process.session();
        if super::controlling(process).is_some() {
            let is_this = self.is_controlling(process);
            return if is_this && process.pid == session {
                Ok(())
            } else {
                Err(Errno::EPERM)
            };
        }
        if process.pid != session {
            return Err(Errno::EPERM);
        }
        let may_steal = is_forced && scheduler::current().process.credentials().is_privileged();
        let mut state = self.state.lock();
        if state.session.is_some() && !may_steal {
            return Err(Errno::EPERM);
        }
        state.give_to(process);
        Ok(())
    }

    /// `TIOCNOTTY`. By a session leader: the session has no terminal any more, and its foreground group is told; by another: it
    /// has none itself. What is open stays usable. `ENOTTY` for a terminal that is not the caller's.
    pub(super) fn give_up(&self, process: &Process) -> Result<(), Errno> {
        if !self.is_controlling(process) {
            return Err(Errno::ENOTTY);
        }
        if process.pid != process.session() {
            process.set_terminal_tenure(0);
        } else {
            self.leave_session(process.session());
        }
        Ok(())
    }

    /// The session has no terminal any more; whether it had this one.
    fn leave_session(&self, session: Pid) -> bool {
        let foreground = {
            let mut state = self.state.lock();
            if state.session != Some(session) {
                return false;
            }
            state.session = None;
            state.foreground.take()
        };
        if let Some(group) = foreground {
            signal::send_to_group(group, SigInfo::new(Signal::SIGHUP, SI_KERNEL));
            signal::send_to_group(group, SigInfo::new(Signal::SIGCONT, SI_KERNEL));
        }
        true
    }

    /// What was opened before is dead, and output that waits is dropped.
    fn hang_up(&self) {
        {
            let mut state = self.state.lock();
            state.discipline.restart();
            state.sending.clear();
        }
        self.hang_ups.fetch_add(1, Ordering::AcqRel);
        self.readable.wake_all();
        self.writable.wake_all();
    }

    /// `TIOCGPGRP`. `ENOTTY` unless it is the caller's controlling terminal.
    pub(super) fn foreground(&self, process: &Process) -> Result<Pid, Errno> {
        let state = self.state.lock();
        if state.is_controlling(process) {
            Ok(state.foreground.unwrap_or(0))
        } else {
            Err(Errno::ENOTTY)
        }
    }

    /// `TIOCSPGRP`. `ENOTTY`, `EINVAL`, `ESRCH`, `EPERM` for a group of another session.
    pub(super) fn set_foreground(&self, current: &Arc<Thread>, group: i32) -> Result<(), Errno> {
        let process = &current.process;
        if !self.is_controlling(process) {
            return Err(Errno::ENOTTY);
        }
        let group = Pid::try_from(group).map_err(|_| Errno::EINVAL)?;
        self.check_foreground(Signal::SIGTTOU)?;
        let session = process::session_of_group(group).ok_or(Errno::ESRCH)?;
        if session != process.session() {
            return Err(Errno::EPERM);
        }
        let mut state = self.state.lock();
        if state.session != Some(session) {
            // The session lost it meanwhile.
            return Err(Errno::ENOTTY);
        }
        state.foreground = Some(group);
        Ok(())
    }
}
