//! Whoever asks for something of a file: what it may do comes down with the request, and a failure that it is told of by a
//! signal goes back up. So the file layer knows no processes.

use super::credentials::Credentials;
use abi::Errno;
use abi::process::Pid;
use alloc::sync::Arc;
use core::cell::Cell;

/// The largest size of a file: `MAX_LFS_FILESIZE`.
pub const MAX_FILE_SIZE: u64 = i64::MAX as u64;

/// What the file layer asks about whoever makes a request: a thread. Files that need none of it, as pipes, do not ask.
pub trait Requester {
    /// By which rights it acts.
    fn credentials(&self) -> Arc<Credentials>;

    /// Bytes that a file may have by its writes: `RLIMIT_FSIZE`.
    fn file_size_limit(&self) -> u64;

    /// Which process it is: what it sends says so.
    fn process_id(&self) -> Pid;
}

/// A failure of which Linux tells the caller by a signal, beside the error or the part that was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IoFailure {
    /// There was none.
    None,
    /// Nobody has the pipe open for reading: SIGPIPE.
    BrokenPipe,
    /// The file would grow beyond the caller's limit: SIGXFSZ.
    FileSizeLimit,
}

/// One request's caller. The system call makes it, and raises the signal when the request is over.
pub struct Caller<'a> {
    requester: &'a dyn Requester,
    failure: Cell<IoFailure>,
}

impl<'a> Caller<'a> {
    /// That requester.
    #[inline]
    pub fn new(requester: &'a dyn Requester) -> Self {
        Caller {
            requester,
            failure: Cell::new(IoFailure::None),
        }
    }

    /// By which rights it acts.
    pub fn credentials(&self) -> Arc<Credentials> {
        self.requester.credentials()
    }

    /// Bytes that a file may have by its writes: `RLIMIT_FSIZE`.
    pub fn file_size_limit(&self) -> u64 {
        self.requester.file_size_limit()
    }

    /// Which process it is.
    pub fn process_id(&self) -> Pid {
        self.requester.process_id()
    }

    /// How many bytes of a file the caller may write from `position` on.
    ///
    /// # Errors
    /// `EFBIG` behind the largest size, and behind the caller's limit, of which it is told by a signal too.
    pub fn write_room(&self, position: u64) -> Result<usize, Errno> {
        let limit = self.file_size_limit();
        if position >= limit {
            self.note_failure(IoFailure::FileSizeLimit);
            return Err(Errno::EFBIG);
        }
        if position >= MAX_FILE_SIZE {
            return Err(Errno::EFBIG);
        }
        Ok(usize::try_from(limit.min(MAX_FILE_SIZE) - position).unwrap_or(usize::MAX))
    }

    /// The request has failed, or ended early, for that reason.
    pub fn note_failure(&self, failure: IoFailure) {
        self.failure.set(failure);
    }

    /// Why it failed, if the caller is to be told by a signal.
    #[inline]
    pub fn failure(&self) -> IoFailure {
        self.failure.get()
    }
}
