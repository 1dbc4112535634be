//! Who watches an open file without having it open, and is told when nobody has it open any more: epoll(7).

use alloc::boxed::Box;
use alloc::sync::Arc;

use abi::Errno;
use lock::Mutex;
use memory::fallible;
use platform::queue::{Member, Queue};
use spin::Once;

use super::file_ops::Queues;

/// A watcher's place among those of an open file.
pub type FileWatchPlace = Member<dyn FileWatch>;

/// Who watches an open file.
pub trait FileWatch: Send + Sync {
    /// Where it stands; in one open file's list at a time.
    fn place(&self) -> &FileWatchPlace;

    /// The last reference to the open file goes, and with it the file's `queues`. Called with no lock held that the watcher takes.
    fn file_closed(self: Arc<Self>, queues: Queues<'_>);
}

type Watches = Mutex<Queue<Arc<dyn FileWatch>>>;

/// Those who watch one open file.
pub(super) struct FileWatches(Once<Box<Watches>>);

impl FileWatches {
    /// Nobody.
    pub(super) const fn new() -> Self {
        FileWatches(Once::new())
    }

    /// Adds one. `ENOMEM`.
    pub(super) fn add(&self, watch: Arc<dyn FileWatch>) -> Result<(), Errno> {
        let watches = self
            .0
            .try_call_once(|| fallible::boxed_with(|| Mutex::new(Queue::new())))?;
        watches.lock().enter_member(watch, |watch| watch.place());
        Ok(())
    }

    /// Takes one out; nothing if it does not stand here.
    pub(super) fn remove(&self, watch: &dyn FileWatch) {
        let gone = self
            .0
            .get()
            .and_then(|watches| watches.lock().leave_member(watch.place()));
        drop(gone);
    }

    /// Who stands first is taken out.
    #[inline]
    pub(super) fn take(&self) -> Option<Arc<dyn FileWatch>> {
        self.0.get()?.lock().take_first()
    }
}
