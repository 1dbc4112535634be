//! A mounted file system: its blocks, and calls that change all or nothing.

use crate::bytes::{le32, put32, slice_mut};
use crate::cache::{Bytes, Cache, Forget};
use crate::host::{Moment, Surroundings};
use crate::journal::log::Journal;
use crate::seal::{Seal, checksum};
use crate::superblock::{self, Geometry, SUPERBLOCK_SIZE, compatible, field, seal_superblock};
use abi::Errno;
use alloc::sync::Arc;
use alloc::vec::Vec;
use block::BlockDevice;
use memory::fallible;

/// Whether a file system may be changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// It is only read. A journal that was not replayed still is, as Linux does.
    ReadOnly,
    /// It is written.
    ReadWrite,
}

/// How a file system is mounted.
#[derive(Clone, Copy, Debug)]
pub struct Ext4Options {
    /// Whether it may be changed.
    pub access: Access,
    /// Most blocks of metadata that are kept though they could be read again.
    pub cached_blocks: usize,
}

impl Default for Ext4Options {
    fn default() -> Ext4Options {
        Ext4Options {
            access: Access::ReadWrite,
            cached_blocks: 1024,
        }
    }
}

/// A mounted file system. One call at a time: the kernel has it behind a sleeping mutex. Bytes of files are no concern of that
/// mutex: [`Ext4::map`] says where they are, and the page cache moves them.
pub struct Ext4 {
    pub(crate) disk: Arc<dyn BlockDevice>,
    pub(crate) surroundings: Arc<dyn Surroundings>,
    pub(crate) geometry: Geometry,
    pub(crate) cache: Cache,
    pub(crate) journal: Option<Journal>,
    /// Blocks of the file system's own, by number; none overlap.
    pub(crate) system: Vec<(u64, u64)>,
    /// Groups that the running transaction has changed.
    pub(crate) touched: Vec<u32>,
    pub(crate) access: Access,
    /// Writing the journal has failed: nothing is changed any more.
    pub(crate) aborted: Option<Errno>,
    /// Damage was seen.
    pub(crate) is_damaged: bool,
    /// Blocks that the running transaction freed.
    pub(crate) freed: u64,
}

/// Most blocks that a call may change beside those that are running.
const LARGEST_CALL: usize = 256;

impl Ext4 {
    /// Whether it may be changed.
    pub fn access(&self) -> Access {
        self.access
    }

    /// Whether damage was seen since it was mounted, for the log.
    pub fn is_damaged(&self) -> bool {
        self.is_damaged
    }

    /// Why nothing is written any more: the journal could not be.
    pub fn aborted(&self) -> Option<Errno> {
        self.aborted
    }

    /// Bytes of a block.
    pub fn block_size(&self) -> usize {
        self.geometry.block_size
    }

    pub(crate) fn now(&self) -> Moment {
        self.surroundings.now()
    }

    pub(crate) fn may_write(&self) -> Result<(), Errno> {
        match (self.access, self.aborted) {
            (Access::ReadOnly, _) => Err(Errno::EROFS),
            (_, Some(_)) => Err(Errno::EROFS),
            _ => Ok(()),
        }
    }

    /// The first sector of a block.
    pub(crate) fn sector(&self, block: u64) -> u64 {
        block << (self.geometry.block_shift - 9)
    }

    /// Reads blocks that follow each other from the disk.
    pub(crate) fn read_blocks(&self, block: u64, bytes: &mut [u8]) -> Result<(), Errno> {
        self.disk.read(self.sector(block), bytes)
    }

    /// Writes blocks that follow each other to the disk.
    pub(crate) fn write_blocks(&self, block: u64, bytes: &[u8]) -> Result<(), Errno> {
        self.disk.write(self.sector(block), bytes)
    }

    /// A block of metadata. `EUCLEAN` if there is no such block or its checksum is wrong.
    pub(crate) fn block(&mut self, block: u64, seal: Seal) -> Result<Bytes, Errno> {
        let (bytes, is_verified) = match self.cache.get(block) {
            Some(found) => found,
            None => (self.read_block(block)?, false),
        };
        if !is_verified && seal != Seal::None && seal != Seal::Bitmap {
            self.check_seal(&bytes, seal)?;
            self.cache.set_verified(block);
        }
        Ok(bytes)
    }

    fn read_block(&mut self, block: u64) -> Result<Bytes, Errno> {
        if block >= self.geometry.blocks {
            return Err(Errno::EUCLEAN);
        }
        let mut bytes = fallible::filled(self.geometry.block_size, 0)?;
        self.read_blocks(block, &mut bytes)?;
        let bytes = fallible::arc(bytes)?;
        self.cache.insert(block, bytes.clone())?;
        Ok(bytes)
    }

    fn check_seal(&self, bytes: &[u8], seal: Seal) -> Result<(), Errno> {
        if !self.geometry.has_checksums() {
            return Ok(());
        }
        match checksum(seal, bytes, self.geometry.checksum_seed)? {
            Some((at, sum)) if le32(bytes, at)? != sum => Err(Errno::EUCLEAN),
            _ => Ok(()),
        }
    }

    /// A block of metadata for a change by the call under way.
    pub(crate) fn change(&mut self, block: u64, seal: Seal) -> Result<&mut Vec<u8>, Errno> {
        self.block(block, seal)?;
        self.cache.change(block, seal)
    }

    /// A block that was just allocated, zeros.
    pub(crate) fn create_block(&mut self, block: u64, seal: Seal) -> Result<&mut Vec<u8>, Errno> {
        self.cache.create(block, self.geometry.block_size, seal)
    }

    /// The block is no metadata any more.
    pub(crate) fn forget(&mut self, block: u64, how: Forget) -> Result<(), Errno> {
        self.cache.forget(block, how)
    }

    /// Makes a change that happens as a whole, or not at all if it fails.
    pub(crate) fn transact<T>(
        &mut self,
        mut work: impl FnMut(&mut Ext4) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        self.may_write()?;
        self.make_room()?;
        let mut done = self.attempt(&mut work);
        if matches!(done, Err(Errno::ENOSPC)) && self.freed > 0 {
            // Blocks that were freed since the last commit are free only after the next.
            self.commit()?;
            done = self.attempt(&mut work);
        }
        if matches!(done, Err(Errno::EUCLEAN)) {
            self.is_damaged = true;
        }
        done
    }

    fn attempt<T>(&mut self, work: &mut impl FnMut(&mut Ext4) -> Result<T, Errno>) -> Result<T, Errno> {
        let freed = self.freed;
        let done = work(self).and_then(|value| self.cache.keep().map(|()| value));
        if done.is_err() {
            self.cache.undo();
            self.freed = freed;
        }
        done
    }

    /// So many blocks the running transaction may have before it is committed.
    fn most_running(&self) -> usize {
        match &self.journal {
            Some(journal) => (journal.capacity() / 4).clamp(32, 2048),
            None => 256,
        }
    }

    /// Whether a call that goes on for long should let a transaction begin.
    pub(crate) fn is_large(&self) -> bool {
        self.cache.changes() >= LARGEST_CALL.min(self.most_running() / 4)
    }

    fn make_room(&mut self) -> Result<(), Errno> {
        if self.cache.running.len() + self.cache.revoked.len() >= self.most_running() {
            self.commit()?;
        }
        if self.cache.awaiting.len() >= 2 * self.most_running() {
            self.checkpoint()?;
        }
        self.cache.shrink();
        self.surroundings.breathe();
        Ok(())
    }

    /// Writes all checksums that the running transaction needs.
    fn seal_running(&mut self) -> Result<(), Errno> {
        self.seal_groups()?;
        let (superblock, at) = self.geometry.superblock_place();
        for index in 0..self.cache.running.len() {
            let block = self.cache.running[index];
            let Some(seal) = self.cache.slot(block).map(|slot| slot.seal) else {
                continue;
            };
            let Some(bytes) = self.cache.running_bytes(block)? else {
                continue;
            };
            if self.geometry.has_checksums()
                && let Some((at, sum)) = checksum(seal, bytes, self.geometry.checksum_seed)?
            {
                put32(bytes, at, sum)?;
            }
            if block == superblock {
                seal_superblock(slice_mut(bytes, at, SUPERBLOCK_SIZE)?, &self.geometry)?;
            }
        }
        Ok(())
    }

    /// Returns when all calls so far would survive a loss of power.
    ///
    /// # Errors
    /// `EIO`: nothing is changed from then on. `EROFS` if that happened before; `ENOMEM`.
    pub fn commit(&mut self) -> Result<(), Errno> {
        if self.access == Access::ReadOnly {
            return Ok(());
        }
        self.may_write()?;
        self.cache.tidy_running();
        if self.cache.running.is_empty() && self.cache.revoked.is_empty() {
            return self.disk.flush();
        }
        self.seal_running()?;
        self.cache.reserve_commit()?;
        let done = self.write_journal();
        match done {
            Ok(()) => {
                self.cache.committed_all();
                self.touched.clear();
                self.freed = 0;
                if self.journal.is_none() {
                    self.checkpoint()?;
                }
                Ok(())
            }
            // Nothing was written yet.
            Err(Errno::ENOMEM) => Err(Errno::ENOMEM),
            Err(error) => {
                self.aborted = Some(error);
                Err(error)
            }
        }
    }

    /// Free blocks and inodes, by the superblock as the call under way sees it.
    pub(crate) fn superblock_bytes(&mut self) -> Result<Bytes, Errno> {
        let (block, at) = self.geometry.superblock_place();
        let bytes = self.block(block, Seal::None)?;
        if at == 0 {
            return Ok(bytes);
        }
        fallible::arc(fallible::bytes(crate::bytes::slice(
            &bytes,
            at,
            SUPERBLOCK_SIZE,
        )?)?)
    }

    /// The superblock for a change by the call under way.
    pub(crate) fn change_superblock(&mut self) -> Result<&mut [u8], Errno> {
        let (block, at) = self.geometry.superblock_place();
        slice_mut(self.change(block, Seal::None)?, at, SUPERBLOCK_SIZE)
    }

    /// What statfs(2) says.
    ///
    /// # Errors
    /// `EIO`, `ENOMEM`.
    pub fn usage(&mut self) -> Result<FsUsage, Errno> {
        let raw = self.superblock_bytes()?;
        let head: u64 = self.system.iter().map(|range| range.1 - range.0).sum();
        let journal = self
            .journal
            .as_ref()
            .map_or(0, |journal| journal.capacity() as u64);
        Ok(FsUsage {
            blocks: self
                .geometry
                .blocks
                .saturating_sub(head + journal + self.geometry.first_block),
            free_blocks: superblock::free_blocks(&raw, &self.geometry)?,
            reserved_blocks: self.geometry.reserved_blocks,
            inodes: self.geometry.inodes,
            free_inodes: le32(&raw, field::FREE_INODES)?,
            uuid: self.geometry.uuid,
            label: self.geometry.label,
        })
    }

    /// Whether directories of it may have an index.
    pub(crate) fn has_index(&self) -> bool {
        self.geometry.has_compatible(compatible::DIRECTORY_INDEX)
    }
}

/// How full a file system is.
#[derive(Clone, Copy, Debug)]
pub struct FsUsage {
    /// Blocks without those that the file system needs for itself.
    pub blocks: u64,
    /// Free ones.
    pub free_blocks: u64,
    /// Of which only root may use so many.
    pub reserved_blocks: u64,
    /// Inodes.
    pub inodes: u32,
    /// Free ones.
    pub free_inodes: u32,
    /// Its name for machines,
    pub uuid: [u8; 16],
    /// and for people; zeros behind it.
    pub label: [u8; 16],
}
