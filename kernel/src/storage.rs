//! Disks at boot. Whatever is on one has to be waited for, so the rest of the boot is done by a thread of the kernel's own if there
//! is any.

use crate::boot;
use abi::Errno;
use abi::mount::MountFlags;
use alloc::sync::Arc;
use block::BlockDevice;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use formats::bootargs::CommandLine;
use klog::{boot_arguments, error, info, power};
use pagecache::writeback;
use task::kernel_thread::{self, KernelWork};
use vfs::dentry::Dentry;
use vfs::device_registry::DeviceNumber;
use vfs::{filesystem, mount};

/// How often it is looked whether the disk of the root has come, in nanoseconds.
const ROOT_WAIT: u64 = 500_000_000;

/// What [`boot::finish`] is told.
static MOST_PROCESSES: AtomicU64 = AtomicU64::new(0);

/// Finds the disks, and sees to it that init is started.
pub fn begin(line: CommandLine<'static>, most_processes: u64) {
    memory::register_shrinker(swap::reclaim::shrink);
    if let Err(reason) = block::zram::start() {
        error!("zram: {}", reason.message());
    }
    if !block::find_disks() {
        if let Some(root) = root_of(line) {
            cannot_mount(root, "there is no disk");
        }
        register_disks();
        return boot::finish(line, most_processes);
    }
    MOST_PROCESSES.store(most_processes, Ordering::Relaxed);
    start_write_back()
        .and_then(|()| kernel_thread::start::<Boot>())
        .expect("a machine that booted has memory for two threads");
}

/// Registers the disks that are files.
///
/// # Errors
/// `EBUSY`, `ENOMEM`.
pub fn register_loops() -> Result<(), Errno> {
    pagecache::register_loops(|| {
        start_write_back()?;
        kernel_thread::start::<LoopWorker>()
    })
}

/// Starts the thread that writes back what is dirty, once: a machine without a disk needs none until a file becomes one.
fn start_write_back() -> Result<(), Errno> {
    static IS_STARTED: AtomicBool = AtomicBool::new(false);
    if IS_STARTED.swap(true, Ordering::Relaxed) {
        return Ok(());
    }
    kernel_thread::start::<WriteBack>().inspect_err(|_| IS_STARTED.store(false, Ordering::Relaxed))
}

/// What `root=` says, if nobody gave an initrd, which comes first.
fn root_of(line: CommandLine<'static>) -> Option<&'static str> {
    let has_entry = |_: &Arc<Dentry>| Err(Errno::EEXIST);
    let root = vfs::root();
    let is_empty = root
        .inode
        .ops
        .as_directory()
        .is_some_and(|names| names.visit_kept(&mut { has_entry }).is_ok());
    line.value("root").filter(|_| is_empty)
}

/// With `rootwait` a card may be put in later, and is waited for. Other disks were found, or do not come.
fn wait_for_root(root: &str, line: CommandLine<'static>) {
    if !line.has_flag("rootwait") {
        return;
    }
    let mut is_first = true;
    while block::may_find_card() && diskfs::find_root(root).is_none() {
        if is_first {
            info!("Waiting for root device {root}...");
        }
        is_first = false;
        block::sleep(ROOT_WAIT);
        block::scan_disks();
    }
}

/// Mounts the root of the tree.
fn mount_root(root: &str, line: CommandLine<'static>) -> Result<(), &'static str> {
    let volume = diskfs::find_root(root).ok_or("there is no such disk or partition")?;
    let kind = line.value("rootfstype").unwrap_or("ext4");
    let kind = filesystem::find(kind.as_bytes()).map_err(|_| "rootfstype= is not known")?;
    let (major, minor) = volume.number;
    let is_writable = line.has_flag("rw") && !line.has_flag("ro");
    let flags = match is_writable {
        true => MountFlags::empty(),
        false => MountFlags::MS_RDONLY,
    };
    let is_to_grow = is_writable && line.has_flag("growroot");
    if is_to_grow && let Err(reason) = block::grow_partition(&volume) {
        info!(
            "{}: the partition stays as it is: {}",
            volume.name,
            reason.message()
        );
    }
    mount::replace_root(kind, DeviceNumber { major, minor }, b"/dev/root", flags)
        .map_err(|error| error.message())?;
    info!(
        "VFS: Mounted root ({} filesystem) {}on device {major}:{minor}.",
        kind.name(),
        if is_writable { "" } else { "readonly " }
    );
    if is_to_grow {
        match diskfs::grow(volume.number) {
            Ok(bytes) => info!("{}: the file system has {} MiB", volume.name, bytes >> 20),
            Err(reason) => error!(
                "{}: the file system cannot grow: {}",
                volume.name,
                reason.message()
            ),
        }
    }
    Ok(())
}

/// As Linux says it.
fn cannot_mount(root: &str, reason: &str) -> ! {
    error!("VFS: Cannot open root device \"{root}\": {reason}");
    error!("Please append a correct \"root=\" boot option; here are the available partitions:");
    for volume in block::volume::all() {
        let (major, minor) = volume.number;
        error!(
            "{major:02x}{minor:02x} {:10} {}",
            volume.sectors() / 2,
            volume.name
        );
    }
    error!("Kernel panic - not syncing: VFS: Unable to mount root fs");
    power::end(1)
}

/// Who opens a node finds its disk from now on.
fn register_disks() {
    if let Err(reason) = pagecache::register() {
        error!("Disks cannot be opened: {}", reason.message());
    }
}

/// What is left to do at boot.
struct Boot;

impl KernelWork for Boot {
    const NAME: &'static str = "boot";

    fn run() {
        block::scan_disks();
        let line = boot_arguments::command_line().expect("it was kept");
        let root = root_of(line);
        if let Some(root) = root {
            wait_for_root(root, line);
        }
        register_disks();
        if let Some(root) = root
            && let Err(reason) = mount_root(root, line)
        {
            cannot_mount(root, reason);
        }
        boot::finish(line, MOST_PROCESSES.load(Ordering::Relaxed));
    }
}

/// Writes back what is dirty.
struct WriteBack;

impl KernelWork for WriteBack {
    const NAME: &'static str = "writeback";

    fn run() {
        writeback::run()
    }
}

/// Reads and writes the file of one disk.
struct LoopWorker;

impl KernelWork for LoopWorker {
    const NAME: &'static str = "loop";

    fn run() {
        pagecache::serve_loop();
    }
}
