//! What /sys/block/loop0/loop tells of a file that is a disk (drivers/block/loop.c of Linux), for losetup(8).

use alloc::sync::Arc;

use abi::Errno;
use block::Volume;
use pagecache::LoopStatus;

use super::entry::FixedEntry;
use super::text::number;

pub static ENTRIES: [FixedEntry<Arc<Volume>>; 6] = [
    FixedEntry::text("autoclear", |volume, text| {
        number(text, status(volume)?.clears_itself.into())
    }),
    FixedEntry::text("backing_file", |volume, text| {
        text.bytes(&status(volume)?.file.dentry.shown_path()?);
        text.bytes(b"\n");
        Ok(())
    }),
    // The file's pages are read and written; its partitions are not looked for.
    FixedEntry::text("dio", |_, text| number(text, 0)),
    FixedEntry::text("offset", |volume, text| number(text, status(volume)?.offset)),
    FixedEntry::text("partscan", |_, text| number(text, 0)),
    FixedEntry::text("sizelimit", |volume, text| {
        number(text, status(volume)?.size_limit)
    }),
];

/// It may have let go of its file meanwhile.
fn status(volume: &Arc<Volume>) -> Result<LoopStatus, Errno> {
    LoopStatus::of(volume.number).ok_or(Errno::ENODEV)
}
