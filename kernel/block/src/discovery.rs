//! Which disks the machine has, and what they are called. At boot alone.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU64};

use abi::Errno;
use klog::{error, info};
use lock::Mutex;
use memory::fallible::{self, TryVec};
use platform::disk::{self, CardError, SdCard, VirtioDisk};
use sched::interrupts;
use sched::time;
use sched::wait::WaitQueue;

use crate::disk::{Disk, DiskInterrupt, DiskProperties};
use crate::partitions::{self, MOST_PARTITIONS};
use crate::statistics::Statistics;
use crate::volume::{self, Volume};

/// Device number of disks of virtio.
pub const VIRTIO_MAJOR: u32 = 254;
/// Device number of cards of SD.
const CARD_MAJOR: u32 = 179;
/// What a card is called.
const CARD_NAME: &str = "mmcblk0";
/// Minor numbers of a disk: itself and its partitions.
const MINORS: u32 = MOST_PARTITIONS + 1;
/// Bytes of a MiB in sectors, for the log.
const MEGABYTE_SECTORS: u64 = (1 << 20) / 512;

/// What the disks of virtio are called.
const VIRTIO_NAMES: [&str; 8] = ["vda", "vdb", "vdc", "vdd", "vde", "vdf", "vdg", "vdh"];

/// Disks that were found and whose partitions were not looked for.
static FOUND: Mutex<Vec<Arc<Volume>>> = Mutex::new(Vec::new());

/// Finds the disks of the machine. Whether there is any, or may be one that [`scan_disks`] finds.
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
    !FOUND.lock().is_empty() || may_find_card()
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

/// Whether there is a place for a card in which none was found.
pub fn may_find_card() -> bool {
    disk::places_for_cards() > 0
}

/// Sleeps for so many nanoseconds, whatever happens.
pub fn sleep(nanos: u64) {
    static ALARM: WaitQueue = WaitQueue::new();
    let until = time::deadline_after(nanos);
    let _: Option<()> = ALARM.wait_uninterruptible(Some(until), || None);
}

/// Looks for a card of SD, which takes its time to wake.
fn find_card() {
    if !may_find_card() {
        return;
    }
    match disk::find_card(&mut { sleep }) {
        Err(CardError::NoCard) => {}
        Err(reason) => error!("mmc0: {reason}"),
        Ok(card) => {
            if let Err(reason) = start_card(card) {
                error!("{CARD_NAME}: {}", reason.message());
            }
        }
    }
}

fn start_card(card: SdCard) -> Result<(), Errno> {
    let interrupt = card.interrupt();
    let properties = DiskProperties::of_card(&card);
    let (counts_sectors, lines, is_high_speed) = card.kind();
    let disk = Disk::new(properties, fallible::boxed(card)?)?;
    let handler = fallible::arc(DiskInterrupt(disk.clone()))?;
    if let Err(reason) = interrupts::register(interrupt, "mmc0", handler) {
        error!("{CARD_NAME}: its interrupt cannot be served: {reason}");
        return Err(Errno::EBUSY);
    }
    let megabytes = properties.sectors / MEGABYTE_SECTORS;
    info!(
        "{CARD_NAME}: {} card, {megabytes} MiB{}, {lines} lines{}, interrupt {interrupt}",
        if counts_sectors { "SDHC" } else { "SD" },
        if properties.is_read_only { " (ro)" } else { "" },
        if is_high_speed { " at high speed" } else { "" },
    );
    add_disk(disk, CARD_NAME, (CARD_MAJOR, 0))
}

/// There is one more disk, whose partitions are to be looked for.
fn add_disk(disk: Arc<Disk>, name: &'static str, number: (u32, u32)) -> Result<(), Errno> {
    let whole = fallible::arc(Volume {
        name,
        number,
        partition: None,
        partition_uuid: "",
        start: 0,
        len: AtomicU64::new(disk.properties().sectors),
        disk,
        statistics: Statistics::new(),
        is_claimed: AtomicBool::new(false),
    })?;
    FOUND.lock().try_push(whole)
}

/// Looks for a card, and for the partitions of the disks that were found: from then on [`volume::all`] has them. Sleeps.
pub fn scan_disks() {
    find_card();
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
            start: entry.extent.start,
            len: AtomicU64::new(entry.extent.end - entry.extent.start),
            disk: whole.disk.clone(),
            statistics: Statistics::new(),
            is_claimed: AtomicBool::new(false),
        })?)?;
    }
    if !names.is_empty() {
        info!("{}:{names}", whole.name);
    }
    Ok(())
}
