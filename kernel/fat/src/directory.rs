//! Directories: places of 32 bytes, of which a name takes one, and more in front of it if it is long.

use crate::entry::{Raw, SIZE, attribute};
use crate::name::{self, LONGEST, Short};
use crate::volume::Fat;
use abi::Errno;
use alloc::string::String;
use block::SECTOR_SIZE;

/// Most places of a directory: 2 MiB.
const MOST: u32 = 65536;
/// Units of a long name in one place.
const PART: usize = 13;
/// Short names that are tried beside a long one.
const ALIASES: usize = 36;

/// A name that was found.
pub struct Entered {
    /// The place of its first part, and that of the short entry.
    pub first: u32,
    pub slot: u32,
    pub raw: Raw,
    pub name: String,
}

/// The parts of a long name, collected on the way to its short one.
struct Parts {
    units: [u16; PART * 20],
    /// Which part must come next; 0: all are there.
    next: usize,
    len: usize,
    sum: u8,
    first: u32,
}

impl Parts {
    fn new() -> Parts {
        Parts {
            units: [0; PART * 20],
            next: usize::MAX,
            len: 0,
            sum: 0,
            first: 0,
        }
    }

    fn take(&mut self, slot: u32, raw: &Raw) {
        let (number, is_last) = raw.part();
        if is_last {
            *self = Parts {
                next: number,
                len: number * PART,
                sum: raw.part_sum(),
                first: slot,
                ..Parts::new()
            };
        }
        let fits = number > 0 && number <= 20 && number == self.next && raw.part_sum() == self.sum;
        if !fits {
            self.next = usize::MAX;
            return;
        }
        let start = (number - 1) * PART;
        for (to, from) in self.units.iter_mut().skip(start).zip(raw.units()) {
            *to = from;
        }
        self.next = number - 1;
    }

    /// The name, if all parts are there and belong to that short name.
    fn name(&self, short: &Short) -> Option<Result<String, Errno>> {
        if self.next != 0 || self.sum != name::sum(short) {
            return None;
        }
        let units = self.units.get(..self.len)?;
        let len = units.iter().position(|unit| *unit == 0).unwrap_or(self.len);
        (len <= LONGEST).then(|| name::from_long(&units[..len]))
    }
}

impl Fat {
    /// Where a place of a directory is: sector and offset; `None`: the directory ends before.
    fn place(&mut self, directory: u64, slot: u32) -> Result<Option<(u64, usize)>, Errno> {
        let per_sector = (SECTOR_SIZE / SIZE) as u32;
        let per_cluster = per_sector * self.per_cluster;
        let Some((cluster, _)) = self.cluster_at(directory, slot / per_cluster)? else {
            return Ok(None);
        };
        let inside = slot % per_cluster;
        let sector = self.sector_of(cluster)? + u64::from(inside / per_sector);
        Ok(Some((sector, (inside % per_sector) as usize * SIZE)))
    }

    /// The bytes of a place; `None` behind the end.
    pub(crate) fn raw_entry(&mut self, directory: u64, slot: u32) -> Result<Option<Raw>, Errno> {
        let Some((sector, at)) = self.place(directory, slot)? else {
            return Ok(None);
        };
        Ok(Some(Raw(self.sectors.read(sector, at)?)))
    }

    pub(crate) fn put_entry(&mut self, directory: u64, slot: u32, raw: &Raw) -> Result<(), Errno> {
        let (sector, at) = self.place(directory, slot)?.ok_or(Errno::EUCLEAN)?;
        self.sectors.write(sector, at, &raw.0)
    }

    /// The next name from the place `from` on, without `.` and `..`.
    pub(crate) fn next_entry(&mut self, directory: u64, from: u32) -> Result<Option<Entered>, Errno> {
        let mut parts = Parts::new();
        for slot in from..MOST {
            let Some(raw) = self.raw_entry(directory, slot)? else {
                return Ok(None);
            };
            if raw.is_end() {
                return Ok(None);
            }
            if raw.is_free() {
                parts = Parts::new();
            } else if raw.is_long() {
                parts.take(slot, &raw);
            } else if raw.attributes() & attribute::VOLUME != 0 || raw.0[0] == b'.' {
                parts = Parts::new();
            } else {
                let short = raw.short();
                let (first, name) = match parts.name(&short) {
                    Some(name) => (parts.first, name?),
                    None => (slot, name::from_short(&short, raw.case())?),
                };
                return Ok(Some(Entered {
                    first,
                    slot,
                    raw,
                    name,
                }));
            }
        }
        Ok(None)
    }

    /// The entry of that name. `ENOENT`.
    pub(crate) fn find_entry(&mut self, directory: u64, wanted: &str) -> Result<Entered, Errno> {
        let mut from = 0;
        while let Some(entered) = self.next_entry(directory, from)? {
            // The short name of a long one names it too.
            let short = name::from_short(&entered.raw.short(), 0)?;
            if name::is_same(&entered.name, wanted) || name::is_same(&short, wanted) {
                return Ok(entered);
            }
            from = entered.slot + 1;
        }
        Err(Errno::ENOENT)
    }

    /// A short name for a long one that no other has.
    fn free_alias(&mut self, directory: u64, wanted: &str) -> Result<Short, Errno> {
        let aliases: [Short; ALIASES] = core::array::from_fn(|number| name::alias(wanted, number as u32));
        let mut taken = [false; ALIASES];
        let mut from = 0;
        while let Some(entered) = self.next_entry(directory, from)? {
            let short = entered.raw.short();
            for (alias, taken) in aliases.iter().zip(&mut taken) {
                *taken |= *alias == short;
            }
            from = entered.slot + 1;
        }
        let free = aliases.iter().zip(taken).find(|(_, taken)| !taken);
        free.map(|(alias, _)| *alias).ok_or(Errno::ENOSPC)
    }

    /// The first of `count` free places that follow each other; the directory grows if it must.
    fn free_places(&mut self, directory: u64, count: u32) -> Result<u32, Errno> {
        let (mut run, mut has_ended) = (0, false);
        for slot in 0..MOST {
            match self.raw_entry(directory, slot)? {
                None => self.grow_directory(directory)?,
                Some(raw) if raw.is_end() => has_ended = true,
                // Behind the end there may be anything.
                Some(raw) if !has_ended && !raw.is_free() => {
                    run = 0;
                    continue;
                }
                Some(_) => {}
            }
            run += 1;
            if run == count {
                if has_ended && self.raw_entry(directory, slot + 1)?.is_some() {
                    self.put_entry(directory, slot + 1, &Raw([0; SIZE]))?;
                }
                return Ok(slot + 1 - count);
            }
        }
        Err(Errno::ENOSPC)
    }

    /// A new cluster of free places.
    pub(crate) fn grow_directory(&mut self, directory: u64) -> Result<(), Errno> {
        let cluster = self.append_cluster(directory)?;
        let first = self.sector_of(cluster)?;
        for sector in first..first + u64::from(self.per_cluster) {
            self.sectors.write(sector, 0, &[0; SECTOR_SIZE])?;
        }
        Ok(())
    }

    /// Enters a name with what `raw` has beside it; the place of the short entry, and of the first part.
    pub(crate) fn enter(&mut self, directory: u64, wanted: &str, raw: &Raw) -> Result<(u32, u32), Errno> {
        let exact = name::exact(wanted);
        let short = match exact {
            Some(short) => short,
            None => self.free_alias(directory, wanted)?,
        };
        let units = name::units(wanted)?;
        let parts = if exact.is_some() {
            0
        } else {
            units.len().div_ceil(PART)
        };
        let first = self.free_places(directory, parts as u32 + 1)?;
        let mut slot = first;
        for (index, part) in units.chunks(PART).enumerate().take(parts).rev() {
            let last = if index + 1 == parts { 0x40 } else { 0 };
            let long = Raw::long((index + 1) as u8 | last, name::sum(&short), part);
            self.put_entry(directory, slot, &long)?;
            slot += 1;
        }
        let mut entry = *raw;
        entry.0[..11].copy_from_slice(&short);
        entry.0[12] = 0;
        if entry.0[0] == 0xe5 {
            entry.0[0] = 0x05;
        }
        self.put_entry(directory, slot, &entry)?;
        Ok((slot, first))
    }

    /// Takes a name out.
    pub(crate) fn strike(&mut self, directory: u64, first: u32, slot: u32) -> Result<(), Errno> {
        for at in first..=slot {
            let mut raw = self.raw_entry(directory, at)?.ok_or(Errno::EUCLEAN)?;
            raw.0[0] = 0xe5;
            self.put_entry(directory, at, &raw)?;
        }
        Ok(())
    }
}
