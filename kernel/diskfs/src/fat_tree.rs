//! FAT32 as a [`DiskTree`]: its files have no numbers, owners and permissions of their own, so mount(2) says those, and a number stands
//! for a file as long as its inode is in memory.

use alloc::vec::Vec;
use core::ops::Range;

use abi::Errno;
use abi::file::{S_IFDIR, S_IFMT, S_IFREG};
use block::SECTOR_SIZE;
use ext4::{Access, Change, Listed, Moment, New, RenameTarget, Size, Status, Surroundings};
use fat::{Changes, Fat, FatKind, FileStatus};
use memory::fallible;
use memory::fallible::map::Map;
use vfs::filesystem::FilesystemUsage;

use crate::mounted::KernelSurroundings;
use crate::tree::{DiskTree, NameCase, PageRun};

/// `file_type` of directories in what is listed.
const LISTED_REGULAR: u8 = 1;
const LISTED_DIRECTORY: u8 = 2;
/// What is listed has no number yet: readdir(3) tells one that nothing else has.
const NUMBERS_OF_LISTED: u32 = 1 << 31;

/// Who owns the files, and what nobody may do with them.
#[derive(Clone, Copy, Debug)]
pub struct FatOptions {
    /// `uid=`.
    pub user: u32,
    /// `gid=`.
    pub group: u32,
    /// `fmask=`, else `umask=`.
    pub file_mask: u16,
    /// `dmask=`, else `umask=`.
    pub directory_mask: u16,
}

/// A mounted FAT32.
pub struct FatTree {
    pub(crate) fat: Fat,
    options: FatOptions,
    access: Access,
    /// The numbers that inodes in memory have, each given out once as the file system counts.
    held: Map<u32, ()>,
}

fn number_of(number: u64) -> Result<u32, Errno> {
    u32::try_from(number)
        .ok()
        .filter(|&number| number < NUMBERS_OF_LISTED)
        .ok_or(Errno::EOVERFLOW)
}

fn now() -> i64 {
    KernelSurroundings.now().seconds
}

fn moment(seconds: i64) -> Moment {
    Moment {
        seconds,
        nanoseconds: 0,
    }
}

impl FatTree {
    /// A mounted file system.
    ///
    /// # Errors
    /// `EIO`, `ENOMEM`.
    pub fn new(mut fat: Fat, options: FatOptions, access: Access) -> Result<FatTree, Errno> {
        if access == Access::ReadOnly {
            fat.set_read_only(Changes::Refused)?;
        }
        Ok(FatTree {
            fat,
            options,
            access,
            held: Map::new(),
        })
    }

    /// The number was given out once more: it is held once.
    fn hold(&mut self, number: u64) -> Result<u32, Errno> {
        let known = number_of(number);
        let is_new = known.is_ok_and(|known| self.held.get(&known).is_none());
        if is_new {
            let inserted = known.and_then(|known| self.held.insert(known, ()).map(|_| known));
            if inserted.is_ok() {
                return inserted;
            }
        }
        if number != fat::ROOT {
            self.fat.forget(number, 1)?;
        }
        if is_new { Err(Errno::ENOMEM) } else { known }
    }

    fn mode(&self, status: &FileStatus) -> u32 {
        let (kind, mask) = match status.kind {
            FatKind::Directory => (S_IFDIR, self.options.directory_mask),
            FatKind::Regular => (S_IFREG, self.options.file_mask),
        };
        let writes = if status.is_read_only { 0o222 } else { 0 };
        kind | 0o777 & !u32::from(mask) & !writes
    }

    /// Directories in a directory.
    fn count_directories(&mut self, number: u32) -> Result<u16, Errno> {
        let mut count = 0u16;
        self.fat.list(number.into(), 0, &mut |_, kind| {
            count = count.saturating_add(u16::from(kind == FatKind::Directory));
            true
        })?;
        Ok(count)
    }

    pub(crate) fn cluster_size(&self) -> u64 {
        self.fat.cluster_size().into()
    }
}

impl DiskTree for FatTree {
    fn root(&self) -> u32 {
        fat::ROOT as u32
    }

    fn name_case(&self) -> NameCase {
        NameCase::Ignored
    }

    fn keeps_owners(&self) -> bool {
        false
    }

    fn access(&self) -> Access {
        self.access
    }

    fn set_access(&mut self, access: Access) -> Result<(), Errno> {
        self.fat.set_read_only(match access {
            Access::ReadOnly => Changes::Refused,
            Access::ReadWrite => Changes::Made,
        })?;
        self.access = access;
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Errno> {
        match self.access {
            Access::ReadOnly => Ok(()),
            Access::ReadWrite => self.fat.sync(),
        }
    }

    fn unmount(&mut self) -> Result<(), Errno> {
        // Room that was made and not used goes with the numbers.
        while let Some((number, ())) = self.held.pop_first() {
            self.fat.forget(number.into(), 1)?;
        }
        self.commit()
    }

    fn usage(&mut self) -> Result<FilesystemUsage, Errno> {
        let room = self.fat.room();
        Ok(FilesystemUsage {
            block_size: room.cluster_size.into(),
            blocks: room.clusters.into(),
            free_blocks: room.free.into(),
            available_blocks: room.free.into(),
            inodes: 0,
            free_inodes: 0,
        })
    }

    fn status(&mut self, number: u32) -> Result<Status, Errno> {
        let status = self.fat.status(number.into())?;
        let links = match (status.has_name, status.kind) {
            (false, _) => 0,
            (true, FatKind::Regular) => 1,
            (true, FatKind::Directory) => 2 + self.count_directories(number)?,
        };
        Ok(Status {
            inode: number,
            mode: self.mode(&status) as u16,
            user: self.options.user,
            group: self.options.group,
            links,
            size: status.size,
            sectors: u64::from(status.clusters) * self.cluster_size() / SECTOR_SIZE as u64,
            accessed: moment(status.accessed),
            modified: moment(status.modified),
            changed: moment(status.modified),
            created: moment(status.created),
            flags: 0,
            generation: 0,
            device: (0, 0),
        })
    }

    fn extent(&mut self, number: u32) -> Result<(u64, u64), Errno> {
        let status = self.fat.status(number.into())?;
        Ok((
            status.size,
            u64::from(status.clusters) * self.cluster_size() / SECTOR_SIZE as u64,
        ))
    }

    /// Owners and permissions are mount(2)'s: others stay in memory.
    fn change_status(&mut self, number: u32, change: &Change) -> Result<(), Errno> {
        let seconds = |moment: Moment| moment.seconds;
        if change.accessed.is_none() && change.modified.is_none() {
            return Ok(());
        }
        self.fat.set_times(
            number.into(),
            change.accessed.map(seconds),
            change.modified.map(seconds),
        )
    }

    fn lookup(&mut self, directory: u32, name: &[u8]) -> Result<u32, Errno> {
        // A name that cannot be entered is not there.
        let found = self
            .fat
            .lookup(directory.into(), name)
            .map_err(|error| match error {
                Errno::EINVAL => Errno::ENOENT,
                other => other,
            })?;
        self.hold(found)
    }

    fn list(
        &mut self,
        directory: u32,
        from: u64,
        take: &mut dyn FnMut(Listed<'_>) -> bool,
    ) -> Result<u64, Errno> {
        let mut at = from;
        loop {
            let mut found = None;
            // The second call says where the first name ends.
            let next = self.fat.list(directory.into(), at, &mut |name, kind| {
                let is_first = found.is_none();
                if is_first {
                    found = Some((fallible::boxed_bytes(name), kind));
                }
                is_first
            })?;
            let Some((name, kind)) = found else {
                return Ok(next);
            };
            let listed = Listed {
                name: &name?,
                inode: NUMBERS_OF_LISTED | next as u32,
                kind: match kind {
                    FatKind::Regular => LISTED_REGULAR,
                    FatKind::Directory => LISTED_DIRECTORY,
                },
                next,
            };
            if !take(listed) {
                return Ok(at);
            }
            at = next;
        }
    }

    fn link_text(&mut self, _number: u32) -> Result<Vec<u8>, Errno> {
        Err(Errno::EINVAL)
    }

    fn create(&mut self, directory: u32, name: &[u8], new: &New<'_>) -> Result<u32, Errno> {
        let kind = match u32::from(new.mode) & S_IFMT {
            S_IFREG => FatKind::Regular,
            S_IFDIR => FatKind::Directory,
            _ => return Err(Errno::EPERM),
        };
        let made = self.fat.create(directory.into(), name, kind, now())?;
        self.hold(made)
    }

    fn create_unnamed(&mut self, _directory: u32, _new: &New<'_>) -> Result<u32, Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    fn link(&mut self, _directory: u32, _name: &[u8], _number: u32) -> Result<(), Errno> {
        Err(Errno::EPERM)
    }

    fn unlink(&mut self, directory: u32, name: &[u8]) -> Result<u32, Errno> {
        self.fat.remove(directory.into(), name, FatKind::Regular)?;
        Ok(0)
    }

    fn remove_directory(&mut self, directory: u32, name: &[u8]) -> Result<(), Errno> {
        self.fat.remove(directory.into(), name, FatKind::Directory)
    }

    fn rename(&mut self, old: (u32, &[u8]), new: (u32, &[u8]), target: RenameTarget) -> Result<(), Errno> {
        match target {
            RenameTarget::Exchanged => {
                let (old, new) = ((old.0.into(), old.1), (new.0.into(), new.1));
                return self.fat.exchange(old, new);
            }
            RenameTarget::Kept if self.lookup(new.0, new.1).is_ok() => return Err(Errno::EEXIST),
            RenameTarget::Kept | RenameTarget::Replaced => {}
        }
        self.fat.rename((old.0.into(), old.1), (new.0.into(), new.1))
    }

    fn release(&mut self, number: u32) -> Result<(), Errno> {
        match self.held.remove(&number) {
            Some(()) => self.fat.forget(number.into(), 1),
            None => Ok(()),
        }
    }

    fn forget(&mut self, number: u32) {
        if number != self.root()
            && let Err(error) = self.release(number)
        {
            klog::error!("FAT: clusters of a file are lost: {}", error.message());
        }
    }

    fn page_run(&mut self, number: u32, page: u64, most: u32) -> Result<Option<PageRun>, Errno> {
        self.find_pages(number, page, most)
    }

    fn allocate_run(
        &mut self,
        number: u32,
        page: u64,
        most: u32,
        size: u64,
    ) -> Result<Option<PageRun>, Errno> {
        self.allocate_pages(number, page, most, size)
    }

    fn written(&mut self, number: u32, _pages: Range<u64>, size: u64) -> Result<(), Errno> {
        self.fat.written(number.into(), size, now())
    }

    fn read(&mut self, number: u32, at: u64, bytes: &mut [u8]) -> Result<usize, Errno> {
        self.fat.read(number.into(), at, bytes)
    }

    fn write(&mut self, number: u32, at: u64, bytes: &[u8]) -> Result<(), Errno> {
        self.fat.write(number.into(), at, bytes, now())
    }

    fn reserve(&mut self, number: u32, bytes: Range<u64>, change: Size) -> Result<(), Errno> {
        self.make_room(number, bytes.clone())?;
        let size = self.fat.status(number.into())?.size;
        match change {
            Size::Grows if bytes.end > size => self.fat.truncate(number.into(), bytes.end, now()),
            _ => Ok(()),
        }
    }

    fn truncate(&mut self, number: u32, size: u64) -> Result<(), Errno> {
        self.fat.truncate(number.into(), size, now())
    }
}
