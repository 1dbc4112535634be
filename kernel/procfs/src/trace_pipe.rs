//! `trace_pipe` of tracefs: each record is read once, and who reads waits for the next (Documentation/trace/ftrace.rst). One at a time
//! has it open, as on Linux.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use abi::file::{POLLIN, POLLRDNORM};
use lock::Mutex;
use memory::fallible;
use mm::PAGE_SIZE;
use trace::pipe::TracePipe;
use uaccess::Sink;
use vfs::file_ops::{FileOps, Io, Queues};

use super::text::Text;

/// The open file.
struct PipeFile {
    pipe: TracePipe,
    state: Mutex<Unread>,
}

struct Unread {
    /// Lines of records that were taken, and how much of them was read.
    lines: Vec<u8>,
    read: usize,
    /// Whether anything was read yet: only then does the end of tracing end the file.
    has_read: bool,
}

/// Opens it.
///
/// # Errors
/// `EBUSY`: somebody else has. `ENOMEM`.
pub fn open() -> Result<Arc<dyn FileOps>, Errno> {
    let state = Unread {
        lines: Vec::new(),
        read: 0,
        has_read: false,
    };
    Ok(fallible::arc(PipeFile {
        pipe: TracePipe::open()?,
        state: Mutex::new(state),
    })?)
}

impl PipeFile {
    /// Lines of which nothing was read yet; `None`: there are none now.
    fn take_lines(&self) -> Result<Option<(Vec<u8>, usize)>, Errno> {
        let mut state = self.state.lock();
        let (lines, read) = (core::mem::take(&mut state.lines), state.read);
        drop(state);
        if read < lines.len() {
            return Ok(Some((lines, read)));
        }
        let lines = self.make_lines()?;
        Ok((!lines.is_empty()).then_some((lines, 0)))
    }

    /// A page full of them. Memory for it comes first: a record that was taken is not to be lost for want of some.
    fn make_lines(&self) -> Result<Vec<u8>, Errno> {
        let mut text = Text::with_room(PAGE_SIZE)?;
        while text.room() >= MOST_LINE {
            let Some(taken) = self.pipe.consume() else {
                break;
            };
            if taken.lost > 0 {
                text.add(format_args!(
                    "CPU:{} [LOST {} EVENTS]\n",
                    taken.record.cpu, taken.lost
                ));
            }
            text.add(format_args!("{}\n", taken.record));
        }
        text.finish()
    }

    fn keep(&self, lines: Vec<u8>, read: usize) {
        let mut state = self.state.lock();
        let old = core::mem::replace(&mut state.lines, lines);
        state.read = read;
        drop(state);
        drop(old);
    }
}

/// Longer than any record's line with what was lost before it: all counts that there are, each with ten digits.
const MOST_LINE: usize = 1280;

impl FileOps for PipeFile {
    fn read(&self, io: &mut Io, to: &mut dyn Sink) -> Result<usize, Errno> {
        let (lines, read) = loop {
            if let Some(found) = self.take_lines()? {
                break found;
            }
            let has_read = self.state.lock().has_read;
            if has_read && !trace::control::is_on() {
                return Ok(0);
            }
            if io.is_nonblocking() {
                return Err(Errno::EAGAIN);
            }
            self.pipe.wait_or(|| has_read && !trace::control::is_on())?;
        };
        let len = (lines.len() - read).min(to.room());
        let put = to.put(&lines[read..read + len]);
        self.keep(lines, read + put.unwrap_or(0));
        self.state.lock().has_read = true;
        put
    }

    fn poll(&self) -> i16 {
        let state = self.state.lock();
        let has_lines = state.read < state.lines.len();
        drop(state);
        match has_lines || self.pipe.is_worth_reading() {
            true => POLLIN | POLLRDNORM,
            false => 0,
        }
    }

    fn queues(&self) -> Queues<'_> {
        [Some(self.pipe.pollers()), None]
    }
}
