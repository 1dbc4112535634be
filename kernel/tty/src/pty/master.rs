//! The master: what an open of ptmx gives. It reads what the slave sends, and what it writes is typed at the slave.

use alloc::sync::Arc;

use abi::Errno;
use abi::file::{POLLHUP, POLLIN, POLLOUT, POLLPRI, POLLRDNORM, POLLWRNORM};
use abi::terminal::TIOCPKT_DATA;

use super::super::Terminal;
use super::super::sessions::Sessions;
use super::PtyLine;
use sched::scheduler;
use sched::{SleepingMutex, SleepingMutexGuard};
use task::thread::ThreadExt;
use uaccess::{Sink, Source};
use vfs::Dentry;
use vfs::caller::Caller;
use vfs::file_ops::{FileOps, Io, Queues};
use vfs::file_owner::{FileOwner, Listeners, Whom};

/// Bytes that are read under one hold of the line's lock.
const READ_PIECE: usize = 256;
/// Bytes that are typed between two looks at whether the slave takes more: it says that it does not while it has room for these.
const WRITTEN_PIECE: usize = 64;

/// Where a slave stands in the file tree. Dropped when the master is closed: the name goes, and the number is free again.
pub trait SlavePlace: Send + Sync + 'static {
    /// Its number there.
    fn index(&self) -> u32;
    /// The name that opens it.
    fn node(&self) -> &Arc<Dentry>;
}

/// An open master.
pub struct Master<P: SlavePlace> {
    pub(super) line: Arc<PtyLine>,
    pub(super) slave: Arc<Terminal>,
    pub(super) place: P,
    sessions: &'static Sessions,
    reader: SleepingMutex,
    writer: SleepingMutex,
}

impl<P: SlavePlace> Master<P> {
    /// The only one of its slave, which stands in front of `line`.
    pub fn new(line: Arc<PtyLine>, slave: Arc<Terminal>, place: P, sessions: &'static Sessions) -> Self {
        Master {
            line,
            slave,
            place,
            sessions,
            reader: SleepingMutex::new(),
            writer: SleepingMutex::new(),
        }
    }

    /// Hands over what there is; 0 if there is nothing. In packet mode a byte that says what it is comes first.
    fn take(&self, to: &mut dyn Sink) -> Result<usize, Errno> {
        let _reader = self.reader.lock()?;
        let (is_packet, status) = {
            let mut state = self.line.state.lock();
            if !state.has_input() {
                return Ok(0);
            }
            (state.packets.are_on(), state.packets.take_status())
        };
        match (is_packet, status) {
            (false, _) => self.take_sent(to),
            (true, TIOCPKT_DATA) => Ok(to.put(&[TIOCPKT_DATA])? + self.take_sent(to)?),
            (true, status) => to.put(&[status]),
        }
    }

    /// Hands over what the slave has sent. The caller holds the reader's mutex.
    fn take_sent(&self, to: &mut dyn Sink) -> Result<usize, Errno> {
        let mut done = 0;
        while to.room() > 0 {
            let mut piece = [0; READ_PIECE];
            let most = to.room().min(READ_PIECE);
            let len = self.line.state.lock().sent.take(&mut piece[..most]);
            if len == 0 {
                break;
            }
            match to.put(&piece[..len]) {
                Ok(copied) => done += copied,
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(done)
    }

    /// Whether a read would not wait: there is something, or nothing will come.
    fn is_readable(&self) -> Option<()> {
        let state = self.line.state.lock();
        (state.has_input() || state.is_slave_closed()).then_some(())
    }

    fn is_over(&self) -> bool {
        let state = self.line.state.lock();
        state.is_slave_closed() && !state.has_input()
    }

    fn takes_input(&self) -> Option<()> {
        (!self.line.state.lock().is_throttled).then_some(())
    }

    fn lock_writer(&self, io: &Io) -> Result<SleepingMutexGuard<'_>, Errno> {
        match self.writer.try_lock() {
            Some(guard) => Ok(guard),
            None if io.is_nonblocking() => Err(Errno::EAGAIN),
            None => self.writer.lock_interruptible(),
        }
    }

    /// Types all bytes at the slave, waiting for room.
    pub(in super::super) fn type_at(&self, io: &Io, from: &mut dyn Source) -> Result<usize, Errno> {
        let _writer = self.lock_writer(io)?;
        let mut done = 0;
        while from.left() > 0 {
            match self.write_piece(io, from) {
                Ok(written) => done += written,
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
            if from.left() > 0 {
                scheduler::cond_resched();
            }
        }
        Ok(done)
    }

    fn write_piece(&self, io: &Io, from: &mut dyn Source) -> Result<usize, Errno> {
        match self.takes_input() {
            None if io.is_nonblocking() => return Err(Errno::EAGAIN),
            None => self.line.writable.wait_until(|| self.takes_input())?,
            Some(()) => {}
        }
        let mut piece = [0; WRITTEN_PIECE];
        let len = from.left().min(WRITTEN_PIECE);
        let taken = from.take(&mut piece[..len])?;
        let mut typed = piece[..taken].iter().copied();
        self.slave.receive(|| typed.next());
        Ok(taken)
    }
}

impl<P: SlavePlace> FileOps for Master<P> {
    /// `EIO` when the slave is closed, until it is opened again.
    fn read(&self, io: &mut Io, to: &mut dyn Sink) -> Result<usize, Errno> {
        while to.room() > 0 {
            let found = self.take(to)?;
            if found > 0 {
                // What had no room has some now.
                self.slave.send();
                return Ok(found);
            }
            if self.is_over() {
                return Err(Errno::EIO);
            }
            if io.is_nonblocking() {
                return Err(Errno::EAGAIN);
            }
            self.line.readable.wait_until(|| self.is_readable())?;
        }
        Ok(0)
    }

    /// Waits while the slave has hardly any room; a slave that is not open has some, too.
    fn write(&self, _caller: &Caller<'_>, io: &mut Io, from: &mut dyn Source) -> Result<usize, Errno> {
        self.type_at(io, from)
    }

    fn ioctl(&self, request: u32, argument: u64) -> Result<usize, Errno> {
        self.answer(request, argument)
    }

    fn poll(&self) -> i16 {
        let state = self.line.state.lock();
        let mut events = 0;
        if state.has_input() {
            events |= POLLIN | POLLRDNORM;
        }
        if state.packets.status() != 0 {
            events |= POLLPRI;
        }
        if state.is_slave_closed() {
            events |= POLLHUP;
        }
        if !state.is_throttled {
            events |= POLLOUT | POLLWRNORM;
        }
        events
    }

    fn listeners(&self) -> [Option<&Listeners>; 2] {
        [Some(&self.line.listeners), None]
    }

    fn usual_owner(&self) -> Option<FileOwner> {
        let current = scheduler::current();
        let whom = Whom::Process(current.process().pid);
        Some(FileOwner::usual(whom, &current.process().credentials()))
    }

    fn queues(&self) -> Queues<'_> {
        [Some(&self.line.readable), Some(&self.line.writable)]
    }
}

impl<P: SlavePlace> Drop for Master<P> {
    /// The slave is hung up: its session loses it, and whoever has it open reads the end of file.
    fn drop(&mut self) {
        self.line.state.lock().is_master_closed = true;
        self.sessions.retire(&self.slave);
        self.slave.hang_up();
    }
}
