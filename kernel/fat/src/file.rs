//! Bytes of files.
//!
//! The order of a write: [`Fat::allocate`] makes room, the caller writes the bytes, [`Fat::written`] says how long the file is.

use crate::volume::Fat;
use abi::Errno;
use block::SECTOR_SIZE;
use core::ops::Range;
use memory::fallible;

/// Where some clusters of a file are that follow each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClusterPlace {
    /// The first sector.
    pub sector: u64,
    /// How many clusters.
    pub len: u32,
}

impl Fat {
    fn regular(&self, number: u64) -> Result<u32, Errno> {
        let file = self.file(number)?;
        if file.is_directory() {
            Err(Errno::EISDIR)
        } else {
            Ok(file.size)
        }
    }

    /// Where a file's cluster `at` is; `None` if it has none.
    ///
    /// # Errors
    /// `EISDIR`, `ESTALE`, `EUCLEAN`, `EIO`, `ENOMEM`.
    pub fn map(&mut self, number: u64, at: u32) -> Result<Option<ClusterPlace>, Errno> {
        self.regular(number)?;
        let Some((cluster, len)) = self.cluster_at(number, at)? else {
            return Ok(None);
        };
        Ok(Some(ClusterPlace {
            sector: self.sector_of(cluster)?,
            len,
        }))
    }

    /// Makes room up to the cluster `at`, which has any bytes; those before it that are new become zeros.
    ///
    /// # Errors
    /// `ENOSPC`, `EROFS`, `EFBIG`, as of [`Fat::map`].
    pub fn allocate(&mut self, number: u64, at: u32) -> Result<ClusterPlace, Errno> {
        self.may_write()?;
        self.regular(number)?;
        if u64::from(at) * u64::from(self.cluster_size()) >= 1 << 32 {
            return Err(Errno::EFBIG);
        }
        let had = self.clusters_of(number)?;
        if at.saturating_sub(had) > self.room().free {
            return Err(Errno::ENOSPC);
        }
        for index in had..=at {
            if let Err(error) = self.append_cluster(number) {
                // What was taken for nothing is given back.
                self.shorten(number, had)?;
                return Err(error);
            }
            if index < at {
                self.zero(number, index, 0..self.cluster_size())?;
            }
        }
        self.map(number, at)?.ok_or(Errno::EUCLEAN)
    }

    /// Writes zeros into a part of a cluster.
    fn zero(&mut self, number: u64, index: u32, part: Range<u32>) -> Result<(), Errno> {
        let place = self.map(number, index)?.ok_or(Errno::EUCLEAN)?;
        let (first, last) = (
            part.start as usize / SECTOR_SIZE,
            (part.end as usize).div_ceil(SECTOR_SIZE),
        );
        let mut buffer = fallible::filled(SECTOR_SIZE, 0)?;
        for sector in first..last {
            let start = (part.start as usize).saturating_sub(sector * SECTOR_SIZE);
            buffer.fill(0);
            if start > 0 {
                self.sectors
                    .disk
                    .read(place.sector + sector as u64, &mut buffer)?;
            }
            buffer.iter_mut().skip(start).for_each(|byte| *byte = 0);
            self.sectors.disk.write(place.sector + sector as u64, &buffer)?;
        }
        Ok(())
    }

    /// Says that a file has at least `size` bytes, all of which are on the disk, and changed at that time.
    ///
    /// # Errors
    /// `EFBIG`, `EROFS`, as of [`Fat::map`].
    pub fn written(&mut self, number: u64, size: u64, now: i64) -> Result<(), Errno> {
        self.may_write()?;
        let size = u32::try_from(size).map_err(|_| Errno::EFBIG)?;
        let size = size.max(self.regular(number)?);
        self.set_size(number, size, now)
    }

    fn set_size(&mut self, number: u64, size: u32, now: i64) -> Result<(), Errno> {
        let zone = self.zone;
        let file = self.file_mut(number)?;
        file.size = size;
        let first = if size == 0 { 0 } else { file.first };
        self.change_entry(number, |raw| {
            raw.set_size(size);
            raw.set_cluster(first);
            raw.set_modified(now, zone);
        })
    }

    /// truncate(2).
    ///
    /// # Errors
    /// `ENOSPC`: there are no holes; as of [`Fat::allocate`].
    pub fn truncate(&mut self, number: u64, size: u64, now: i64) -> Result<(), Errno> {
        self.may_write()?;
        let old = self.regular(number)?;
        let size = u32::try_from(size).map_err(|_| Errno::EFBIG)?;
        let clusters = size.div_ceil(self.cluster_size());
        if size > old {
            self.zero_tail(number, u64::from(size))?;
            let had = self.clusters_of(number)?;
            if clusters > had {
                self.allocate(number, clusters - 1)?;
                self.zero(number, clusters - 1, 0..self.cluster_size())?;
            }
        }
        self.set_size(number, size, now)?;
        self.shorten(number, clusters)
    }

    /// The bytes behind the end, up to `until`, become zeros where the file has clusters: it is about to have them.
    fn zero_tail(&mut self, number: u64, until: u64) -> Result<(), Errno> {
        let size = self.regular(number)?;
        let cluster = self.cluster_size();
        let had = self.clusters_of(number)?;
        let last = until.div_ceil(u64::from(cluster)).min(u64::from(had)) as u32;
        for index in size / cluster..last {
            let start = if index == size / cluster {
                size % cluster
            } else {
                0
            };
            self.zero(number, index, start..cluster)?;
        }
        Ok(())
    }

    /// Reads from a file, as far as it goes; how much.
    ///
    /// # Errors
    /// As of [`Fat::map`].
    pub fn read(&mut self, number: u64, at: u64, bytes: &mut [u8]) -> Result<usize, Errno> {
        let left = u64::from(self.regular(number)?).saturating_sub(at);
        let len = (bytes.len() as u64).min(left) as usize;
        let mut sector = fallible::filled(SECTOR_SIZE, 0)?;
        let mut done = 0;
        while done < len {
            let (disk, inside) = self.sector_at(number, at + done as u64)?;
            self.sectors.disk.read(disk, &mut sector)?;
            let part = (SECTOR_SIZE - inside).min(len - done);
            let from = sector.get(inside..inside + part).ok_or(Errno::EIO)?;
            bytes
                .get_mut(done..done + part)
                .ok_or(Errno::EIO)?
                .copy_from_slice(from);
            done += part;
        }
        Ok(len)
    }

    fn sector_at(&mut self, number: u64, offset: u64) -> Result<(u64, usize), Errno> {
        let cluster = u64::from(self.cluster_size());
        let place = self
            .map(number, (offset / cluster) as u32)?
            .ok_or(Errno::EUCLEAN)?;
        let inside = (offset % cluster) as usize;
        Ok((place.sector + (inside / SECTOR_SIZE) as u64, inside % SECTOR_SIZE))
    }

    /// Writes to a file.
    ///
    /// # Errors
    /// As of [`Fat::allocate`]; what comes before the cluster that failed is written.
    pub fn write(&mut self, number: u64, at: u64, bytes: &[u8], now: i64) -> Result<(), Errno> {
        self.may_write()?;
        if bytes.is_empty() {
            return self.regular(number).map(|_| ());
        }
        let end = at.checked_add(bytes.len() as u64).filter(|end| *end < 1 << 32);
        end.ok_or(Errno::EFBIG)?;
        self.zero_tail(number, at)?;
        let mut sector = fallible::filled(SECTOR_SIZE, 0)?;
        let mut done = 0;
        while done < bytes.len() {
            let offset = at + done as u64;
            let (index, had) = (
                (offset / u64::from(self.cluster_size())) as u32,
                self.clusters_of(number)?,
            );
            self.allocate(number, index)?;
            if index >= had {
                self.zero(number, index, 0..self.cluster_size())?;
            }
            let (disk, inside) = self.sector_at(number, offset)?;
            let part = (SECTOR_SIZE - inside).min(bytes.len() - done);
            if part < SECTOR_SIZE {
                self.sectors.disk.read(disk, &mut sector)?;
            }
            let from = bytes.get(done..done + part).ok_or(Errno::EIO)?;
            sector
                .get_mut(inside..inside + part)
                .ok_or(Errno::EIO)?
                .copy_from_slice(from);
            self.sectors.disk.write(disk, &sector)?;
            done += part;
            if self.regular(number)? < (offset + part as u64) as u32 {
                self.written(number, offset + part as u64, now)?;
            }
        }
        self.written(number, at + bytes.len() as u64, now)
    }
}
