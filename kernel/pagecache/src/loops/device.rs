//! /dev/loop0 and its kin: what such a disk is asked for beside what every disk is.

use alloc::sync::Arc;
use core::any::Any;
use core::ops::Range;
use core::sync::atomic::Ordering;

use abi::Errno;
use abi::block::{BLKGETSIZE, BLKGETSIZE64};
use abi::capability::CAP_SYS_ADMIN;
use abi::file::{AccessMode, OpenFlags};
use abi::loop_device::{
    LO_FLAGS_AUTOCLEAR, LO_FLAGS_PARTSCAN, LO_FLAGS_READ_ONLY, LOOP_CHANGE_FD, LOOP_CLR_FD, LOOP_CONFIGURE,
    LOOP_GET_STATUS64, LOOP_MAJOR, LOOP_SET_BLOCK_SIZE, LOOP_SET_CAPACITY, LOOP_SET_DIRECT_IO, LOOP_SET_FD,
    LOOP_SET_STATUS64, LoopConfig, LoopInfo64,
};
use block::BlockDevice;
use lock::Mutex;
use memory::fallible;
use mm::{PageSource, Sharing};
use uaccess::{Sink, Source};
use vfs::OpenFile;
use vfs::caller::Caller;
use vfs::dentry::Dentry;
use vfs::device_registry::{DeviceDriver, DeviceNumber};
use vfs::file_ops::{FileOps, FindFile, Io, Positioning, SyncKind};

use super::{LoopBinding, LoopSlot, LoopWish, USUAL_BLOCK, bind, clear, no_information, rebind, slot};
use crate::block_file::BlockFile;
use crate::writeback;

/// Serves these disks.
pub struct LoopDriver;

impl DeviceDriver for LoopDriver {
    fn open(&self, minor: u32, flags: OpenFlags) -> Result<Arc<dyn FileOps>, Errno> {
        Ok(open(None, minor, flags)?)
    }

    fn open_node(
        &self,
        node: Arc<dyn Any + Send + Sync>,
        minor: u32,
        flags: OpenFlags,
    ) -> Result<Arc<dyn FileOps>, Errno> {
        Ok(open(node.downcast().ok(), minor, flags)?)
    }
}

fn open(dentry: Option<Arc<Dentry>>, index: u32, flags: OpenFlags) -> Result<Arc<LoopFile>, Errno> {
    let slot = slot(index)?;
    let is_writable = flags.access() != AccessMode::Read;
    let is_fixed = |bound: &Arc<LoopBinding>| bound.disk.is_read_only();
    if is_writable && slot.bound().as_ref().is_some_and(is_fixed) {
        return Err(Errno::EROFS);
    }
    let file = fallible::arc_with(|| LoopFile {
        index,
        slot,
        dentry,
        flags,
        inner: Mutex::new(None),
    })?;
    slot.users.fetch_add(1, Ordering::Relaxed);
    Ok(file)
}

/// An open one, which may get a file or lose it meanwhile.
struct LoopFile {
    index: u32,
    slot: &'static LoopSlot,
    dentry: Option<Arc<Dentry>>,
    flags: OpenFlags,
    /// As the disk that it is now.
    inner: Mutex<Option<Arc<BlockFile>>>,
}

impl Drop for LoopFile {
    fn drop(&mut self) {
        let is_last = self.slot.users.fetch_sub(1, Ordering::Relaxed) == 1;
        let is_to = |bound: &Arc<LoopBinding>| bound.info.flags & LO_FLAGS_AUTOCLEAR != 0;
        if is_last && self.slot.bound().as_ref().is_some_and(is_to) {
            self.slot.is_due.store(true, Ordering::Relaxed);
            writeback::wake();
        }
    }
}

impl LoopFile {
    /// It as an open disk; `None` without a file.
    fn inner(&self) -> Result<Option<Arc<BlockFile>>, Errno> {
        let Some(bound) = self.slot.bound() else {
            return Ok(None);
        };
        let known = self.inner.lock().clone();
        if let Some(known) = known.filter(|known| known.is_of(&bound.volume)) {
            return Ok(Some(known));
        }
        let mut flags = self.flags;
        if bound.disk.is_read_only() {
            flags = OpenFlags::O_RDONLY;
        }
        let opened = BlockFile::open((LOOP_MAJOR, self.index), self.dentry.clone(), flags)?;
        let old = self.inner.lock().replace(opened.clone());
        drop(old);
        Ok(Some(opened))
    }

    /// What it has; `ENXIO` without a file.
    fn bound(&self) -> Result<Arc<LoopBinding>, Errno> {
        self.slot.bound().ok_or(Errno::ENXIO)
    }

    fn set_file(&self, wish: LoopWish) -> Result<(), Errno> {
        let _turn = self.slot.turn()?;
        if self.slot.bound().is_some() {
            return Err(Errno::EBUSY);
        }
        self.check_file(&wish.file)?;
        bind(self.index, self.slot, wish)
    }

    /// A disk cannot lie on itself, not by way of others either.
    fn check_file(&self, file: &Arc<OpenFile>) -> Result<(), Errno> {
        let mut file = file.clone();
        loop {
            let DeviceNumber { major, minor } = DeviceNumber::decode(file.inode().ops.device_number());
            if file.inode().kind() != abi::file::S_IFBLK || major != LOOP_MAJOR {
                return Ok(());
            }
            if minor == self.index {
                return Err(Errno::EBADF);
            }
            let below = slot(minor)?.bound().ok_or(Errno::EINVAL)?;
            file = below.disk.file.clone();
        }
    }

    /// The wish of a caller who may write the disk only if he opened it so.
    fn wish(&self, file: Arc<OpenFile>, mut info: LoopInfo64, block_size: u32) -> LoopWish {
        if self.flags.access() == AccessMode::Read {
            info.flags |= LO_FLAGS_READ_ONLY;
        }
        LoopWish {
            file,
            info,
            block_size,
        }
    }

    fn configure(&self, config: &LoopConfig, file: Arc<OpenFile>) -> Result<(), Errno> {
        let known = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR;
        if config.info.flags & !known != 0 || config.info.encrypt_type != 0 {
            return Err(Errno::EINVAL);
        }
        self.set_file(self.wish(file, config.info, config.block_size))
    }

    /// `LOOP_CLR_FD`: at once, or when nobody else uses it any more.
    fn clear(&self) -> Result<(), Errno> {
        let _turn = self.slot.turn()?;
        let bound = self.bound()?;
        if self.slot.users.load(Ordering::Relaxed) > 1 {
            let mut info = bound.info;
            info.flags |= LO_FLAGS_AUTOCLEAR;
            return self.note_information(&bound, info);
        }
        clear(self.index, self.slot);
        Ok(())
    }

    fn note_information(&self, bound: &LoopBinding, info: LoopInfo64) -> Result<(), Errno> {
        let new = fallible::arc(LoopBinding {
            volume: bound.volume.clone(),
            disk: bound.disk.clone(),
            info,
        })?;
        let old = self.slot.bound.lock().replace(new);
        drop(old);
        Ok(())
    }

    /// `LOOP_SET_STATUS64`: where it begins and ends, what it is called, and whether it lets go by itself.
    fn set_status(&self, wanted: &LoopInfo64) -> Result<(), Errno> {
        let _turn = self.slot.turn()?;
        let bound = self.bound()?;
        if wanted.encrypt_type != 0 || wanted.flags & LO_FLAGS_PARTSCAN != 0 {
            return Err(Errno::EINVAL);
        }
        let mut info = *wanted;
        // What it takes is said when it gets its file.
        info.flags = wanted.flags & LO_FLAGS_AUTOCLEAR | bound.info.flags & LO_FLAGS_READ_ONLY;
        if (info.offset, info.size_limit) == (bound.info.offset, bound.info.size_limit) {
            return self.note_information(&bound, info);
        }
        self.change(&bound, info, bound.volume.block_size() as u32)
    }

    /// Shows the same file in another way. The caller has the turn.
    fn change(&self, bound: &LoopBinding, info: LoopInfo64, block_size: u32) -> Result<(), Errno> {
        if self.slot.users.load(Ordering::Relaxed) > 1 {
            return Err(Errno::EAGAIN);
        }
        let wish = LoopWish {
            file: bound.disk.file.clone(),
            info,
            block_size,
        };
        rebind(self.index, self.slot, wish)
    }

    fn rearrange(&self, block_size: Option<u32>) -> Result<(), Errno> {
        let _turn = self.slot.turn()?;
        let bound = self.bound()?;
        let block_size = block_size.unwrap_or(bound.volume.block_size() as u32);
        if block_size == 0 {
            return Err(Errno::EINVAL);
        }
        self.change(&bound, bound.info, block_size)
    }

    fn status(&self) -> Result<LoopInfo64, Errno> {
        let bound = self.bound()?;
        let inode = bound.disk.file.inode();
        let mut info = bound.info;
        info.device = inode.filesystem.device;
        info.inode = inode.number;
        info.rdevice = inode.ops.device_number();
        info.number = self.index;
        Ok(info)
    }

    /// `EPERM` if he opened it for reading only, unless he may do anything.
    fn check_may_change(&self, caller: &Caller<'_>) -> Result<(), Errno> {
        match self.flags.access() {
            AccessMode::Read => caller.credentials().require(CAP_SYS_ADMIN),
            _ => Ok(()),
        }
    }
}

impl FileOps for LoopFile {
    fn read(&self, io: &mut Io, to: &mut dyn Sink) -> Result<usize, Errno> {
        self.inner()?.map_or(Ok(0), |disk| disk.read(io, to))
    }

    fn write(&self, caller: &Caller<'_>, io: &mut Io, from: &mut dyn Source) -> Result<usize, Errno> {
        match self.inner()? {
            Some(disk) => disk.write(caller, io, from),
            None if from.left() == 0 => Ok(0),
            None => Err(Errno::ENOSPC),
        }
    }

    fn positioning(&self) -> Positioning {
        Positioning::Bytes
    }

    fn size(&self) -> Option<u64> {
        let disk = self.inner().ok().flatten();
        Some(disk.and_then(|disk| disk.size()).unwrap_or(0))
    }

    fn sync(&self, range: Range<u64>, kind: SyncKind) -> Result<(), Errno> {
        self.inner()?.map_or(Ok(()), |disk| disk.sync(range, kind))
    }

    fn ioctl(&self, request: u32, argument: u64) -> Result<usize, Errno> {
        match request {
            LOOP_CLR_FD => self.clear()?,
            LOOP_GET_STATUS64 => uaccess::write_value(argument, &self.status()?)?,
            LOOP_SET_DIRECT_IO => {
                self.bound()?;
                if argument != 0 {
                    return Err(Errno::EINVAL);
                }
            }
            _ => match self.inner()? {
                Some(disk) => return disk.ioctl(request, argument),
                None if matches!(request, BLKGETSIZE | BLKGETSIZE64) => {
                    uaccess::write_value(argument, &0u64)?;
                }
                None => return Err(Errno::ENXIO),
            },
        }
        Ok(0)
    }

    fn ioctl_with_files(
        &self,
        caller: &Caller<'_>,
        request: u32,
        argument: u64,
        find: FindFile<'_>,
    ) -> Result<usize, Errno> {
        match request {
            LOOP_SET_FD => {
                let file = file_of(find, argument as i32)?;
                self.set_file(self.wish(file, no_information(), USUAL_BLOCK))?;
            }
            LOOP_CONFIGURE => {
                let config: LoopConfig = uaccess::read_value(argument)?;
                self.configure(&config, file_of(find, config.fd as i32)?)?;
            }
            LOOP_SET_STATUS64 => {
                self.check_may_change(caller)?;
                self.set_status(&uaccess::read_value(argument)?)?;
            }
            LOOP_SET_CAPACITY => {
                self.check_may_change(caller)?;
                self.rearrange(None)?;
            }
            LOOP_SET_BLOCK_SIZE => {
                self.check_may_change(caller)?;
                self.rearrange(Some(u32::try_from(argument).map_err(|_| Errno::EINVAL)?))?;
            }
            // Only a disk that takes no writes may get another file under way, and none has asked for that here.
            LOOP_CHANGE_FD => return Err(Errno::EINVAL),
            _ => return self.ioctl(request, argument),
        }
        Ok(0)
    }

    fn page_source(&self, sharing: Sharing) -> Result<Arc<dyn PageSource>, Errno> {
        let disk = self.inner()?.ok_or(Errno::ENODEV)?;
        disk.page_source(sharing)
    }
}

/// The open file that a descriptor of the caller stands for.
fn file_of(find: FindFile<'_>, descriptor: i32) -> Result<Arc<OpenFile>, Errno> {
    find(descriptor)?.downcast().map_err(|_| Errno::EBADF)
}
