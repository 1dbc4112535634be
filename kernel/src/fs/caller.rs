//! Whoever asks for something of a file: what it may do comes down with the request, and a failure that it is told of by a
//! signal goes back up. So the file layer knows no processes.

use super::credentials::Credentials;
use alloc::sync::Arc;
use core::cell::Cell;

/// What the file layer asks about whoever makes a request: a thread. Files that need none of it, as pipes, do not ask.
pub trait Requester {
    /// By which rights it acts.
    fn credentials(&self) -> Arc<Credentials>;

    /// Bytes that a file may have by its writes: `RLIMIT_FSIZE`.
    fn file_size_limit(&self) -> u64;
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
