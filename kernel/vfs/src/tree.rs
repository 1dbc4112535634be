//! Changes of the file tree: making, linking and removing entries; renaming is in `rename`.
//!
//! A walk says which directory and which name; what stands there is looked up again under the lock of the directory's
//! entries, and everything is checked and changed under that lock. So a name that is replaced by another processor meanwhile
//! is never missing, and one that appeared is never overwritten unseen.
//!
//! Creating and unlinking take the lock of one directory. Removing a directory and renaming take those of two or three;
//! they keep the shape first ([`keep_shape`]), so they never meet. Removed dentries are dropped after the locks.

mod rename;

use alloc::sync::Arc;

use abi::Errno;
use abi::events::InotifyEvents;
use abi::file::{AccessFlags, S_ISGID};
use memory::fallible;

use super::dentry::{Dentry, keep_shape};
use super::inode::{Attributes, Inode};
use super::inode_ops::{DirectoryOps, Nesting, NewFile};
use super::path_lookup::{LastComponent, LookupResult};
use super::permission::Subject;

pub use super::inode_ops::Existing;
pub use rename::rename;

/// How the entries of a directory are changed; `otherwise` if they cannot be.
fn changeable(directory: &Dentry, otherwise: Errno) -> Result<&dyn DirectoryOps, Errno> {
    directory.inode.ops.as_directory().ok_or(otherwise)
}

/// Makes a file and names it. The mode must have the umask applied. In a set-group-ID directory the group is the
/// directory's, and so is the bit for a directory (inode(7)).
///
/// # Errors
/// `EEXIST`, `EACCES`, `ENOENT`, `EPERM` for a kind that the file system does not have.
pub fn create(
    directory: &Arc<Dentry>,
    name: &[u8],
    file: NewFile<'_>,
    mode: u32,
    subject: &Subject,
) -> Result<Arc<Dentry>, Errno> {
    let ops = changeable(directory, Errno::ENOENT)?;
    let Some(stored) = directory.inode.ops.as_stored_directory() else {
        let make = |attributes| ops.make(&directory.inode, file, attributes);
        return create_made(directory, name, file, mode, subject, make);
    };
    subject.check(&directory.inode, AccessFlags::W_OK | AccessFlags::X_OK)?;
    let attributes = new_attributes(directory, file, mode, subject);
    let entry = stored.create(directory, name, file, attributes)?;
    note_created(directory, name, &entry);
    Ok(entry)
}

/// As [`create`] in a directory in memory, of what `make` makes with the attributes that it gets.
///
/// # Errors
/// As of [`create`]; what `make` says.
pub fn create_made(
    directory: &Arc<Dentry>,
    name: &[u8],
    file: NewFile<'_>,
    mode: u32,
    subject: &Subject,
    make: impl FnOnce(Attributes) -> Result<Arc<Inode>, Errno>,
) -> Result<Arc<Dentry>, Errno> {
    subject.check(&directory.inode, AccessFlags::W_OK | AccessFlags::X_OK)?;
    let attributes = new_attributes(directory, file, mode, subject);
    let entry = attach(directory, name, make(attributes)?)?;
    note_created(directory, name, &entry);
    Ok(entry)
}

fn note_created(directory: &Dentry, name: &[u8], entry: &Dentry) {
    directory
        .inode
        .note_entry(InotifyEvents::IN_CREATE, name, &entry.inode, 0);
}

/// Makes a file of the kernel's own and names it, without asking for rights.
///
/// # Errors
/// `EEXIST`, `ENOENT`, `ENOMEM`, `ENOSPC`.
pub fn create_initial(
    directory: &Arc<Dentry>,
    name: &[u8],
    file: NewFile<'_>,
    mode: u32,
) -> Result<Arc<Dentry>, Errno> {
    let ops = changeable(directory, Errno::ENOENT)?;
    let inode = ops.make(&directory.inode, file, Attributes::new(mode, 0, 0))?;
    attach(directory, name, inode)
}

fn new_attributes(directory: &Dentry, file: NewFile<'_>, mode: u32, subject: &Subject) -> Attributes {
    let above = directory.inode.attributes();
    if above.mode & S_ISGID == 0 {
        return Attributes::new(mode, subject.owner(), subject.group());
    }
    let mode = if file == NewFile::Directory {
        mode | S_ISGID
    } else {
        subject.mode_of_new_file(mode, above.gid)
    };
    Attributes::new(mode, subject.owner(), above.gid)
}

/// A regular file without a name in the directory's file system: `O_TMPFILE`.
///
/// # Errors
/// `EACCES`, `EOPNOTSUPP`.
pub fn create_unnamed(directory: &Arc<Dentry>, mode: u32, subject: &Subject) -> Result<Arc<Dentry>, Errno> {
    let ops = changeable(directory, Errno::EOPNOTSUPP)?;
    subject.check(&directory.inode, AccessFlags::W_OK | AccessFlags::X_OK)?;
    let attributes = new_attributes(directory, NewFile::Regular, mode, subject);
    let inode = match directory.inode.ops.as_stored_directory() {
        Some(stored) => stored.create_unnamed(directory, attributes)?,
        None => ops.make(&directory.inode, NewFile::Regular, attributes)?,
    };
    inode.change(|attributes| {
        attributes.links = 0;
        attributes.is_linkable = true;
    });
    let name = fallible::text(format_args!("#{}", inode.number))?;
    let dentry = Dentry::new(Some(directory), name.as_bytes(), inode)?;
    dentry.mark_removed();
    Ok(dentry)
}

/// Names an inode in a directory.
///
/// # Errors
/// `EEXIST`, `ENOENT`.
pub fn attach(directory: &Arc<Dentry>, name: &[u8], inode: Arc<Inode>) -> Result<Arc<Dentry>, Errno> {
    let entry = Dentry::new(Some(directory), name, inode)?;
    let is_directory = entry.inode.is_directory();
    changeable(directory, Errno::ENOENT)?.edit(Nesting::First, &mut |entries| {
        entries.insert(name, entry.clone())?;
        directory.inode.change(|attributes| {
            attributes.modified = attributes.changed;
            attributes.links += u32::from(is_directory);
        });
        Ok(())
    })?;
    Ok(entry)
}

/// linkat(2): a further name for a file that is not a directory.
///
/// # Errors
/// `EPERM`, `EMLINK`, `EXDEV`, `EEXIST`, `ENOENT`.
pub fn link(
    directory: &Arc<Dentry>,
    name: &[u8],
    inode: &Arc<Inode>,
    subject: &Subject,
) -> Result<(), Errno> {
    if inode.is_directory() {
        return Err(Errno::EPERM);
    }
    let ops = changeable(directory, Errno::ENOENT)?;
    if !Arc::ptr_eq(&inode.filesystem, &directory.inode.filesystem) {
        return Err(Errno::EXDEV);
    }
    subject.check(&directory.inode, AccessFlags::W_OK | AccessFlags::X_OK)?;
    if ops.keeps_names() {
        return Err(Errno::EPERM);
    }
    inode.add_name()?;
    let linked = match directory.inode.ops.as_stored_directory() {
        Some(stored) => stored.link(directory, name, inode),
        None => attach(directory, name, inode.clone()).map(drop),
    };
    linked.inspect_err(|_| inode.remove_name())?;
    inode.note(InotifyEvents::IN_ATTRIB);
    directory
        .inode
        .note_entry(InotifyEvents::IN_CREATE, name, inode, 0);
    Ok(())
}

/// unlink(2) of what stands at the end of a walk.
///
/// # Errors
/// `ENOENT`, `EISDIR`, `ENOTDIR`, `EBUSY`, `EACCES`, `EPERM`.
pub fn unlink(end: &LookupResult, subject: &Subject) -> Result<(), Errno> {
    if end.last != LastComponent::Name {
        return Err(Errno::EISDIR);
    }
    check_writable(&end.directory)?;
    if end.entry.is_none() {
        return Err(Errno::ENOENT);
    }
    if let Some(stored) = end.directory.inode.ops.as_stored_directory() {
        let may = |entry: &Arc<Dentry>| {
            subject.check_removal(&end.directory.inode, &entry.inode)?;
            match entry.inode.is_directory() {
                true => Err(Errno::EISDIR),
                false if end.has_trailing_slash => Err(Errno::ENOTDIR),
                false => Ok(()),
            }
        };
        let removed = stored.unlink(&end.directory, &end.name, &may)?;
        removed.inode.note(InotifyEvents::IN_ATTRIB);
        note_removed(end, removed);
        return Ok(());
    }
    let mut removed = None;
    changeable(&end.directory, Errno::EPERM)?.edit(Nesting::First, &mut |entries| {
        let entry = entries.get(&end.name)?;
        subject.check_removal(&end.directory.inode, &entry.inode)?;
        if entry.inode.is_directory() {
            return Err(Errno::EISDIR);
        }
        if end.has_trailing_slash {
            return Err(Errno::ENOTDIR);
        }
        entries.remove(&end.name)?;
        entry.mark_removed();
        entry.inode.remove_name();
        end.directory.inode.note_modified();
        // Dropped when the entries are no longer locked.
        removed = Some(entry);
        Ok(())
    })?;
    if let Some(removed) = removed {
        removed.inode.note(InotifyEvents::IN_ATTRIB);
        note_removed(end, removed);
    }
    Ok(())
}

/// An entry is gone: those who watch the directory are told, and those who watch the file if that was its last name and nobody has it
/// open. No lock may be held.
fn note_removed(end: &LookupResult, removed: Arc<Dentry>) {
    let is_walked = end
        .entry
        .as_ref()
        .is_some_and(|entry| Arc::ptr_eq(entry, &removed));
    // Nobody finds it any more: who does not hold it now never will. As in Linux, the file's end comes before the entry's.
    if Arc::strong_count(&removed) == 1 + usize::from(is_walked) {
        removed.inode.note_name_gone();
    }
    end.directory
        .inode
        .note_entry(InotifyEvents::IN_DELETE, &end.name, &removed.inode, 0);
}

/// rmdir(2) of what stands at the end of a walk.
///
/// # Errors
/// `ENOENT`, `ENOTDIR`, `EINVAL`, `ENOTEMPTY`, `EBUSY`, `EACCES`, `EPERM`.
pub fn remove_directory(end: &LookupResult, subject: &Subject) -> Result<(), Errno> {
    match end.last {
        LastComponent::Name => {}
        LastComponent::Root => return Err(Errno::EBUSY),
        LastComponent::Dot => return Err(Errno::EINVAL),
        LastComponent::DotDot => return Err(Errno::ENOTEMPTY),
    }
    check_writable(&end.directory)?;
    if end.entry.is_none() {
        return Err(Errno::ENOENT);
    }
    if let Some(stored) = end.directory.inode.ops.as_stored_directory() {
        let may = |entry: &Arc<Dentry>| {
            subject.check_removal(&end.directory.inode, &entry.inode)?;
            match entry.inode.is_directory() {
                false => Err(Errno::ENOTDIR),
                true if entry.is_mount_point() => Err(Errno::EBUSY),
                true => Ok(()),
            }
        };
        note_removed(end, stored.remove_directory(&end.directory, &end.name, &may)?);
        return Ok(());
    }
    let above = changeable(&end.directory, Errno::EPERM)?;
    let mut removed = None;
    let shape = keep_shape();
    above.edit(Nesting::First, &mut |entries| {
        let entry = entries.get(&end.name)?;
        subject.check_removal(&end.directory.inode, &entry.inode)?;
        let below = changeable(&entry, Errno::ENOTDIR)?;
        if entry.is_mount_point() {
            return Err(Errno::EBUSY);
        }
        below.edit(Nesting::Further, &mut |below| below.close())?;
        entries.remove(&end.name)?;
        entry.mark_removed();
        entry.inode.change(|attributes| attributes.links = 0);
        adjust_links(&end.directory, -1);
        removed = Some(entry);
        Ok(())
    })?;
    drop(shape);
    if let Some(removed) = removed {
        note_removed(end, removed);
    }
    Ok(())
}

/// Removes an entry for the kernel itself, without asking for rights.
///
/// # Errors
/// `ENOENT`, `ENOTDIR`, `ENOTEMPTY`.
pub fn remove_initial(directory: &Arc<Dentry>, name: &[u8]) -> Result<(), Errno> {
    let mut removed = None;
    let _shape = keep_shape();
    changeable(directory, Errno::ENOTDIR)?.edit(Nesting::First, &mut |entries| {
        let entry = entries.get(name)?;
        if let Some(below) = entry.inode.ops.as_directory() {
            below.edit(Nesting::Further, &mut |below| below.close())?;
        }
        entries.remove(name)?;
        entry.mark_removed();
        entry.inode.remove_name();
        removed = Some(entry);
        Ok(())
    })
}

/// `EROFS` where nothing may be changed, whatever stands there.
fn check_writable(directory: &Dentry) -> Result<(), Errno> {
    directory.inode.filesystem.flags.check_writable()
}

/// The entries of a directory changed, and how many directories are among them.
fn adjust_links(directory: &Dentry, by: i32) {
    directory.inode.change(|attributes| {
        attributes.modified = attributes.changed;
        attributes.links = attributes.links.saturating_add_signed(by);
    });
}
