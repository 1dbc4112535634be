//! The journal (jbd2): found, replayed, written.

mod commit;
pub(crate) mod log;
mod replay;

use crate::bytes::{be32, put, put_be32};
use crate::extents::BlockState;
use crate::superblock::{compatible, incompatible as volume_features};
use crate::volume::Ext4;
use abi::Errno;
use alloc::vec::Vec;
use log::{Journal, LogRun, incompatible, kind};
use memory::fallible::{self, TryVec};

impl Ext4 {
    /// Finds the journal and replays it if it must be. Whether anything was written.
    pub(crate) fn open_journal(&mut self) -> Result<bool, Errno> {
        if !self.geometry.has_compatible(compatible::JOURNAL) {
            return Ok(false);
        }
        let inode = self.inode(self.geometry.journal_inode)?;
        if !inode.is_regular()? {
            return Err(Errno::EUCLEAN);
        }
        let blocks = inode.size()? >> self.geometry.block_shift;
        let blocks = u32::try_from(blocks).map_err(|_| Errno::EUCLEAN)?;
        let mut runs = Vec::new();
        let mut at = 0;
        while at < blocks {
            let found = self.map_inode(&inode, at, blocks - at)?;
            if found.state != BlockState::Written || found.len == 0 {
                return Err(Errno::EUCLEAN);
            }
            runs.try_push(LogRun {
                first: at,
                len: found.len,
                physical: found.physical,
            })?;
            at += found.len;
        }
        let mut raw = fallible::filled(self.geometry.block_size, 0)?;
        let first = runs.first().ok_or(Errno::EUCLEAN)?.physical;
        self.read_blocks(first, &mut raw)?;
        let mut journal = Journal::read(raw, runs, self.geometry.block_size)?;
        let was_replayed = journal.head != 0;
        if was_replayed {
            if self.disk.is_read_only() {
                return Err(Errno::EROFS);
            }
            self.replay(&mut journal)?;
        }
        journal.head = journal.first;
        self.journal = Some(journal);
        if was_replayed {
            self.close_journal()?;
        }
        Ok(was_replayed)
    }

    /// The journal is empty, and transactions will be written to it.
    pub(crate) fn begin_journal(&mut self) -> Result<(), Errno> {
        if let Some(mut journal) = self.journal.take() {
            let chosen = self.choose_features(&mut journal);
            self.journal = Some(journal);
            chosen?;
        }
        self.close_journal()
    }

    /// The features with which transactions are written: those that Linux sets when it mounts.
    fn choose_features(&self, journal: &mut Journal) -> Result<(), Errno> {
        put_be32(&mut journal.raw, 4, kind::SUPERBLOCK_V2)?;
        journal.features = incompatible::REVOKE;
        if self.geometry.has_checksums() {
            journal.features |= incompatible::CHECKSUM_V3;
            put(&mut journal.raw, 0x50, &[4])?;
        }
        if self.geometry.has_incompatible(volume_features::BITS64) {
            journal.features |= incompatible::BITS64;
        }
        // No checksum over all of a transaction, the oldest kind.
        let compatible = be32(&journal.raw, 0x24)? & !1;
        put_be32(&mut journal.raw, 0x24, compatible)?;
        put_be32(&mut journal.raw, 0x28, journal.features)
    }

    /// Everything is in its place: the journal is empty.
    pub(crate) fn close_journal(&mut self) -> Result<(), Errno> {
        let Some(journal) = &mut self.journal else {
            return Ok(());
        };
        journal.tail = None;
        journal.note_tail()?;
        let block = journal.physical(0)?;
        self.disk
            .write(block << (self.geometry.block_shift - 9), &journal.raw)?;
        self.disk.flush()
    }
}
