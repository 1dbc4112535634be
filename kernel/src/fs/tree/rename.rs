//! renameat2(2).

use alloc::sync::Arc;

use crate::fallible;
use abi::Errno;
use abi::file::{W_OK, X_OK};

use super::super::dentry::Dentry;
use super::super::directory::{Entries, LockedEntries};
use super::super::inode::Body;
use super::super::permission::Subject;
use super::super::walk::{End, Last};
use super::{adjust_links, check_writable, children, keep_shape};

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
    check_writable(&old.directory)?;
    let dropped_behind_the_locks = {
        let _shape = keep_shape();
        let mut both = Both::lock(old, new)?;
        let moved = both.old.get(&old.name).ok_or(Errno::ENOENT)?;
        let target = both.new_entries().get(&new.name);
        let change = Change {
            old,
            new,
            moved,
            target,
        };
        match change.check(existing, subject)? {
            Plan::Nothing => {}
            Plan::Move => change.perform_move(&mut both)?,
            Plan::Exchange => change.perform_exchange(&mut both)?,
        }
        (change.moved, change.target)
    };
    drop(dropped_behind_the_locks);
    Ok(())
}

/// The entries of one or two directories, locked. While the shape is kept any order of two will do.
struct Both<'a> {
    old: LockedEntries<'a>,
    new: Option<LockedEntries<'a>>,
}

impl<'a> Both<'a> {
    fn lock(old: &'a End, new: &'a End) -> Result<Self, Errno> {
        let is_same = Arc::ptr_eq(&old.directory.inode, &new.directory.inode);
        let (above, above_new) = (
            children(&old.directory, Errno::EPERM)?,
            children(&new.directory, Errno::EPERM)?,
        );
        let old = above.lock();
        let new = (!is_same).then(|| above_new.lock_further());
        Ok(Both { old, new })
    }

    fn new_entries(&mut self) -> &mut Entries {
        self.new.as_deref_mut().unwrap_or(&mut self.old)
    }
}

enum Plan {
    /// Both names stand for one file already.
    Nothing,
    Move,
    Exchange,
}

/// What is to be done: the entries are locked, and these stand there.
struct Change<'a> {
    old: &'a End,
    new: &'a End,
    moved: Arc<Dentry>,
    /// What stands at the new name.
    target: Option<Arc<Dentry>>,
}

impl Change<'_> {
    fn check(&self, existing: Existing, subject: &Subject) -> Result<Plan, Errno> {
        let (old, new, moved) = (self.old, self.new, &self.moved);
        let is_directory = moved.inode.is_directory();
        subject.check_removal(&old.directory.inode, &moved.inode)?;
        if moved.is_mount_point() {
            return Err(Errno::EBUSY);
        }
        if is_directory && new.directory.is_below(moved) {
            return Err(Errno::EINVAL);
        }
        if is_directory && !Arc::ptr_eq(&old.directory, &new.directory) {
            subject.check(&moved.inode, W_OK)?;
        }
        if let Some(target) = &self.target {
            return self.check_target(target, existing, subject);
        }
        if existing == Existing::Exchange {
            return Err(Errno::ENOENT);
        }
        if !is_directory && (new.has_trailing_slash || old.has_trailing_slash) {
            return Err(Errno::ENOTDIR);
        }
        subject.check(&new.directory.inode, W_OK | X_OK)?;
        Ok(Plan::Move)
    }

    fn check_target(
        &self,
        target: &Arc<Dentry>,
        existing: Existing,
        subject: &Subject,
    ) -> Result<Plan, Errno> {
        if existing == Existing::Refuse {
            return Err(Errno::EEXIST);
        }
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
            subject.check(&target.inode, W_OK)?;
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
            if let Body::Directory(below) = &target.inode.body {
                below.lock_further().close()?;
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
        both.old.remove(&old.name);
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
