//! Extended attributes: xattr(7). Those of files in memory are kept with the inode, and take pages of what the filesystem may hold;
//! others lie on the disk ([`StoredAttributes`]).
//!
//! Who may see and change them depends on the first part of the name: `user.` goes by the file's mode, `trusted.` and `security.`
//! are the administrator's. `system.` is not here (there are no access control lists), and `security.capability` cannot be set: exec
//! does not look at it, and who sets it must not believe that it does.

mod attributes;

pub use attributes::ExtendedAttributes;

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use abi::capability::CAP_SYS_ADMIN;
use abi::file::{AccessFlags, S_IFDIR, S_IFREG, S_ISVTX};
use abi::xattr::XattrFlags;

use attributes::{AttributeSet, ExtendedAttribute};

use super::inode::Inode;
use super::permission::Subject;
use super::stored_attributes::StoredAttributes;
use memory::fallible::{self, TryVec};

const USER: &[u8] = b"user.";
const TRUSTED: &[u8] = b"trusted.";
const SECURITY: &[u8] = b"security.";
/// File capabilities.
const CAPABILITY: &[u8] = b"security.capability";

fn stored(inode: &Inode) -> Option<Arc<dyn StoredAttributes>> {
    inode.filesystem.kind.stored_attributes(&inode.filesystem)
}

/// Whether there is a place for attributes of that name. `EOPNOTSUPP`; `EINVAL` for a name that ends where it begins.
fn check_kept(inode: &Inode, name: &[u8]) -> Result<(), Errno> {
    let prefixes = [USER, TRUSTED, SECURITY];
    let prefix = prefixes.iter().find(|prefix| name.starts_with(prefix));
    match prefix {
        _ if !inode.filesystem.kind.has_extended_attributes() => Err(Errno::EOPNOTSUPP),
        None => Err(Errno::EOPNOTSUPP),
        Some(prefix) if prefix.len() == name.len() => Err(Errno::EINVAL),
        Some(_) => Ok(()),
    }
}

/// Whether `subject` may read (`R_OK`) or change (`W_OK`) the attribute (`xattr_permission` of Linux). `EPERM`, `ENODATA`, `EACCES`.
fn check_access(inode: &Inode, name: &[u8], subject: &Subject, wanted: AccessFlags) -> Result<(), Errno> {
    let is_change = wanted == AccessFlags::W_OK;
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

/// setxattr(2).
///
/// # Errors
/// `EOPNOTSUPP`, `EINVAL`, `EPERM`, `EACCES`, `EEXIST`, `ENODATA`, `ENOSPC`, `ENOMEM`.
pub fn set(
    inode: &Inode,
    subject: &Subject,
    name: &[u8],
    value: Vec<u8>,
    flags: XattrFlags,
) -> Result<(), Errno> {
    check_access(inode, name, subject, AccessFlags::W_OK)?;
    check_kept(inode, name)?;
    if name == CAPABILITY {
        return Err(Errno::EOPNOTSUPP);
    }
    if let Some(stored) = stored(inode) {
        stored.set(inode.number, name, Some(&value), flags)?;
        inode.change(|_| ());
        return Ok(());
    }
    let entry = ExtendedAttribute {
        name: fallible::boxed_bytes(name)?,
        value,
    };
    let mut fresh = Some(fallible::boxed(AttributeSet::default())?);
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

/// getxattr(2): the value.
///
/// # Errors
/// `EOPNOTSUPP`, `EINVAL`, `ENODATA`, `EACCES`, `ENOMEM`.
pub fn get(inode: &Inode, subject: &Subject, name: &[u8]) -> Result<Vec<u8>, Errno> {
    check_access(inode, name, subject, AccessFlags::R_OK)?;
    check_kept(inode, name)?;
    if let Some(stored) = stored(inode) {
        return stored.get(inode.number, name);
    }
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

/// removexattr(2).
///
/// # Errors
/// `ENODATA` if there is none of that name; `EOPNOTSUPP`, `EINVAL`, `EPERM`, `EACCES` as for [`set`].
pub fn remove(inode: &Inode, subject: &Subject, name: &[u8]) -> Result<(), Errno> {
    check_access(inode, name, subject, AccessFlags::W_OK)?;
    check_kept(inode, name)?;
    if let Some(stored) = stored(inode) {
        stored.set(inode.number, name, None, XattrFlags::empty())?;
        inode.change(|_| ());
        return Ok(());
    }
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

/// listxattr(2): all names that `subject` may know, each with a NUL.
///
/// # Errors
/// `ENOMEM`.
pub fn list(inode: &Inode, subject: &Subject) -> Result<Vec<u8>, Errno> {
    let sees_trusted = subject.can(CAP_SYS_ADMIN);
    if let Some(stored) = stored(inode) {
        let mut names = stored.names(inode.number)?;
        if !sees_trusted {
            drop_trusted(&mut names);
        }
        return Ok(names);
    }
    let is_seen = |entry: &&ExtendedAttribute| sees_trusted || !entry.name.starts_with(TRUSTED);
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

/// Takes the names out that only the administrator may know.
fn drop_trusted(names: &mut Vec<u8>) {
    let (mut from, mut to) = (0, 0);
    while let Some(len) = names[from..].iter().position(|byte| *byte == 0) {
        let next = from + len + 1;
        if !names[from..next].starts_with(TRUSTED) {
            names.copy_within(from..next, to);
            to += next - from;
        }
        from = next;
    }
    names.truncate(to);
}
