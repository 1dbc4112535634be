//! What the file layer asks about the thread that makes a request.

use crate::process::Process;
use abi::process::{Pid, RLIMIT_FSIZE};
use alloc::sync::Arc;
use vfs::Credentials;
use vfs::caller::Requester;

impl Requester for Process {
    fn credentials(&self) -> Arc<Credentials> {
        Process::credentials(self)
    }

    fn file_size_limit(&self) -> u64 {
        self.limit(RLIMIT_FSIZE)
    }

    fn process_id(&self) -> Pid {
        self.pid
    }
}
