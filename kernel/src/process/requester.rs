//! What the file layer asks about the thread that makes a request.

use crate::fs::Credentials;
use crate::fs::caller::Requester;
use crate::thread::Thread;
use abi::process::RLIMIT_FSIZE;
use alloc::sync::Arc;

impl Requester for Thread {
    fn credentials(&self) -> Arc<Credentials> {
        self.process.credentials()
    }

    fn file_size_limit(&self) -> u64 {
        self.process.limit(RLIMIT_FSIZE)
    }
}
