//! The master's ioctl calls: those of pseudo-terminals are its own; those about settings, size and foreground mean the slave, as on
//! Linux; what is left is about the master's own bytes.

use abi::Errno;
use abi::file::OpenFlags;
use abi::process::RLIMIT_NOFILE;
use abi::signal::Signal;
use abi::terminal::{
    FIONREAD, TCFLSH, TCIFLUSH, TCIOFLUSH, TCOFLUSH, TCXONC, TIOCGPGRP, TIOCGPKT, TIOCGPTLCK, TIOCGPTN,
    TIOCGPTPEER, TIOCGSID, TIOCNOTTY, TIOCOUTQ, TIOCPKT, TIOCSIG, TIOCSPTLCK, TIOCSTI,
};
use core::sync::atomic::Ordering;

use super::master::{Master, SlavePlace};
use sched::scheduler;
use task::thread::ThreadExt;
use uaccess::{read_value, write_value};
use vfs::{OnExec, OpenFile};

impl<P: SlavePlace> Master<P> {
    /// Answers a request.
    ///
    /// # Errors
    /// `ENOTTY`: there is no such request of a master. `EINVAL`, `EPERM`, `EIO`, `ESRCH`, `RESTART`: the request's. `EMFILE`, `ENOMEM`,
    /// `EFAULT`.
    pub(super) fn answer(&self, request: u32, argument: u64) -> Result<usize, Errno> {
        match request {
            TIOCGPTN => write_value(argument, &self.place.index())?,
            TIOCSPTLCK => {
                let is_locked = read_value::<i32>(argument)? != 0;
                self.line.is_locked.store(is_locked, Ordering::Relaxed);
            }
            TIOCGPTLCK => {
                let is_locked = self.line.is_locked.load(Ordering::Relaxed);
                write_value(argument, &i32::from(is_locked))?;
            }
            TIOCGPTPEER => return self.open_peer(argument),
            TIOCPKT => {
                let wanted = read_value::<i32>(argument)?;
                let packets = &mut self.line.state.lock().packets;
                match wanted {
                    0 => packets.turn_off(),
                    _ => packets.turn_on(),
                }
            }
            TIOCGPKT => {
                let are_on = self.line.state.lock().packets.are_on();
                write_value(argument, &i32::from(are_on))?;
            }
            TIOCSIG => self.signal(argument)?,
            FIONREAD => {
                let len = self.line.state.lock().sent.len() as u32;
                write_value(argument, &len)?;
            }
            // What was written has been typed.
            TIOCOUTQ => write_value(argument, &0u32)?,
            TCFLSH => self.flush(argument)?,
            TIOCSTI => self.pretend_sent(argument)?,
            // Anybody who has the master may ask.
            TIOCGPGRP => {
                let group = self.slave.state.lock().foreground.unwrap_or(0);
                write_value(argument, &group)?;
            }
            TIOCGSID => {
                let session = self.slave.session().ok_or(Errno::ENOTTY)?;
                write_value(argument, &session)?;
            }
            TCXONC | TIOCNOTTY => return Err(Errno::ENOTTY),
            _ => return self.slave.ioctl(request, argument),
        }
        Ok(0)
    }

    /// `TIOCGPTPEER`: opens the slave as `flags` say, whatever its name leads to in the caller's tree; the descriptor.
    fn open_peer(&self, flags: u64) -> Result<usize, Errno> {
        let flags = OpenFlags::from_bits_retain(flags as u32);
        let node = self.place.node();
        let on_exec = if flags.contains(OpenFlags::O_CLOEXEC) {
            OnExec::Close
        } else {
            OnExec::Keep
        };
        let ops = node.inode.ops.clone().open(node, flags)?;
        let file = OpenFile::new(node.clone(), ops, flags)?;
        let current = scheduler::current();
        let limit = usize::try_from(current.process().limit(RLIMIT_NOFILE)).unwrap_or(usize::MAX);
        // Kept until the table's lock is released: closing a file that is refused takes locks of its own.
        let kept = file.clone();
        let outcome = current
            .files()
            .change(|files| files.insert(file, on_exec, 0, limit));
        drop(kept);
        outcome?
    }

    /// `TIOCSIG`: one of the signals that keys send, for the slave's foreground group.
    fn signal(&self, number: u64) -> Result<(), Errno> {
        let signals = [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTSTP];
        let wanted = signals
            .into_iter()
            .find(|signal| u64::from(signal.number()) == number);
        let signal = wanted.ok_or(Errno::EINVAL)?;
        let foreground = self.slave.state.lock().foreground;
        if let Some(group) = foreground {
            self.slave.groups.send(group, signal);
        }
        Ok(())
    }

    /// `TCFLSH`: drops what the slave has sent; what the master has written is at the slave already.
    fn flush(&self, which: u64) -> Result<(), Errno> {
        match u32::try_from(which) {
            Ok(TCIFLUSH | TCIOFLUSH) => {
                self.line.state.lock().sent.clear();
                self.slave.send();
            }
            Ok(TCOFLUSH) => {}
            _ => return Err(Errno::EINVAL),
        }
        Ok(())
    }

    /// `TIOCSTI`: as if the slave had sent a byte. `EPERM` unless by user 0: a master is nobody's controlling terminal.
    fn pretend_sent(&self, argument: u64) -> Result<(), Errno> {
        if !scheduler::current().process().credentials().is_privileged() {
            return Err(Errno::EPERM);
        }
        let byte = read_value::<u8>(argument)?;
        self.line.state.lock().sent.push(&[byte]);
        self.line.readable.wake_all();
        Ok(())
    }
}
