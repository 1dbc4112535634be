//! Which disks the machine has, and what they are called. At boot alone.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use klog::{error, info};
use lock::Mutex;
use memory::fallible::{self, TryVec};
use platform::disk::VirtioDisk;
use sched::interrupts;

use crate::disk::{Disk, DiskInterrupt, DiskProperties};
use crate::partitions::{self, MOST_PARTITIONS};
use crate::statistics::Statistics;
use crate::volume::{self, Volume};

/// Device number of disks of virtio.
pub const VIRTIO_MAJOR: u32 = 254;
/// Minor numbers of a disk: itself and its partitions.
const MINORS: u32 = MOST_PARTITIONS + 1;
/// Bytes of a MiB in sectors, for the log.
const MEGABYTE_SECTORS: u64 = (1 << 20) / 512;

/// What the disks of virtio are called.
const VIRTIO_NAMES: [&str; 8] = ["vda", "vdb", "vdc", "vdd", "vde", "vdf", "vdg", "vdh"];

/// Disks that were found and whose partitions were not looked for.
static FOUND: Mutex<Vec<Arc<Volume>>> = Mutex::new(Vec::new());

/// Finds the disks of the machine. Whether there is any.
pub fn find_disks() -> bool {
    for (name, number) in VIRTIO_NAMES.into_iter().zip((0..).step_by(MINORS as usize)) {
        match VirtioDisk::take() {
            None => break,
            Some(Err(reason)) => error!("virtio-blk: {reason}"),
            Some(Ok(disk)) => {
                if let Err(reason) = start_virtio(disk, name, number) {
                    error!("{name}: {}", reason.message());
                }
            }
        }
    }
    !FOUND.lock().is_empty()
}

fn start_virtio(driver: VirtioDisk, name: &'static str, minor: u32) -> Result<(), Errno> {
    let interrupt = driver.interrupt();
    let properties = DiskProperties::of_virtio(&driver);
    let disk = Disk::new(properties, fallible::boxed(driver)?)?;
    let handler = fallible::arc(DiskInterrupt(disk.clone()))?;
    if let Err(reason) = interrupts::register(interrupt, name, handler) {
        error!("{name}: its interrupt cannot be served: {reason}");
        return Err(Errno::EBUSY);
    }
    let megabytes = properties.sectors / MEGABYTE_SECTORS;
    info!(
        "{name}: virtio-blk, {megabytes} MiB, blocks of {} bytes, interrupt {interrupt}",
        properties.block_size
    );
    add_disk(disk, name, (VIRTIO_MAJOR, minor))
}

/// There is one more disk, whose partitions are to be looked for.
fn add_disk(disk: Arc<Disk>, name: &'static str, number: (u32, u32)) -> Result<(), Errno> {
    let whole = fallible::arc(Volume {
        name,
        number,
        partition: None,
        partition_uuid: "",
        extent: 0..disk.properties().sectors,
        disk,
        statistics: Statistics::new(),
    })?;
    FOUND.lock().try_push(whole)
}

/// Looks for the partitions of the disks that were found: from then on [`volume::all`] has them. Sleeps.
pub fn scan_disks() {
    loop {
        let next = {
            let mut found = FOUND.lock();
            if found.is_empty() {
                return;
            }
            found.remove(0)
        };
        if let Err(reason) = scan_disk(&next) {
            error!("{}: no partitions: {}", next.name, reason.message());
        }
    }
}

fn scan_disk(whole: &Arc<Volume>) -> Result<(), Errno> {
    volume::add(whole.clone())?;
    let mut names = String::new();
    for entry in partitions::scan(&**whole)? {
        // A disk whose name ends in a number has a letter in between: mmcblk0p1.
        let between = if whole.name.ends_with(|last: char| last.is_ascii_digit()) {
            "p"
        } else {
            ""
        };
        let name = fallible::text(format_args!("{}{between}{}", whole.name, entry.number))?.leak();
        names = fallible::text(format_args!("{names} {name}"))?;
        volume::add(fallible::arc(Volume {
            name,
            number: (whole.number.0, whole.number.1 + entry.number),
            partition: Some(entry.number),
            partition_uuid: entry.uuid.leak(),
            extent: entry.extent,
            disk: whole.disk.clone(),
            statistics: Statistics::new(),
        })?)?;
    }
    if !names.is_empty() {
        info!("{}:{names}", whole.name);
    }
    Ok(())
}
