//! Which session has which terminal: tty_ioctl(4), setsid(2), credentials(7).
//!
//! A session has one controlling terminal at most, and a terminal one session. Each time a terminal is given to a session a new
//! *tenure* begins; all terminals draw their numbers from one counter. A process notes the tenure alone, which its children inherit, so
//! fork does nothing for it: a process that gave the terminal up, or whose session had it in an earlier tenure or had another one,
//! has a number that fits no terminal.

use alloc::sync::Arc;

use abi::Errno;
use abi::process::Pid;
use abi::signal::Signal;
use lock::{Mutex, rank};
use memory::fallible::map::Map;

use super::Terminal;
use super::driver::Ending;
use super::processes::{Member, ProcessGroups};

/// The sessions with a controlling terminal.
pub struct Sessions(Mutex<Tenures, { rank::SESSIONS }>);

/// Of all processes.
pub static SESSIONS: Sessions = Sessions::new();

/// Whether a terminal may be taken from the session that has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Steal {
    /// By user 0, who has asked for it.
    Allowed,
    /// Not so.
    Refused,
}

/// A session that a terminal names has that terminal here, and the other way round: both change under this lock.
struct Tenures {
    sessions: Map<Pid, Holding>,
    /// The last tenure that has begun; 0: none.
    last: u32,
}

/// What a session has.
enum Holding {
    /// Its controlling terminal.
    Terminal(Arc<Terminal>),
    /// None any more since that was gone, and the group that was in the foreground: `tty_old_pgrp` of Linux.
    Lost(Option<Pid>),
}

impl Tenures {
    /// The session's terminal.
    fn terminal(&self, session: Pid) -> Option<&Arc<Terminal>> {
        match self.sessions.get(&session)? {
            Holding::Terminal(terminal) => Some(terminal),
            Holding::Lost(_) => None,
        }
    }

    /// A tenure begins: the terminal becomes the controlling one of the leader's session, which has none. The session that had it
    /// loses it. `EIO`: the terminal is gone. `ENOMEM`, nothing changed.
    fn begin(&mut self, terminal: &Arc<Terminal>, leader: &impl Member) -> Result<(), Errno> {
        if terminal.is_gone() {
            return Err(Errno::EIO);
        }
        let before = terminal.session();
        self.sessions
            .insert(leader.session(), Holding::Terminal(terminal.clone()))?;
        if let Some(loser) = before {
            self.sessions.remove(&loser);
        }
        self.last = self.last.wrapping_add(1).max(1);
        terminal.begin_tenure(leader, self.last);
        Ok(())
    }
}

impl Sessions {
    /// None has a terminal.
    pub const fn new() -> Self {
        Sessions(Mutex::new(Tenures {
            sessions: Map::new(),
            last: 0,
        }))
    }

    /// The process's controlling terminal.
    pub fn controlling(&self, process: &impl Member) -> Option<Arc<Terminal>> {
        if process.tenure() == 0 {
            return None;
        }
        let terminal = self.0.lock().terminal(process.session()).cloned();
        terminal.filter(|terminal| terminal.is_controlling(process))
    }

    /// Opening without `O_NOCTTY` by a session leader without a controlling terminal makes it that, if it is nobody's.
    ///
    /// # Errors
    /// `EIO`: the terminal is gone. `ENOMEM`: nothing has changed.
    pub fn adopt_if_free(&self, terminal: &Arc<Terminal>, process: &impl Member) -> Result<(), Errno> {
        let session = process.session();
        if process.pid() != session {
            return Ok(());
        }
        let mut tenures = self.0.lock();
        if tenures.terminal(session).is_some() || terminal.session().is_some() {
            return Ok(());
        }
        tenures.begin(terminal, process)
    }

    /// `TIOCSCTTY`.
    ///
    /// # Errors
    /// `EPERM`: not a session leader, or one that has another terminal; another session has this one, and it may not be stolen.
    /// `EIO`: the terminal is gone. `ENOMEM`.
    pub fn take_over(
        &self,
        terminal: &Arc<Terminal>,
        process: &impl Member,
        steal: Steal,
    ) -> Result<(), Errno> {
        let session = process.session();
        if process.pid() != session {
            return Err(Errno::EPERM);
        }
        let mut tenures = self.0.lock();
        match tenures.terminal(session) {
            Some(own) if Arc::ptr_eq(own, terminal) => Ok(()),
            Some(_) => Err(Errno::EPERM),
            None if terminal.session().is_some() && steal == Steal::Refused => Err(Errno::EPERM),
            None => tenures.begin(terminal, process),
        }
    }

    /// `TIOCNOTTY`. By a session leader: the session has no terminal any more, and its foreground group is told; by another: it
    /// has none itself. What is open stays usable.
    ///
    /// # Errors
    /// `ENOTTY` for a terminal that is not the caller's.
    pub fn give_up(&self, terminal: &Terminal, process: &impl Member) -> Result<(), Errno> {
        if !terminal.is_controlling(process) {
            return Err(Errno::ENOTTY);
        }
        if process.pid() != process.session() {
            process.set_tenure(0);
        } else if let Some((terminal, Some(group))) = self.end_tenure(process.session()) {
            terminal.groups.send(group, Signal::SIGHUP);
            terminal.groups.send(group, Signal::SIGCONT);
        }
        Ok(())
    }

    /// The leader of the session ended: its foreground group is told, and its terminal belongs to nobody (setsid(2)). A device's is hung
    /// up. Who was in the foreground of a terminal that went before is told now, and continued.
    pub fn end(&self, session: Pid, groups: &dyn ProcessGroups) {
        match self.take(session) {
            None | Some((Holding::Lost(None), _)) => {}
            Some((Holding::Lost(Some(group)), _)) => {
                groups.send(group, Signal::SIGHUP);
                groups.send(group, Signal::SIGCONT);
            }
            Some((Holding::Terminal(terminal), foreground)) => {
                if let Some(group) = foreground {
                    groups.send(group, Signal::SIGHUP);
                }
                if terminal.driver.ending() == Ending::Device {
                    terminal.hang_up();
                }
            }
        }
    }

    /// The terminal's device is gone: no session gets it any more, the one that has it loses it, and its leader is told, and continued.
    /// It is for the caller to hang it up.
    pub fn retire(&self, terminal: &Terminal) {
        let session = {
            let mut tenures = self.0.lock();
            terminal.retire();
            let session = terminal.session();
            let foreground = terminal.end_tenure();
            let holding = session.and_then(|session| tenures.sessions.get_mut(&session));
            let lost = holding.map(|holding| core::mem::replace(holding, Holding::Lost(foreground)));
            drop(tenures);
            drop(lost);
            session
        };
        if let Some(leader) = session {
            terminal.groups.send_to_process(leader, Signal::SIGHUP);
            terminal.groups.send_to_process(leader, Signal::SIGCONT);
        }
    }

    /// The session has no terminal any more; which one it had, and the group in the foreground there.
    fn end_tenure(&self, session: Pid) -> Option<(Arc<Terminal>, Option<Pid>)> {
        match self.take(session)? {
            (Holding::Terminal(terminal), foreground) => Some((terminal, foreground)),
            (Holding::Lost(_), _) => None,
        }
    }

    /// Forgets what the session has; the group in the foreground there.
    fn take(&self, session: Pid) -> Option<(Holding, Option<Pid>)> {
        let mut tenures = self.0.lock();
        let holding = tenures.sessions.remove(&session)?;
        let foreground = match &holding {
            Holding::Terminal(terminal) => terminal.end_tenure(),
            Holding::Lost(_) => None,
        };
        Some((holding, foreground))
    }
}
