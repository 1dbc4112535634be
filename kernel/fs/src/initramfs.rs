//! Filling the file tree from an initramfs: cpio archives, plain or gzip, one after another
//! (`Documentation/driver-api/early-userspace/buffer-format.rst`).
//!
//! Later entries replace earlier ones of the same name. Missing directories on the way are made, as Linux's generator
//! lists them but hand-made archives often do not. An entry that cannot be made is passed over, as Linux does, and said; only
//! where memory is full the rest is given up.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use abi::Errno;
use abi::file::{PATH_MAX, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK};
use abi::time::TimeSpec;
use formats::cpio::{Archive, CpioError, Entry};
use formats::gzip::{self, GzipError};

use crate::tmpfs;
use crate::tmpfs::page_cache::PageCache;
use klog::warn;
use uaccess::{KernelSource, Source};
use vfs::dentry::Dentry;
use vfs::device_registry::{DeviceClass, DeviceNumber};
use vfs::inode::{Attributes, Inode};
use vfs::inode_ops::NewFile;
use vfs::path::first_component;
use vfs::path_lookup::{LastLink, PathLookup};
use vfs::{self, Subject, path_lookup, tree};

/// What was unpacked.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Summary {
    /// Entries.
    pub entries: usize,
    /// Bytes of file contents.
    pub bytes: u64,
}

/// Why unpacking ended early.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Error {
    /// The archive is damaged.
    Archive(CpioError),
    /// The compressed data are damaged, or too long for the memory.
    Compressed(GzipError),
    /// At that byte there is neither a cpio archive nor a gzip file.
    Unknown(usize),
    /// An entry could not be made.
    Entry {
        /// Its name.
        name: alloc::string::String,
        /// Why.
        errno: Errno,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Archive(error) => error.fmt(to),
            Error::Compressed(error) => error.fmt(to),
            Error::Unknown(offset) => {
                write!(to, "neither a cpio archive nor a gzip file at byte {offset}")
            }
            Error::Entry { name, errno } => write!(to, "{name}: {}", errno.message()),
        }
    }
}

/// Unpacks archives into the file tree. What was unpacked before an error stays.
///
/// # Errors
/// [`Error`]: damage of an archive, and what the file tree refuses.
pub fn unpack(bytes: &[u8]) -> Result<Summary, Error> {
    let mut unpacker = Unpacker {
        links: BTreeMap::new(),
        archives: 0,
        directories: Vec::new(),
        summary: Summary::default(),
    };
    let result = unpacker.unpack_all(bytes);
    unpacker.date_directories();
    result.map(|()| unpacker.summary)
}

fn shift(error: Error, by: usize) -> Error {
    match error {
        Error::Archive(error) => Error::Archive(CpioError {
            offset: error.offset + by,
            ..error
        }),
        other => other,
    }
}

struct Unpacker {
    /// The first name of each file with several.
    links: BTreeMap<(u32, u32, u32), Arc<Inode>>,
    /// How many archives of this piece had ended when those links were noted.
    archives: usize,
    /// Directories and their times, which are set when nothing is made in them any more.
    directories: Vec<(Arc<Inode>, TimeSpec)>,
    summary: Summary,
}

impl Unpacker {
    /// Unpacks archives, plain or compressed, one after another.
    fn unpack_all(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let mut rest = bytes;
        while let Some(start) = rest.iter().position(|byte| *byte != 0) {
            let offset = bytes.len() - rest.len() + start;
            if gzip::is_gzip(&rest[start..]) {
                let limit = usize::try_from(platform::memory::ram_bytes() / 2).unwrap_or(usize::MAX);
                let inflated = gzip::inflate(&rest[start..], limit).map_err(Error::Compressed)?;
                self.unpack_plain(&inflated.data, offset)?;
                rest = &rest[start + inflated.consumed..];
            } else {
                // An archive begins at a multiple of 4, counted from the beginning of all.
                let len = match offset.is_multiple_of(4) {
                    true => self
                        .unpack_archives(&rest[start..])
                        .map_err(|error| shift(error, offset))?,
                    false => 0,
                };
                if len == 0 {
                    return Err(Error::Unknown(offset));
                }
                rest = &rest[start + len..];
            }
        }
        Ok(())
    }

    /// Unpacks what came out of a gzip file that began at `offset`.
    fn unpack_plain(&mut self, bytes: &[u8], offset: usize) -> Result<(), Error> {
        let len = self.unpack_archives(bytes)?;
        if bytes[len..].iter().any(|byte| *byte != 0) {
            Err(Error::Unknown(offset))
        } else {
            Ok(())
        }
    }

    /// Unpacks archives that follow each other; returns how many bytes they have.
    fn unpack_archives(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        let mut archive = Archive::new(bytes);
        self.links.clear();
        self.archives = 0;
        while let Some(entry) = archive.next() {
            let entry = entry.map_err(Error::Archive)?;
            if archive.finished() != self.archives {
                self.links.clear();
                self.archives = archive.finished();
            }
            match self.unpack_entry(&entry) {
                Ok(()) => self.summary.entries += 1,
                Err(errno @ (Errno::ENOMEM | Errno::ENOSPC)) => {
                    let name = alloc::string::String::from_utf8_lossy(entry.name).into_owned();
                    return Err(Error::Entry { name, errno });
                }
                Err(errno) => warn!("initramfs: {}: {}", entry.name.escape_ascii(), errno.message()),
            }
        }
        Ok(archive.offset())
    }

    fn unpack_entry(&mut self, entry: &Entry<'_>) -> Result<(), Errno> {
        let Some((directory, name)) = find_directory(entry.name)? else {
            return self.set_attributes(&vfs::root().inode, entry);
        };
        check_kind(entry)?;
        if entry.mode & S_IFMT == S_IFDIR
            && let Ok(found) = directory.child(name)
            && found.inode.is_directory()
        {
            return self.set_attributes(&found.inode, entry);
        }
        remove_old(&directory, name)?;
        let inode = self.inode(&directory, entry)?;
        if let Some(cache) = tmpfs::page_cache(&inode) {
            self.fill(cache, entry)?;
        }
        self.set_attributes(&inode, entry)?;
        tree::attach(&directory, name, inode)?;
        Ok(())
    }

    /// The inode of an entry: a new one, or that of an earlier name of the same file.
    fn inode(&mut self, directory: &Dentry, entry: &Entry<'_>) -> Result<Arc<Inode>, Errno> {
        let key = (entry.dev.0, entry.dev.1, entry.ino);
        let is_of_kind = |inode: &&Arc<Inode>| inode.kind() == entry.mode & S_IFMT;
        let has_names = entry.nlink > 1 && entry.mode & S_IFMT != S_IFDIR;
        if has_names && let Some(inode) = self.links.get(&key).filter(is_of_kind) {
            inode.change(|attributes| attributes.links += 1);
            return Ok(inode.clone());
        }
        let ops = directory.inode.ops.as_directory().ok_or(Errno::ENOTDIR)?;
        let attributes = Attributes::new(entry.mode, entry.uid, entry.gid);
        let inode = ops.make(&directory.inode, new_file(entry)?, attributes)?;
        if has_names {
            self.links.insert(key, inode.clone());
        }
        Ok(inode)
    }

    /// Mode, owner and times of an entry. What is made in a directory changes its time: that is set at the end.
    fn set_attributes(&mut self, inode: &Arc<Inode>, entry: &Entry<'_>) -> Result<(), Errno> {
        let time = TimeSpec {
            sec: entry.mtime.into(),
            nsec: 0,
        };
        inode.change(|attributes| {
            attributes.mode = entry.mode & 0o7777;
            attributes.uid = entry.uid;
            attributes.gid = entry.gid;
            attributes.accessed = time;
            attributes.modified = time;
        });
        if inode.is_directory() {
            self.directories.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            self.directories.push((inode.clone(), time));
        }
        Ok(())
    }

    fn date_directories(&mut self) {
        for (directory, time) in self.directories.drain(..) {
            directory.change(|attributes| {
                attributes.accessed = time;
                attributes.modified = time;
            });
        }
    }

    fn fill(&mut self, cache: &PageCache, entry: &Entry<'_>) -> Result<(), Errno> {
        let writer = cache.writer()?;
        let mut left = KernelSource(entry.data);
        while left.left() > 0 {
            let at = (entry.data.len() - left.left()) as u64;
            cache.write(at, &mut left)?;
        }
        drop(writer);
        if !entry.data.is_empty() {
            // A further name of the file may bring less than the first.
            cache.truncate(entry.data.len() as u64)?;
        }
        self.summary.bytes += entry.data.len() as u64;
        Ok(())
    }
}

/// Only files have data, and symbolic links the length of a path of them: `EINVAL`.
fn check_kind(entry: &Entry<'_>) -> Result<(), Errno> {
    let is_possible = match entry.mode & S_IFMT {
        S_IFREG => true,
        S_IFLNK => entry.data.len() <= PATH_MAX,
        _ => entry.data.is_empty(),
    };
    if is_possible { Ok(()) } else { Err(Errno::EINVAL) }
}

fn new_file<'a>(entry: &Entry<'a>) -> Result<NewFile<'a>, Errno> {
    let device = DeviceNumber {
        major: entry.rdev.0,
        minor: entry.rdev.1,
    };
    match entry.mode & S_IFMT {
        S_IFREG => Ok(NewFile::Regular),
        S_IFDIR => Ok(NewFile::Directory),
        S_IFLNK => Ok(NewFile::Symlink(entry.data)),
        S_IFCHR => Ok(NewFile::Device(DeviceClass::Character, device)),
        S_IFBLK => Ok(NewFile::Device(DeviceClass::Block, device)),
        S_IFIFO => Ok(NewFile::Fifo),
        S_IFSOCK => Ok(NewFile::Socket),
        _ => Err(Errno::EINVAL),
    }
}

/// An entry's directory and last component.
type DirectoryAndName<'a> = (Arc<Dentry>, &'a [u8]);

/// The directory that holds the entry, made if it is missing, and the entry's last component; `None` for the root.
fn find_directory(name: &[u8]) -> Result<Option<DirectoryAndName<'_>>, Errno> {
    let mut at = vfs::root();
    let mut rest = name;
    while let Some(component) = first_component(rest) {
        rest = component.rest;
        match component.name {
            b"." => continue,
            b".." => return Err(Errno::EINVAL),
            name => path_lookup::check_name(name)?,
        }
        if component.is_last {
            return Ok(Some((at, component.name)));
        }
        at = enter(&at, component.name)?;
    }
    Ok(None)
}

/// The directory of that name, made if it is missing; a symbolic link to a directory is followed.
fn enter(directory: &Arc<Dentry>, name: &[u8]) -> Result<Arc<Dentry>, Errno> {
    let (root, subject) = (vfs::root(), Subject::kernel());
    let lookup = PathLookup {
        root: &root,
        start: directory,
        subject: &subject,
    };
    match lookup.find(name, LastLink::Follow) {
        Err(Errno::ENOENT) => vfs::directory(directory, name),
        Ok(found) if found.inode.is_directory() => Ok(found),
        Ok(_) => Err(Errno::ENOTDIR),
        Err(error) => Err(error),
    }
}

/// Removes what an entry replaces. A directory with entries stays: `ENOTEMPTY`.
fn remove_old(directory: &Arc<Dentry>, name: &[u8]) -> Result<(), Errno> {
    match tree::remove_initial(directory, name) {
        Err(Errno::ENOENT) => Ok(()),
        other => other,
    }
}
