//! /proc: what the kernel says about itself (`system`, `sys`) and about processes (`process` and what follows it), in
//! Linux's formats (proc(5)).
//!
//! Directories are tables of entries; an entry says how its text, link or object is made from the directory's subject
//! (nothing, or a process). Nothing is stored: a text is made piece by piece while it is read (`seq_file`).

mod access;
mod adjustment;
mod comm;
mod descriptors;
#[cfg(debug_assertions)]
mod fail_nth;
mod limits;
mod load;
mod lock_stat;
mod locks;
mod maps;
mod memory;
mod mounts;
mod pagemap;
mod pages;
mod process;
mod processors;
mod references;
mod resources;
mod seq_file;
mod setting_file;
mod settings;
mod sizes;
mod smaps;
mod stat;
mod status;
mod sys;
pub mod sysfs;
mod system;
mod text;
mod transfers;
mod translation;
mod trigger;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use abi::file::{S_IFDIR, S_IFLNK, S_IFREG};

use super::filesystem::Filesystem;
use super::inode::{Attributes, Body, Generated, Inode, Listed, Listing, Magic};
use super::object::Object;
use crate::fallible;
use crate::process as processes;
pub use load::averages as load_averages;
use text::Text;

/// The position of the first entry of a listing: `.` and `..` stand before it.
const FIRST: u64 = 2;
/// Where the processes begin among the entries of /proc.
const FIRST_PROCESS: u64 = 1 << 20;
/// Distance of the inode numbers of directories about nothing in particular.
const SPREAD: u64 = 64;
/// `st_ino` of /proc itself; its entries follow.
const ROOT_INODE: u64 = 1;

/// One entry of a directory about `C`.
struct Entry<C: 'static> {
    name: &'static str,
    mode: u32,
    node: Node<C>,
}

/// Makes a directory. The number is that of its inode.
type MakeDirectory<C> = fn(&C, &Arc<Filesystem>, u64) -> Result<Box<dyn Listing>, Errno>;

/// What an entry is, and how it is made.
enum Node<C: 'static> {
    /// A file of text.
    Text(fn(&C, &mut Text) -> Result<(), Errno>),
    /// A file with rules of its own.
    Object(fn(&C) -> Result<Arc<dyn Object>, Errno>),
    /// A symbolic link.
    Link(fn(&C) -> Result<Box<dyn Magic>, Errno>),
    /// A directory.
    Directory(MakeDirectory<C>),
}

impl<C> Entry<C> {
    const fn text(name: &'static str, make: fn(&C, &mut Text) -> Result<(), Errno>) -> Self {
        Entry {
            name,
            mode: 0o444,
            node: Node::Text(make),
        }
    }

    const fn object(name: &'static str, mode: u32, open: fn(&C) -> Result<Arc<dyn Object>, Errno>) -> Self {
        Entry {
            name,
            mode,
            node: Node::Object(open),
        }
    }

    const fn link(name: &'static str, make: fn(&C) -> Result<Box<dyn Magic>, Errno>) -> Self {
        Entry {
            name,
            mode: 0o777,
            node: Node::Link(make),
        }
    }

    const fn directory(name: &'static str, mode: u32, make: MakeDirectory<C>) -> Self {
        Entry {
            name,
            mode,
            node: Node::Directory(make),
        }
    }

    fn kind(&self) -> u32 {
        match self.node {
            Node::Text(_) | Node::Object(_) => S_IFREG,
            Node::Link(_) => S_IFLNK,
            Node::Directory(_) => S_IFDIR,
        }
    }
}

/// A directory of fixed entries about `subject`.
struct Directory<C: 'static> {
    filesystem: Arc<Filesystem>,
    subject: C,
    entries: &'static [Entry<C>],
    /// The inode of the directory; those of its entries follow it.
    inode: u64,
    /// Who owns its entries, and those that are directories for everybody.
    owner: (u32, u32),
    directory_owner: (u32, u32),
}

impl<C: Clone + Send + Sync> Listing for Directory<C> {
    fn lookup(&self, name: &[u8]) -> Result<Arc<Inode>, Errno> {
        let index = self
            .entries
            .iter()
            .position(|entry| entry.name.as_bytes() == name)
            .ok_or(Errno::ENOENT)?;
        let (entry, number) = (&self.entries[index], self.number(index));
        let subject = self.subject.clone();
        let body = match entry.node {
            Node::Text(make) => Body::Generated(fallible::boxed(TextNode { subject, make })?),
            Node::Object(open) => Body::Generated(fallible::boxed(ObjectNode { subject, open })?),
            Node::Link(make) => Body::Magic(make(&subject)?),
            Node::Directory(make) => Body::Listing(make(&subject, &self.filesystem, number)?),
        };
        let is_open_to_all = entry.kind() == S_IFDIR && entry.mode == 0o555;
        let (user, group) = if is_open_to_all {
            self.directory_owner
        } else {
            self.owner
        };
        let attributes = Attributes::new(entry.mode, user, group);
        Inode::numbered(&self.filesystem, number, body, attributes)
    }

    fn next(&self, from: u64) -> Result<Option<Listed>, Errno> {
        let index = usize::try_from(from.saturating_sub(FIRST)).unwrap_or(usize::MAX);
        let Some(entry) = self.entries.get(index) else {
            return Ok(None);
        };
        Ok(Some(Listed {
            name: fallible::bytes(entry.name.as_bytes())?,
            inode: self.number(index),
            kind: entry.kind(),
            next: index as u64 + FIRST + 1,
        }))
    }
}

impl Directory<()> {
    /// A directory about nothing in particular.
    fn fixed(
        filesystem: &Arc<Filesystem>,
        inode: u64,
        entries: &'static [Entry<()>],
    ) -> Result<Box<dyn Listing>, Errno> {
        Ok(fallible::boxed(Directory {
            filesystem: filesystem.clone(),
            subject: (),
            entries,
            inode,
            owner: (0, 0),
            directory_owner: (0, 0),
        })?)
    }
}

impl<C> Directory<C> {
    fn number(&self, index: usize) -> u64 {
        self.inode + 1 + index as u64
    }
}

struct TextNode<C: 'static> {
    subject: C,
    make: fn(&C, &mut Text) -> Result<(), Errno>,
}

impl<C: Clone + Send + Sync + 'static> Generated for TextNode<C> {
    fn open(&self) -> Result<Arc<dyn Object>, Errno> {
        let (subject, make) = (self.subject.clone(), self.make);
        seq_file::open_whole(move |text| make(&subject, text))
    }
}

struct ObjectNode<C: 'static> {
    subject: C,
    open: fn(&C) -> Result<Arc<dyn Object>, Errno>,
}

impl<C: Send + Sync> Generated for ObjectNode<C> {
    fn open(&self) -> Result<Arc<dyn Object>, Errno> {
        (self.open)(&self.subject)
    }
}

/// A link along a text that is known.
struct TextLink(&'static [u8]);

impl Magic for TextLink {
    fn text(&self) -> Result<Vec<u8>, Errno> {
        fallible::bytes(self.0)
    }
}

/// The root directory of a /proc.
pub fn root(filesystem: &Arc<Filesystem>) -> Result<Arc<Inode>, Errno> {
    let fixed = Directory {
        filesystem: filesystem.clone(),
        subject: (),
        entries: &system::ENTRIES,
        inode: ROOT_INODE,
        owner: (0, 0),
        directory_owner: (0, 0),
    };
    let body = Body::Listing(fallible::boxed(Root(fixed))?);
    Inode::numbered(filesystem, ROOT_INODE, body, Attributes::new(0o555, 0, 0))
}

/// The fixed entries, and behind them the processes.
struct Root(Directory<()>);

impl Listing for Root {
    fn lookup(&self, name: &[u8]) -> Result<Arc<Inode>, Errno> {
        match process_id(name).and_then(processes::find) {
            Some(process) => process::directory(&self.0.filesystem, process),
            None => self.0.lookup(name),
        }
    }

    fn next(&self, from: u64) -> Result<Option<Listed>, Errno> {
        if let Some(entry) = self.0.next(from)? {
            return Ok(Some(entry));
        }
        let first = u32::try_from(from.saturating_sub(FIRST_PROCESS)).unwrap_or(u32::MAX);
        let Some(process) = processes::next_from(first) else {
            return Ok(None);
        };
        Ok(Some(Listed {
            name: fallible::text_bytes(format_args!("{}", process.pid))?,
            inode: process::inode_number(process.pid),
            kind: S_IFDIR,
            next: FIRST_PROCESS + u64::from(process.pid) + 1,
        }))
    }
}

/// A process id as a name: digits without leading zeros.
fn process_id(name: &[u8]) -> Option<u32> {
    if name.first() == Some(&b'0') {
        return None;
    }
    core::str::from_utf8(name)
        .ok()
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))?
        .parse()
        .ok()
}
