//! What stat(2) says of a file, and how it is changed.

use crate::bytes::{put16, put32};
use crate::host::Moment;
use crate::inode::{DiskInode, Stamp};
use crate::volume::Ext4;
use abi::Errno;

/// What is known of a file beside its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Status {
    /// The inode.
    pub inode: u32,
    /// Kind and permissions, as `st_mode`.
    pub mode: u16,
    /// Who owns it.
    pub user: u32,
    /// The group that owns it.
    pub group: u32,
    /// How many names it has.
    pub links: u16,
    /// Bytes.
    pub size: u64,
    /// Blocks of 512 bytes.
    pub sectors: u64,
    /// Last read.
    pub accessed: Moment,
    /// Last change of the bytes.
    pub modified: Moment,
    /// Last change of anything.
    pub changed: Moment,
    /// When it was made.
    pub created: Moment,
    /// `i_flags`: `FS_IMMUTABLE_FL` and its kin.
    pub flags: u32,
    /// Tells it from earlier files of that inode.
    pub generation: u32,
    /// Major and minor number of a device node.
    pub device: (u32, u32),
}

/// What is to be changed; `None` stays.
#[derive(Clone, Copy, Default, Debug)]
pub struct Change {
    /// Permissions: the lower twelve bits.
    pub permissions: Option<u16>,
    /// Who owns it.
    pub user: Option<u32>,
    /// The group that owns it.
    pub group: Option<u32>,
    /// Last read.
    pub accessed: Option<Moment>,
    /// Last change of the bytes.
    pub modified: Option<Moment>,
    /// Last change of anything.
    pub changed: Option<Moment>,
}

impl Ext4 {
    /// What stat(2) says.
    ///
    /// # Errors
    /// `ESTALE` if no file has that inode, `EUCLEAN`, `EIO`, `ENOMEM`.
    pub fn status(&mut self, number: u32) -> Result<Status, Errno> {
        let inode = self.live_inode(number)?;
        self.status_of(&inode)
    }

    fn status_of(&self, inode: &DiskInode) -> Result<Status, Errno> {
        let (user, group) = inode.owner()?;
        let mode = inode.mode()?;
        let is_device = matches!(mode & 0xf000, 0x2000 | 0x6000);
        Ok(Status {
            inode: inode.number,
            mode,
            user,
            group,
            links: inode.links()?,
            size: inode.size()?,
            sectors: inode.sectors(&self.geometry)?,
            accessed: inode.time(Stamp::Access)?,
            modified: inode.time(Stamp::Modify)?,
            changed: inode.time(Stamp::Change)?,
            created: inode.time(Stamp::Create)?,
            flags: inode.flags()?,
            generation: inode.generation()?,
            device: if is_device { inode.device()? } else { (0, 0) },
        })
    }

    /// chmod(2), chown(2), utimensat(2).
    ///
    /// # Errors
    /// `EROFS`, as of [`Ext4::status`].
    pub fn change_status(&mut self, number: u32, change: &Change) -> Result<(), Errno> {
        self.transact(|volume| {
            let mut inode = volume.live_inode(number)?;
            if let Some(permissions) = change.permissions {
                let mode = inode.mode()? & 0xf000 | permissions & 0o7777;
                put16(&mut inode.raw, 0, mode)?;
            }
            let (user, group) = inode.owner()?;
            inode.set_owner(change.user.unwrap_or(user), change.group.unwrap_or(group))?;
            let times = [
                (Stamp::Access, change.accessed),
                (Stamp::Modify, change.modified),
                (Stamp::Change, change.changed),
            ];
            for (stamp, moment) in times {
                if let Some(moment) = moment {
                    inode.set_time(stamp, moment)?;
                }
            }
            volume.put_inode(&mut inode)
        })
    }

    /// `FS_IOC_SETFLAGS`: the bits of `mask` become those of `flags`.
    ///
    /// # Errors
    /// `EOPNOTSUPP` for bits that say how the file is stored; `EROFS`, as of [`Ext4::status`].
    pub fn set_flags(&mut self, number: u32, mask: u32, flags: u32) -> Result<(), Errno> {
        use crate::inode::flag;
        if mask & !(flag::IMMUTABLE | flag::APPEND | flag::INHERITED) != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        self.transact(|volume| {
            let mut inode = volume.live_inode(number)?;
            let new = inode.flags()? & !mask | flags & mask;
            put32(&mut inode.raw, 0x20, new)?;
            volume.touch(&mut inode, &[Stamp::Change])?;
            volume.put_inode(&mut inode)
        })
    }
}
