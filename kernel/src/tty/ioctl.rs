//! The terminal's ioctl calls: tty_ioctl(4).

use abi::Errno;
use abi::signal::Signal;
use abi::terminal::{
    FIONREAD, N_TTY, TCFLSH, TCGETS, TCGETS2, TCIFLUSH, TCIOFLUSH, TCOFLUSH, TCSBRK, TCSBRKP, TCSETS,
    TCSETS2, TCSETSF, TCSETSF2, TCSETSW, TCSETSW2, TCXONC, TIOCGETD, TIOCGPGRP, TIOCGSID, TIOCGWINSZ,
    TIOCNOTTY, TIOCOUTQ, TIOCSCTTY, TIOCSETD, TIOCSPGRP, TIOCSTI, TIOCSWINSZ, Termios, Termios2, VSTART,
    VSTOP, WinSize,
};

use super::{Terminal, speed};
use crate::sched::scheduler;
use crate::user_memory::{read_value, write_value};

/// The arguments of `TCXONC`: tcflow(3).
const TCOOFF: u64 = 0;
const TCOON: u64 = 1;
const TCIOFF: u64 = 2;
const TCION: u64 = 3;

impl Terminal {
    pub(super) fn ioctl(&self, request: u32, argument: u64) -> Result<usize, Errno> {
        match request {
            TCGETS => write_value(argument, &self.termios().termios)?,
            TCGETS2 => write_value(argument, &self.termios())?,
            TCSETS | TCSETSW | TCSETSF => {
                let waits = request != TCSETS;
                self.set_termios(read_value::<Termios>(argument)?, waits, request == TCSETSF)?;
            }
            TCSETS2 | TCSETSW2 | TCSETSF2 => {
                let wanted = read_value::<Termios2>(argument)?;
                let cflag = speed::into_flags(wanted.termios.cflag, wanted.ospeed);
                self.set_termios(
                    Termios {
                        cflag,
                        ..wanted.termios
                    },
                    request != TCSETS2,
                    request == TCSETSF2,
                )?;
            }
            TCFLSH => self.flush(argument)?,
            // The line cannot send breaks.
            TCSBRK | TCSBRKP => {
                self.check_foreground(Signal::SIGTTOU)?;
                self.drain()?;
            }
            TCXONC => self.control_flow(argument)?,
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
            TIOCSTI => self.pretend_typed(argument)?,
            _ => return self.control_jobs(request, argument),
        }
        Ok(0)
    }

    fn control_jobs(&self, request: u32, argument: u64) -> Result<usize, Errno> {
        let current = scheduler::current();
        let process = &current.process;
        match request {
            TIOCGPGRP => write_value(argument, &self.foreground(process)?)?,
            TIOCSPGRP => self.set_foreground(&current, read_value::<i32>(argument)?)?,
            TIOCGSID => {
                self.foreground(process)?;
                write_value(argument, &process.session())?;
            }
            TIOCSCTTY => self.take_over(process, argument == 1)?,
            TIOCNOTTY => self.give_up(process)?,
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
    fn set_termios(&self, termios: Termios, waits: bool, drops_input: bool) -> Result<(), Errno> {
        self.check_foreground(Signal::SIGTTOU)?;
        if waits {
            self.drain()?;
        }
        {
            let mut state = self.state.lock();
            if drops_input {
                state.discipline.flush_input();
            }
            state.discipline.set_termios(termios);
        }
        self.send();
        self.readable.wake_all();
        self.writable.wake_all();
        Ok(())
    }

    /// `TCFLSH`: drops what was typed and not read, or written and not sent, or both.
    fn flush(&self, which: u64) -> Result<(), Errno> {
        self.check_foreground(Signal::SIGTTOU)?;
        let (is_input, is_output) = match u32::try_from(which) {
            Ok(TCIFLUSH) => (true, false),
            Ok(TCOFLUSH) => (false, true),
            Ok(TCIOFLUSH) => (true, true),
            _ => return Err(Errno::EINVAL),
        };
        let mut state = self.state.lock();
        if is_input {
            state.discipline.flush_input();
        }
        if is_output {
            state.sending.clear();
            drop(state);
            self.writable.wake_all();
        }
        Ok(())
    }

    fn control_flow(&self, what: u64) -> Result<(), Errno> {
        self.check_foreground(Signal::SIGTTOU)?;
        let mut state = self.state.lock();
        match what {
            TCOOFF => state.discipline.stop(),
            TCOON => {
                state.discipline.restart();
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
    fn pretend_typed(&self, argument: u64) -> Result<(), Errno> {
        let is_allowed = self.is_controlling(&scheduler::current().process)
            || scheduler::current().process.credentials().is_privileged();
        if !is_allowed {
            return Err(Errno::EPERM);
        }
        let mut typed = Some(read_value::<u8>(argument)?);
        self.receive(|| typed.take());
        Ok(())
    }
}
