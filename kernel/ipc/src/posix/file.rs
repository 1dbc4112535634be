//! A queue as a file: what its inode answers, and what an open of it reads.

use abi::Errno;
use abi::file::{OpenFlags, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM};
use alloc::sync::Arc;
use memory::fallible;
use uaccess::Sink;
use vfs::Dentry;
use vfs::file_ops::{FileOps, Io, Positioning, Queues};
use vfs::inode_ops::InodeOps;

use super::queue::PosixQueue;

/// What stat(2) calls the size of a queue: `FILENT_SIZE` of Linux.
const SIZE: u64 = 80;

impl InodeOps for PosixQueue {
    fn open(self: Arc<Self>, _dentry: &Arc<Dentry>, _flags: OpenFlags) -> Result<Arc<dyn FileOps>, Errno> {
        Ok(self)
    }

    fn can_be_watched(&self) -> bool {
        true
    }

    fn size(&self) -> u64 {
        SIZE
    }
}

impl FileOps for PosixQueue {
    /// Bytes of all messages, and who is to be told: mq_overview(7).
    fn read(&self, io: &mut Io, to: &mut dyn Sink) -> Result<usize, Errno> {
        let (bytes, shown) = self.shown();
        let text = fallible::text(format_args!(
            "QSIZE:{bytes:<10} NOTIFY:{:<5} SIGNO:{:<5} NOTIFY_PID:{:<6}\n",
            shown.notify, shown.signal, shown.pid
        ))?;
        let rest = text.as_bytes().get(io.position as usize..).unwrap_or_default();
        let put = to.put(rest)?;
        io.position += put as u64;
        Ok(put)
    }

    fn positioning(&self) -> Positioning {
        Positioning::Bytes
    }

    fn poll(&self) -> i16 {
        let input = if self.count() > 0 { POLLIN | POLLRDNORM } else { 0 };
        let output = if self.has_room() { POLLOUT | POLLWRNORM } else { 0 };
        input | output
    }

    fn queues(&self) -> Queues<'_> {
        [Some(&self.readable), Some(&self.writable)]
    }

    fn flush(&self, table: u64) {
        self.unregister(table);
    }
}
