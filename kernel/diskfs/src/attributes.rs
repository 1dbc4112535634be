//! Attributes: as the disk has them, and as inodes have them.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use abi::time::TimeSpec;
use abi::xattr::XattrFlags;
use ext4::{Change, Moment, Status};
use vfs::inode::{Attributes, Inode};
use vfs::stored_attributes::StoredAttributes;

use crate::mounted::Mounted;

fn time(moment: Moment) -> TimeSpec {
    TimeSpec {
        sec: moment.seconds,
        nsec: moment.nanoseconds.into(),
    }
}

fn moment(time: TimeSpec) -> Moment {
    Moment {
        seconds: time.sec,
        nanoseconds: time.nsec as u32,
    }
}

/// What an inode has of what the disk says.
pub fn attributes(status: &Status) -> Attributes {
    Attributes {
        mode: u32::from(status.mode) & 0o7777,
        uid: status.user,
        gid: status.group,
        links: status.links.into(),
        is_linkable: false,
        accessed: time(status.accessed),
        modified: time(status.modified),
        changed: time(status.changed),
        born: time(status.created),
    }
}

/// What is on the disk otherwise than in memory; `None` if nothing is.
fn difference(now: &Attributes, stored: &Attributes) -> Option<Change> {
    fn changed<T: PartialEq>(now: T, stored: &T) -> Option<T> {
        (now != *stored).then_some(now)
    }
    let change = Change {
        permissions: changed(now.mode, &stored.mode).map(|mode| mode as u16),
        user: changed(now.uid, &stored.uid),
        group: changed(now.gid, &stored.gid),
        accessed: changed(now.accessed, &stored.accessed).map(moment),
        modified: changed(now.modified, &stored.modified).map(moment),
        changed: changed(now.changed, &stored.changed).map(moment),
    };
    let is_any = change.permissions.is_some()
        || change.user.is_some()
        || change.group.is_some()
        || change.accessed.is_some()
        || change.modified.is_some()
        || change.changed.is_some();
    is_any.then_some(change)
}

impl StoredAttributes for Mounted {
    fn get(&self, inode: u64, name: &[u8]) -> Result<Vec<u8>, Errno> {
        self.with(|tree| tree.extended_attribute(inode as u32, name))
    }

    fn names(&self, inode: u64) -> Result<Vec<u8>, Errno> {
        self.with(|tree| tree.extended_names(inode as u32))
    }

    fn set(&self, inode: u64, name: &[u8], value: Option<&[u8]>, flags: XattrFlags) -> Result<(), Errno> {
        self.with(|tree| tree.set_extended(inode as u32, name, value, flags))
    }
}

impl Mounted {
    /// Stores the attributes of an inode, if they are not as on the disk.
    ///
    /// # Errors
    /// `EROFS`, `EIO`, `ENOMEM`.
    pub fn store_attributes(&self, inode: &Arc<Inode>) -> Result<(), Errno> {
        let number = inode.number as u32;
        let Some((_, kept)) = self.next_inode(number).filter(|(found, _)| *found == number) else {
            return Ok(());
        };
        let now = inode.attributes();
        if let Some(change) = difference(&now, &kept.stored) {
            self.with(|tree| tree.change_status(number, &change))?;
            self.set_stored(number, now);
        }
        Ok(())
    }
}
