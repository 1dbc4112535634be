//! Files as disks: /dev/loop0 to /dev/loop7, and /dev/loop-control.
//!
//! A disk that has no file reads as empty. It gets one by `LOOP_SET_FD` or `LOOP_CONFIGURE`, and is a [`Volume`] as any other then. Each
//! has a thread that reads and writes the file ([`worker`]): whoever wants something of the disk may be killed or have little stack
//! left, and is perhaps a file system that lies on another such disk.
//!
//! It lets go of its file when somebody says so, or, with `LO_FLAGS_AUTOCLEAR`, when nobody has it open or mounted any more.

mod control;
mod device;
mod worker;

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use abi::Errno;
use abi::loop_device::{
    LO_FLAGS_AUTOCLEAR, LO_FLAGS_READ_ONLY, LO_NAME_SIZE, LOOP_CTRL_MINOR, LOOP_MAJOR, LoopInfo64,
};
use block::statistics::Statistics;
use block::{SECTOR_SIZE, Volume, volume};
use lock::Mutex;
use memory::fallible;
use sched::{SleepingMutex, SleepingMutexGuard};
use vfs::OpenFile;
use vfs::device_registry::{self, DeviceClass, DeviceNode, DeviceRange};

use crate::block_file;
use crate::writeback::{self, Chore};
use worker::LoopDisk;
pub use worker::serve;

/// How many there are.
const COUNT: usize = 8;
/// What they are called.
const NAMES: [&str; COUNT] = [
    "loop0", "loop1", "loop2", "loop3", "loop4", "loop5", "loop6", "loop7",
];
/// Permission bits of the nodes.
const MODE: u32 = 0o660;
/// The major number of /dev/loop-control: devices of many drivers.
const MISC_MAJOR: u32 = 10;

/// Starts a thread that calls [`serve`].
type StartWorker = fn() -> Result<(), Errno>;
static START_WORKER: Mutex<Option<StartWorker>> = Mutex::new(None);

/// One of them.
struct LoopSlot {
    bound: Mutex<Option<Arc<LoopBinding>>>,
    /// Whose turn it is to give it a file or take it.
    turn: SleepingMutex,
    /// Open files of it, and mounts.
    users: AtomicUsize,
    /// It is to let go of its file, as soon as somebody can sleep.
    is_due: AtomicBool,
}

static SLOTS: [LoopSlot; COUNT] = [const { LoopSlot::new() }; COUNT];

/// What one has while it has a file.
struct LoopBinding {
    volume: Arc<Volume>,
    disk: Arc<LoopDisk>,
    /// As the caller wants them: offset, limit, flags, names.
    info: LoopInfo64,
}

/// How a file is to be shown.
struct LoopWish {
    file: Arc<OpenFile>,
    info: LoopInfo64,
    block_size: u32,
}

impl LoopSlot {
    const fn new() -> LoopSlot {
        LoopSlot {
            bound: Mutex::new(None),
            turn: SleepingMutex::new(),
            users: AtomicUsize::new(0),
            is_due: AtomicBool::new(false),
        }
    }

    fn bound(&self) -> Option<Arc<LoopBinding>> {
        self.bound.lock().clone()
    }

    fn turn(&self) -> Result<SleepingMutexGuard<'_>, Errno> {
        self.turn.lock()
    }
}

/// The slot of that number.
fn slot(index: u32) -> Result<&'static LoopSlot, Errno> {
    SLOTS.get(index as usize).ok_or(Errno::ENXIO)
}

/// The slot that such a device number means.
fn slot_of(number: (u32, u32)) -> Option<(u32, &'static LoopSlot)> {
    let slot = slot(number.1).ok().filter(|_| number.0 == LOOP_MAJOR)?;
    Some((number.1, slot))
}

/// Registers them with their nodes. At boot, before a devtmpfs is mounted.
///
/// # Errors
/// `EBUSY`, `ENOMEM`.
pub fn register_loops(start_worker: fn() -> Result<(), Errno>) -> Result<(), Errno> {
    *START_WORKER.lock() = Some(start_worker);
    writeback::set_chore(Chore {
        is_due: is_any_due,
        work: clear_due,
    });
    let nodes = fallible::collect((0..).zip(NAMES).map(|(minor, name)| DeviceNode {
        name,
        minor,
        mode: MODE,
    }))?;
    device_registry::register(DeviceRange {
        name: "loop",
        class: DeviceClass::Block,
        major: LOOP_MAJOR,
        minors: 0..=COUNT as u32 - 1,
        driver: &device::LoopDriver,
        nodes: nodes.leak(),
    })?;
    let control = DeviceNode {
        name: "loop-control",
        minor: LOOP_CTRL_MINOR,
        mode: MODE,
    };
    device_registry::register(DeviceRange {
        name: "misc",
        class: DeviceClass::Character,
        major: MISC_MAJOR,
        minors: LOOP_CTRL_MINOR..=LOOP_CTRL_MINOR,
        driver: &control::ControlDriver,
        nodes: Box::leak(fallible::boxed([control])?),
    })
}

/// A disk was mounted.
pub fn note_mounted(number: (u32, u32)) {
    if let Some((_, slot)) = slot_of(number) {
        slot.users.fetch_add(1, Ordering::Relaxed);
    }
}

/// A disk was unmounted. Sleeps.
pub fn note_unmounted(number: (u32, u32)) {
    if let Some((index, slot)) = slot_of(number) {
        slot.users.fetch_sub(1, Ordering::Relaxed);
        let _turn = slot.turn.lock_uninterruptible();
        clear_if_unused(index, slot);
    }
}

/// What /sys tells of one that has a file.
pub struct LoopStatus {
    /// The file.
    pub file: Arc<OpenFile>,
    /// Where in it the disk begins.
    pub offset: u64,
    /// Bytes of the file that are the disk; 0 for all.
    pub size_limit: u64,
    /// It lets go of the file when nobody uses it any more.
    pub clears_itself: bool,
}

impl LoopStatus {
    /// Of the disk with that number, if it is such a one and has a file.
    pub fn of(number: (u32, u32)) -> Option<LoopStatus> {
        let bound = slot_of(number)?.1.bound()?;
        Some(LoopStatus {
            file: bound.disk.file.clone(),
            offset: bound.info.offset,
            size_limit: bound.info.size_limit,
            clears_itself: bound.info.flags & LO_FLAGS_AUTOCLEAR != 0,
        })
    }
}

/// Whether one is to let go of its file.
fn is_any_due() -> bool {
    SLOTS.iter().any(|slot| slot.is_due.load(Ordering::Relaxed))
}

/// Lets those go of their files that are to. Sleeps.
fn clear_due() {
    for (index, slot) in (0..).zip(&SLOTS) {
        if slot.is_due.swap(false, Ordering::Relaxed) {
            let _turn = slot.turn.lock_uninterruptible();
            clear_if_unused(index, slot);
        }
    }
}

/// Lets it go of its file if nobody uses it and it is to. The caller has its turn.
fn clear_if_unused(index: u32, slot: &LoopSlot) {
    let is_to = |bound: &Arc<LoopBinding>| bound.info.flags & LO_FLAGS_AUTOCLEAR != 0;
    let is_unused = slot.users.load(Ordering::Relaxed) == 0;
    if is_unused && slot.bound().as_ref().is_some_and(is_to) {
        clear(index, slot);
    }
}

/// Lets it go of its file, behind what was written. The caller has its turn.
fn clear(index: u32, slot: &LoopSlot) {
    let Some(bound) = slot.bound() else {
        return;
    };
    if let Err(error) = block_file::retire_disk((LOOP_MAJOR, index)) {
        klog::error!(
            "{}: not everything was kept: {}",
            bound.volume.name,
            error.message()
        );
    }
    volume::remove(&bound.volume);
    let gone = slot.bound.lock().take();
    bound.disk.end();
    drop(gone);
}

/// Gives it a file. The caller has its turn.
fn bind(index: u32, slot: &LoopSlot, wish: LoopWish) -> Result<(), Errno> {
    let disk = LoopDisk::new(&wish)?;
    let volume = fallible::arc(Volume {
        name: NAMES[index as usize],
        number: (LOOP_MAJOR, index),
        partition: None,
        partition_uuid: "",
        start: 0,
        len: AtomicU64::new(disk.sectors()),
        disk: disk.clone(),
        statistics: Statistics::new(),
        is_claimed: AtomicBool::new(false),
    })?;
    let mut info = wish.info;
    info.flags &= LO_FLAGS_AUTOCLEAR;
    if disk.is_read_only() {
        info.flags |= LO_FLAGS_READ_ONLY;
    }
    let new = fallible::arc(LoopBinding {
        volume: volume.clone(),
        disk: disk.clone(),
        info,
    })?;
    let start = START_WORKER.lock().ok_or(Errno::ENXIO)?;
    worker::await_server(disk.clone())?;
    start().inspect_err(|_| worker::await_none(&disk))?;
    volume::add(volume).inspect_err(|_| disk.end())?;
    *slot.bound.lock() = Some(new);
    Ok(())
}

/// Shows the same file in another way: from another offset, with another size. What was written is written before. The caller has its turn.
fn rebind(index: u32, slot: &LoopSlot, wish: LoopWish) -> Result<(), Errno> {
    block_file::retire_disk((LOOP_MAJOR, index))?;
    let old = slot.bound();
    bind(index, slot, wish)?;
    if let Some(old) = old {
        volume::remove(&old.volume);
        old.disk.end();
    }
    Ok(())
}

/// Information about nothing in particular.
fn no_information() -> LoopInfo64 {
    LoopInfo64 {
        device: 0,
        inode: 0,
        rdevice: 0,
        offset: 0,
        size_limit: 0,
        number: 0,
        encrypt_type: 0,
        encrypt_key_size: 0,
        flags: 0,
        file_name: [0; LO_NAME_SIZE],
        crypt_name: [0; LO_NAME_SIZE],
        encrypt_key: [0; 32],
        init: [0; 2],
    }
}

/// Bytes of a block if nobody says otherwise.
const USUAL_BLOCK: u32 = SECTOR_SIZE as u32;
