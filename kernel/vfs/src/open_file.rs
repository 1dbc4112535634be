//! An open file description: open(2). What descriptors share after dup(2) and fork(2): position and status flags.

mod readiness;
mod transfer;

use alloc::sync::{Arc, Weak};
use core::ops::Range;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use abi::Errno;
use abi::file::{OpenFlags, S_IFIFO};
use memory::fallible;
use mm::{PageSource, Sharing};

use super::caller::Caller;
use super::credentials::Credentials;
use super::dentry::Dentry;
use super::file_ops::{DirectoryEntry, FileOps, Positioning, SyncKind, Whence};
use super::file_owner::{FileOwner, HasOwner, Whom};
use super::file_watch::FileWatches;
use super::inode::{Hold, Inode};
use super::inode_ops::Seek;
use super::permission::Subject;
use lock::Mutex;
use sched::{SleepingMutex, SleepingMutexGuard};

/// Flags that only tell open(2) what to do.
const OPEN_ONLY: OpenFlags = OpenFlags::O_CREAT
    .union(OpenFlags::O_EXCL)
    .union(OpenFlags::O_NOCTTY)
    .union(OpenFlags::O_TRUNC)
    .union(OpenFlags::O_CLOEXEC);
/// Flags that `F_SETFL` changes.
const SETTABLE: OpenFlags = OpenFlags::O_APPEND
    .union(OpenFlags::O_NONBLOCK)
    .union(OpenFlags::O_NOATIME)
    .union(OpenFlags::O_DIRECT);

/// How an open file came to be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OpenedBy {
    /// By its name: open(2).
    Name,
    /// By a call that makes it, as pipe(2).
    Kernel,
}

/// Open file descriptions that there are.
static COUNT: AtomicU64 = AtomicU64::new(0);

/// An open file description.
pub struct OpenFile {
    /// Which name it was opened by.
    pub dentry: Arc<Dentry>,
    ops: Arc<dyn FileOps>,
    positioning: Positioning,
    /// It has neither a position nor a name: nobody watches what is read and written.
    is_plain: bool,
    flags: AtomicU32,
    position: AtomicU64,
    position_lock: SleepingMutex,
    hold: Hold,
    owner: Mutex<FileOwner>,
    watches: FileWatches,
}

/// Entries of a directory that were read, but perhaps do not reach the program. Nobody else reads meanwhile.
#[must_use]
pub struct ListedEntries<'a> {
    file: &'a OpenFile,
    next: u64,
    _position_lock: SleepingMutexGuard<'a>,
}

impl ListedEntries<'_> {
    /// The program has the entries: the position moves behind them.
    pub fn accept(self) {
        self.file.position.store(self.next, Ordering::Relaxed);
    }
}

impl OpenFile {
    /// An open file of that name. `flags` as in open(2).
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn new(dentry: Arc<Dentry>, ops: Arc<dyn FileOps>, flags: OpenFlags) -> Result<Arc<Self>, Errno> {
        fallible::arc_with(|| Self::bare(dentry, ops, flags, Hold::None, OpenedBy::Kernel))
    }

    /// As [`OpenFile::new`], with the inode's write or execute hold already taken; it is given back at the last close,
    /// or now.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn with_hold(
        dentry: Arc<Dentry>,
        ops: Arc<dyn FileOps>,
        flags: OpenFlags,
        hold: Hold,
    ) -> Result<Arc<Self>, Errno> {
        fallible::arc_with(|| Self::bare(dentry, ops, flags, hold, OpenedBy::Name))
    }

    fn bare(
        dentry: Arc<Dentry>,
        ops: Arc<dyn FileOps>,
        flags: OpenFlags,
        hold: Hold,
        opened_by: OpenedBy,
    ) -> Self {
        let positioning = ops.positioning();
        let flags = AtomicU32::new((flags - OPEN_ONLY).bits());
        COUNT.fetch_add(1, Ordering::Relaxed);
        OpenFile {
            dentry,
            positioning,
            is_plain: opened_by == OpenedBy::Kernel && positioning != Positioning::Bytes,
            ops,
            flags,
            position: AtomicU64::new(0),
            position_lock: SleepingMutex::new(),
            hold,
            owner: Mutex::new(FileOwner::default()),
            watches: FileWatches::new(),
        }
    }

    /// How many there are: /proc/sys/fs/file-nr.
    pub fn count() -> u64 {
        COUNT.load(Ordering::Relaxed)
    }

    /// The file.
    pub fn inode(&self) -> &Arc<Inode> {
        &self.dentry.inode
    }

    /// What stands behind it.
    #[inline]
    pub fn ops(&self) -> &dyn FileOps {
        &*self.ops
    }

    /// What `F_GETFL` gives.
    pub fn flags(&self) -> OpenFlags {
        OpenFlags::from_bits_retain(self.flags.load(Ordering::Relaxed))
    }

    /// `F_SETFL`: changes the flags that may be changed.
    pub fn set_flags(&self, flags: OpenFlags) {
        let change = |old: u32| Some((old & !SETTABLE.bits()) | (flags & SETTABLE).bits());
        let _always = self
            .flags
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, change);
    }

    /// `F_SETFL` by the name of a descriptor: as [`OpenFile::set_flags`], and with `O_ASYNC` the owner is told from now
    /// on, where the file can tell.
    ///
    /// # Errors
    /// `EINVAL`, `EPERM`, `ENOMEM`.
    pub fn set_status_flags(
        self: &Arc<Self>,
        caller: &Caller<'_>,
        descriptor: i32,
        flags: OpenFlags,
    ) -> Result<(), Errno> {
        // Of a pipe it says that packets are kept apart.
        let takes_direct = self.inode().kind() == S_IFIFO || self.ops.takes_direct();
        if flags.contains(OpenFlags::O_DIRECT) && !takes_direct {
            return Err(Errno::EINVAL);
        }
        let is_noatime = (flags - self.flags()).contains(OpenFlags::O_NOATIME);
        if is_noatime && !Subject::of(caller).is_owner(self.inode()) {
            return Err(Errno::EPERM);
        }
        let is_changed = (self.flags() ^ flags).contains(OpenFlags::O_ASYNC);
        for listeners in self.ops.listeners().into_iter().flatten().filter(|_| is_changed) {
            if flags.contains(OpenFlags::O_ASYNC) {
                self.take_usual_owner();
                listeners.add(self, descriptor)?;
                self.flags.fetch_or(OpenFlags::O_ASYNC.bits(), Ordering::Relaxed);
            } else {
                listeners.remove(Arc::as_ptr(self).addr());
                self.flags
                    .fetch_and(!OpenFlags::O_ASYNC.bits(), Ordering::Relaxed);
            }
            self.ops.note_listeners();
        }
        self.set_flags(flags);
        Ok(())
    }

    /// Takes the owner that this kind of file has if nobody named one, unless somebody did.
    fn take_usual_owner(&self) {
        if let Some(usual) = self.ops.usual_owner() {
            self.change_owner(|owner| owner.take_unless_named(usual));
        }
    }

    /// Names who is told, by the rights of `credentials`.
    pub fn name_owner(self: &Arc<Self>, whom: Option<Whom>, credentials: &Credentials) {
        self.change_owner(|owner| *owner = owner.changed_to(whom, credentials));
        let file: Weak<dyn HasOwner> = Arc::<OpenFile>::downgrade(self);
        self.ops.note_owned(file);
    }

    /// Changes who is told.
    pub fn change_owner(&self, how: impl FnOnce(&mut FileOwner)) {
        how(&mut self.owner.lock());
    }

    /// Whether it is only a place in the tree (`O_PATH`).
    pub fn is_path(&self) -> bool {
        self.flags().contains(OpenFlags::O_PATH)
    }

    /// Whether read(2) is allowed.
    pub fn is_readable(&self) -> bool {
        let flags = self.flags();
        !flags.contains(OpenFlags::O_PATH) && flags.access().reads()
    }

    /// Whether write(2) is allowed.
    pub fn is_writable(&self) -> bool {
        let flags = self.flags();
        !flags.contains(OpenFlags::O_PATH) && flags.access().writes()
    }

    /// lseek(2).
    ///
    /// # Errors
    /// `ESPIPE`, `EINVAL`, `ENXIO`.
    pub fn seek(&self, offset: i64, whence: Whence) -> Result<u64, Errno> {
        match self.positioning {
            Positioning::Stream => return Err(Errno::ESPIPE),
            Positioning::Ignored | Positioning::SeekOnly => return Ok(0),
            Positioning::Bytes => {}
        }
        let _position_lock = self.position_lock.lock()?;
        let target = match whence {
            Whence::Start => Some(offset),
            Whence::Position => offset.checked_add_unsigned(self.position.load(Ordering::Relaxed)),
            Whence::End => {
                let size = self.ops.size().unwrap_or_else(|| self.inode().size());
                offset.checked_add_unsigned(size)
            }
            Whence::Data => Some(self.seek_piece(offset, Seek::Data)?),
            Whence::Hole => Some(self.seek_piece(offset, Seek::Hole)?),
        };
        let target = target
            .and_then(|target| u64::try_from(target).ok())
            .ok_or(Errno::EINVAL)?;
        self.position.store(target, Ordering::Relaxed);
        Ok(target)
    }

    fn seek_piece(&self, offset: i64, what: Seek) -> Result<i64, Errno> {
        let regular = self.inode().regular().ok_or(Errno::EINVAL)?;
        let at = u64::try_from(offset).map_err(|_| Errno::ENXIO)?;
        let found = regular.seek(at, what)?;
        i64::try_from(found).map_err(|_| Errno::EOVERFLOW)
    }

    /// The position, as /proc shows it.
    pub fn position(&self) -> u64 {
        self.position.load(Ordering::Relaxed)
    }

    /// getdents64(2): gives entries to `take` until it answers `false`. The position moves behind the last taken one when the
    /// answer is accepted.
    ///
    /// # Errors
    /// `EBADF`, `ENOTDIR`, and those of the file system.
    pub fn list(&self, take: &mut dyn FnMut(DirectoryEntry<'_>) -> bool) -> Result<ListedEntries<'_>, Errno> {
        if self.is_path() {
            return Err(Errno::EBADF);
        }
        let position_lock = self.position_lock.lock()?;
        let next = self.ops.list(self.position(), take)?;
        Ok(ListedEntries {
            file: self,
            next,
            _position_lock: position_lock,
        })
    }

    /// ioctl(2). `EBADF`, and what the file's operations say.
    ///
    /// # Errors
    /// `ENOTTY` for requests that are not known; what the kind of file says.
    pub fn ioctl(&self, request: u32, argument: u64) -> Result<usize, Errno> {
        if self.is_path() {
            return Err(Errno::EBADF);
        }
        self.ops.ioctl(request, argument)
    }

    /// Writes back the bytes `range`: fsync(2) and its kin.
    ///
    /// # Errors
    /// As of [`FileOps::sync`].
    pub fn sync(&self, range: Range<u64>, kind: SyncKind) -> Result<(), Errno> {
        self.ops.sync(range, kind)
    }

    /// Whether mmap(2) of it means memory that begins as zeros.
    pub fn is_zeros(&self) -> bool {
        !self.is_path() && self.ops.is_zeros()
    }

    /// What mmap(2) maps.
    ///
    /// # Errors
    /// `EBADF`, `ENODEV`.
    pub fn page_source(&self, sharing: Sharing) -> Result<Arc<dyn PageSource>, Errno> {
        if self.is_path() {
            return Err(Errno::EBADF);
        }
        self.ops.page_source(sharing)
    }
}

impl HasOwner for OpenFile {
    fn owner(&self) -> FileOwner {
        *self.owner.lock()
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        COUNT.fetch_sub(1, Ordering::Relaxed);
        if !self.is_plain {
            self.note_closed();
        }
        while let Some(watch) = self.watches.take() {
            watch.file_closed(self.ops.queues());
        }
        let address = core::ptr::from_ref(self).addr();
        if self.flags().contains(OpenFlags::O_ASYNC) {
            for listeners in self.ops.listeners().into_iter().flatten() {
                listeners.remove(address);
            }
            self.ops.note_listeners();
        }
        self.inode().release_hold(self.hold);
        self.inode().locks.release_open_file(address);
    }
}
