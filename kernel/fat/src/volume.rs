//! A mounted file system: its geometry and its table.

use crate::sectors::Sectors;
use crate::tree::FatFile;
use abi::Errno;
use alloc::sync::Arc;
use block::{BlockDevice, SECTOR_SIZE};
use memory::fallible;
use memory::fallible::map::Map;

/// The end of a chain, and whatever is not below.
const END: u32 = 0x0fff_fff8;
/// The bits of an entry of the table that count.
const MASK: u32 = 0x0fff_ffff;
/// Fewest clusters: less is FAT16.
const FEWEST: u32 = 65525;

/// How full a file system is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes of a cluster.
    pub cluster_size: u32,
    /// Clusters.
    pub clusters: u32,
    /// Free ones.
    pub free: u32,
    /// The number of the volume.
    pub serial: u32,
}

/// A mounted file system. One call at a time: the kernel has it behind a sleeping mutex.
pub struct Fat {
    pub(crate) sectors: Sectors,
    /// Sectors of a cluster.
    pub(crate) per_cluster: u32,
    table: u64,
    table_len: u64,
    copies: u64,
    data: u64,
    /// The number behind that of the last cluster; the first is 2.
    end: u32,
    info: u64,
    serial: u32,
    /// Free clusters, counted when it was mounted.
    free: u32,
    /// Where the next free one is looked for.
    next: u32,
    pub(crate) files: Map<u64, FatFile>,
    /// Numbers of files by directory and place there.
    pub(crate) places: Map<(u32, u32), u64>,
    pub(crate) next_number: u64,
    pub(crate) root: u32,
    /// Seconds east of Greenwich of its times.
    pub(crate) zone: i64,
    is_read_only: bool,
}

fn le16(bytes: &[u8], at: usize) -> u32 {
    bytes
        .get(at..at + 2)
        .map_or(0, |two| u32::from(two[0]) | u32::from(two[1]) << 8)
}

fn le32(bytes: &[u8], at: usize) -> u32 {
    le16(bytes, at) | le16(bytes, at + 2) << 16
}

impl Fat {
    /// Mounts what is on a disk; `zone`: seconds that its times are ahead of those of Greenwich.
    ///
    /// # Errors
    /// `EINVAL` if that is no FAT32, `EUCLEAN` if it is damaged, `EIO`, `ENOMEM`.
    pub fn mount(disk: Arc<dyn BlockDevice>, zone: i64) -> Result<Fat, Errno> {
        let mut boot = fallible::filled(SECTOR_SIZE, 0)?;
        disk.read(0, &mut boot)?;
        let field = |at| u64::from(boot.get(at).copied().unwrap_or(0));
        let (per_cluster, reserved, copies) = (field(13), le16(&boot, 14), field(16));
        let total = if le16(&boot, 19) != 0 {
            le16(&boot, 19)
        } else {
            le32(&boot, 32)
        };
        let (len, root) = (le32(&boot, 36), le32(&boot, 44));
        let is_fat = le16(&boot, 510) == 0xaa55
            && le16(&boot, 11) as usize == SECTOR_SIZE
            && per_cluster.is_power_of_two()
            && reserved > 0
            && matches!(copies, 1 | 2)
            && le16(&boot, 17) == 0
            && le16(&boot, 22) == 0
            && len > 0
            && le16(&boot, 42) == 0;
        if !is_fat {
            return Err(Errno::EINVAL);
        }
        let data = u64::from(reserved) + copies * u64::from(len);
        let clusters = u64::from(total).saturating_sub(data) / per_cluster;
        if clusters < u64::from(FEWEST) {
            return Err(Errno::EINVAL);
        }
        let is_sound = clusters + 2 <= u64::from(len) * 128
            && clusters + 2 < u64::from(END)
            && u64::from(total) <= disk.sectors()
            && (2..clusters + 2).contains(&u64::from(root));
        if !is_sound {
            return Err(Errno::EUCLEAN);
        }
        let info = u64::from(le16(&boot, 48));
        let mut mounted = Fat {
            is_read_only: disk.is_read_only(),
            sectors: Sectors::new(disk),
            per_cluster: per_cluster as u32,
            table: u64::from(reserved),
            table_len: u64::from(len),
            copies,
            data,
            end: clusters as u32 + 2,
            info: if info < u64::from(reserved) { info } else { 0 },
            serial: le32(&boot, 67),
            free: 0,
            next: 2,
            files: Map::new(),
            places: Map::new(),
            next_number: crate::ROOT + 1,
            root,
            zone,
        };
        mounted.count_free()?;
        mounted.open_root()?;
        Ok(mounted)
    }

    /// Nobody believes the count on the disk: whoever lost power has not written it.
    fn count_free(&mut self) -> Result<(), Errno> {
        let mut buffer = fallible::filled(SECTOR_SIZE * 64, 0)?;
        let mut cluster = 0u32;
        for start in (0..self.table_len).step_by(64) {
            let count = (self.table_len - start).min(64) as usize;
            let bytes = buffer.get_mut(..count * SECTOR_SIZE).ok_or(Errno::EIO)?;
            self.sectors.disk.read(self.table + start, bytes)?;
            for entry in bytes.chunks(4) {
                let is_free = le32(entry, 0) & MASK == 0;
                self.free += u32::from(is_free && (2..self.end).contains(&cluster));
                cluster = cluster.saturating_add(1);
            }
        }
        Ok(())
    }

    /// Bytes of a cluster.
    pub fn cluster_size(&self) -> u32 {
        self.per_cluster * SECTOR_SIZE as u32
    }

    /// What statfs(2) says.
    pub fn room(&self) -> Room {
        Room {
            cluster_size: self.cluster_size(),
            clusters: self.end - 2,
            free: self.free,
            serial: self.serial,
        }
    }

    pub(crate) fn may_write(&self) -> Result<(), Errno> {
        if self.is_read_only {
            Err(Errno::EROFS)
        } else {
            Ok(())
        }
    }

    /// Nothing is changed any more, or things are again.
    ///
    /// # Errors
    /// `EROFS` if the disk cannot be written; as of [`Fat::sync`].
    pub fn set_read_only(&mut self, change: Changes) -> Result<(), Errno> {
        match change {
            Changes::Refused => {
                self.sync()?;
                self.is_read_only = true;
            }
            Changes::Made if self.sectors.disk.is_read_only() => return Err(Errno::EROFS),
            Changes::Made => self.is_read_only = false,
        }
        Ok(())
    }

    pub(crate) fn is_cluster(&self, cluster: u32) -> bool {
        (2..self.end).contains(&cluster)
    }

    /// The first sector of a cluster.
    pub(crate) fn sector_of(&self, cluster: u32) -> Result<u64, Errno> {
        if !self.is_cluster(cluster) {
            return Err(Errno::EUCLEAN);
        }
        Ok(self.data + u64::from(cluster - 2) * u64::from(self.per_cluster))
    }

    fn entry(&mut self, cluster: u32) -> Result<u32, Errno> {
        let (sector, at) = (u64::from(cluster) / 128, cluster as usize % 128 * 4);
        Ok(u32::from_le_bytes(self.sectors.read(self.table + sector, at)?))
    }

    /// The cluster behind one; `None`: it is the last.
    pub(crate) fn after(&mut self, cluster: u32) -> Result<Option<u32>, Errno> {
        match self.entry(cluster)? & MASK {
            END.. => Ok(None),
            next if self.is_cluster(next) => Ok(Some(next)),
            _ => Err(Errno::EUCLEAN),
        }
    }

    fn set_entry(&mut self, cluster: u32, value: u32) -> Result<(), Errno> {
        let value = self.entry(cluster)? & !MASK | value & MASK;
        let (sector, at) = (u64::from(cluster) / 128, cluster as usize % 128 * 4);
        for copy in 0..self.copies {
            let table = self.table + copy * self.table_len;
            self.sectors.write(table + sector, at, &value.to_le_bytes())?;
        }
        Ok(())
    }

    /// Takes a free cluster, near `goal` if it can be, and puts it behind `last`. `ENOSPC`.
    pub(crate) fn take_cluster(&mut self, last: Option<u32>) -> Result<u32, Errno> {
        if self.free == 0 {
            return Err(Errno::ENOSPC);
        }
        let goal = last.map_or(self.next, |last| last + 1);
        let mut cluster = if self.is_cluster(goal) { goal } else { 2 };
        for _ in 2..self.end {
            if self.entry(cluster)? & MASK == 0 {
                self.set_entry(cluster, MASK)?;
                if let Some(last) = last {
                    self.set_entry(last, cluster)?;
                }
                self.free -= 1;
                self.next = cluster;
                return Ok(cluster);
            }
            cluster = if self.is_cluster(cluster + 1) {
                cluster + 1
            } else {
                2
            };
        }
        Err(Errno::ENOSPC)
    }

    /// The chain ends with this cluster.
    pub(crate) fn end_chain(&mut self, cluster: u32) -> Result<(), Errno> {
        self.set_entry(cluster, MASK)
    }

    /// Frees a chain from a cluster on.
    pub(crate) fn free_chain(&mut self, first: u32) -> Result<(), Errno> {
        let mut at = Some(first);
        while let Some(cluster) = at {
            if !self.is_cluster(cluster) || self.entry(cluster)? & MASK == 0 {
                return Err(Errno::EUCLEAN);
            }
            at = self.after(cluster)?;
            self.set_entry(cluster, 0)?;
            // What it had as a directory must not be written over what it has next.
            let first = self.sector_of(cluster)?;
            self.sectors.drop_range(first, u64::from(self.per_cluster));
            self.free += 1;
            self.next = self.next.min(cluster);
        }
        Ok(())
    }

    /// Returns when all calls so far would survive a loss of power.
    ///
    /// # Errors
    /// `EIO`, `ENOMEM`.
    pub fn sync(&mut self) -> Result<(), Errno> {
        if self.is_read_only {
            return Ok(());
        }
        self.write_info()?;
        self.sectors.write_all()?;
        self.sectors.disk.flush()
    }

    /// The hints for whoever mounts it next: free clusters, and where to look.
    fn write_info(&mut self) -> Result<(), Errno> {
        let is_info = self.info > 0 && u32::from_le_bytes(self.sectors.read(self.info, 0)?) == 0x4161_5252;
        if is_info {
            let (free, next) = (self.free.to_le_bytes(), self.next.to_le_bytes());
            if self.sectors.read(self.info, 488)? != free || self.sectors.read(self.info, 492)? != next {
                self.sectors.write(self.info, 488, &free)?;
                self.sectors.write(self.info, 492, &next)?;
            }
        }
        Ok(())
    }
}

/// Whether changes are made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Changes {
    /// They are.
    Made,
    /// They are refused with `EROFS`.
    Refused,
}
