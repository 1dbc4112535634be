//! The ends of a pipe, as open files see them.

use alloc::sync::Arc;

use abi::Errno;
use abi::file::{PIPE_BUF, POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM};

use super::{Direction, Pipe};
use crate::fs::file_owner::{Event, Listeners};
use crate::fs::object::{Io, Object, Queues};
use crate::scheduler;
use crate::user_memory::{self, Sink, Source};

/// An open end of a pipe.
pub(super) struct PipeEnd {
    pub(super) pipe: Arc<Pipe>,
    pub(super) direction: Direction,
    /// How often the pipe had been opened for writing if no writer was there when this end was opened: no hang-up is
    /// reported until one came.
    pub(super) writers_seen: u64,
}

impl Object for PipeEnd {
    fn read(&self, io: &mut Io, to: &mut dyn Sink) -> Result<usize, Errno> {
        let done = self.pipe.read(io.is_nonblocking, to)?;
        self.pipe.writers.tell(Event::Output, scheduler::cond_resched);
        Ok(done)
    }

    fn write(&self, io: &mut Io, from: &mut dyn Source) -> Result<usize, Errno> {
        let done = self.pipe.write(io.is_nonblocking, from)?;
        self.pipe.readers.tell(Event::Input, scheduler::cond_resched);
        Ok(done)
    }

    fn ioctl(&self, request: u32, argument: u64) -> Result<usize, Errno> {
        if request != abi::terminal::FIONREAD {
            return Err(Errno::ENOTTY);
        }
        let len = self.pipe.state.lock().len() as u32;
        user_memory::write_value(argument, &len)?;
        Ok(0)
    }

    fn poll(&self) -> i16 {
        let state = self.pipe.state.lock();
        let mut events = 0;
        if self.direction.reads() {
            if state.len() > 0 && !state.is_reader_away {
                events |= POLLIN | POLLRDNORM;
            }
            if state.writers == 0 && state.writer_opens != self.writers_seen {
                events |= POLLHUP;
            }
        }
        if self.direction.writes() {
            if state.room() >= PIPE_BUF && !state.is_writer_away {
                events |= POLLOUT | POLLWRNORM;
            }
            if state.readers == 0 {
                events |= POLLERR;
            }
        }
        events
    }

    fn listeners(&self) -> [Option<&Listeners>; 2] {
        let readers = self.direction.reads().then_some(&self.pipe.readers);
        let writers = self.direction.writes().then_some(&self.pipe.writers);
        [readers, writers]
    }

    fn queues(&self) -> Queues<'_> {
        let readable = self.direction.reads().then_some(&self.pipe.readable);
        let writable = self.direction.writes().then_some(&self.pipe.writable);
        [readable, writable]
    }
}

impl Drop for PipeEnd {
    fn drop(&mut self) {
        self.pipe.close(self.direction);
        self.pipe.readers.tell(Event::Input, || ());
        self.pipe.writers.tell(Event::Output, || ());
    }
}
