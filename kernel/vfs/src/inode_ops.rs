//! What a file system answers for its files: `inode_operations` and the opening half of `file_operations` of Linux.
//!
//! The file layer walks paths, checks rights and keeps attributes, locks and open files; what it does not know it asks here. A
//! method that a kind of file does not have answers as Linux does for such files, so a file system writes down only what its files
//! can do.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;

use abi::Errno;
use abi::file::{OpenFlags, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG, S_IFSOCK, SealFlags};

use super::dentry::Dentry;
use super::device_registry::{DeviceClass, DeviceNumber};
use super::file_ops::{DirectoryEntry, FileOps};
use super::inode::{Attributes, Inode};

/// One file, as its file system sees it. No lock is held when a method is called, so all but [`DirectoryOps::edit`] may sleep.
pub trait InodeOps: Any + Send + Sync {
    /// What an open of it under that name reads and writes; a directory is not asked. `flags` as in open(2),
    /// permissions are checked.
    ///
    /// # Errors
    /// `ENXIO` for what cannot be opened, `ENOMEM`.
    fn open(self: Arc<Self>, _dentry: &Arc<Dentry>, _flags: OpenFlags) -> Result<Arc<dyn FileOps>, Errno> {
        Err(Errno::ENXIO)
    }

    /// Whether epoll(7) takes open files of it that are always ready ([`FileOps::can_be_watched`]).
    fn can_be_watched(&self) -> bool {
        false
    }

    /// `st_size`.
    fn size(&self) -> u64 {
        0
    }

    /// Pages that hold its contents.
    fn page_count(&self) -> u64 {
        0
    }

    /// Whether its owner and permissions can be changed: not where a file system has none, and mount(2) says them.
    fn keeps_owners(&self) -> bool {
        true
    }

    /// `st_rdev`.
    fn device_number(&self) -> u64 {
        0
    }

    /// The entry of that name in the directory `directory`, which is this file. A file system that keeps its dentries
    /// gives the same one each time: only on such a one something can be mounted.
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR`, `ENOMEM`.
    fn lookup(&self, _directory: &Arc<Dentry>, _name: &[u8]) -> Result<Arc<Dentry>, Errno> {
        Err(Errno::ENOTDIR)
    }

    /// Gives the entries from `position` on, without `.` and `..`, which have the positions 0 and 1, to `take` until it answers
    /// `false`; returns the position behind the last taken one.
    ///
    /// # Errors
    /// `ENOTDIR`; `ENOMEM` if none was taken.
    fn list(&self, _position: u64, _take: &mut dyn FnMut(DirectoryEntry<'_>) -> bool) -> Result<u64, Errno> {
        Err(Errno::ENOTDIR)
    }

    /// How its entries are changed; `None` for what is no directory, and for one that stays as it is.
    fn as_directory(&self) -> Option<&dyn DirectoryOps> {
        None
    }

    /// How its names are changed, for a directory that lies on a device: whole changes, which sleep; `None` for others. Such a one has
    /// [`InodeOps::as_directory`] too, but only for what it keeps in memory.
    fn as_stored_directory(&self) -> Option<&dyn StoredDirectory> {
        None
    }

    /// How its bytes are kept; `None` for what is no regular file, and for one whose text is made when it is read.
    fn as_regular(&self) -> Option<&dyn RegularOps> {
        None
    }

    /// The text of a symbolic link.
    ///
    /// # Errors
    /// `EINVAL` if it is none, `ENOMEM`.
    fn link_text(&self) -> Result<Vec<u8>, Errno> {
        Err(Errno::EINVAL)
    }

    /// Where a symbolic link leads by itself; `None`: along its text.
    ///
    /// # Errors
    /// What the file system says: `EACCES`, `ENOENT`, `ENOMEM`.
    fn link_target(&self) -> Result<Option<Arc<Dentry>>, Errno> {
        Ok(None)
    }
}

/// Whether an entry may be taken away or moved: rights and mount points.
pub type MayChange<'a> = dyn Fn(&Arc<Dentry>) -> Result<(), Errno> + 'a;

/// A directory that lies on a device. Each method is one change, done when it returns, or not at all; it may sleep. Inode attributes are
/// changed too.
pub trait StoredDirectory {
    /// Makes a file and names it.
    ///
    /// # Errors
    /// `EEXIST`, `ENOENT` in a directory that was removed, `ENOSPC`, `EMLINK`, `EPERM`, `EROFS`, `EIO`, `ENOMEM`.
    fn create(
        &self,
        directory: &Arc<Dentry>,
        name: &[u8],
        file: NewFile<'_>,
        attributes: Attributes,
    ) -> Result<Arc<Dentry>, Errno>;

    /// Makes a regular file without a name.
    ///
    /// # Errors
    /// As of [`StoredDirectory::create`].
    fn create_unnamed(&self, directory: &Arc<Dentry>, attributes: Attributes) -> Result<Arc<Inode>, Errno>;

    /// Gives a file of the same file system a further name.
    ///
    /// # Errors
    /// As of [`StoredDirectory::create`].
    fn link(&self, directory: &Arc<Dentry>, name: &[u8], inode: &Arc<Inode>) -> Result<(), Errno>;

    /// Takes a name away that is no directory's, if `may` allows it; the entry.
    ///
    /// # Errors
    /// `ENOENT`, `EISDIR`, what `may` says, and as of [`StoredDirectory::create`].
    fn unlink(&self, directory: &Arc<Dentry>, name: &[u8], may: &MayChange<'_>)
    -> Result<Arc<Dentry>, Errno>;

    /// Takes an empty directory away, if `may` allows it; the entry.
    ///
    /// # Errors
    /// `ENOTDIR`, `ENOTEMPTY`, and as of [`StoredDirectory::unlink`].
    fn remove_directory(
        &self,
        directory: &Arc<Dentry>,
        name: &[u8],
        may: &MayChange<'_>,
    ) -> Result<Arc<Dentry>, Errno>;

    /// Gives `old` in this directory, `directory`, the name `new`. `may` is asked with the entry there and what stands at the new name.
    /// The entry, and what lost the new name or got the old one.
    ///
    /// # Errors
    /// What `may` says, and as of [`StoredDirectory::remove_directory`].
    fn rename(
        &self,
        old: (&Arc<Dentry>, &[u8]),
        new: (&Arc<Dentry>, &[u8]),
        existing: Existing,
        may: &MayRename<'_>,
    ) -> Result<Renamed, Errno>;
}

/// The entry that was renamed, and what lost its name to it or got the old one; `None` if nothing was to be done.
pub type Renamed = Option<(Arc<Dentry>, Option<Arc<Dentry>>)>;

/// Whether an entry may get a name at which another stands; `false`: nothing is to be done.
pub type MayRename<'a> = dyn Fn(&Arc<Dentry>, Option<&Arc<Dentry>>) -> Result<bool, Errno> + 'a;

/// What renameat2(2) does with an entry that stands at the new name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Existing {
    /// Replaces it.
    Replace,
    /// `EEXIST`.
    Refuse,
    /// Puts it at the old name.
    Exchange,
}

/// What is to be made in a directory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NewFile<'a> {
    /// A regular file without bytes.
    Regular,
    /// An empty directory.
    Directory,
    /// A symbolic link of that text.
    Symlink(&'a [u8]),
    /// A device node.
    Device(DeviceClass, DeviceNumber),
    /// A named pipe.
    Fifo,
    /// A socket's name in the file tree.
    Socket,
}

impl NewFile<'_> {
    /// The `S_IFMT` bits.
    pub fn kind(self) -> u32 {
        match self {
            NewFile::Regular => S_IFREG,
            NewFile::Directory => S_IFDIR,
            NewFile::Symlink(_) => S_IFLNK,
            NewFile::Device(DeviceClass::Character, _) => S_IFCHR,
            NewFile::Device(DeviceClass::Block, _) => S_IFBLK,
            NewFile::Fifo => S_IFIFO,
            NewFile::Socket => S_IFSOCK,
        }
    }
}

/// Which lock of a directory's entries it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Nesting {
    /// The only one, or the first.
    First,
    /// A further one. The caller holds the lock on reshaping the tree: nobody else locks two.
    Further,
}

/// A change of a directory's entries, made while they are locked.
pub type Edit<'a> = dyn FnMut(&mut dyn Entries) -> Result<(), Errno> + 'a;

/// A directory whose entries can be changed.
pub trait DirectoryOps {
    /// A new file for this directory, `directory`, that no entry names yet.
    ///
    /// # Errors
    /// `ENOMEM`, `ENOSPC`, `EPERM` for a kind that the file system does not have.
    fn make(&self, directory: &Inode, file: NewFile<'_>, attributes: Attributes)
    -> Result<Arc<Inode>, Errno>;

    /// Whether its files keep the one name that they were made with: link(2) and rename(2) are `EPERM`.
    fn keeps_names(&self) -> bool {
        false
    }

    /// Calls `change` with the entries, which nobody else reads or changes meanwhile; a file system with a journal
    /// makes one transaction of it. Renaming nests two or three.
    ///
    /// # Errors
    /// What `change` says.
    fn edit(&self, nesting: Nesting, change: &mut Edit<'_>) -> Result<(), Errno>;

    /// Shows the entries that the directory keeps in memory to `visit`, locked, until that fails: is the file system in
    /// use?
    ///
    /// # Errors
    /// What `visit` says.
    fn visit_kept(&self, visit: &mut dyn FnMut(&Arc<Dentry>) -> Result<(), Errno>) -> Result<(), Errno>;

    /// Takes one of these entries out and lets no further one in: the file system goes away. `None` when there is none left.
    fn take_kept(&self) -> Option<Arc<Dentry>>;
}

/// The entries of a directory, locked. A change that fails has changed nothing.
pub trait Entries {
    /// The entry of that name.
    ///
    /// # Errors
    /// `ENOENT`.
    fn get(&self, name: &[u8]) -> Result<Arc<Dentry>, Errno>;

    /// Adds an entry.
    ///
    /// # Errors
    /// `EEXIST`; `ENOENT` in a directory that was removed; `ENOMEM`, `ENOSPC`.
    fn insert(&mut self, name: &[u8], entry: Arc<Dentry>) -> Result<(), Errno>;

    /// Puts another entry in the place of one; the old one comes back.
    ///
    /// # Errors
    /// `ENOENT` if there is none of that name.
    fn replace(&mut self, name: &[u8], entry: Arc<Dentry>) -> Result<Arc<Dentry>, Errno>;

    /// Takes an entry out.
    ///
    /// # Errors
    /// `ENOENT`.
    fn remove(&mut self, name: &[u8]) -> Result<Arc<Dentry>, Errno>;

    /// Lets no further entry in: the directory is being removed.
    ///
    /// # Errors
    /// `ENOTEMPTY`.
    fn close(&mut self) -> Result<(), Errno>;
}

/// What [`RegularOps::seek`] looks for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Seek {
    /// Bytes that are stored.
    Data,
    /// Bytes that are not, or the end.
    Hole,
}

/// What fallocate(2) does with the size of a file that ends before the room that it gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SizeChange {
    /// The file ends where the room does.
    Grow,
    /// It stays: `FALLOC_FL_KEEP_SIZE`.
    Keep,
}

/// How a range of a file moves what is behind it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RangeShift {
    /// It goes, and what is behind it takes its place: `FALLOC_FL_COLLAPSE_RANGE`.
    Collapse,
    /// It comes, a hole: `FALLOC_FL_INSERT_RANGE`.
    Insert,
}

/// Pages of a file that lie behind each other on a disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PagesOnDisk {
    /// The first sector.
    pub sector: u64,
    /// How many pages, at least one.
    pub len: u32,
}

/// A regular file whose bytes are stored.
pub trait RegularOps {
    /// truncate(2): sets the size.
    ///
    /// # Errors
    /// `EPERM` if a seal forbids it, `ENOMEM`, `ENOSPC`, or an error because the process is to end.
    fn truncate(&self, size: u64) -> Result<(), Errno>;

    /// fallocate(2): gives `start..end` room, and moves the end of the file or not.
    ///
    /// # Errors
    /// `EOPNOTSUPP`, and as [`RegularOps::truncate`].
    fn allocate(&self, _start: u64, _end: u64, _size: SizeChange) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// fallocate(2), `FALLOC_FL_PUNCH_HOLE`: makes `start..end` zeros.
    ///
    /// # Errors
    /// As of [`RegularOps::allocate`].
    fn punch(&self, _start: u64, _end: u64) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// fallocate(2), `FALLOC_FL_ZERO_RANGE`: makes `start..end` zeros that have room, and moves the end of the file or not.
    ///
    /// # Errors
    /// As of [`RegularOps::allocate`].
    fn zero(&self, _start: u64, _end: u64, _size: SizeChange) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// fallocate(2), `FALLOC_FL_COLLAPSE_RANGE` and `FALLOC_FL_INSERT_RANGE`: `start..end` goes or comes, and what is behind it moves.
    ///
    /// # Errors
    /// `EINVAL`: not in units of the filesystem, or at the end of the file; as of [`RegularOps::allocate`].
    fn shift(&self, _start: u64, _end: u64, _shift: RangeShift) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// The next offset from `at` on that is data or hole: lseek(2).
    ///
    /// # Errors
    /// `ENXIO` behind the end or, for data, where none follows.
    fn seek(&self, at: u64, what: Seek) -> Result<u64, Errno>;

    /// Where on its disk the file's page `page` lies, and how many of the next `most` pages follow it there: for who reads and writes
    /// them without the file system.
    ///
    /// # Errors
    /// `EINVAL`: there is no disk, no place for that page, or none that holds whole pages.
    fn pages_on_disk(&self, _page: u64, _most: u32) -> Result<PagesOnDisk, Errno> {
        Err(Errno::EINVAL)
    }

    /// fcntl(2), `F_GET_SEALS`.
    ///
    /// # Errors
    /// `EINVAL` for files that take none.
    fn seals(&self) -> Result<SealFlags, Errno> {
        Err(Errno::EINVAL)
    }

    /// fcntl(2), `F_ADD_SEALS`.
    ///
    /// # Errors
    /// `EINVAL` for files that take none, `EPERM`, `EBUSY`.
    fn add_seals(&self, _seals: SealFlags) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }
}
