//! Sectors in memory: those of the table and of directories, written when that is asked for.

use abi::Errno;
use alloc::sync::Arc;
use alloc::vec::Vec;
use block::{BlockDevice, SECTOR_SIZE};
use memory::fallible;
use memory::fallible::map::Map;

/// Most sectors that are kept.
const MOST: usize = 2048;

struct Kept {
    bytes: Vec<u8>,
    is_dirty: bool,
}

/// A disk and some of its sectors.
pub struct Sectors {
    pub disk: Arc<dyn BlockDevice>,
    kept: Map<u64, Kept>,
}

impl Sectors {
    pub fn new(disk: Arc<dyn BlockDevice>) -> Sectors {
        Sectors {
            disk,
            kept: Map::new(),
        }
    }

    fn keep(&mut self, sector: u64) -> Result<&mut Kept, Errno> {
        if !self.kept.contains_key(&sector) {
            if self.kept.len() >= MOST {
                self.write_all()?;
                self.kept = Map::new();
            }
            let mut bytes = fallible::filled(SECTOR_SIZE, 0)?;
            self.disk.read(sector, &mut bytes)?;
            self.kept.insert(
                sector,
                Kept {
                    bytes,
                    is_dirty: false,
                },
            )?;
        }
        self.kept.get_mut(&sector).ok_or(Errno::EIO)
    }

    /// Bytes of a sector.
    pub fn read<const N: usize>(&mut self, sector: u64, at: usize) -> Result<[u8; N], Errno> {
        let kept = self.keep(sector)?;
        let bytes = kept.bytes.get(at..).and_then(|rest| rest.first_chunk());
        bytes.copied().ok_or(Errno::EUCLEAN)
    }

    /// Changes bytes of a sector.
    pub fn write(&mut self, sector: u64, at: usize, new: &[u8]) -> Result<(), Errno> {
        let kept = self.keep(sector)?;
        let bytes = kept
            .bytes
            .get_mut(at..)
            .and_then(|rest| rest.get_mut(..new.len()));
        bytes.ok_or(Errno::EUCLEAN)?.copy_from_slice(new);
        kept.is_dirty = true;
        Ok(())
    }

    /// Writes what has changed, in the order of the disk.
    pub fn write_all(&mut self) -> Result<(), Errno> {
        let mut at = 0;
        while let Some((sector, is_dirty)) = self
            .kept
            .range(at..)
            .next()
            .map(|(at, kept)| (*at, kept.is_dirty))
        {
            at = sector + 1;
            if is_dirty && let Some(kept) = self.kept.get_mut(&sector) {
                self.disk.write(sector, &kept.bytes)?;
                kept.is_dirty = false;
            }
        }
        Ok(())
    }

    /// Sectors are written by somebody else, or mean something else from now on.
    pub fn drop_range(&mut self, first: u64, count: u64) {
        for sector in first..first + count {
            self.kept.remove(&sector);
        }
    }
}
