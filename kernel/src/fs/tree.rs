//! Changes of the file tree: making, linking, removing and renaming entries.
//!
//! Locks: creating and unlinking take the lock of one directory's entries. Removing a directory and renaming take those
//! of two or three; they take [`RESHAPING`] first, so they never meet. Removed dentries are dropped after the locks.

use alloc::sync::Arc;

use crate::sync::{Mutex, rank};
use abi::Errno;
use abi::file::{S_ISGID, W_OK, X_OK};

use super::dentry::Dentry;
use super::directory::{Children, Entries, LockedEntries};
use super::inode::{Attributes, Body, Inode};
use super::permission::Subject;
use super::walk::{End, Last};

/// Held while directories move or vanish.
static RESHAPING: Mutex<(), { rank::RESHAPING }> = Mutex::new(());

fn children(directory: &Dentry, otherwise: Errno) -> Result<&Children, Errno> {
    match &directory.inode.body {
        Body::Directory(children) => Ok(children),
        _ => Err(otherwise),
    }
}

/// Makes a file of that body and names it. The mode must have the umask applied. In a set-group-id directory the group
/// is the directory's. `EEXIST`, `EACCES`, `ENOENT`.
pub fn create(
    directory: &Arc<Dentry>,
    name: &[u8],
    body: Body,
    mode: u32,
    subject: &Subject,
) -> Result<Arc<Dentry>, Errno> {
    children(directory, Errno::ENOENT)?;
    subject.check(&directory.inode, W_OK | X_OK)?;
    let inode = Inode::new(
        &directory.inode.filesystem,
        body,
        new_attributes(directory, mode, subject),
    );
    attach(directory, name, inode)
}

fn new_attributes(directory: &Dentry, mode: u32, subject: &Subject) -> Attributes {
    let above = directory.inode.attributes();
    let gid = if above.mode & S_ISGID != 0 {
        above.gid
    } else {
        subject.group()
    };
    Attributes::new(mode, subject.owner(), gid)
}

/// A file without a name in the directory's filesystem: `O_TMPFILE`. `EACCES`, `EOPNOTSUPP`.
pub fn create_unnamed(
    directory: &Arc<Dentry>,
    body: Body,
    mode: u32,
    subject: &Subject,
) -> Result<Arc<Dentry>, Errno> {
    children(directory, Errno::EOPNOTSUPP)?;
    subject.check(&directory.inode, W_OK | X_OK)?;
    let inode = Inode::new(
        &directory.inode.filesystem,
        body,
        new_attributes(directory, mode, subject),
    );
    inode.change(|attributes| {
        attributes.links = 0;
        attributes.is_linkable = true;
    });
    let name = alloc::format!("#{}", inode.number);
    let dentry = Dentry::new(Some(directory), name.as_bytes(), inode);
    dentry.mark_removed();
    Ok(dentry)
}

/// Names an inode in a directory. `EEXIST`, `ENOENT`.
pub fn attach(directory: &Arc<Dentry>, name: &[u8], inode: Arc<Inode>) -> Result<Arc<Dentry>, Errno> {
    let entry = Dentry::new(Some(directory), name, inode);
    children(directory, Errno::ENOENT)?
        .lock()
        .insert(name, entry.clone())?;
    let is_directory = entry.inode.is_directory();
    directory.inode.change(|attributes| {
        attributes.modified = attributes.changed;
        attributes.links += u32::from(is_directory);
    });
    Ok(entry)
}

/// linkat(2): a further name for a file that is not a directory. `EPERM`, `EMLINK`, `EXDEV`, `EEXIST`, `ENOENT`.
pub fn link(
    directory: &Arc<Dentry>,
    name: &[u8],
    inode: &Arc<Inode>,
    subject: &Subject,
) -> Result<(), Errno> {
    if inode.is_directory() {
        return Err(Errno::EPERM);
    }
    children(directory, Errno::ENOENT)?;
    if !Arc::ptr_eq(&inode.filesystem, &directory.inode.filesystem) {
        return Err(Errno::EXDEV);
    }
    subject.check(&directory.inode, W_OK | X_OK)?;
    let attributes = inode.attributes();
    match attributes.links {
        0 if !attributes.is_linkable => return Err(Errno::ENOENT),
        u32::MAX => return Err(Errno::EMLINK),
        _ => {}
    }
    attach(directory, name, inode.clone())?;
    inode.change(|attributes| attributes.links += 1);
    Ok(())
}

/// unlink(2) of what a walk found. `ENOENT`, `EISDIR`, `ENOTDIR`, `EBUSY`, `EACCES`, `EPERM`.
pub fn unlink(end: &End, subject: &Subject) -> Result<(), Errno> {
    if end.last != Last::Name {
        return Err(Errno::EISDIR);
    }
    let entry = end.entry.as_ref().ok_or(Errno::ENOENT)?;
    let children = children(&end.directory, Errno::EPERM)?;
    subject.check_removal(&end.directory.inode, &entry.inode)?;
    if entry.inode.is_directory() {
        return Err(Errno::EISDIR);
    }
    if end.has_trailing_slash {
        return Err(Errno::ENOTDIR);
    }
    let removed = remove_same(&mut children.lock(), &end.name, entry)?;
    removed
        .inode
        .change(|attributes| attributes.links = attributes.links.saturating_sub(1));
    end.directory.inode.note_modified();
    Ok(())
}

/// Takes out the entry that the walk found, if it still stands there.
fn remove_same(entries: &mut Entries, name: &[u8], entry: &Arc<Dentry>) -> Result<Arc<Dentry>, Errno> {
    let same = entries.get(name).is_some_and(|now| Arc::ptr_eq(&now, entry));
    let removed = if same { entries.remove(name) } else { None };
    let removed = removed.ok_or(Errno::ENOENT)?;
    removed.mark_removed();
    Ok(removed)
}

/// rmdir(2) of what a walk found. `ENOENT`, `ENOTDIR`, `EINVAL`, `ENOTEMPTY`, `EBUSY`, `EACCES`, `EPERM`.
pub fn remove_directory(end: &End, subject: &Subject) -> Result<(), Errno> {
    match end.last {
        Last::Name => {}
        Last::Root => return Err(Errno::EBUSY),
        Last::Dot => return Err(Errno::EINVAL),
        Last::DotDot => return Err(Errno::ENOTEMPTY),
    }
    let entry = end.entry.as_ref().ok_or(Errno::ENOENT)?;
    let above = children(&end.directory, Errno::EPERM)?;
    subject.check_removal(&end.directory.inode, &entry.inode)?;
    let below = children(entry, Errno::ENOTDIR)?;
    let _reshaping = RESHAPING.lock();
    if is_in_use(&end.directory, &end.name, entry) {
        return Err(Errno::EBUSY);
    }
    let removed = {
        let mut entries = above.lock();
        below.lock_further().close()?;
        remove_same(&mut entries, &end.name, entry)?
    };
    removed.inode.change(|attributes| attributes.links = 0);
    end.directory.inode.change(|attributes| {
        attributes.modified = attributes.changed;
        attributes.links = attributes.links.saturating_sub(1);
    });
    Ok(())
}

/// Whether the entry is a mount point or the root of a mount: what the walk found is not what the directory holds.
fn is_in_use(directory: &Arc<Dentry>, name: &[u8], entry: &Arc<Dentry>) -> bool {
    let below = match &directory.inode.body {
        Body::Directory(children) => children.get(name),
        _ => None,
    };
    entry.is_mount_point() || below.is_some_and(|below| below.is_mount_point())
}

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

/// renameat2(2) between two ends of walks.
pub fn rename(old: &End, new: &End, existing: Existing, subject: &Subject) -> Result<(), Errno> {
    if old.last != Last::Name || new.last != Last::Name {
        return Err(if existing == Existing::Refuse {
            Errno::EEXIST
        } else {
            Errno::EBUSY
        });
    }
    if !Arc::ptr_eq(&old.directory.inode.filesystem, &new.directory.inode.filesystem) {
        return Err(Errno::EXDEV);
    }
    children(&old.directory, Errno::EPERM)?;
    children(&new.directory, Errno::EPERM)?;
    let moved = old.entry.as_ref().ok_or(Errno::ENOENT)?;
    let _reshaping = RESHAPING.lock();
    let plan = check_rename(old, new, moved, existing, subject)?;
    match plan {
        Plan::Nothing => Ok(()),
        Plan::Move => move_entry(old, new, moved),
        Plan::Exchange(other) => exchange(old, new, moved, &other),
    }
}

enum Plan {
    Nothing,
    Move,
    Exchange(Arc<Dentry>),
}

fn check_rename(
    old: &End,
    new: &End,
    moved: &Arc<Dentry>,
    existing: Existing,
    subject: &Subject,
) -> Result<Plan, Errno> {
    let is_directory = moved.inode.is_directory();
    subject.check_removal(&old.directory.inode, &moved.inode)?;
    if is_in_use(&old.directory, &old.name, moved) {
        return Err(Errno::EBUSY);
    }
    if is_directory && new.directory.is_below(moved) {
        return Err(Errno::EINVAL);
    }
    if is_directory && !Arc::ptr_eq(&old.directory, &new.directory) {
        subject.check(&moved.inode, W_OK)?;
    }
    let Some(target) = new.entry.as_ref() else {
        if existing == Existing::Exchange {
            return Err(Errno::ENOENT);
        }
        if !is_directory && (new.has_trailing_slash || old.has_trailing_slash) {
            return Err(Errno::ENOTDIR);
        }
        subject.check(&new.directory.inode, W_OK | X_OK)?;
        return Ok(Plan::Move);
    };
    if existing == Existing::Refuse {
        return Err(Errno::EEXIST);
    }
    if old.directory.is_below(target) && target.inode.is_directory() {
        return Err(if existing == Existing::Exchange {
            Errno::EINVAL
        } else {
            Errno::ENOTEMPTY
        });
    }
    if is_in_use(&new.directory, &new.name, target) {
        return Err(Errno::EBUSY);
    }
    if Arc::ptr_eq(&moved.inode, &target.inode) {
        return Ok(Plan::Nothing);
    }
    subject.check_removal(&new.directory.inode, &target.inode)?;
    if existing == Existing::Exchange {
        return Ok(Plan::Exchange(target.clone()));
    }
    match (is_directory, target.inode.is_directory()) {
        (true, false) => Err(Errno::ENOTDIR),
        (false, true) => Err(Errno::EISDIR),
        _ => Ok(Plan::Move),
    }
}

/// The entries of one or two directories, locked. Under [`RESHAPING`] any order of two will do.
struct Both<'a> {
    old: LockedEntries<'a>,
    new: Option<LockedEntries<'a>>,
}

impl<'a> Both<'a> {
    fn lock(old: &'a End, new: &'a End) -> Result<Self, Errno> {
        let is_same = Arc::ptr_eq(&old.directory.inode, &new.directory.inode);
        let old = children(&old.directory, Errno::EPERM)?.lock();
        let new = if is_same {
            None
        } else {
            Some(children(&new.directory, Errno::EPERM)?.lock_further())
        };
        Ok(Both { old, new })
    }

    fn new_entries(&mut self) -> &mut Entries {
        self.new.as_deref_mut().unwrap_or(&mut self.old)
    }
}

fn move_entry(old: &End, new: &End, moved: &Arc<Dentry>) -> Result<(), Errno> {
    let is_directory = moved.inode.is_directory();
    let replaced = {
        let mut both = Both::lock(old, new)?;
        if !both
            .old
            .get(&old.name)
            .is_some_and(|now| Arc::ptr_eq(&now, moved))
        {
            return Err(Errno::ENOENT);
        }
        let replaced = both.new_entries().get(&new.name);
        if let Some(replaced) = &replaced {
            if let Body::Directory(below) = &replaced.inode.body {
                below.lock_further().close()?;
            }
            both.new_entries().remove(&new.name);
            replaced.mark_removed();
        }
        both.new_entries().insert(&new.name, moved.clone())?;
        both.old.remove(&old.name);
        moved.move_to(&new.directory, &new.name);
        replaced
    };
    let is_replaced_directory = replaced
        .as_ref()
        .is_some_and(|replaced| replaced.inode.is_directory());
    if let Some(replaced) = replaced {
        let is_directory = replaced.inode.is_directory();
        replaced.inode.change(|attributes| {
            attributes.links = if is_directory {
                0
            } else {
                attributes.links.saturating_sub(1)
            };
        });
    }
    adjust_links(&old.directory, -i32::from(is_directory));
    adjust_links(
        &new.directory,
        i32::from(is_directory) - i32::from(is_replaced_directory),
    );
    moved.inode.change(|_| ());
    Ok(())
}

fn exchange(old: &End, new: &End, moved: &Arc<Dentry>, other: &Arc<Dentry>) -> Result<(), Errno> {
    if other.inode.is_directory() && old.directory.is_below(other) {
        return Err(Errno::EINVAL);
    }
    {
        let mut both = Both::lock(old, new)?;
        both.old.remove(&old.name).ok_or(Errno::ENOENT)?;
        both.new_entries().remove(&new.name);
        both.new_entries().insert(&new.name, moved.clone())?;
        both.old.insert(&old.name, other.clone())?;
        moved.move_to(&new.directory, &new.name);
        other.move_to(&old.directory, &old.name);
    }
    let difference = i32::from(moved.inode.is_directory()) - i32::from(other.inode.is_directory());
    adjust_links(&old.directory, -difference);
    adjust_links(&new.directory, difference);
    moved.inode.change(|_| ());
    other.inode.change(|_| ());
    Ok(())
}

fn adjust_links(directory: &Dentry, by: i32) {
    directory.inode.change(|attributes| {
        attributes.modified = attributes.changed;
        attributes.links = attributes.links.saturating_add_signed(by);
    });
}
