//! Swap areas: swapon(2), swapoff(2).

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};

use abi::Errno;
use abi::capability::CAP_SYS_ADMIN;
use abi::file::{AT_FDCWD, S_IFBLK, S_IFREG};
use block::{Volume, volume};
use memory::fallible;
use mm::PAGE_SIZE;
use sched::scheduler;
use swap::place::{SwapFile, SwapPlace, SwapPlaceId};
use swap::{reclaim, switch};
use task::kernel_thread::{self, KernelWork};
use task::thread::{Thread, ThreadExt};
use vfs::device_registry::DeviceNumber;
use vfs::file_ops::SyncKind;
use vfs::inode::Inode;
use vfs::open_file::OpenFile;
use vfs::{Dentry, LastLink, open_kept};

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

/// swapon(2). Disks, partitions, /dev/zram0 and files of ext4 in blocks of a page can be used.
///
/// Not supported: other files, and such to whose room nobody wrote yet (`EINVAL`), areas with bad pages (`EINVAL`), `SWAP_FLAG_DISCARD` (ignored).
///
/// # Errors
/// `EPERM`: without `CAP_SYS_ADMIN`, or there are 16 areas. Those of paths. `EINVAL`: unknown flags, no disk and no file on one, a file with
/// holes, no header of mkswap(8). `EBUSY`: it is in use. `ETXTBSY`: the file is open for writing. `EROFS`, `EIO`, `ENOMEM`. `ENXIO`: there is no such disk.
pub fn swapon(current: &Thread, path: u64, flags: u32) -> Result<usize, Errno> {
    if flags & !(PREFER | PRIORITY | DISCARD) != 0 {
        return Err(Errno::EINVAL);
    }
    current.process().credentials().require(CAP_SYS_ADMIN)?;
    let name = lookup::path(path)?;
    let found = Lookup::new(current, AT_FDCWD, path)?.find(LastLink::Follow)?;
    let place = place_of(&found)?;
    let priority = (flags & PREFER != 0).then_some((flags & PRIORITY) as i16);
    start_thread()?;
    switch::begin(place, name, priority)?;
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
    switch::end(id_of(&found)?)?;
    Ok(0)
}

/// Which area that would be.
fn id_of(found: &Dentry) -> Result<SwapPlaceId, Errno> {
    let inode = &found.inode;
    match inode.kind() {
        S_IFBLK => Ok(SwapPlaceId::Disk(numbers(inode.device_number()))),
        S_IFREG => Ok(SwapPlaceId::File(inode.filesystem.device, inode.number)),
        _ => Err(Errno::EINVAL),
    }
}

/// Where its pages lie.
fn place_of(found: &Arc<Dentry>) -> Result<SwapPlace, Errno> {
    match id_of(found)? {
        SwapPlaceId::Disk(number) => Ok(SwapPlace::Disk(volume_of(number)?.claim()?)),
        SwapPlaceId::File(..) => place_in_file(found).map(SwapPlace::File),
    }
}

/// A file keeps its place while nobody can write it; what was written to it is there before.
fn place_in_file(found: &Arc<Dentry>) -> Result<SwapFile, Errno> {
    let id = id_of(found)?;
    if swap::is_used(id) {
        return Err(Errno::EBUSY);
    }
    let file = open_kept(found.clone())?;
    let inode = file.inode().clone();
    let keeper = fallible::arc(NamesKept::new(&inode, file.clone())?)?;
    let regular = inode.regular().ok_or(Errno::EINVAL)?;
    let device = volume_of(numbers(inode.filesystem.device)).map_err(|_| Errno::EINVAL)?;
    file.sync(0..u64::MAX, SyncKind::All)?;
    let pages = inode.size() / PAGE_SIZE as u64;
    let mut place = SwapFile::new(device, id, keeper);
    let mut page = 0;
    while page < pages {
        let most = u32::try_from(pages - page).unwrap_or(u32::MAX);
        let run = regular.pages_on_disk(page, most)?;
        place.add(run.sector, run.len)?;
        page += u64::from(run.len);
        scheduler::cond_resched_killable()?;
    }
    Ok(place)
}

/// While this is there, the file can be neither written, nor lose a name.
struct NamesKept {
    inode: Arc<Inode>,
    _file: Arc<OpenFile>,
}

impl NamesKept {
    /// `EBUSY`: pages are swapped to it already.
    fn new(inode: &Arc<Inode>, file: Arc<OpenFile>) -> Result<NamesKept, Errno> {
        match inode.begin_swapping() {
            true => Ok(NamesKept {
                inode: inode.clone(),
                _file: file,
            }),
            false => Err(Errno::EBUSY),
        }
    }
}

impl Drop for NamesKept {
    fn drop(&mut self) {
        self.inode.end_swapping();
    }
}

fn numbers(device: u64) -> (u32, u32) {
    let DeviceNumber { major, minor } = DeviceNumber::decode(device);
    (major, minor)
}

/// The disk with that number.
fn volume_of(number: (u32, u32)) -> Result<Arc<Volume>, Errno> {
    let is_meant = |volume: &Arc<Volume>| volume.number == number;
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
