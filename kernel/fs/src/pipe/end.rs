//! The ends of a pipe, as open files see them.

use alloc::sync::Arc;

use abi::Errno;
use abi::file::{POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM};

use super::packets::WritingPackets;
use super::reading::Reading;
use super::transfer::Transfer;
use super::writing::Writing;
use super::{Direction, Pipe, READER_AWAY, READERS_WATCHED, WRITER_AWAY};
use uaccess::{self, Sink, Source};
use vfs::caller::Caller;
use vfs::file_ops::{FileOps, Io, Queues};
use vfs::file_owner::{Event, Listeners};

/// An open end of a pipe.
pub(super) struct PipeEnd {
    pub(super) pipe: Arc<Pipe>,
    pub(super) direction: Direction,
    /// How often the pipe had been opened for writing if no writer was there when this end was opened: no hang-up is
    /// reported until one came.
    pub(super) writers_seen: u64,
}

impl FileOps for PipeEnd {
    fn read(&self, io: &mut Io, to: &mut dyn Sink) -> Result<usize, Errno> {
        let transfer = Transfer::of(to.room());
        transfer.run(io, &mut Reading { pipe: &self.pipe, to })
    }

    fn write(&self, caller: &Caller<'_>, io: &mut Io, from: &mut dyn Source) -> Result<usize, Errno> {
        let transfer = Transfer::of(from.left());
        let mut writing = Writing::new(&self.pipe, caller, from, transfer.left);
        if io.is_packet() {
            return transfer.run(io, &mut WritingPackets(writing));
        }
        transfer.run(io, &mut writing)
    }

    fn ioctl(&self, request: u32, argument: u64) -> Result<usize, Errno> {
        if request != abi::terminal::FIONREAD {
            return Err(Errno::ENOTTY);
        }
        let len = self.pipe.state.lock().unread() as u32;
        uaccess::write_value(argument, &len)?;
        Ok(0)
    }

    fn poll(&self) -> i16 {
        let state = self.pipe.state.lock();
        let mut events = 0;
        if self.direction.reads() {
            if state.len() > 0 && state.special & READER_AWAY == 0 {
                events |= POLLIN | POLLRDNORM;
            }
            if state.writers == 0 && state.writer_opens != self.writers_seen {
                events |= POLLHUP;
            }
        }
        if self.direction.writes() {
            if state.is_roomy() && state.special & WRITER_AWAY == 0 {
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

    fn note_listeners(&self) {
        self.pipe.note_listeners();
    }

    fn note_watched(&self) {
        if self.direction.reads() {
            self.pipe.state.lock().special |= READERS_WATCHED;
        }
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
