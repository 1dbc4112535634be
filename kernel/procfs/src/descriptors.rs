//! /proc/PID/fd and /proc/PID/fdinfo: for each descriptor a link to its file, and a text about it.

use alloc::sync::Arc;
use alloc::vec::Vec;
use task::thread::ThreadExt;

use abi::Errno;
use abi::file::{OpenFlags, S_IFLNK, S_IFREG};

use super::access::may_inspect;
use super::entry::FIRST;
use super::node::{Generated, Magic, PseudoDirectory, PseudoEntry, PseudoNode};
use super::proc_task::{ProcTask, process_id};
use super::text::Text;
use super::{locks, seq_file};
use memory::fallible;
use vfs::file_ops::FileOps;
use vfs::file_table::OnExec;
use vfs::inode::{Attributes, Inode};
use vfs::super_block::SuperBlock;
use vfs::{Dentry, FileTable, OpenFile};

/// What stands for a descriptor in one of the two directories: its node and its mode.
type Make = fn(Descriptor, &OpenFile) -> Result<(PseudoNode, u32), Errno>;

/// The directory of links.
///
/// # Errors
/// `ENOMEM`.
pub fn links(process: &ProcTask, filesystem: &Arc<SuperBlock>, inode: u64) -> Result<PseudoNode, Errno> {
    // The mode shows how the file was opened.
    let make: Make = |descriptor, file| {
        let readable = if file.is_readable() { 0o400 } else { 0 };
        let writable = if file.is_writable() { 0o200 } else { 0 };
        Ok((PseudoNode::link(descriptor)?, 0o100 | readable | writable))
    };
    directory(process, filesystem, inode, S_IFLNK, make)
}

/// The directory of texts (proc_pid_fdinfo(5)).
///
/// # Errors
/// `ENOMEM`.
pub fn texts(process: &ProcTask, filesystem: &Arc<SuperBlock>, inode: u64) -> Result<PseudoNode, Errno> {
    let make: Make = |descriptor, _| Ok((PseudoNode::file(descriptor)?, 0o400));
    directory(process, filesystem, inode, S_IFREG, make)
}

fn directory(
    process: &ProcTask,
    filesystem: &Arc<SuperBlock>,
    inode: u64,
    kind: u32,
    make: Make,
) -> Result<PseudoNode, Errno> {
    PseudoNode::directory(Descriptors {
        process: process.clone(),
        filesystem: filesystem.clone(),
        inode,
        kind,
        make,
    })
}

struct Descriptors {
    process: ProcTask,
    filesystem: Arc<SuperBlock>,
    inode: u64,
    /// The `S_IFMT` bits of the entries.
    kind: u32,
    make: Make,
}

impl Descriptors {
    fn number(&self, descriptor: usize) -> u64 {
        self.inode + ((descriptor as u64 + 1) << 40)
    }
}

impl PseudoDirectory for Descriptors {
    fn lookup(&self, name: &[u8]) -> Result<Arc<Inode>, Errno> {
        may_inspect(&self.process)?;
        let number = number_of(name).ok_or(Errno::ENOENT)?;
        let descriptor = Descriptor {
            process: self.process.clone(),
            number,
        };
        let file = descriptor.file()?;
        let (node, mode) = (self.make)(descriptor, &file)?;
        let credentials = self.process.credentials();
        let attributes = Attributes::new(mode, credentials.euid, credentials.egid);
        node.inode(&self.filesystem, self.number(number), attributes)
    }

    fn next(&self, from: u64) -> Result<Option<PseudoEntry>, Errno> {
        let Some(descriptor) = next_descriptor(&self.process, from) else {
            return Ok(None);
        };
        Ok(Some(PseudoEntry {
            name: fallible::text_bytes(format_args!("{descriptor}"))?,
            inode: self.number(descriptor),
            kind: self.kind,
            next: descriptor as u64 + FIRST + 1,
        }))
    }
}

/// The descriptor that a name says: digits without leading zeros.
fn number_of(name: &[u8]) -> Option<usize> {
    let number = if name == b"0" { Some(0) } else { process_id(name) };
    number.map(|number| number as usize)
}

/// The first open descriptor whose place in a listing is `from` or later, for whoever may know.
fn next_descriptor(process: &ProcTask, from: u64) -> Option<usize> {
    may_inspect(process).ok()?;
    let first = usize::try_from(from.saturating_sub(FIRST)).ok()?;
    let next = |files: &FileTable| Some(files.next_from(first)?.0);
    process.own_thread()?.files().read(next)
}

/// A descriptor of a process, as long as it is open.
struct Descriptor {
    process: ProcTask,
    number: usize,
}

impl Descriptor {
    /// The open file: `ENOENT`.
    fn file(&self) -> Result<Arc<OpenFile>, Errno> {
        let thread = self.process.own_thread().ok_or(Errno::ENOENT)?;
        thread
            .files()
            .read(|files| files.get(self.number).cloned())
            .map_err(|_| Errno::ENOENT)
    }

    /// The text about it.
    fn show(&self, text: &mut Text) -> Result<(), Errno> {
        may_inspect(&self.process)?;
        let file = self.file()?;
        let thread = self.process.own_thread().ok_or(Errno::ENOENT)?;
        let is_closed = thread.files().read(|files| files.on_exec(self.number));
        let on_exec = if is_closed == Ok(OnExec::Close) {
            OpenFlags::O_CLOEXEC
        } else {
            OpenFlags::empty()
        };
        let inode = file.inode();
        text.add(format_args!(
            "pos:\t{}\nflags:\t0{:o}\nmnt_id:\t{}\nino:\t{}\n",
            file.position(),
            (file.flags() | on_exec).bits(),
            inode.filesystem.mount_id(),
            inode.number
        ));
        locks::of_open_file(thread.files().identity_if_any().unwrap_or(0), &file, text)?;
        file.show_info(&mut |line| text.add(line));
        Ok(())
    }
}

impl Magic for Descriptor {
    fn text(&self) -> Result<Vec<u8>, Errno> {
        self.file()?.dentry.shown_path()
    }

    fn target(&self) -> Result<Option<Arc<Dentry>>, Errno> {
        Ok(Some(self.file()?.dentry.clone()))
    }
}

impl Generated for Descriptor {
    fn open(&self) -> Result<Arc<dyn FileOps>, Errno> {
        let descriptor = Descriptor {
            process: self.process.clone(),
            number: self.number,
        };
        seq_file::open_whole(move |text| descriptor.show(text))
    }
}
