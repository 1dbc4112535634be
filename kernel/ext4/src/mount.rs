//! Mounting and unmounting.

use crate::bytes::{le16, le32, put16, put32};
use crate::cache::Cache;
use crate::host::Surroundings;
use crate::superblock::{Geometry, STATE_CLEAN, STATE_ERRORS, SUPERBLOCK_OFFSET, SUPERBLOCK_SIZE, Trust};
use crate::superblock::{field, incompatible, writing};
use crate::volume::{Access, Ext4, Ext4Options};
use abi::Errno;
use alloc::sync::Arc;
use alloc::vec::Vec;
use block::{BlockDevice, SECTOR_SIZE};
use memory::fallible;

impl Ext4 {
    /// Mounts what is on a disk: replays its journal, frees the files that were open without a name.
    ///
    /// # Errors
    /// `EINVAL` if there is no such file system or it needs what is not there, `EUCLEAN` if it is damaged, `EROFS` if it must be written
    /// and cannot, `EIO`, `ENOMEM`.
    pub fn mount(
        disk: Arc<dyn BlockDevice>,
        surroundings: Arc<dyn Surroundings>,
        options: Ext4Options,
    ) -> Result<Ext4, Errno> {
        let mut raw = fallible::filled(SUPERBLOCK_SIZE, 0)?;
        let sectors = SUPERBLOCK_OFFSET / SECTOR_SIZE as u64;
        disk.read(sectors, &mut raw).map_err(|_| Errno::EIO)?;
        let size = disk.sectors().saturating_mul(SECTOR_SIZE as u64);
        let whole = Geometry::read(&raw, size, Trust::Whole);
        let is_torn = matches!(whole, Err(Errno::EUCLEAN));
        let geometry = if is_torn {
            Geometry::read(&raw, size, Trust::Torn)?
        } else {
            whole?
        };
        let mut mounted = Ext4 {
            disk,
            surroundings,
            geometry,
            cache: Cache::new(options.cached_blocks.max(64)),
            journal: None,
            system: Vec::new(),
            touched: Vec::new(),
            access: Access::ReadWrite,
            aborted: None,
            is_damaged: false,
            freed: 0,
        };
        if options.access == Access::ReadWrite {
            mounted.check_writing()?;
        }
        // Power may have gone while the file system grew, so that the journal alone has the descriptors of the groups that came.
        let trust = match mounted.geometry.has_incompatible(incompatible::RECOVER) {
            true => Trust::Torn,
            false => Trust::Whole,
        };
        mounted.read_groups(trust)?;
        if mounted.open_journal()? {
            // What the journal had may be the superblock itself, and anything else that was read.
            mounted.disk.read(sectors, &mut raw)?;
            mounted.geometry = Geometry::read(&raw, size, Trust::Whole)?;
            mounted.cache = Cache::new(options.cached_blocks.max(64));
            mounted.system = Vec::new();
            mounted.read_groups(Trust::Whole)?;
        } else if is_torn {
            return Err(Errno::EUCLEAN);
        } else if trust == Trust::Torn {
            mounted.system = Vec::new();
            mounted.read_groups(Trust::Whole)?;
        }
        mounted.begin(options.access)?;
        Ok(mounted)
    }

    /// Whether it can be written at all.
    fn check_writing(&self) -> Result<(), Errno> {
        let is_known = self.geometry.writing & !writing::KNOWN == 0;
        // Blocks that are not unwritten extents would show old bytes after a loss of power.
        let has_extents = self.geometry.has_incompatible(incompatible::EXTENTS);
        if self.disk.is_read_only() || !is_known || !has_extents {
            return Err(Errno::EROFS);
        }
        Ok(())
    }

    /// A file system that is only read keeps its files without a name: freeing them is a change.
    fn begin(&mut self, access: Access) -> Result<(), Errno> {
        self.access = access;
        if access == Access::ReadOnly {
            return Ok(());
        }
        self.begin_journal()?;
        self.note_mounted()?;
        self.free_orphans()
    }

    /// The superblock says that the journal counts. It gets to its place by way of the journal, so that it is never torn for good.
    fn note_mounted(&mut self) -> Result<(), Errno> {
        let now = self.now().seconds as u32;
        let has_journal = self.journal.is_some();
        self.settle_superblock(|raw| {
            if has_journal {
                let features = le32(raw, field::INCOMPATIBLE)?;
                put32(raw, field::INCOMPATIBLE, features | incompatible::RECOVER)?;
            } else {
                let state = le16(raw, field::STATE)?;
                put16(raw, field::STATE, state & !STATE_CLEAN)?;
            }
            let count = le16(raw, field::MOUNT_COUNT)?;
            put16(raw, field::MOUNT_COUNT, count.wrapping_add(1))?;
            put32(raw, field::MOUNT_TIME, now)?;
            put32(raw, field::WRITE_TIME, now)
        })
    }

    /// Changes the superblock, and writes it to its place.
    fn settle_superblock(&mut self, change: impl Fn(&mut [u8]) -> Result<(), Errno>) -> Result<(), Errno> {
        self.transact(|volume| change(volume.change_superblock()?))?;
        self.commit()?;
        self.checkpoint()
    }

    /// Writes everything and says that the file system is in order. Further changes are refused.
    ///
    /// # Errors
    /// `EIO`, `ENOMEM`: the journal is replayed when it is mounted again.
    pub fn unmount(&mut self) -> Result<(), Errno> {
        if self.access == Access::ReadOnly {
            return Ok(());
        }
        self.may_write()?;
        self.commit()?;
        self.checkpoint()?;
        let is_damaged = self.is_damaged;
        self.settle_superblock(|raw| {
            let features = le32(raw, field::INCOMPATIBLE)?;
            put32(raw, field::INCOMPATIBLE, features & !incompatible::RECOVER)?;
            let state = le16(raw, field::STATE)? | STATE_CLEAN;
            put16(
                raw,
                field::STATE,
                if is_damaged { state | STATE_ERRORS } else { state },
            )
        })?;
        self.access = Access::ReadOnly;
        Ok(())
    }

    /// Mounted for reading only from now on, or for writing too.
    ///
    /// # Errors
    /// `EROFS` if it cannot be written; as of [`Ext4::unmount`].
    pub fn set_access(&mut self, access: Access) -> Result<(), Errno> {
        match (self.access, access) {
            (Access::ReadWrite, Access::ReadOnly) => self.unmount(),
            (Access::ReadOnly, Access::ReadWrite) => {
                self.check_writing()?;
                self.read_again()?;
                let begun = self.begin(access);
                if begun.is_err() {
                    self.access = Access::ReadOnly;
                }
                begun
            }
            _ => Ok(()),
        }
    }

    /// While it was mounted for reading only, e2fsck may have mended it on the disk: nothing that was read before counts.
    fn read_again(&mut self) -> Result<(), Errno> {
        let mut raw = fallible::filled(SUPERBLOCK_SIZE, 0)?;
        self.disk.read(SUPERBLOCK_OFFSET / SECTOR_SIZE as u64, &mut raw)?;
        let size = self.disk.sectors().saturating_mul(SECTOR_SIZE as u64);
        self.geometry = Geometry::read(&raw, size, Trust::Whole)?;
        self.cache.forget_all();
        let known = core::mem::take(&mut self.system);
        self.read_groups(Trust::Whole)
            .inspect_err(|_| self.system = known)
    }
}
