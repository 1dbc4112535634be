//! Foreground groups: who may read, write and set a terminal, and what its session means to it; tty_ioctl(4), termios(3).

use core::sync::atomic::Ordering;

use abi::Errno;
use abi::process::Pid;
use abi::signal::Signal;

use formats::line_discipline::Discipline;

use super::Terminal;
use super::processes::{Member, TtyCaller};

impl Terminal {
    /// Whether this is the process's controlling terminal.
    pub(super) fn is_controlling(&self, process: &impl Member) -> bool {
        self.state.lock().is_controlling(process)
    }

    /// The session that has it.
    pub(super) fn session(&self) -> Option<Pid> {
        self.state.lock().session
    }

    /// It becomes the controlling terminal of the leader's session. Called under the lock of the sessions.
    pub(super) fn begin_tenure(&self, leader: &impl Member, tenure: u32) {
        let mut state = self.state.lock();
        state.session = Some(leader.session());
        state.foreground = Some(leader.group());
        state.tenure = tenure;
        leader.set_tenure(tenure);
    }

    /// It is nobody's controlling terminal any more; which group was in the foreground. Called under the lock of the sessions.
    pub(super) fn end_tenure(&self) -> Option<Pid> {
        let mut state = self.state.lock();
        state.session = None;
        state.foreground.take()
    }

    /// Its device is gone: no session gets it any more. Called under the lock of the sessions.
    pub(super) fn retire(&self) {
        self.state.lock().is_gone = true;
    }

    /// Whether a session may have it. Called under the lock of the sessions.
    pub(super) fn is_gone(&self) -> bool {
        self.state.lock().is_gone
    }

    /// A process of another group than the foreground's wants to read, write with TOSTOP, or set something: `stop`
    /// (SIGTTIN or SIGTTOU) goes to its group and the call is made again, once the group was continued.
    ///
    /// # Errors
    /// `RESTART`: the signal was sent. `EIO`: the caller could not be stopped; a writer that ignores the signal may go on.
    pub(super) fn check_foreground(&self, stop: Signal, caller: &impl TtyCaller) -> Result<(), Errno> {
        let process = caller.member();
        {
            let state = self.state.lock();
            let is_elsewhere = !state.is_controlling(process);
            if is_elsewhere || state.foreground.is_none_or(|group| group == process.group()) {
                return Ok(());
            }
        }
        if caller.is_deaf_to(stop) {
            return if stop == Signal::SIGTTIN {
                Err(Errno::EIO)
            } else {
                Ok(())
            };
        }
        if self.groups.is_orphaned(process.group()) {
            return Err(Errno::EIO);
        }
        self.groups.send(process.group(), stop);
        Err(Errno::RESTART)
    }

    /// What was opened before is dead, and output that waits is dropped.
    pub(super) fn hang_up(&self) {
        {
            let mut state = self.state.lock();
            state.change_flow(&*self.driver, Discipline::restart);
            state.sending.clear();
        }
        self.hang_ups.fetch_add(1, Ordering::AcqRel);
        self.driver.hang_up();
        self.readable.wake_all();
        self.writable.wake_all();
    }

    /// `TIOCGPGRP`.
    ///
    /// # Errors
    /// `ENOTTY` unless it is the caller's controlling terminal.
    pub(super) fn foreground(&self, process: &impl Member) -> Result<Pid, Errno> {
        let state = self.state.lock();
        if state.is_controlling(process) {
            Ok(state.foreground.unwrap_or(0))
        } else {
            Err(Errno::ENOTTY)
        }
    }

    /// `TIOCSPGRP`.
    ///
    /// # Errors
    /// `ENOTTY`: it is not the caller's controlling terminal. `EINVAL`, `ESRCH`: there is no such group. `EPERM`: it is one of
    /// another session. Those of [`Terminal::check_foreground`].
    pub(super) fn set_foreground(&self, group: i32, caller: &impl TtyCaller) -> Result<(), Errno> {
        let process = caller.member();
        if !self.is_controlling(process) {
            return Err(Errno::ENOTTY);
        }
        let group = Pid::try_from(group).map_err(|_| Errno::EINVAL)?;
        self.check_foreground(Signal::SIGTTOU, caller)?;
        let session = self.groups.session_of(group).ok_or(Errno::ESRCH)?;
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
