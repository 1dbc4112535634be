//! Names and files: found, made, renamed, taken away.

use crate::chain::ClusterRun;
use crate::directory::Entered;
use crate::entry::{FatKind, Raw, attribute};
use crate::name;
use crate::volume::Fat;
use crate::{DATE_FIRST, ROOT};
use abi::Errno;
use alloc::vec::Vec;

/// A file that somebody has.
pub(crate) struct FatFile {
    /// The directory that it is in.
    pub directory: u64,
    /// The places of its name there, the first and the short one; `None`: it has no name any more, or is the root.
    pub place: Option<(u32, u32)>,
    /// Its first cluster; 0: none.
    pub first: u32,
    pub size: u32,
    pub attributes: u8,
    /// The clusters that are known.
    pub runs: Vec<ClusterRun>,
    /// They are all that there are.
    pub is_whole: bool,
    /// How many times it was given out.
    pub holders: u64,
}

impl FatFile {
    fn new(directory: u64, place: Option<(u32, u32)>, raw: &Raw) -> FatFile {
        FatFile {
            directory,
            place,
            first: raw.cluster(),
            size: raw.size(),
            attributes: raw.attributes(),
            runs: Vec::new(),
            is_whole: false,
            holders: 1,
        }
    }

    pub fn is_directory(&self) -> bool {
        self.attributes & attribute::DIRECTORY != 0
    }
}

/// What is known of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileStatus {
    /// What kind it is.
    pub kind: FatKind,
    /// Bytes; of a directory, those of its clusters.
    pub size: u64,
    /// Clusters.
    pub clusters: u32,
    /// Whether it has a name.
    pub has_name: bool,
    /// Whether it may be written, as far as the disk says.
    pub is_read_only: bool,
    /// Last change of the bytes, in seconds since 1970,
    pub modified: i64,
    /// the day of the last read,
    pub accessed: i64,
    /// and when it was made.
    pub created: i64,
}

impl Fat {
    pub(crate) fn open_root(&mut self) -> Result<(), Errno> {
        let mut raw = Raw::new(b"           ", attribute::DIRECTORY);
        raw.set_cluster(self.root);
        self.files
            .insert(ROOT, FatFile::new(ROOT, None, &raw))
            .map(|_| ())
    }

    pub(crate) fn directory(&self, number: u64) -> Result<&FatFile, Errno> {
        let file = self.file(number)?;
        if !file.is_directory() {
            return Err(Errno::ENOTDIR);
        }
        Ok(file)
    }

    /// A directory that still has a name, for a change.
    pub(crate) fn open_directory(&self, number: u64) -> Result<(), Errno> {
        self.may_write()?;
        let file = self.directory(number)?;
        if file.place.is_none() && number != ROOT {
            Err(Errno::ENOENT)
        } else {
            Ok(())
        }
    }

    /// The number of what was found; whoever gets it has it until [`Fat::forget`].
    pub(crate) fn hold(&mut self, directory: u64, entered: &Entered) -> Result<u64, Errno> {
        let key = (self.file(directory)?.first, entered.slot);
        if let Some(number) = self.places.get(&key).copied() {
            self.file_mut(number)?.holders += 1;
            return Ok(number);
        }
        let number = self.next_number;
        let file = FatFile::new(directory, Some((entered.first, entered.slot)), &entered.raw);
        self.files.insert(number, file)?;
        if let Err(error) = self.places.insert(key, number) {
            self.files.remove(&number);
            return Err(error);
        }
        self.next_number += 1;
        if let Some(parent) = self.files.get_mut(&directory) {
            parent.holders += 1;
        }
        Ok(number)
    }

    /// Nobody has that number any more, as many times as it was given. A file without a name goes then.
    ///
    /// # Errors
    /// `ESTALE`; `EIO`, `EUCLEAN`, `ENOMEM`: its clusters are lost until fsck.fat finds them.
    pub fn forget(&mut self, number: u64, times: u64) -> Result<(), Errno> {
        let (mut number, mut times) = (number, times);
        while number != ROOT {
            let file = self.file_mut(number)?;
            file.holders = file.holders.saturating_sub(times);
            if file.holders > 0 {
                return Ok(());
            }
            let (directory, place, first) = (file.directory, file.place, file.first);
            let (size, is_directory) = (file.size, file.is_directory());
            if place.is_some() && !is_directory && self.may_write().is_ok() {
                // Room that was made and not used.
                self.shorten(number, size.div_ceil(self.cluster_size()))?;
            }
            let freed = if place.is_none() && first != 0 {
                self.free_chain(first)
            } else {
                Ok(())
            };
            self.files.remove(&number);
            if let Some((_, slot)) = place {
                let key = (self.file(directory)?.first, slot);
                self.places.remove(&key);
            }
            freed?;
            (number, times) = (directory, 1);
        }
        Ok(())
    }

    /// The file of that name in a directory; case does not count.
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR`, `EINVAL`, `ENAMETOOLONG`, `EUCLEAN`, `EIO`, `ENOMEM`.
    pub fn lookup(&mut self, directory: u64, name: &[u8]) -> Result<u64, Errno> {
        self.directory(directory)?;
        let entered = self.find_entry(directory, name::checked(name)?)?;
        self.hold(directory, &entered)
    }

    /// Gives the entries of a directory from `from` on, without `.` and `..`, to `take` with their names and kinds until that answers
    /// `false`; the position behind the last taken one.
    ///
    /// # Errors
    /// As of [`Fat::lookup`].
    pub fn list(
        &mut self,
        directory: u64,
        from: u64,
        take: &mut dyn FnMut(&[u8], FatKind) -> bool,
    ) -> Result<u64, Errno> {
        self.directory(directory)?;
        let mut at = from;
        // Positions 0 and 1 are `.` and `..`, which the file layer has.
        while let Some(entered) =
            self.next_entry(directory, u32::try_from(at.saturating_sub(2)).unwrap_or(u32::MAX))?
        {
            let kind = if entered.raw.is_directory() {
                FatKind::Directory
            } else {
                FatKind::Regular
            };
            if !take(entered.name.as_bytes(), kind) {
                return Ok(at.max(2));
            }
            at = u64::from(entered.slot) + 3;
        }
        Ok(at.max(2))
    }

    /// The entry of a file on the disk. One without a name has none: `ENOENT`.
    pub(crate) fn entry_of(&mut self, number: u64) -> Result<Raw, Errno> {
        let file = self.file(number)?;
        let (directory, (_, slot)) = (file.directory, file.place.ok_or(Errno::ENOENT)?);
        self.raw_entry(directory, slot)?.ok_or(Errno::EUCLEAN)
    }

    /// Changes the entry of a file, if it has one.
    pub(crate) fn change_entry(&mut self, number: u64, change: impl FnOnce(&mut Raw)) -> Result<(), Errno> {
        let file = self.file(number)?;
        let (directory, place) = (file.directory, file.place);
        let Some((_, slot)) = place else {
            return Ok(());
        };
        let mut raw = self.raw_entry(directory, slot)?.ok_or(Errno::EUCLEAN)?;
        change(&mut raw);
        self.put_entry(directory, slot, &raw)
    }

    /// What stat(2) says.
    ///
    /// # Errors
    /// `ESTALE`, `EUCLEAN`, `EIO`, `ENOMEM`.
    pub fn status(&mut self, number: u64) -> Result<FileStatus, Errno> {
        let clusters = self.clusters_of(number)?;
        let zone = self.zone;
        let raw = match self.entry_of(number) {
            Err(Errno::ENOENT) => None,
            raw => Some(raw?),
        };
        let file = self.file(number)?;
        let is_directory = file.is_directory();
        let whole = u64::from(clusters) * u64::from(self.cluster_size());
        let time = |get: fn(&Raw, i64) -> i64| raw.as_ref().map_or(DATE_FIRST, |raw| get(raw, zone));
        Ok(FileStatus {
            kind: if is_directory {
                FatKind::Directory
            } else {
                FatKind::Regular
            },
            size: if is_directory { whole } else { u64::from(file.size) },
            clusters,
            has_name: file.place.is_some() || number == ROOT,
            is_read_only: file.attributes & attribute::READ_ONLY != 0,
            modified: time(Raw::modified),
            accessed: time(Raw::accessed),
            created: time(Raw::created),
        })
    }

    /// Sets what a file keeps beside its bytes; `None` stays.
    ///
    /// # Errors
    /// `EROFS`; as of [`Fat::status`].
    pub fn set_times(
        &mut self,
        number: u64,
        accessed: Option<i64>,
        modified: Option<i64>,
    ) -> Result<(), Errno> {
        self.may_write()?;
        let zone = self.zone;
        self.change_entry(number, |raw| {
            if let Some(moment) = accessed {
                raw.set_accessed(moment, zone);
            }
            if let Some(moment) = modified {
                raw.set_modified(moment, zone);
            }
        })
    }

    /// Makes a file; its number.
    ///
    /// # Errors
    /// `EEXIST`, `ENOSPC`, `EROFS`, as of [`Fat::lookup`].
    pub fn create(&mut self, directory: u64, name: &[u8], kind: FatKind, now: i64) -> Result<u64, Errno> {
        self.open_directory(directory)?;
        let name = name::checked(name)?;
        self.must_be_free(directory, name)?;
        let attributes = if kind == FatKind::Directory {
            attribute::DIRECTORY
        } else {
            attribute::ARCHIVE
        };
        let mut raw = Raw::new(b"           ", attributes);
        raw.set_created(now, self.zone);
        raw.set_modified(now, self.zone);
        raw.set_accessed(now, self.zone);
        let cluster = if kind == FatKind::Directory {
            self.new_directory(directory, &raw)?
        } else {
            0
        };
        raw.set_cluster(cluster);
        let entered = self.enter(directory, name, &raw);
        if entered.is_err() && cluster != 0 {
            self.free_chain(cluster)?;
        }
        entered?;
        let entered = self.find_entry(directory, name)?;
        self.hold(directory, &entered)
    }

    fn must_be_free(&mut self, directory: u64, name: &str) -> Result<(), Errno> {
        match self.find_entry(directory, name) {
            Ok(_) => Err(Errno::EEXIST),
            Err(Errno::ENOENT) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// A cluster with `.` and `..`.
    fn new_directory(&mut self, parent: u64, raw: &Raw) -> Result<u32, Errno> {
        let cluster = self.take_cluster(None)?;
        let (first, above) = (self.sector_of(cluster)?, self.dots_of(parent)?);
        for sector in first..first + u64::from(self.per_cluster) {
            self.sectors.write(sector, 0, &[0; block::SECTOR_SIZE])?;
        }
        for (at, name, cluster) in [(0, b".          ", cluster), (32, b"..         ", above)] {
            let mut dot = *raw;
            dot.0[..11].copy_from_slice(name);
            dot.set_cluster(cluster);
            self.sectors.write(first, at, &dot.0)?;
        }
        Ok(cluster)
    }

    /// What `..` of its children says: 0 for the root.
    pub(crate) fn dots_of(&self, directory: u64) -> Result<u32, Errno> {
        if directory == ROOT {
            Ok(0)
        } else {
            Ok(self.file(directory)?.first)
        }
    }

    fn is_empty(&mut self, number: u64) -> Result<(), Errno> {
        match self.next_entry(number, 0)? {
            Some(_) => Err(Errno::ENOTEMPTY),
            None => Ok(()),
        }
    }

    /// Takes a name away; the file goes when nobody has it any more.
    ///
    /// # Errors
    /// `EISDIR` or `ENOTDIR` if it is not of that kind, `ENOTEMPTY`, `EROFS`, as of [`Fat::lookup`].
    pub fn remove(&mut self, directory: u64, name: &[u8], kind: FatKind) -> Result<(), Errno> {
        self.open_directory(directory)?;
        let entered = self.find_entry(directory, name::checked(name)?)?;
        let number = self.hold(directory, &entered)?;
        let done = self.remove_held(directory, &entered, number, kind);
        done.and(self.forget(number, 1))
    }

    pub(crate) fn remove_held(
        &mut self,
        directory: u64,
        entered: &Entered,
        number: u64,
        kind: FatKind,
    ) -> Result<(), Errno> {
        match (entered.raw.is_directory(), kind) {
            (true, FatKind::Regular) => return Err(Errno::EISDIR),
            (false, FatKind::Directory) => return Err(Errno::ENOTDIR),
            (true, FatKind::Directory) => self.is_empty(number)?,
            (false, FatKind::Regular) => {}
        }
        self.strike(directory, entered.first, entered.slot)?;
        let key = (self.file(directory)?.first, entered.slot);
        self.places.remove(&key);
        self.file_mut(number)?.place = None;
        Ok(())
    }
}
