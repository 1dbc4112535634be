//! Open files of text, made while they are read (Linux's `seq_file`). A text is a row of records, each found by its key: an
//! address, a process, a number. An open file keeps where the next record begins, in bytes and as a key, and the rest of a
//! piece of which a reader took only a part: less than [`PIECE`], but for a longer record. What changes meanwhile is shown
//! as it is when its record's turn comes.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use abi::file::{POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM};
use mm::PAGE_SIZE;

use super::text::Text;
use lock::Mutex;
use memory::fallible;
use sched::scheduler;
use uaccess::Sink;
use vfs::file_ops::{FileOps, Io, Positioning};

/// Text made at once.
const PIECE: usize = PAGE_SIZE;
/// A read gives no more: signals are looked at in between.
pub const MOST_READ: usize = 1 << 16;
/// The key of the first record.
pub const FIRST_KEY: u64 = 0;

/// An open file of text. `make` adds the records from a key on, at least one and until the text is full, and returns the key of
/// the record behind them; `None` behind the last.
pub struct SeqFile<F> {
    make: F,
    /// What poll(2) answers.
    events: i16,
    place: Mutex<ReadPosition>,
}

/// Where a reader stands.
struct ReadPosition {
    /// The position in the file.
    position: u64,
    /// What begins there: the bytes of `piece` from `taken` on, then the record `next`.
    piece: Vec<u8>,
    taken: usize,
    next: Option<u64>,
}

impl ReadPosition {
    const START: ReadPosition = ReadPosition {
        position: 0,
        piece: Vec::new(),
        taken: 0,
        next: Some(FIRST_KEY),
    };

    fn rest(&self) -> &[u8] {
        &self.piece[self.taken..]
    }

    fn advance(&mut self, len: usize) {
        self.position += len as u64;
        self.taken += len;
    }

    /// Keeps no more memory than the rest needs.
    fn shrink(&mut self) {
        // Where not even that is to be had the piece stays as it is.
        if let Ok(rest) = fallible::bytes(self.rest()) {
            (self.piece, self.taken) = (rest, 0);
        }
    }
}

/// Opens a text of one record.
///
/// # Errors
/// `ENOMEM`.
pub fn open_whole(
    make: impl Fn(&mut Text) -> Result<(), Errno> + Send + Sync + 'static,
) -> Result<Arc<dyn FileOps>, Errno> {
    SeqFile::open(move |_, text| make(text).map(|()| None))
}

impl<F> SeqFile<F>
where
    F: Fn(u64, &mut Text) -> Result<Option<u64>, Errno> + Send + Sync + 'static,
{
    /// Opens the text that `make` makes.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn open(make: F) -> Result<Arc<dyn FileOps>, Errno> {
        SeqFile::open_ready(make, POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM)
    }

    /// The same, for one of which poll(2) answers `events`.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn open_ready(make: F, events: i16) -> Result<Arc<dyn FileOps>, Errno> {
        let place = Mutex::new(ReadPosition::START);
        Ok(fallible::arc(SeqFile { make, events, place })?)
    }

    /// Makes the next piece; whether there is one.
    fn make_piece(&self, place: &mut ReadPosition, wanted: u64) -> Result<bool, Errno> {
        let Some(key) = place.next else {
            return Ok(false);
        };
        let mut text = Text::new(wanted.clamp(1, PIECE as u64) as usize);
        place.next = (self.make)(key, &mut text)?;
        (place.piece, place.taken) = (text.finish()?, 0);
        Ok(true)
    }

    /// Reads from `position`, at or behind the place. An error only if nothing was read.
    fn read_from(&self, place: &mut ReadPosition, position: u64, to: &mut dyn Sink) -> Result<usize, Errno> {
        let mut done = 0;
        while to.room() > 0 && done < MOST_READ {
            match self.read_some(place, position, to) {
                Ok(Some(put)) => done += put,
                Ok(None) => break,
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(done)
    }

    /// Gives what is at hand, or makes more; `None` at the end.
    fn read_some(
        &self,
        place: &mut ReadPosition,
        position: u64,
        to: &mut dyn Sink,
    ) -> Result<Option<usize>, Errno> {
        let skipped = position.saturating_sub(place.position);
        if place.rest().is_empty() {
            scheduler::cond_resched_killable()?;
            let wanted = skipped.saturating_add(to.room() as u64);
            return Ok(self.make_piece(place, wanted)?.then_some(0));
        }
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        place.advance(skipped.min(place.rest().len()));
        if place.rest().is_empty() {
            return Ok(Some(0));
        }
        let len = place.rest().len().min(to.room());
        let put = to.put(&place.rest()[..len])?;
        place.advance(put);
        Ok(Some(put))
    }
}

impl<F> FileOps for SeqFile<F>
where
    F: Fn(u64, &mut Text) -> Result<Option<u64>, Errno> + Send + Sync + 'static,
{
    /// `ENOMEM`, `EFAULT`, and what the file says. A read that is not where the last one ended makes the text again up to there.
    fn read(&self, io: &mut Io, to: &mut dyn Sink) -> Result<usize, Errno> {
        let mut place = core::mem::replace(&mut *self.place.lock(), ReadPosition::START);
        if io.position < place.position || io.position == 0 {
            place = ReadPosition::START;
        }
        let done = self.read_from(&mut place, io.position, to)?;
        io.position += done as u64;
        place.shrink();
        let old = core::mem::replace(&mut *self.place.lock(), place);
        drop(old);
        Ok(done)
    }

    fn positioning(&self) -> Positioning {
        Positioning::Bytes
    }

    fn poll(&self) -> i16 {
        self.events
    }
}
