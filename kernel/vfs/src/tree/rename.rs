//! renameat2(2).

use alloc::sync::Arc;

use abi::Errno;
use abi::events::InotifyEvents;
use abi::file::AccessFlags;
use memory::fallible;

use super::super::dentry::{Dentry, keep_shape};
use super::super::inode_ops::{Entries, Existing, Nesting, StoredDirectory};
use super::super::inode_watch::next_cookie;
use super::super::path_lookup::{LastComponent, LookupResult};
use super::super::permission::Subject;
use super::{adjust_links, changeable, check_writable};

/// renameat2(2) between the ends of two paths.
///
/// # Errors
/// `EBUSY`: a path that ends in `.` or `..`, or a mount point. `EXDEV`: two file systems. `EEXIST`, `ENOENT`,
/// `ENOTEMPTY`, `EISDIR`, `ENOTDIR`, `EINVAL`: what stands there. `EACCES`, `EPERM`, `EROFS`: the subject or the mount.
/// `ENOMEM`.
pub fn rename(
    old: &LookupResult,
    new: &LookupResult,
    existing: Existing,
    subject: &Subject,
) -> Result<(), Errno> {
    if old.last != LastComponent::Name || new.last != LastComponent::Name {
        return Err(if existing == Existing::Refuse {
            Errno::EEXIST
        } else {
            Errno::EBUSY
        });
    }
    if !Arc::ptr_eq(&old.directory.inode.filesystem, &new.directory.inode.filesystem) {
        return Err(Errno::EXDEV);
    }
    check_writable(&old.directory)?;
    if let Some(stored) = old.directory.inode.ops.as_stored_directory() {
        return rename_stored(stored, old, new, existing, subject);
    }
    let (above, above_new) = (
        changeable(&old.directory, Errno::EPERM)?,
        changeable(&new.directory, Errno::EPERM)?,
    );
    let stay = above.keeps_names();
    // Dropped when neither the entries nor the shape are locked.
    let mut dropped = (None, None);
    let mut done = Plan::Nothing;
    let shape = keep_shape();
    let mut perform = |both: &mut Both<'_>| {
        let moved = both.old.get(&old.name)?;
        let target = found(both.new_entries().get(&new.name))?;
        let change = Rename {
            old,
            new,
            moved,
            target,
        };
        let result = match change.check(existing, subject) {
            Ok(Plan::Nothing) => Ok(()),
            Ok(_) if stay => Err(Errno::EPERM),
            Ok(Plan::Move) => change.perform_move(both).map(|()| done = Plan::Move),
            Ok(Plan::Exchange) => change.perform_exchange(both).map(|()| done = Plan::Exchange),
            Err(error) => Err(error),
        };
        dropped = (Some(change.moved), change.target);
        result
    };
    // While the shape is kept any order of two will do.
    above.edit(Nesting::First, &mut |old_entries| {
        if Arc::ptr_eq(&old.directory.inode, &new.directory.inode) {
            return perform(&mut Both {
                old: old_entries,
                new: None,
            });
        }
        above_new.edit(Nesting::Further, &mut |new_entries| {
            perform(&mut Both {
                old: &mut *old_entries,
                new: Some(new_entries),
            })
        })
    })?;
    drop(shape);
    if let (Some(moved), target) = dropped {
        match done {
            Plan::Nothing => {}
            Plan::Move => note_move(old, new, &moved, target.as_ref()),
            Plan::Exchange => note_exchange(old, new, &moved, target),
        }
    }
    Ok(())
}

/// The same where the directories lie on a device.
fn rename_stored(
    stored: &dyn StoredDirectory,
    old: &LookupResult,
    new: &LookupResult,
    existing: Existing,
    subject: &Subject,
) -> Result<(), Errno> {
    let may = |moved: &Arc<Dentry>, target: Option<&Arc<Dentry>>| {
        let change = Rename {
            old,
            new,
            moved: moved.clone(),
            target: target.cloned(),
        };
        change
            .check(existing, subject)
            .map(|plan| !matches!(plan, Plan::Nothing))
    };
    let names = ((&old.directory, &*old.name), (&new.directory, &*new.name));
    if let Some((moved, target)) = stored.rename(names.0, names.1, existing, &may)? {
        if existing == Existing::Exchange {
            note_exchange(old, new, &moved, target);
        } else {
            note_move(old, new, &moved, target.as_ref());
        }
    }
    Ok(())
}

fn note_exchange(old: &LookupResult, new: &LookupResult, moved: &Dentry, other: Option<Arc<Dentry>>) {
    note_move(old, new, moved, None);
    if let Some(other) = other {
        note_move(new, old, &other, None);
    }
}

/// Those who watch are told that `moved` went from one place to the other, where `target` was. No lock may be held.
fn note_move(from: &LookupResult, to: &LookupResult, moved: &Dentry, target: Option<&Arc<Dentry>>) {
    let cookie = next_cookie();
    let inode = &moved.inode;
    from.directory
        .inode
        .note_entry(InotifyEvents::IN_MOVED_FROM, &from.name, inode, cookie);
    to.directory
        .inode
        .note_entry(InotifyEvents::IN_MOVED_TO, &to.name, inode, cookie);
    if let Some(target) = target {
        target.inode.note(InotifyEvents::IN_ATTRIB);
    }
    inode.note_moved();
}

/// What was looked for, if it is there.
fn found(entry: Result<Arc<Dentry>, Errno>) -> Result<Option<Arc<Dentry>>, Errno> {
    match entry {
        Ok(entry) => Ok(Some(entry)),
        Err(Errno::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The entries of one or two directories, locked.
struct Both<'a> {
    old: &'a mut dyn Entries,
    new: Option<&'a mut dyn Entries>,
}

impl Both<'_> {
    fn new_entries(&mut self) -> &mut dyn Entries {
        match &mut self.new {
            Some(new) => *new,
            None => self.old,
        }
    }
}

enum Plan {
    /// Both names stand for one file already.
    Nothing,
    Move,
    Exchange,
}

/// What is to be done: the entries are locked, and these stand there.
struct Rename<'a> {
    old: &'a LookupResult,
    new: &'a LookupResult,
    moved: Arc<Dentry>,
    /// What stands at the new name.
    target: Option<Arc<Dentry>>,
}

impl Rename<'_> {
    fn check(&self, existing: Existing, subject: &Subject) -> Result<Plan, Errno> {
        let (old, new, moved) = (self.old, self.new, &self.moved);
        let is_directory = moved.inode.is_directory();
        self.check_names(existing)?;
        subject.check_removal(&old.directory.inode, &moved.inode)?;
        if moved.is_mount_point() {
            return Err(Errno::EBUSY);
        }
        if is_directory && new.directory.is_below(moved) {
            return Err(Errno::EINVAL);
        }
        if is_directory && !Arc::ptr_eq(&old.directory, &new.directory) {
            subject.check(&moved.inode, AccessFlags::W_OK)?;
        }
        if let Some(target) = &self.target {
            return self.check_target(target, existing, subject);
        }
        subject.check(&new.directory.inode, AccessFlags::W_OK | AccessFlags::X_OK)?;
        Ok(Plan::Move)
    }

    /// What stands there, and that a slash follows names of directories alone, in Linux's order.
    fn check_names(&self, existing: Existing) -> Result<(), Errno> {
        let is_exchange = existing == Existing::Exchange;
        let target_is_directory = match &self.target {
            Some(_) if existing == Existing::Refuse => return Err(Errno::EEXIST),
            Some(target) => target.inode.is_directory(),
            None if is_exchange => return Err(Errno::ENOENT),
            None => false,
        };
        let new_is_directory = match is_exchange {
            true => target_is_directory,
            false => self.moved.inode.is_directory(),
        };
        let is_wrong = self.old.has_trailing_slash && !self.moved.inode.is_directory()
            || self.new.has_trailing_slash && !new_is_directory;
        if is_wrong { Err(Errno::ENOTDIR) } else { Ok(()) }
    }

    fn check_target(
        &self,
        target: &Arc<Dentry>,
        existing: Existing,
        subject: &Subject,
    ) -> Result<Plan, Errno> {
        let is_target_directory = target.inode.is_directory();
        if is_target_directory && self.old.directory.is_below(target) {
            return Err(if existing == Existing::Exchange {
                Errno::EINVAL
            } else {
                Errno::ENOTEMPTY
            });
        }
        if target.is_mount_point() {
            return Err(Errno::EBUSY);
        }
        if Arc::ptr_eq(&self.moved.inode, &target.inode) {
            return Ok(Plan::Nothing);
        }
        subject.check_removal(&self.new.directory.inode, &target.inode)?;
        let is_reparented = !Arc::ptr_eq(&self.old.directory, &self.new.directory);
        if existing == Existing::Exchange && is_target_directory && is_reparented {
            subject.check(&target.inode, AccessFlags::W_OK)?;
        }
        if existing == Existing::Exchange {
            return Ok(Plan::Exchange);
        }
        match (self.moved.inode.is_directory(), is_target_directory) {
            (true, false) => Err(Errno::ENOTDIR),
            (false, true) => Err(Errno::EISDIR),
            _ => Ok(Plan::Move),
        }
    }

    fn perform_move(&self, both: &mut Both<'_>) -> Result<(), Errno> {
        let (old, new, moved) = (self.old, self.new, &self.moved);
        let is_directory = i32::from(moved.inode.is_directory());
        let name = fallible::boxed_bytes(&new.name)?;
        let mut directories_less = 0;
        if let Some(target) = &self.target {
            if let Some(below) = target.inode.ops.as_directory() {
                below.edit(Nesting::Further, &mut |below| below.close())?;
                directories_less = 1;
            }
            both.new_entries().replace(&new.name, moved.clone())?;
            target.mark_removed();
            target.inode.change(|attributes| {
                attributes.links = if directories_less == 1 {
                    0
                } else {
                    attributes.links.saturating_sub(1)
                };
            });
        } else {
            both.new_entries().insert(&new.name, moved.clone())?;
        }
        both.old.remove(&old.name)?;
        moved.move_to(&new.directory, name);
        adjust_links(&old.directory, -is_directory);
        adjust_links(&new.directory, is_directory - directories_less);
        moved.inode.change(|_| ());
        Ok(())
    }

    fn perform_exchange(&self, both: &mut Both<'_>) -> Result<(), Errno> {
        let (old, new, moved) = (self.old, self.new, &self.moved);
        let other = self.target.as_ref().ok_or(Errno::ENOENT)?;
        let names = (
            fallible::boxed_bytes(&new.name)?,
            fallible::boxed_bytes(&old.name)?,
        );
        both.new_entries().replace(&new.name, moved.clone())?;
        both.old.replace(&old.name, other.clone())?;
        moved.move_to(&new.directory, names.0);
        other.move_to(&old.directory, names.1);
        let difference = i32::from(moved.inode.is_directory()) - i32::from(other.inode.is_directory());
        adjust_links(&old.directory, -difference);
        adjust_links(&new.directory, difference);
        moved.inode.change(|_| ());
        other.inode.change(|_| ());
        Ok(())
    }
}
