//! Extended attributes of files in memory: xattr(7). They are kept with the inode, and take pages of what the filesystem may hold.
//!
//! Who may see and change them depends on the first part of the name: `user.` goes by the file's mode, `trusted.` and `security.`
//! are the administrator's. `system.` is not here (there are no access control lists), nor is `security.capability`: exec does not
//! look at it, and who sets it must not believe that it does.

use alloc::boxed::Box;
use alloc::vec::Vec;

use abi::Errno;
use abi::capability::CAP_SYS_ADMIN;
use abi::file::{R_OK, S_IFDIR, S_IFREG, S_ISVTX, W_OK};
use abi::xattr::{XATTR_CREATE, XATTR_REPLACE};
use mm::PAGE_SIZE;

use super::inode::Inode;
use super::permission::Subject;
use super::super_block::SuperBlock;
use lock::Mutex;
use memory::fallible::{self, TryVec};

/// A file has no more: all are looked at and dropped in one step.
const MOST: usize = 512;
/// What each takes beside its name and its value.
const OVERHEAD: usize = 64;

const USER: &[u8] = b"user.";
const TRUSTED: &[u8] = b"trusted.";
const SECURITY: &[u8] = b"security.";
/// File capabilities.
const CAPABILITY: &[u8] = b"security.capability";

/// The extended attributes of one file.
#[derive(Default)]
pub struct Attributes(Mutex<Option<Box<Set>>>);

#[derive(Default)]
struct Set {
    /// By name.
    entries: Vec<Entry>,
    bytes: usize,
    pages: u64,
}

struct Entry {
    name: Box<[u8]>,
    value: Vec<u8>,
}

impl Entry {
    fn bytes(&self) -> usize {
        self.name.len() + self.value.len() + OVERHEAD
    }
}

impl Set {
    fn find(&self, name: &[u8]) -> Result<usize, usize> {
        self.entries.binary_search_by(|entry| entry.name[..].cmp(name))
    }

    /// Takes pages from the filesystem, or gives some back, for so many bytes. `ENOSPC`.
    fn charge(&mut self, filesystem: &SuperBlock, bytes: usize) -> Result<(), Errno> {
        let pages = bytes.div_ceil(PAGE_SIZE) as u64;
        for taken in 0..pages.saturating_sub(self.pages) {
            if !filesystem.charge_page() {
                filesystem.discharge_pages(taken);
                return Err(Errno::ENOSPC);
            }
        }
        filesystem.discharge_pages(self.pages.saturating_sub(pages));
        (self.bytes, self.pages) = (bytes, pages);
        Ok(())
    }

    /// Puts `entry` in its place; the old one, or the new one if there is no room for it. `EEXIST`, `ENODATA`, `ENOSPC`, `ENOMEM`.
    fn set(
        &mut self,
        filesystem: &SuperBlock,
        entry: Entry,
        flags: u32,
    ) -> (Result<(), Errno>, Option<Entry>) {
        let found = self.find(&entry.name);
        let old = found.map_or(0, |at| self.entries[at].bytes());
        let refusal = match found {
            Ok(_) if flags & XATTR_CREATE != 0 => Err(Errno::EEXIST),
            Err(_) if flags & XATTR_REPLACE != 0 => Err(Errno::ENODATA),
            Err(_) if self.entries.len() >= MOST => Err(Errno::ENOSPC),
            Err(_) => self.entries.try_reserve(1).map_err(|_| Errno::ENOMEM),
            Ok(_) => Ok(()),
        };
        let charged = refusal.and_then(|()| self.charge(filesystem, self.bytes - old + entry.bytes()));
        match (charged, found) {
            (Err(error), _) => (Err(error), Some(entry)),
            (Ok(()), Ok(at)) => (Ok(()), Some(core::mem::replace(&mut self.entries[at], entry))),
            (Ok(()), Err(at)) => {
                // There is room for it.
                let pushed = self.entries.try_push(entry);
                self.entries[at..].rotate_right(1);
                (pushed, None)
            }
        }
    }

    fn remove(&mut self, filesystem: &SuperBlock, name: &[u8]) -> Result<Entry, Errno> {
        let at = self.find(name).map_err(|_| Errno::ENODATA)?;
        let entry = self.entries.remove(at);
        let less = self.charge(filesystem, self.bytes - entry.bytes());
        debug_assert!(less.is_ok(), "xattr: to give back is not refused");
        Ok(entry)
    }
}

impl Attributes {
    /// The file is gone: gives back what its attributes took.
    pub fn release(&mut self, filesystem: &SuperBlock) {
        if let Some(set) = self.0.get_mut().take() {
            filesystem.discharge_pages(set.pages);
        }
    }
}

/// Whether there is a place for attributes of that name. `EOPNOTSUPP`; `EINVAL` for a name that ends where it begins.
fn check_kept(inode: &Inode, name: &[u8]) -> Result<(), Errno> {
    let prefixes = [USER, TRUSTED, SECURITY];
    let prefix = prefixes.iter().find(|prefix| name.starts_with(prefix));
    match prefix {
        _ if !inode.filesystem.kind.has_extended_attributes() || name == CAPABILITY => Err(Errno::EOPNOTSUPP),
        None => Err(Errno::EOPNOTSUPP),
        Some(prefix) if prefix.len() == name.len() => Err(Errno::EINVAL),
        Some(_) => Ok(()),
    }
}

/// Whether `subject` may read (`R_OK`) or change (`W_OK`) the attribute (`xattr_permission` of Linux). `EPERM`, `ENODATA`, `EACCES`.
fn check_access(inode: &Inode, name: &[u8], subject: &Subject, wanted: u32) -> Result<(), Errno> {
    let is_change = wanted == W_OK;
    let refusal = if is_change { Errno::EPERM } else { Errno::ENODATA };
    if name.starts_with(SECURITY) {
        // Everybody may read what a security module would have said there.
        let is_allowed = !is_change || subject.can(CAP_SYS_ADMIN);
        return if is_allowed { Ok(()) } else { Err(Errno::EPERM) };
    }
    if name.starts_with(b"system.") {
        return Ok(());
    }
    if name.starts_with(TRUSTED) {
        let is_allowed = subject.can(CAP_SYS_ADMIN);
        return if is_allowed { Ok(()) } else { Err(refusal) };
    }
    if name.starts_with(USER) {
        let is_sticky = inode.attributes().mode & S_ISVTX != 0;
        match inode.kind() {
            S_IFDIR if is_sticky && is_change && !subject.is_owner(inode) => return Err(Errno::EPERM),
            S_IFDIR | S_IFREG => {}
            _ => return Err(refusal),
        }
    }
    subject.check(inode, wanted)
}

/// setxattr(2). `EOPNOTSUPP`, `EINVAL`, `EPERM`, `EACCES`, `EEXIST`, `ENODATA`, `ENOSPC`, `ENOMEM`.
pub fn set(inode: &Inode, subject: &Subject, name: &[u8], value: Vec<u8>, flags: u32) -> Result<(), Errno> {
    check_access(inode, name, subject, W_OK)?;
    check_kept(inode, name)?;
    let entry = Entry {
        name: fallible::boxed_bytes(name)?,
        value,
    };
    let mut fresh = Some(fallible::boxed(Set::default())?);
    let mut held = inode.extended.0.lock();
    if held.is_none() {
        *held = fresh.take();
    }
    let set = held.as_mut().ok_or(Errno::ENOMEM)?;
    let (result, unused) = set.set(&inode.filesystem, entry, flags);
    let empty = held.take_if(|set| set.entries.is_empty());
    drop(held);
    drop((unused, fresh, empty));
    result?;
    inode.change(|_| ());
    Ok(())
}

/// getxattr(2): the value. `EOPNOTSUPP`, `EINVAL`, `ENODATA`, `EACCES`, `ENOMEM`.
pub fn get(inode: &Inode, subject: &Subject, name: &[u8]) -> Result<Vec<u8>, Errno> {
    check_access(inode, name, subject, R_OK)?;
    check_kept(inode, name)?;
    let mut copy = Vec::new();
    loop {
        let held = inode.extended.0.lock();
        let set = held.as_ref().ok_or(Errno::ENODATA)?;
        let at = set.find(name).map_err(|_| Errno::ENODATA)?;
        let value = &set.entries[at].value;
        if copy.capacity() >= value.len() {
            return copy.try_extend(value).map(|()| copy);
        }
        let len = value.len();
        drop(held);
        copy.try_reserve_exact(len).map_err(|_| Errno::ENOMEM)?;
    }
}

/// removexattr(2). As [`set`].
pub fn remove(inode: &Inode, subject: &Subject, name: &[u8]) -> Result<(), Errno> {
    check_access(inode, name, subject, W_OK)?;
    check_kept(inode, name)?;
    let gone = {
        let mut held = inode.extended.0.lock();
        let set = held.as_mut().ok_or(Errno::ENODATA)?;
        let entry = set.remove(&inode.filesystem, name)?;
        (entry, held.take_if(|set| set.entries.is_empty()))
    };
    drop(gone);
    inode.change(|_| ());
    Ok(())
}

/// listxattr(2): all names that `subject` may know, each with a NUL. `ENOMEM`.
pub fn list(inode: &Inode, subject: &Subject) -> Result<Vec<u8>, Errno> {
    let sees_trusted = subject.can(CAP_SYS_ADMIN);
    let is_seen = |entry: &&Entry| sees_trusted || !entry.name.starts_with(TRUSTED);
    let mut names = Vec::new();
    loop {
        let held = inode.extended.0.lock();
        let entries = held.as_ref().map_or(&[][..], |set| &set.entries);
        let seen = || entries.iter().filter(is_seen);
        let len = seen().map(|entry| entry.name.len() + 1).sum();
        if names.capacity() >= len {
            for entry in seen() {
                names.try_extend(&entry.name)?;
                names.try_push(0)?;
            }
            return Ok(names);
        }
        drop(held);
        names.try_reserve_exact(len).map_err(|_| Errno::ENOMEM)?;
    }
}
