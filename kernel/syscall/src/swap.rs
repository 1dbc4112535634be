//! Swap areas: swapon(2), swapoff(2).

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};

use abi::Errno;
use abi::capability::CAP_SYS_ADMIN;
use abi::file::{AT_FDCWD, S_IFBLK};
use block::{Volume, volume};
use swap::{reclaim, switch};
use task::kernel_thread::{self, KernelWork};
use task::thread::{Thread, ThreadExt};
use vfs::device_registry::DeviceNumber;
use vfs::{Dentry, LastLink};

use super::lookup::{self, Lookup};

/// The priority in the flags is meant (`SWAP_FLAG_PREFER`).
const PREFER: u32 = 0x8000;
/// The priority (`SWAP_FLAG_PRIO_MASK`).
const PRIORITY: u32 = 0x7fff;
/// Slots that are free are told to the disk (`SWAP_FLAG_DISCARD`, `_ONCE`, `_PAGES`): a wish, which is not heeded.
const DISCARD: u32 = 0x7_0000;

/// Keeps some memory free while there are swap areas.
struct PageOut;

impl KernelWork for PageOut {
    const NAME: &'static str = "kswapd0";

    fn run() {
        reclaim::run()
    }
}

/// swapon(2). Disks, partitions and /dev/zram0 can be used.
///
/// Not supported: files (`EINVAL`), areas with bad pages (`EINVAL`), `SWAP_FLAG_DISCARD` (ignored).
///
/// # Errors
/// `EPERM`: without `CAP_SYS_ADMIN`, or there are 16 areas. Those of paths. `EINVAL`: unknown flags, no disk, no header of mkswap(8). `EBUSY`: it is in use. `EROFS`,
/// `EIO`, `ENOMEM`. `ENXIO`: there is no such disk.
pub fn swapon(current: &Thread, path: u64, flags: u32) -> Result<usize, Errno> {
    if flags & !(PREFER | PRIORITY | DISCARD) != 0 {
        return Err(Errno::EINVAL);
    }
    current.process().credentials().require(CAP_SYS_ADMIN)?;
    let name = lookup::path(path)?;
    let found = Lookup::new(current, AT_FDCWD, path)?.find(LastLink::Follow)?;
    let volume = volume_of(&found)?;
    let priority = (flags & PREFER != 0).then_some((flags & PRIORITY) as i16);
    start_thread()?;
    switch::begin(&volume, name, priority)?;
    Ok(0)
}

/// swapoff(2).
///
/// # Errors
/// `EPERM`: without `CAP_SYS_ADMIN`. Those of paths. `EINVAL`: it is no area. `ENOMEM`: there is no memory for what is in it. `EIO`: some of it
/// cannot be read. `EINTR`. `ENXIO`: there is no such disk.
pub fn swapoff(current: &Thread, path: u64) -> Result<usize, Errno> {
    current.process().credentials().require(CAP_SYS_ADMIN)?;
    let found = Lookup::new(current, AT_FDCWD, path)?.find(LastLink::Follow)?;
    switch::end(&*volume_of(&found)?)?;
    Ok(0)
}

/// The disk whose node that is.
fn volume_of(found: &Arc<Dentry>) -> Result<Arc<Volume>, Errno> {
    if found.inode.kind() != S_IFBLK {
        return Err(Errno::EINVAL);
    }
    let number = DeviceNumber::decode(found.inode.device_number());
    let is_meant = |volume: &Arc<Volume>| volume.number == (number.major, number.minor);
    volume::all().find(is_meant).ok_or(Errno::ENXIO)
}

/// Starts the thread, once.
fn start_thread() -> Result<(), Errno> {
    static IS_STARTED: AtomicBool = AtomicBool::new(false);
    if IS_STARTED.swap(true, Ordering::Relaxed) {
        return Ok(());
    }
    let started = kernel_thread::start::<PageOut>();
    if started.is_err() {
        IS_STARTED.store(false, Ordering::Relaxed);
    }
    started
}
