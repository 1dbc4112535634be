//! Which session has which terminal: tty_ioctl(4), setsid(2), credentials(7).
//!
//! A session has one controlling terminal at most, and a terminal one session. Each time a terminal is given to a session a new
//! *tenure* begins; all terminals draw their numbers from one counter. A process notes the tenure alone, which its children inherit, so
//! fork does nothing for it: a process that gave the terminal up, or whose session had it in an earlier tenure or had another one,
//! has a number that fits no terminal.

use alloc::sync::Arc;

use abi::Errno;
use abi::process::Pid;
use lock::{Mutex, rank};
use memory::fallible::map::Map;

use super::Terminal;
use super::processes::Member;

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
    terminals: Map<Pid, Arc<Terminal>>,
    /// The last tenure that has begun; 0: none.
    last: u32,
}

impl Tenures {
    /// A tenure begins: the terminal becomes the controlling one of the leader's session, which has none. The session that had it
    /// loses it. `ENOMEM`, nothing changed.
    fn begin(&mut self, terminal: &Arc<Terminal>, leader: &impl Member) -> Result<(), Errno> {
        let before = terminal.session();
        self.terminals.insert(leader.session(), terminal.clone())?;
        if let Some(loser) = before {
            self.terminals.remove(&loser);
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
            terminals: Map::new(),
            last: 0,
        }))
    }

    /// The process's controlling terminal.
    pub fn controlling(&self, process: &impl Member) -> Option<Arc<Terminal>> {
        if process.tenure() == 0 {
            return None;
        }
        let terminal = self.0.lock().terminals.get(&process.session()).cloned();
        terminal.filter(|terminal| terminal.is_controlling(process))
    }

    /// Opening without `O_NOCTTY` by a session leader without a controlling terminal makes it that, if it is nobody's.
    ///
    /// # Errors
    /// `ENOMEM`: nothing has changed.
    pub fn adopt_if_free(&self, terminal: &Arc<Terminal>, process: &impl Member) -> Result<(), Errno> {
        let session = process.session();
        if process.pid() != session {
            return Ok(());
        }
        let mut tenures = self.0.lock();
        if tenures.terminals.contains_key(&session) || terminal.session().is_some() {
            return Ok(());
        }
        tenures.begin(terminal, process)
    }

    /// `TIOCSCTTY`.
    ///
    /// # Errors
    /// `EPERM`: not a session leader, or one that has another terminal; another session has this one, and it may not be stolen.
    /// `ENOMEM`.
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
        match tenures.terminals.get(&session) {
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
        if process.pid() == process.session() {
            self.end_tenure(process.session());
        } else {
            process.set_tenure(0);
        }
        Ok(())
    }

    /// The leader of the session ended: its terminal is hung up and belongs to nobody (setsid(2)).
    pub fn end(&self, session: Pid) {
        if let Some(terminal) = self.end_tenure(session) {
            terminal.hang_up();
        }
    }

    /// The session has no terminal any more; the foreground group of the one that it had is told.
    fn end_tenure(&self, session: Pid) -> Option<Arc<Terminal>> {
        let (terminal, foreground) = {
            let mut tenures = self.0.lock();
            let terminal = tenures.terminals.remove(&session)?;
            let foreground = terminal.end_tenure();
            (terminal, foreground)
        };
        terminal.tell_left_behind(foreground);
        Some(terminal)
    }
}
