//! What /proc shows of disks: `partitions`, `diskstats`.

use abi::Errno;
use block::statistics::{RequestCount, RequestKind};
use block::{BlockDevice, Volume, volume};

use super::text::Text;

/// Sectors of the unit of /proc/partitions.
const KILOBYTE_SECTORS: u64 = 2;

/// /proc/partitions: those that have room for anything, as `show_partition` of Linux.
pub fn partitions((): &(), text: &mut Text) -> Result<(), Errno> {
    text.bytes(b"major minor  #blocks  name\n\n");
    for volume in volume::all().filter(|volume| volume.sectors() > 0) {
        let (major, minor) = volume.number;
        let blocks = volume.sectors() / KILOBYTE_SECTORS;
        text.add(format_args!("{major:4}  {minor:7} {blocks:10} {}\n", volume.name));
    }
    Ok(())
}

/// /proc/diskstats: `Documentation/admin-guide/iostats.rst`. Nothing is merged, and how long the queue was is not kept.
pub fn statistics((): &(), text: &mut Text) -> Result<(), Errno> {
    for volume in volume::all() {
        let (major, minor) = volume.number;
        text.add(format_args!("{major:4} {minor:7} {}", volume.name));
        add_statistics(text, &volume);
    }
    Ok(())
}

/// What was asked of one, with a space before each number: the same in /sys/block.
pub fn add_statistics(text: &mut Text, volume: &Volume) {
    let [reads, writes, discards, flushes] = [
        RequestKind::Read,
        RequestKind::Write,
        RequestKind::Discard,
        RequestKind::Flush,
    ]
    .map(|kind| volume.statistics.of(kind));
    let busy = [reads, writes, discards, flushes]
        .iter()
        .map(|count| count.milliseconds)
        .sum::<u64>();
    for count in [reads, writes] {
        add_count(text, count);
    }
    text.add(format_args!(" 0 {busy} {busy}"));
    add_count(text, discards);
    text.add(format_args!(" {} {}\n", flushes.requests, flushes.milliseconds));
}

fn add_count(text: &mut Text, count: RequestCount) {
    text.add(format_args!(
        " {} 0 {} {}",
        count.requests, count.sectors, count.milliseconds
    ));
}
