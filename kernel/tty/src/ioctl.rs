//! The terminal's ioctl calls: tty_ioctl(4).

use alloc::sync::Arc;

use abi::Errno;
use abi::signal::Signal;
use abi::terminal::{
    FIONREAD, N_TTY, TCFLSH, TCGETS, TCGETS2, TCIFLUSH, TCIOFLUSH, TCOFLUSH, TCSBRK, TCSBRKP, TCSETS,
    TCSETS2, TCSETSF, TCSETSF2, TCSETSW, TCSETSW2, TCXONC, TIOCGETD, TIOCGPGRP, TIOCGSID, TIOCGWINSZ,
    TIOCNOTTY, TIOCOUTQ, TIOCSCTTY, TIOCSETD, TIOCSPGRP, TIOCSTI, TIOCSWINSZ, Termios, Termios2, VSTART,
    VSTOP, WinSize,
};

use super::driver::Flushed;
use super::processes::{Member, TtyCaller};
use super::sessions::{SESSIONS, Steal};
use super::{Terminal, speed};
use formats::line_discipline::Discipline;
use sched::scheduler;
use uaccess::{read_value, write_value};

/// The arguments of `TCXONC`: tcflow(3).
const TCOOFF: u64 = 0;
const TCOON: u64 = 1;
const TCIOFF: u64 = 2;
const TCION: u64 = 3;

/// When new settings count: tcsetattr(3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum When {
    /// At once: `TCSANOW`.
    Now,
    /// When what was written is sent: `TCSADRAIN`.
    Drained,
    /// Then, and what was typed before is dropped: `TCSAFLUSH`.
    Flushed,
}

impl Terminal {
    /// Answers a request.
    ///
    /// # Errors
    /// `ENOTTY`: there is no such request, or it is not the caller's terminal. `EINVAL`, `EPERM`, `ESRCH`, `EIO`: the request's.
    /// `RESTART`: a signal is to be delivered. `ENOMEM`, `EFAULT`.
    pub(super) fn ioctl(self: &Arc<Self>, request: u32, argument: u64) -> Result<usize, Errno> {
        let current = scheduler::current();
        let caller = &*current;
        match request {
            TCGETS => write_value(argument, &self.termios().termios)?,
            TCGETS2 => write_value(argument, &self.termios())?,
            TCSETS | TCSETSW | TCSETSF => {
                let when = match request {
                    TCSETS => When::Now,
                    TCSETSW => When::Drained,
                    _ => When::Flushed,
                };
                self.set_termios(read_value::<Termios>(argument)?, when, caller)?;
            }
            TCSETS2 | TCSETSW2 | TCSETSF2 => {
                let wanted = read_value::<Termios2>(argument)?;
                let when = match request {
                    TCSETS2 => When::Now,
                    TCSETSW2 => When::Drained,
                    _ => When::Flushed,
                };
                let cflag = speed::into_flags(wanted.termios.cflag, wanted.ospeed);
                let termios = Termios {
                    cflag,
                    ..wanted.termios
                };
                self.set_termios(termios, when, caller)?;
            }
            TCFLSH => self.flush(argument, caller)?,
            // The line cannot send breaks.
            TCSBRK | TCSBRKP => {
                self.check_foreground(Signal::SIGTTOU, caller)?;
                self.drain()?;
            }
            TCXONC => self.control_flow(argument, caller)?,
            TIOCGWINSZ => {
                let size = self.state.lock().size;
                write_value(argument, &size)?;
            }
            TIOCSWINSZ => self.set_size(read_value::<WinSize>(argument)?),
            FIONREAD => {
                let len = self.state.lock().discipline.readable() as u32;
                write_value(argument, &len)?;
            }
            TIOCOUTQ => {
                let len = self.state.lock().sending.len() as u32;
                write_value(argument, &len)?;
            }
            TIOCGETD => write_value(argument, &N_TTY)?,
            TIOCSETD if read_value::<u32>(argument)? != N_TTY => return Err(Errno::EINVAL),
            TIOCSETD => {}
            TIOCSTI => self.pretend_typed(argument, caller)?,
            _ => return self.control_jobs(request, argument, caller),
        }
        Ok(0)
    }

    fn control_jobs(
        self: &Arc<Self>,
        request: u32,
        argument: u64,
        caller: &impl TtyCaller,
    ) -> Result<usize, Errno> {
        let process = caller.member();
        match request {
            TIOCGPGRP => write_value(argument, &self.foreground(process)?)?,
            TIOCSPGRP => self.set_foreground(read_value::<i32>(argument)?, caller)?,
            TIOCGSID => {
                self.foreground(process)?;
                write_value(argument, &process.session())?;
            }
            TIOCSCTTY => {
                let steal = if argument == 1 && caller.is_privileged() {
                    Steal::Allowed
                } else {
                    Steal::Refused
                };
                SESSIONS.take_over(self, process, steal)?;
            }
            TIOCNOTTY => SESSIONS.give_up(self, process)?,
            _ => return Err(Errno::ENOTTY),
        }
        Ok(0)
    }

    fn termios(&self) -> Termios2 {
        let termios = *self.state.lock().discipline.termios();
        let speed = speed::of_flags(termios.cflag).unwrap_or(0);
        Termios2 {
            termios,
            ispeed: speed,
            ospeed: speed,
        }
    }

    /// At once, or behind the output that waits.
    ///
    /// # Errors
    /// Those of [`Terminal::check_foreground`] and [`Terminal::drain`].
    pub(super) fn set_termios(
        &self,
        mut termios: Termios,
        when: When,
        caller: &impl TtyCaller,
    ) -> Result<(), Errno> {
        self.check_foreground(Signal::SIGTTOU, caller)?;
        if when != When::Now {
            self.drain()?;
        }
        {
            let mut state = self.state.lock();
            if when == When::Flushed {
                state.discipline.flush_input();
                self.driver.note_flushed(Flushed::Input);
            }
            self.driver.set_termios(&mut termios);
            state.change_flow(&*self.driver, |discipline| discipline.set_termios(termios));
            state.update_throttle(&*self.driver);
        }
        self.send();
        self.readable.wake_all();
        self.writable.wake_all();
        Ok(())
    }

    /// `TCFLSH`: drops what was typed and not read, or written and not sent, or both.
    ///
    /// # Errors
    /// `EINVAL`: neither is asked for. Those of [`Terminal::check_foreground`].
    pub(super) fn flush(&self, which: u64, caller: &impl TtyCaller) -> Result<(), Errno> {
        self.check_foreground(Signal::SIGTTOU, caller)?;
        let what = match u32::try_from(which) {
            Ok(TCIFLUSH) => Flushed::Input,
            Ok(TCOFLUSH) => Flushed::Output,
            Ok(TCIOFLUSH) => Flushed::Both,
            _ => return Err(Errno::EINVAL),
        };
        let mut state = self.state.lock();
        self.driver.note_flushed(what);
        if what != Flushed::Output {
            state.discipline.flush_input();
            state.update_throttle(&*self.driver);
        }
        if what != Flushed::Input {
            state.sending.clear();
            drop(state);
            self.writable.wake_all();
        }
        Ok(())
    }

    fn control_flow(&self, what: u64, caller: &impl TtyCaller) -> Result<(), Errno> {
        self.check_foreground(Signal::SIGTTOU, caller)?;
        let mut state = self.state.lock();
        match what {
            TCOOFF => state.change_flow(&*self.driver, Discipline::stop),
            TCOON => {
                state.change_flow(&*self.driver, Discipline::restart);
                drop(state);
                self.send();
                self.writable.wake_all();
            }
            TCIOFF | TCION => {
                let key = if what == TCIOFF { VSTOP } else { VSTART };
                let byte = state.discipline.termios().cc[key];
                if byte != 0 {
                    state.sending.push(&[byte]);
                    drop(state);
                    self.send();
                }
            }
            _ => return Err(Errno::EINVAL),
        }
        Ok(())
    }

    /// `TIOCSTI`. `EPERM` for a terminal that is not the caller's, unless by user 0.
    fn pretend_typed(&self, argument: u64, caller: &impl TtyCaller) -> Result<(), Errno> {
        if !self.is_controlling(caller.member()) && !caller.is_privileged() {
            return Err(Errno::EPERM);
        }
        let mut typed = Some(read_value::<u8>(argument)?);
        self.receive(|| typed.take());
        Ok(())
    }
}
