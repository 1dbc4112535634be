//! What stands behind an open file: the calls that each kind of file answers in its own way.

use alloc::sync::{Arc, Weak};
use core::any::Any;
use core::fmt;
use core::ops::Range;

use abi::Errno;
use abi::file::{OpenFlags, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM};
use mm::{PageSource, Sharing};

use super::caller::Caller;
use super::file_owner::{FileOwner, HasOwner, Listeners};
use sched::wait::WaitQueue;
use uaccess::{Sink, Source};

/// What a read or write is told beside the bytes.
#[derive(Clone, Copy)]
pub struct Io {
    /// Where it begins; the file moves it behind what it took. Streams leave it alone.
    pub position: u64,
    /// The status flags of the open file.
    pub flags: OpenFlags,
}

impl Io {
    /// Beside the status flags: what is written is another file's page on its way to the disk, so nobody waits here until fewer pages are dirty.
    pub const BELOW_ANOTHER: OpenFlags = OpenFlags::from_bits_retain(1 << 31);

    /// Who writes it must not wait for other pages to be written ([`Io::BELOW_ANOTHER`]).
    #[inline]
    pub fn is_below_another(&self) -> bool {
        self.flags.contains(Io::BELOW_ANOTHER)
    }

    /// `EAGAIN` instead of waiting.
    #[inline]
    pub fn is_nonblocking(&self) -> bool {
        self.flags.contains(OpenFlags::O_NONBLOCK)
    }

    /// Writes go to the end of the file.
    #[inline]
    pub fn is_append(&self) -> bool {
        self.flags.contains(OpenFlags::O_APPEND)
    }

    /// What was written is to stay when the write returns: `O_SYNC`, `O_DSYNC`.
    #[inline]
    pub fn is_synchronous(&self) -> bool {
        self.flags.intersects(OpenFlags::O_DSYNC)
    }

    /// Nothing of it stays in the page cache: `O_DIRECT` of a file.
    #[inline]
    pub fn is_direct(&self) -> bool {
        self.flags.contains(OpenFlags::O_DIRECT)
    }

    /// What is written to a pipe together is read together.
    #[inline]
    pub fn is_packet(&self) -> bool {
        self.flags.contains(OpenFlags::O_DIRECT)
    }
}

/// How far [`FileOps::sync`] goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SyncKind {
    /// What is dirty is written, and may still be in the device's own cache: sync_file_range(2).
    Pages,
    /// The bytes, and what is needed to find them, stay: fdatasync(2).
    Data,
    /// Everything stays: fsync(2).
    All,
}

/// How lseek(2) and the shared position work on a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Positioning {
    /// There is no position: `ESPIPE`.
    Stream,
    /// Seeks succeed and mean nothing (`/dev/null`).
    Ignored,
    /// The same, but nothing can be read or written at a position: `ESPIPE` (files without a name).
    SeekOnly,
    /// Bytes are numbered.
    Bytes,
}

/// Where lseek(2) counts from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Whence {
    /// The start.
    Start,
    /// The position.
    Position,
    /// The end.
    End,
    /// The next data at or behind the offset.
    Data,
    /// The next hole at or behind the offset.
    Hole,
}

/// One entry that getdents64(2) shows.
pub struct DirectoryEntry<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// `d_ino`.
    pub inode: u64,
    /// The `S_IFMT` bits.
    pub kind: u32,
    /// The position behind it.
    pub next: u64,
}

/// The wait queues to watch while polling a file.
pub type Queues<'a> = [Option<&'a WaitQueue>; 2];

/// Gives the open file that a descriptor of the caller stands for.
pub type FindFile<'a> = &'a dyn Fn(i32) -> Result<Arc<dyn Any + Send + Sync>, Errno>;

/// Takes lines about an open file: /proc/PID/fdinfo.
pub type ShowInfo<'a> = &'a mut dyn FnMut(fmt::Arguments<'_>);

/// What an open file does (`file_operations` of Linux). Methods that a kind does not have answer as Linux does for such files.
pub trait FileOps: Any + Send + Sync {
    /// read(2).
    ///
    /// # Errors
    /// `EINVAL` for what cannot be read; what the kind of file says.
    fn read(&self, _io: &mut Io, _to: &mut dyn Sink) -> Result<usize, Errno> {
        Err(Errno::EINVAL)
    }

    /// write(2).
    ///
    /// # Errors
    /// `EINVAL` for what cannot be written; what the kind of file says.
    fn write(&self, _caller: &Caller<'_>, _io: &mut Io, _from: &mut dyn Source) -> Result<usize, Errno> {
        Err(Errno::EINVAL)
    }

    /// Whether it may be opened with `O_DIRECT`.
    fn takes_direct(&self) -> bool {
        false
    }

    /// Whether there is a position; always the same.
    fn positioning(&self) -> Positioning {
        Positioning::Stream
    }

    /// Where lseek(2) finds the end, if that is not what the inode says: of a disk.
    fn size(&self) -> Option<u64> {
        None
    }

    /// Writes back the bytes `range`; nothing to do for what lies in memory alone. Sleeps.
    ///
    /// # Errors
    /// `EIO`, `ENOSPC`: what went wrong since this open file was last told.
    fn sync(&self, _range: Range<u64>, _kind: SyncKind) -> Result<(), Errno> {
        Ok(())
    }

    /// Gives entries from `position` on to `take` until it answers `false`; returns the position behind the last
    /// taken one. `take` is short and takes no lock: an entry may be locked meanwhile.
    ///
    /// # Errors
    /// `ENOTDIR`, and those of the file system.
    fn list(&self, _position: u64, _take: &mut dyn FnMut(DirectoryEntry<'_>) -> bool) -> Result<u64, Errno> {
        Err(Errno::ENOTDIR)
    }

    /// ioctl(2).
    ///
    /// # Errors
    /// `ENOTTY` for requests that are not known; what the kind of file says.
    fn ioctl(&self, _request: u32, _argument: u64) -> Result<usize, Errno> {
        Err(Errno::ENOTTY)
    }

    /// ioctl(2) of a request that asks who calls, or names another open file by its descriptor: `find` gives that
    /// [`OpenFile`](super::open_file::OpenFile), of which this file knows nothing (`EBADF`).
    ///
    /// # Errors
    /// As of [`FileOps::ioctl`].
    fn ioctl_with_files(
        &self,
        _caller: &Caller<'_>,
        request: u32,
        argument: u64,
        _find: FindFile<'_>,
    ) -> Result<usize, Errno> {
        self.ioctl(request, argument)
    }

    /// What poll(2) would answer now.
    fn poll(&self) -> i16 {
        POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM
    }

    /// Queues that are woken when the answer of [`FileOps::poll`] changes: the first for input, the second for output. What both
    /// ways must learn, as a hang-up, wakes both.
    fn queues(&self) -> Queues<'_> {
        [None, None]
    }

    /// The calling process is about to wait in its queues, or to let somebody stay there. For those who are not told of the same for
    /// every process.
    ///
    /// # Errors
    /// `ENOMEM`.
    fn note_waiting(&self) -> Result<(), Errno> {
        Ok(())
    }

    /// Whether it tells when it becomes ready; always the same. What does not is always ready, and epoll(7) does not take it.
    fn can_be_watched(&self) -> bool {
        self.queues().iter().any(Option::is_some)
    }

    /// Somebody watches it ([`sched::wait::Watcher`]): from now on its queues are told of everything that comes, not only of
    /// the first thing that a sleeper would be woken for.
    fn note_watched(&self) {}

    /// What /proc/PID/fdinfo shows beside what all files have. Short, and without a lock of the file layer.
    fn show_info(&self, _show: ShowInfo<'_>) {}

    /// A process closed a descriptor of it, whose table of descriptors has that number: asked only if anybody has asked for the
    /// number.
    fn flush(&self, _table: u64) {}

    /// Whose owners are told when it can be read, and when it can be written (`O_ASYNC`).
    fn listeners(&self) -> [Option<&Listeners>; 2] {
        [None, None]
    }

    /// Somebody is to be the owner of that open file, which is of this kind: fcntl(2), `F_SETOWN`.
    fn note_owned(&self, _file: Weak<dyn HasOwner>) {}

    /// [`FileOps::listeners`] became more or fewer.
    fn note_listeners(&self) {}

    /// `O_ASYNC` is set: the owner of an open file of this kind if nobody has named one.
    fn usual_owner(&self) -> Option<FileOwner> {
        None
    }

    /// Whether mmap(2) of it means memory that begins as zeros: /dev/zero (zero(4)).
    fn is_zeros(&self) -> bool {
        false
    }

    /// What mmap(2) maps. Of a shared mapping it says whether that may be written ([`PageSource::may_write`]).
    ///
    /// # Errors
    /// `ENODEV`.
    fn page_source(&self, _sharing: Sharing) -> Result<Arc<dyn PageSource>, Errno> {
        Err(Errno::ENODEV)
    }
}
