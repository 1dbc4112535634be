//! /proc/PID/fd: a link for each descriptor.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use abi::file::S_IFLNK;

use super::access::may_inspect;
use super::process::Subject;
use super::{FIRST, process_id};
use crate::fallible;
use crate::fs::filesystem::Filesystem;
use crate::fs::inode::{Attributes, Body, Inode, Listed, Listing, Magic};
use crate::fs::{Dentry, FileTable, OpenFile};

/// The directory of descriptors.
pub fn directory(
    process: &Subject,
    filesystem: &Arc<Filesystem>,
    inode: u64,
) -> Result<Box<dyn Listing>, Errno> {
    Ok(fallible::boxed(Descriptors {
        process: process.clone(),
        filesystem: filesystem.clone(),
        inode,
    })?)
}

struct Descriptors {
    process: Subject,
    filesystem: Arc<Filesystem>,
    inode: u64,
}

impl Descriptors {
    fn number(&self, descriptor: usize) -> u64 {
        self.inode + ((descriptor as u64 + 1) << 40)
    }
}

impl Listing for Descriptors {
    fn lookup(&self, name: &[u8]) -> Result<Arc<Inode>, Errno> {
        may_inspect(&self.process)?;
        let descriptor = number_of(name).ok_or(Errno::ENOENT)?;
        let file = open_file(&self.process, descriptor)?;
        let mode = mode(&file);
        let link = DescriptorLink {
            process: self.process.clone(),
            descriptor,
        };
        let credentials = self.process.credentials();
        let attributes = Attributes::new(mode, credentials.euid, credentials.egid);
        let body = Body::Magic(fallible::boxed(link)?);
        Inode::numbered(&self.filesystem, self.number(descriptor), body, attributes)
    }

    fn next(&self, from: u64) -> Result<Option<Listed>, Errno> {
        let Some(descriptor) = next_descriptor(&self.process, from) else {
            return Ok(None);
        };
        Ok(Some(Listed {
            name: fallible::text_bytes(format_args!("{descriptor}"))?,
            inode: self.number(descriptor),
            kind: S_IFLNK,
            next: descriptor as u64 + FIRST + 1,
        }))
    }
}

/// The descriptor that a name says: digits without leading zeros.
pub fn number_of(name: &[u8]) -> Option<usize> {
    let number = if name == b"0" { Some(0) } else { process_id(name) };
    number.map(|number| number as usize)
}

/// The first open descriptor whose place in a listing is `from` or later, for whoever may know.
pub fn next_descriptor(process: &Subject, from: u64) -> Option<usize> {
    may_inspect(process).ok()?;
    let first = usize::try_from(from.saturating_sub(FIRST)).ok()?;
    let next = |files: &FileTable| Some(files.next_from(first)?.0);
    process.own_thread()?.files.read(next)
}

/// The open file of a descriptor: `ENOENT`.
pub fn open_file(process: &Subject, descriptor: usize) -> Result<Arc<OpenFile>, Errno> {
    let thread = process.own_thread().ok_or(Errno::ENOENT)?;
    thread
        .files
        .read(|files| files.get(descriptor).cloned())
        .map_err(|_| Errno::ENOENT)
}

/// The mode shows how the file was opened.
fn mode(file: &OpenFile) -> u32 {
    let readable = if file.is_readable() { 0o400 } else { 0 };
    let writable = if file.is_writable() { 0o200 } else { 0 };
    0o100 | readable | writable
}

struct DescriptorLink {
    process: Subject,
    descriptor: usize,
}

impl DescriptorLink {
    fn find(&self) -> Result<Arc<Dentry>, Errno> {
        Ok(open_file(&self.process, self.descriptor)?.dentry.clone())
    }
}

impl Magic for DescriptorLink {
    fn text(&self) -> Result<Vec<u8>, Errno> {
        self.find()?.shown_path()
    }

    fn target(&self) -> Result<Option<Arc<Dentry>>, Errno> {
        self.find().map(Some)
    }
}
