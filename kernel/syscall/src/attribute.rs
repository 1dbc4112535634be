//! Changing what is known of files: chmod(2), chown(2), utimensat(2).

use abi::Errno;
use abi::capability::{CAP_CHOWN, CAP_FSETID};
use abi::events::InotifyEvents;
use abi::file::{AT_FDCWD, AccessFlags, AtFlags, S_IFLNK, S_ISGID, UTIME_NOW, UTIME_OMIT};
use abi::time::TimeSpec;

use super::flags::decode;
use super::lookup::{Lookup, file};
use task::thread::{Thread, ThreadExt};
use uaccess::read_value;
use vfs::inode::{now, without_set_ids};
use vfs::inode_watch::NoteCause;
use vfs::{Dentry, Inode, Subject};

/// In place of an id: leave it.
const UNCHANGED: u32 = u32::MAX;

/// fchmod(2).
///
/// # Errors
/// `EBADF`. `EPERM`: not the owner, or a file of /proc. `EROFS`: a read-only mount.
pub fn fchmod(current: &Thread, descriptor: i32, mode: u32) -> Result<usize, Errno> {
    let file = file(current, descriptor)?;
    if file.is_path() {
        return Err(Errno::EBADF);
    }
    change_mode(&file.dentry, mode, &Subject::new(current.process().credentials()))
}

/// fchmodat(2): the call has no flags; links are followed.
///
/// # Errors
/// As for [`fchmodat2`] without flags.
pub fn fchmodat(current: &Thread, directory: i32, path: u64, mode: u32) -> Result<usize, Errno> {
    fchmodat2(current, directory, path, mode, 0)
}

/// fchmodat2(2).
///
/// # Errors
/// Those of paths. `EINVAL`: unknown flags. `EOPNOTSUPP`: a symbolic link, which has no mode of its own. `EPERM`: not
/// the owner, or a file of /proc. `EROFS`: a read-only mount.
pub fn fchmodat2(current: &Thread, directory: i32, path: u64, mode: u32, flags: u32) -> Result<usize, Errno> {
    let flags = decode(flags, AtFlags::AT_SYMLINK_NOFOLLOW | AtFlags::AT_EMPTY_PATH)?;
    let lookup = Lookup::new(current, directory, path)?;
    let found = lookup.find_with(flags)?;
    if found.inode.kind() == S_IFLNK {
        return Err(Errno::EOPNOTSUPP);
    }
    change_mode(&found, mode, &lookup.subject)
}

fn change_mode(file: &Dentry, mode: u32, subject: &Subject) -> Result<usize, Errno> {
    let inode = &file.inode;
    inode.filesystem.flags.check_writable()?;
    if !subject.is_owner(inode) {
        return Err(Errno::EPERM);
    }
    check_changeable(inode)?;
    // Who is not in the file's group cannot make it run as that group.
    let is_group_kept = subject.is_in_group(inode.attributes().gid) || subject.can(CAP_FSETID);
    let mode = if is_group_kept { mode } else { mode & !S_ISGID };
    let mode = mode & 0o7777;
    // As FAT of Linux: what has no place on the disk is refused, or stays as mount(2) said.
    match inode.ops.keeps_owners() {
        true => inode.change(|attributes| attributes.mode = mode),
        false if mode & !0o777 != 0 => return Err(Errno::EPERM),
        false => {}
    }
    file.note(InotifyEvents::IN_ATTRIB, NoteCause::Attributes);
    Ok(0)
}

/// /proc says what it says: `EPERM`.
fn check_changeable(inode: &Inode) -> Result<(), Errno> {
    if inode.is_made_up() {
        Err(Errno::EPERM)
    } else {
        Ok(())
    }
}

/// fchown(2).
///
/// # Errors
/// `EBADF`. `EPERM`: not the owner, or an owner who gives the file away or to a group that it is not in, without
/// `CAP_CHOWN`; a file of /proc. `EROFS`: a read-only mount.
pub fn fchown(current: &Thread, descriptor: i32, uid: u32, gid: u32) -> Result<usize, Errno> {
    let file = file(current, descriptor)?;
    if file.is_path() {
        return Err(Errno::EBADF);
    }
    change_owner(
        &file.dentry,
        uid,
        gid,
        &Subject::new(current.process().credentials()),
    )
}

/// fchownat(2).
///
/// # Errors
/// Those of paths. `EINVAL`: unknown flags. The others as for [`fchown`].
pub fn fchownat(
    current: &Thread,
    directory: i32,
    path: u64,
    uid: u32,
    gid: u32,
    flags: u32,
) -> Result<usize, Errno> {
    let flags = decode(flags, AtFlags::AT_SYMLINK_NOFOLLOW | AtFlags::AT_EMPTY_PATH)?;
    let lookup = Lookup::new(current, directory, path)?;
    let found = lookup.find_with(flags)?;
    change_owner(&found, uid, gid, &lookup.subject)
}

/// Only user 0 gives files away; an owner may choose among the groups that he is in.
fn change_owner(file: &Dentry, uid: u32, gid: u32, subject: &Subject) -> Result<usize, Errno> {
    let inode = &file.inode;
    inode.filesystem.flags.check_writable()?;
    let old = inode.attributes();
    let keeps_owner = uid == UNCHANGED || uid == old.uid;
    let keeps_group = gid == UNCHANGED || gid == old.gid || subject.is_in_group(gid);
    let is_allowed = (subject.owner() == old.uid && keeps_owner && keeps_group) || subject.can(CAP_CHOWN);
    if !is_allowed {
        return Err(Errno::EPERM);
    }
    check_changeable(inode)?;
    let is_same = keeps_owner && (gid == UNCHANGED || gid == old.gid);
    if !inode.ops.keeps_owners() && !is_same {
        return Err(Errno::EPERM);
    }
    let is_directory = inode.is_directory();
    inode.change(|attributes| {
        if uid != UNCHANGED {
            attributes.uid = uid;
        }
        if gid != UNCHANGED {
            attributes.gid = gid;
        }
        if !is_directory {
            attributes.mode = without_set_ids(attributes.mode);
        }
    });
    if uid != UNCHANGED || gid != UNCHANGED || inode.attributes().mode != old.mode {
        file.note(InotifyEvents::IN_ATTRIB, NoteCause::Attributes);
    }
    Ok(0)
}

/// utimensat(2); without a path, the descriptor itself.
///
/// # Errors
/// Those of paths. `EINVAL`: unknown flags, or nanoseconds that are none. `EFAULT`: neither path nor descriptor.
/// `EBADF`. `EACCES`: both to be now, by somebody who may not write. `EPERM`: other times, by somebody who is not the
/// owner; a file of /proc. `EROFS`: a read-only mount. Those of user memory.
pub fn utimensat(
    current: &Thread,
    directory: i32,
    path: u64,
    times: u64,
    flags: u32,
) -> Result<usize, Errno> {
    let flags = decode(flags, AtFlags::AT_SYMLINK_NOFOLLOW | AtFlags::AT_EMPTY_PATH)?;
    let [accessed, modified] = if times == 0 {
        [TimeChange::Now, TimeChange::Now]
    } else {
        let times = read_value::<[TimeSpec; 2]>(times)?;
        [TimeChange::of(times[0])?, TimeChange::of(times[1])?]
    };
    let subject = Subject::new(current.process().credentials());
    if path == 0 {
        if directory == AT_FDCWD {
            return Err(Errno::EFAULT);
        }
        let file = file(current, directory)?;
        return change_times(&file.dentry, accessed, modified, &subject);
    }
    let found = Lookup::new(current, directory, path)?.find_with(flags)?;
    change_times(&found, accessed, modified, &subject)
}

/// What becomes of a time stamp.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TimeChange {
    Keep,
    Now,
    To(TimeSpec),
}

impl TimeChange {
    fn of(time: TimeSpec) -> Result<Self, Errno> {
        match time.nsec {
            UTIME_NOW => Ok(TimeChange::Now),
            UTIME_OMIT => Ok(TimeChange::Keep),
            0..=999_999_999 => Ok(TimeChange::To(time)),
            _ => Err(Errno::EINVAL),
        }
    }

    fn apply(self, to: &mut TimeSpec, now: TimeSpec) {
        match self {
            TimeChange::Keep => {}
            TimeChange::Now => *to = now,
            TimeChange::To(time) => *to = time,
        }
    }
}

/// Who may write may set both to now; anything else is for the owner. `EACCES`, `EPERM`.
fn change_times(
    file: &Dentry,
    accessed: TimeChange,
    modified: TimeChange,
    subject: &Subject,
) -> Result<usize, Errno> {
    if accessed == TimeChange::Keep && modified == TimeChange::Keep {
        return Ok(0);
    }
    let inode = &file.inode;
    inode.filesystem.flags.check_writable()?;
    if !subject.is_owner(inode) {
        let is_touch = accessed == TimeChange::Now && modified == TimeChange::Now;
        subject
            .check(inode, AccessFlags::W_OK)
            .map_err(|error| if is_touch { error } else { Errno::EPERM })?;
        if !is_touch {
            return Err(Errno::EPERM);
        }
    }
    check_changeable(inode)?;
    let now = now();
    inode.change(|attributes| {
        accessed.apply(&mut attributes.accessed, now);
        modified.apply(&mut attributes.modified, now);
    });
    // One time alone looks as if the file were read, or written.
    let what = match (accessed, modified) {
        (TimeChange::Keep, _) => InotifyEvents::IN_MODIFY,
        (_, TimeChange::Keep) => InotifyEvents::IN_ACCESS,
        _ => InotifyEvents::IN_ATTRIB,
    };
    file.note(what, NoteCause::Attributes);
    Ok(0)
}
