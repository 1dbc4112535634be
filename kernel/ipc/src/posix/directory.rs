//! Queues by their names: the file system mqueue. There is one directory of all queues, mounted or not; each mount shows it, and can
//! go while queues are there.

use abi::Errno;
use abi::file::{AccessFlags, AccessMode, NAME_MAX, OpenFlags, S_IFDIR, S_IFREG};
use abi::posix_queue::MqAttr;
use alloc::sync::Arc;
use fs::tmpfs::directory::MemoryDirectory;
use memory::fallible;
use spin::Once;
use vfs::file_ops::DirectoryEntry;
use vfs::filesystem::{self, FileSystem};
use vfs::inode::{Attributes, Hold};
use vfs::inode_ops::{DirectoryOps, Edit, Entries, InodeOps, Nesting, NewFile};
use vfs::path_lookup::{LastComponent, LookupResult};
use vfs::super_block::SuperBlock;
use vfs::{Dentry, Inode, OpenFile, Subject, tree};

use super::limits::{Maker, QueueCharge, Shape};
use super::queue::PosixQueue;

const MAGIC: u64 = 0x1980_0202;
/// `st_dev` of the queues.
const DEVICE: u64 = 12;

static ROOT: Once<Arc<Dentry>> = Once::new();

/// The kind of file system.
struct MessageQueues;

/// The directory of all queues.
struct QueueDirectory(MemoryDirectory);

/// Its entries, locked.
struct QueueEntries<'a>(&'a mut dyn Entries);

/// Registers the file system.
///
/// # Errors
/// `ENOMEM`.
pub fn register() -> Result<(), Errno> {
    filesystem::register(&MessageQueues)
}

/// mq_open(2): the open queue of that name, made if `flags` say so. `mode` has the umask applied.
///
/// # Errors
/// `ENOENT`, `EEXIST`, `EACCES`, `ENAMETOOLONG`, `EINVAL`: no access mode, or a shape beyond the limits; `ENOSPC`, `EMFILE`:
/// too many queues, or too large ones; `ENOMEM`.
pub fn open(
    name: &[u8],
    flags: OpenFlags,
    mode: u32,
    wanted: Option<&MqAttr>,
    subject: &Subject,
) -> Result<Arc<OpenFile>, Errno> {
    check_name(name)?;
    let root = root()?;
    loop {
        match root.inode.ops.lookup(root, name) {
            Ok(entry) => {
                check_existing(&entry, flags, subject)?;
                return open_entry(entry, flags);
            }
            Err(Errno::ENOENT) if flags.contains(OpenFlags::O_CREAT) => {}
            Err(error) => return Err(error),
        }
        let make = |attributes| make_queue(&root.inode, wanted, attributes);
        match tree::create_made(root, name, NewFile::Regular, mode, subject, make) {
            Ok(entry) => return open_entry(entry, flags),
            // Somebody else made it meanwhile: look again.
            Err(Errno::EEXIST) if !flags.contains(OpenFlags::O_EXCL) => {}
            Err(error) => return Err(error),
        }
    }
}

/// mq_unlink(2).
///
/// # Errors
/// `ENOENT`, `EACCES`, `EPERM`, `ENAMETOOLONG`, `ENOMEM`.
pub fn unlink(name: &[u8], subject: &Subject) -> Result<(), Errno> {
    check_name(name)?;
    let root = root()?;
    let end = LookupResult {
        directory: root.clone(),
        name: fallible::bytes(name)?,
        entry: Some(root.inode.ops.lookup(root, name)?),
        last: LastComponent::Name,
        has_trailing_slash: false,
    };
    tree::unlink(&end, subject)
}

/// A name is one component of a path.
fn check_name(name: &[u8]) -> Result<(), Errno> {
    match name {
        b"" => Err(Errno::ENOENT),
        b"." | b".." => Err(Errno::EACCES),
        _ if name.contains(&b'/') => Err(Errno::EACCES),
        _ if name.len() > NAME_MAX => Err(Errno::ENAMETOOLONG),
        _ => Ok(()),
    }
}

fn check_existing(entry: &Dentry, flags: OpenFlags, subject: &Subject) -> Result<(), Errno> {
    if flags.contains(OpenFlags::O_CREAT | OpenFlags::O_EXCL) {
        return Err(Errno::EEXIST);
    }
    let wanted = match flags.access() {
        AccessMode::Read => AccessFlags::R_OK,
        AccessMode::Write => AccessFlags::W_OK,
        AccessMode::ReadWrite => AccessFlags::R_OK | AccessFlags::W_OK,
        AccessMode::Neither => return Err(Errno::EINVAL),
    };
    subject.check(&entry.inode, wanted)
}

fn open_entry(entry: Arc<Dentry>, flags: OpenFlags) -> Result<Arc<OpenFile>, Errno> {
    let ops = entry.inode.ops.clone().open(&entry, flags)?;
    OpenFile::with_hold(entry, ops, flags, Hold::None)
}

fn root() -> Result<&'static Arc<Dentry>, Errno> {
    ROOT.try_call_once(|| {
        let filesystem = SuperBlock::new(&MessageQueues, DEVICE, 0)?;
        let ops = fallible::arc(QueueDirectory(MemoryDirectory::new()))?;
        let attributes = Attributes::new(0o1777, 0, 0);
        Dentry::detached(b"", Inode::new(&filesystem, S_IFDIR, ops, attributes)?)
    })
}

fn make_queue(
    directory: &Inode,
    wanted: Option<&MqAttr>,
    attributes: Attributes,
) -> Result<Arc<Inode>, Errno> {
    let maker = Maker::current();
    let shape = Shape::of(wanted, &maker)?;
    let charge = QueueCharge::take(shape, &maker)?;
    let ops = fallible::arc_with(|| PosixQueue::new(shape, charge))?;
    Inode::new(&directory.filesystem, S_IFREG, ops, attributes)
}

impl FileSystem for MessageQueues {
    fn name(&self) -> &'static str {
        "mqueue"
    }

    fn magic(&self) -> u64 {
        MAGIC
    }

    fn mount(&'static self, _device: u64, _options: &[u8]) -> Result<Arc<Dentry>, Errno> {
        Dentry::detached(b"", root()?.inode.clone())
    }
}

impl InodeOps for QueueDirectory {
    fn size(&self) -> u64 {
        self.0.size() - MemoryDirectory::EMPTY_SIZE
    }

    fn lookup(&self, directory: &Arc<Dentry>, name: &[u8]) -> Result<Arc<Dentry>, Errno> {
        self.0.lookup(directory, name)
    }

    fn list(&self, start: u64, take: &mut dyn FnMut(DirectoryEntry<'_>) -> bool) -> Result<u64, Errno> {
        self.0.list(start, take)
    }

    fn as_directory(&self) -> Option<&dyn DirectoryOps> {
        Some(self)
    }
}

impl DirectoryOps for QueueDirectory {
    fn make(
        &self,
        directory: &Inode,
        file: NewFile<'_>,
        attributes: Attributes,
    ) -> Result<Arc<Inode>, Errno> {
        match file {
            NewFile::Regular => make_queue(directory, None, attributes),
            _ => Err(Errno::EPERM),
        }
    }

    fn keeps_names(&self) -> bool {
        true
    }

    fn edit(&self, nesting: Nesting, change: &mut Edit<'_>) -> Result<(), Errno> {
        self.0
            .edit(nesting, &mut |entries| change(&mut QueueEntries(entries)))
    }

    /// No mount keeps a queue.
    fn visit_kept(&self, _visit: &mut dyn FnMut(&Arc<Dentry>) -> Result<(), Errno>) -> Result<(), Errno> {
        Ok(())
    }

    /// Nor does a queue go with one.
    fn take_kept(&self) -> Option<Arc<Dentry>> {
        None
    }
}

impl Entries for QueueEntries<'_> {
    fn get(&self, name: &[u8]) -> Result<Arc<Dentry>, Errno> {
        self.0.get(name)
    }

    /// The entry that is kept stands below the directory itself, not below the mount by which the queue was made: that may go.
    fn insert(&mut self, name: &[u8], entry: Arc<Dentry>) -> Result<(), Errno> {
        let root = ROOT.get().ok_or(Errno::ENOENT)?;
        if Arc::ptr_eq(&entry.parent(), root) {
            return self.0.insert(name, entry);
        }
        self.0
            .insert(name, Dentry::new(Some(root), name, entry.inode.clone())?)
    }

    fn replace(&mut self, name: &[u8], entry: Arc<Dentry>) -> Result<Arc<Dentry>, Errno> {
        self.0.replace(name, entry)
    }

    fn remove(&mut self, name: &[u8]) -> Result<Arc<Dentry>, Errno> {
        self.0.remove(name)
    }

    fn close(&mut self) -> Result<(), Errno> {
        // The directory stays.
        Err(Errno::EBUSY)
    }
}
