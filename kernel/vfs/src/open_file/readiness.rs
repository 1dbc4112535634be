//! What an open file can do now, and who is told when that changes.

use alloc::sync::Arc;
use core::any::Any;

use abi::Errno;
use abi::file::POLLNVAL;

use super::OpenFile;
use crate::file_ops::{FileOps, Queues, ShowInfo};
use crate::file_watch::FileWatch;

impl OpenFile {
    /// The events that poll(2) would report now.
    pub fn poll(&self) -> i16 {
        if self.is_path() { POLLNVAL } else { self.ops.poll() }
    }

    /// Queues that are woken when the answer of [`OpenFile::poll`] changes.
    pub fn queues(&self) -> Queues<'_> {
        self.ops.queues()
    }

    /// The queues, in which the calling process is about to wait, or to let somebody stay.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn queues_to_wait_in(&self) -> Result<Queues<'_>, Errno> {
        self.ops.note_waiting()?;
        Ok(self.ops.queues())
    }

    /// Whether it tells when it becomes ready, or is taken although it always is: `EPERM` of epoll_ctl(2) if not.
    pub fn can_be_watched(&self) -> bool {
        self.ops.can_be_watched() || self.inode().ops.can_be_watched()
    }

    /// From now on `watch` is told of the file's end, until it is taken back; and the file tells its queues of every change.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn watch(&self, watch: Arc<dyn FileWatch>) -> Result<(), Errno> {
        self.watches.add(watch)?;
        self.ops.note_watched();
        Ok(())
    }

    /// Takes back [`OpenFile::watch`].
    pub fn unwatch(&self, watch: &dyn FileWatch) {
        self.watches.remove(watch);
    }

    /// Its operations, if they are of that kind.
    pub fn ops_as<T: FileOps>(&self) -> Option<&T> {
        let ops: &dyn Any = &*self.ops;
        ops.downcast_ref()
    }

    /// What /proc/PID/fdinfo shows of this kind of file.
    pub fn show_info(&self, show: ShowInfo<'_>) {
        self.ops.show_info(show);
    }
}
