//! The file layer serves a file system that it has never heard of: one file to read and append to, and a link to it.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use abi::file::{OpenFlags, S_IFDIR, S_IFLNK, S_IFREG};
use abi::mount::MountFlags;
use abi::process::Pid;

use super::caller::{Caller, Requester};
use super::credentials::Credentials;
use super::dentry::Dentry;
use super::file_ops::{DirectoryEntry, FileOps, Io, Positioning};
use super::filesystem::{self, FileSystem};
use super::fs_context::{FsContext, LookupContext};
use super::inode::{Attributes, Inode};
use super::inode_ops::InodeOps;
use super::path_lookup::LastLink;
use super::permission::Subject;
use super::super_block::SuperBlock;
use super::{mount, open, tree, xattr};
use lock::Mutex;
use uaccess::{KernelSink, KernelSource, Sink, Source};

struct GuestBookFs;

impl FileSystem for GuestBookFs {
    fn name(&self) -> &'static str {
        "guestbook"
    }

    fn magic(&self) -> u64 {
        0x6775_6573
    }

    fn mount(&'static self, device: u64, options: &[u8]) -> Result<Arc<Dentry>, Errno> {
        let super_block = SuperBlock::new(self, device, 0)?;
        let book = Arc::new(Book(Mutex::new(options.to_vec())));
        let shelf = Arc::new(Shelf(super_block.clone(), book));
        let root = Inode::numbered(&super_block, 1, S_IFDIR, shelf, Attributes::new(0o755, 0, 0))?;
        Dentry::detached(b"", root)
    }
}

struct Shelf(Arc<SuperBlock>, Arc<Book>);

impl InodeOps for Shelf {
    fn lookup(&self, directory: &Arc<Dentry>, name: &[u8]) -> Result<Arc<Dentry>, Errno> {
        let (number, kind, ops): (_, _, Arc<dyn InodeOps>) = match name {
            b"book" => (2, S_IFREG, self.1.clone()),
            b"link" => (3, S_IFLNK, Arc::new(Link)),
            _ => return Err(Errno::ENOENT),
        };
        let inode = Inode::numbered(&self.0, number, kind, ops, Attributes::new(0o644, 0, 0))?;
        Dentry::new(Some(directory), name, inode)
    }

    fn list(&self, position: u64, take: &mut dyn FnMut(DirectoryEntry<'_>) -> bool) -> Result<u64, Errno> {
        let all = [(&b"book"[..], S_IFREG), (b"link", S_IFLNK)];
        let entry = |(at, &(name, kind)): (usize, &(&'static [u8], u32))| DirectoryEntry {
            name,
            inode: at as u64 + 2,
            kind,
            next: at as u64 + 3,
        };
        let rest = all.iter().enumerate().skip(position as usize - 2).map(entry);
        Ok(position + rest.take_while(|entry| take(DirectoryEntry { ..*entry })).count() as u64)
    }
}

struct Book(Mutex<Vec<u8>>);

impl InodeOps for Book {
    fn open(self: Arc<Self>, _dentry: &Arc<Dentry>, _flags: OpenFlags) -> Result<Arc<dyn FileOps>, Errno> {
        Ok(Arc::new(OpenBook(self)))
    }

    fn size(&self) -> u64 {
        self.0.lock().len() as u64
    }
}

struct OpenBook(Arc<Book>);

impl FileOps for OpenBook {
    fn read(&self, io: &mut Io, to: &mut dyn Sink) -> Result<usize, Errno> {
        let text = self
            .0
            .0
            .lock()
            .get(io.position as usize..)
            .unwrap_or(&[])
            .to_vec();
        let done = to.put(&text)?;
        io.position += done as u64;
        Ok(done)
    }

    fn write(&self, _caller: &Caller<'_>, _io: &mut Io, from: &mut dyn Source) -> Result<usize, Errno> {
        let mut bytes = alloc::vec![0; from.left()];
        let done = from.take(&mut bytes)?;
        self.0.0.lock().extend(&bytes[..done]);
        Ok(done)
    }

    fn positioning(&self) -> Positioning {
        Positioning::Bytes
    }
}

struct Link;

impl InodeOps for Link {
    fn link_text(&self) -> Result<Vec<u8>, Errno> {
        Ok(b"book".to_vec())
    }
}

/// The administrator.
struct Administrator;

impl Requester for Administrator {
    fn credentials(&self) -> Arc<Credentials> {
        Arc::default()
    }

    fn file_size_limit(&self) -> u64 {
        u64::MAX
    }

    fn process_id(&self) -> Pid {
        1
    }
}

/// A directory that keeps one entry, /mnt, on which something can be mounted, or none.
struct Hall(Mutex<Option<Arc<Dentry>>>);

impl InodeOps for Hall {
    fn lookup(&self, _directory: &Arc<Dentry>, name: &[u8]) -> Result<Arc<Dentry>, Errno> {
        let kept = self.0.lock().clone().filter(|_| name == b"mnt");
        kept.ok_or(Errno::ENOENT)
    }
}

/// A tree of its own, with the directory /mnt.
fn tree_with_mount_point() -> (FsContext, Arc<Dentry>) {
    let super_block = SuperBlock::new(&GuestBookFs, 100, 0).unwrap();
    let inode = |number, hall: &Arc<Hall>| {
        Inode::numbered(
            &super_block,
            number,
            S_IFDIR,
            hall.clone(),
            Attributes::new(0o755, 0, 0),
        )
        .unwrap()
    };
    let [hall, empty] = [(); 2].map(|()| Arc::new(Hall(Mutex::new(None))));
    let root = Dentry::detached(b"", inode(1, &hall)).unwrap();
    let covered = Dentry::new(Some(&root), b"mnt", inode(2, &empty)).unwrap();
    *hall.0.lock() = Some(covered.clone());
    let (current, umask) = (root.clone(), 0);
    (FsContext { root, current, umask }, covered)
}

fn text_of(context: &LookupContext<'_>, path: &[u8]) -> Result<Vec<u8>, Errno> {
    let file = open(context, path, OpenFlags::O_RDONLY, 0)?;
    let mut bytes = [0; 64];
    let len = file.read(&mut KernelSink::new(&mut bytes))?;
    Ok(bytes[..len].to_vec())
}

fn names_in(context: &LookupContext<'_>, path: &[u8]) -> Vec<(Vec<u8>, u32)> {
    let mut names = Vec::new();
    let directory = open(context, path, OpenFlags::O_RDONLY | OpenFlags::O_DIRECTORY, 0).unwrap();
    let listed = directory.list(&mut |entry| {
        names.push((entry.name.to_vec(), entry.kind));
        true
    });
    listed.unwrap().accept();
    names
}

#[test]
fn a_file_system_of_a_test_is_mounted_and_used() {
    let (fs_context, covered) = tree_with_mount_point();
    let context = LookupContext::current(&fs_context, Subject::kernel());
    let mounted = mount::mount(
        &covered,
        b"guestbook",
        b"none",
        None,
        b"hello",
        MountFlags::empty(),
    );
    assert_eq!(mounted, Err(Errno::ENODEV), "nobody has registered it");
    filesystem::register(&GuestBookFs).unwrap();
    assert_eq!(filesystem::register(&GuestBookFs), Err(Errno::EBUSY));
    mount::mount(
        &covered,
        b"guestbook",
        b"none",
        None,
        b"hello",
        MountFlags::empty(),
    )
    .unwrap();

    assert_eq!(text_of(&context, b"/mnt/link").unwrap(), b"hello");
    let file = open(
        &context,
        b"mnt/book",
        OpenFlags::O_WRONLY | OpenFlags::O_APPEND | OpenFlags::O_TRUNC,
        0,
    )
    .unwrap();
    let caller = Caller::new(&Administrator);
    assert_eq!(file.write(&caller, &mut KernelSource(b", world")), Ok(7));
    assert_eq!(file.inode().size(), 12);
    assert_eq!(text_of(&context, b"/mnt/../mnt/./book").unwrap(), b"hello, world");
    let expected = [
        (&b"."[..], S_IFDIR),
        (b"..", S_IFDIR),
        (b"book", S_IFREG),
        (b"link", S_IFLNK),
    ];
    let names = names_in(&context, b"/mnt");
    assert!(names.iter().map(|(name, kind)| (&name[..], *kind)).eq(expected));
    let root = context.lookup().find(b"/mnt", LastLink::Follow).unwrap();
    assert_eq!(
        file.dentry.path_below(&fs_context.root),
        Ok(Some(b"/mnt/book".to_vec()))
    );

    assert_eq!(mount::unmount(&root), Err(Errno::EBUSY), "the book is open");
    drop(file);
    assert_eq!(mount::unmount(&root), Ok(()));
    assert_eq!(text_of(&context, b"/mnt/book"), Err(Errno::ENOENT));
}

#[test]
fn what_a_file_system_does_not_have_is_refused_as_linux_does() {
    let (fs_context, _covered) = tree_with_mount_point();
    let context = LookupContext::current(&fs_context, Subject::kernel());
    static KIND: GuestBookFs = GuestBookFs;
    let root = KIND.mount(101, b"").unwrap();
    fs_context.root.child(b"mnt").unwrap().mount(&root).unwrap();
    let refusal = |path: &[u8], flags| open(&context, path, flags, 0o644).err();
    assert_eq!(
        refusal(b"/mnt/new", OpenFlags::O_WRONLY | OpenFlags::O_CREAT),
        Some(Errno::ENOENT)
    );
    assert_eq!(
        refusal(b"/mnt", OpenFlags::O_WRONLY | OpenFlags::O_TMPFILE),
        Some(Errno::EOPNOTSUPP)
    );
    assert_eq!(refusal(b"/mnt/book/", OpenFlags::O_RDONLY), Some(Errno::ENOTDIR));
    assert_eq!(refusal(b"/mnt/book", OpenFlags::O_PATH), None);
    let book = root.child(b"book").unwrap();
    assert_eq!(book.child(b"page").err(), Some(Errno::ENOTDIR));
    assert_eq!(book.inode.link_text(), Err(Errno::EINVAL));
    assert!(book.inode.regular().is_none(), "truncate(2) is EINVAL");
    let subject = Subject::kernel();
    assert_eq!(
        xattr::get(&book.inode, &subject, b"user.x").err(),
        Some(Errno::EOPNOTSUPP)
    );
    let end = context.lookup().walk(b"/mnt/book", LastLink::Keep).unwrap();
    assert_eq!(tree::unlink(&end, &subject), Err(Errno::EPERM));
    root.inode.filesystem.flags.set(MountFlags::MS_RDONLY).unwrap();
    assert_eq!(refusal(b"/mnt/book", OpenFlags::O_WRONLY), Some(Errno::EROFS));
}
