//! /sys/block, /sys/class/block and /sys/dev/block: disks and their partitions (`Documentation/ABI/stable/sysfs-block` of Linux), for lsblk(8) and its
//! kin.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use abi::file::{S_IFDIR, S_IFLNK};
use block::{BlockDevice, SECTOR_SIZE, Volume, volume};
use memory::fallible;
use pagecache::LoopStatus;
use vfs::inode::{Attributes, Inode};
use vfs::super_block::SuperBlock;

use super::disks::add_statistics;
use super::entry::{Directory, FIRST, FixedEntry, ProcSubject, SPREAD};
use super::loops;
use super::node::{Magic, PseudoDirectory, PseudoEntry, PseudoNode};
use super::text::{Text, number};
use super::zram;

/// Where volumes begin among the entries of a directory, and their inodes.
const FIRST_VOLUME: u64 = 1 << 20;
const FIRST_INODE: u64 = 1 << 32;
/// Inodes of one volume.
const INODES: u64 = SPREAD * SPREAD;

/// A disk or a partition: files of /sys (`kernfs_fop_poll`).
impl ProcSubject for Arc<Volume> {
    const CAN_BE_WATCHED: bool = true;
}

const COMMON: [FixedEntry<Arc<Volume>>; 10] = [
    FixedEntry::text("dev", device_number),
    FixedEntry::text("discard_alignment", |_, text| number(text, 0)),
    FixedEntry::directory("holders", 0o755, |volume, filesystem, inode| {
        about(volume, filesystem, inode * SPREAD, &[])
    }),
    FixedEntry::directory("queue", 0o755, |volume, filesystem, inode| {
        about(volume, filesystem, inode * SPREAD, &QUEUE)
    }),
    FixedEntry::text("range", |_, text| number(text, 16)),
    FixedEntry::text("removable", |_, text| number(text, 0)),
    FixedEntry::text("ro", read_only),
    FixedEntry::text("size", size),
    FixedEntry::directory("slaves", 0o755, |volume, filesystem, inode| {
        about(volume, filesystem, inode * SPREAD, &[])
    }),
    FixedEntry::text("stat", statistics),
];

static DISK: [FixedEntry<Arc<Volume>>; 10] = COMMON;

/// A file as a disk.
static LOOP_DISK: [FixedEntry<Arc<Volume>>; 11] = {
    let [a, b, c, d, e, f, g, h, i, j] = COMMON;
    let about_file = FixedEntry::directory("loop", 0o755, |volume, filesystem, inode| {
        about(volume, filesystem, inode * SPREAD, &loops::ENTRIES)
    });
    [a, b, c, d, e, f, g, h, i, j, about_file]
};

static PARTITION: [FixedEntry<Arc<Volume>>; 7] = [
    FixedEntry::text("dev", device_number),
    FixedEntry::directory("holders", 0o755, |volume, filesystem, inode| {
        about(volume, filesystem, inode * SPREAD, &[])
    }),
    FixedEntry::text("partition", |volume, text| {
        number(text, volume.partition.unwrap_or(0).into())
    }),
    FixedEntry::text("ro", read_only),
    FixedEntry::text("size", size),
    FixedEntry::text("start", |volume, text| number(text, volume.start)),
    FixedEntry::text("stat", statistics),
];

/// Disks here have no parts that move, and tell nothing of what they would like.
static QUEUE: [FixedEntry<Arc<Volume>>; 7] = [
    FixedEntry::text("discard_granularity", |volume, text| {
        number(
            text,
            if most_discarded(volume) > 0 {
                SECTOR_SIZE as u64
            } else {
                0
            },
        )
    }),
    FixedEntry::text("discard_max_bytes", |volume, text| {
        number(text, most_discarded(volume) * SECTOR_SIZE as u64)
    }),
    FixedEntry::text("hw_sector_size", block_size),
    FixedEntry::text("logical_block_size", block_size),
    FixedEntry::text("minimum_io_size", block_size),
    FixedEntry::text("physical_block_size", block_size),
    FixedEntry::text("rotational", |_, text| number(text, 0)),
];

/// Volumes of one kind, by their names: the disks, or the partitions of one of them behind what is told of it.
struct Volumes {
    filesystem: Arc<SuperBlock>,
    disk: Option<Arc<Volume>>,
}

/// Links to all of them.
struct VolumeLinks {
    filesystem: Arc<SuperBlock>,
    /// What each is called.
    name: fn(&Volume) -> Result<Vec<u8>, Errno>,
    /// Where their inodes stand among those of a volume.
    inode: u64,
}

/// Where one leads.
struct VolumeLink(Arc<Volume>);

/// /sys/block.
///
/// # Errors
/// `ENOMEM`.
pub fn disks((): &(), filesystem: &Arc<SuperBlock>, _inode: u64) -> Result<PseudoNode, Errno> {
    PseudoNode::directory(Volumes {
        filesystem: filesystem.clone(),
        disk: None,
    })
}

/// /sys/dev/block: links by device numbers.
///
/// # Errors
/// `ENOMEM`.
pub fn numbers((): &(), filesystem: &Arc<SuperBlock>, _inode: u64) -> Result<PseudoNode, Errno> {
    PseudoNode::directory(VolumeLinks {
        filesystem: filesystem.clone(),
        name: |volume| {
            let (major, minor) = volume.number;
            fallible::text_bytes(format_args!("{major}:{minor}"))
        },
        inode: INODES - 1,
    })
}

/// /sys/class/block: links by names.
///
/// # Errors
/// `ENOMEM`.
pub fn names((): &(), filesystem: &Arc<SuperBlock>, _inode: u64) -> Result<PseudoNode, Errno> {
    PseudoNode::directory(VolumeLinks {
        filesystem: filesystem.clone(),
        name: |volume| fallible::bytes(volume.name.as_bytes()),
        inode: INODES - 2,
    })
}

fn about(
    volume: &Arc<Volume>,
    filesystem: &Arc<SuperBlock>,
    inode: u64,
    entries: &'static [FixedEntry<Arc<Volume>>],
) -> Result<PseudoNode, Errno> {
    PseudoNode::directory(directory(volume, filesystem, inode, entries))
}

fn directory(
    volume: &Arc<Volume>,
    filesystem: &Arc<SuperBlock>,
    inode: u64,
    entries: &'static [FixedEntry<Arc<Volume>>],
) -> Directory<Arc<Volume>> {
    Directory {
        filesystem: filesystem.clone(),
        subject: volume.clone(),
        entries,
        inode,
        owner: (0, 0),
        directory_owner: (0, 0),
    }
}

/// The disk that a partition is of, or the volume itself.
fn disk_of(part: &Arc<Volume>) -> Option<Arc<Volume>> {
    let is_disk = |other: &Arc<Volume>| other.partition.is_none() && Arc::ptr_eq(&other.disk, &part.disk);
    volume::all().find(is_disk)
}

impl Volumes {
    fn has(&self, volume: &Arc<Volume>) -> bool {
        match &self.disk {
            None => volume.partition.is_none(),
            Some(disk) => volume.partition.is_some() && Arc::ptr_eq(&volume.disk, &disk.disk),
        }
    }

    /// What is told of the disk itself.
    fn own(&self) -> Option<Directory<Arc<Volume>>> {
        let disk = self.disk.as_ref()?;
        let entries: &[_] = match LoopStatus::of(disk.number) {
            Some(_) => &LOOP_DISK,
            None => &DISK,
        };
        Some(directory(disk, &self.filesystem, inode_of(disk), entries))
    }

    /// What only the disk of that name tells: /dev/zram0.
    fn special(&self) -> Option<Directory<()>> {
        let disk = self.disk.as_ref()?;
        (disk.name == block::zram::ZRAM_NAME).then(|| Directory {
            filesystem: self.filesystem.clone(),
            subject: (),
            entries: &zram::ENTRIES,
            inode: inode_of(disk) + SPREAD / 2,
            owner: (0, 0),
            directory_owner: (0, 0),
        })
    }
}

/// Its inode: device numbers are its own for ever.
fn inode_of(volume: &Volume) -> u64 {
    let (major, minor) = volume.number;
    (FIRST_INODE + (u64::from(major) << 20 | u64::from(minor))) * INODES
}

impl PseudoDirectory for Volumes {
    fn lookup(&self, name: &[u8]) -> Result<Arc<Inode>, Errno> {
        let known = self.own().map(|own| own.lookup(name));
        if let Some(Ok(found)) = known {
            return Ok(found);
        }
        if let Some(special) = self.special()
            && let Ok(found) = special.lookup(name)
        {
            return Ok(found);
        }
        let is_meant = |volume: &Arc<Volume>| self.has(volume) && volume.name.as_bytes() == name;
        let volume = volume::all().find(is_meant).ok_or(Errno::ENOENT)?;
        let inode = inode_of(&volume);
        let node = match volume.partition {
            Some(_) => about(&volume, &self.filesystem, inode, &PARTITION)?,
            None => PseudoNode::directory(Volumes {
                filesystem: self.filesystem.clone(),
                disk: Some(volume),
            })?,
        };
        node.inode(&self.filesystem, inode, Attributes::new(0o755, 0, 0))
    }

    fn next(&self, from: u64) -> Result<Option<PseudoEntry>, Errno> {
        const { assert!(FIRST + 2 * SPREAD < FIRST_VOLUME) };
        if let Some(own) = self.own()
            && let Some(entry) = own.next(from)?
        {
            return Ok(Some(entry));
        }
        if let Some(special) = self.special() {
            let shifted = from.max(FIRST + SPREAD) - SPREAD;
            if let Some(entry) = special.next(shifted)? {
                let next = entry.next + SPREAD;
                return Ok(Some(PseudoEntry { next, ..entry }));
            }
        }
        let Some((at, volume)) = next_volume(from, |volume| self.has(volume)) else {
            return Ok(None);
        };
        Ok(Some(PseudoEntry {
            name: fallible::bytes(volume.name.as_bytes())?,
            inode: inode_of(&volume),
            kind: S_IFDIR,
            next: at + 1,
        }))
    }
}

/// The next volume of those from that position on, and where it stands.
fn next_volume(from: u64, is_meant: impl Fn(&Arc<Volume>) -> bool) -> Option<(u64, Arc<Volume>)> {
    let first = from.saturating_sub(FIRST_VOLUME);
    (first..)
        .map_while(|index| Some((index, volume::nth(usize::try_from(index).ok()?)?)))
        .find(|(_, volume)| is_meant(volume))
        .map(|(index, volume)| (FIRST_VOLUME + index, volume))
}

impl PseudoDirectory for VolumeLinks {
    fn lookup(&self, name: &[u8]) -> Result<Arc<Inode>, Errno> {
        let is_meant = |volume: &Arc<Volume>| (self.name)(volume).is_ok_and(|found| found == name);
        let volume = volume::all().find(is_meant).ok_or(Errno::ENOENT)?;
        let inode = inode_of(&volume) + self.inode;
        let node = PseudoNode::link(VolumeLink(volume))?;
        node.inode(&self.filesystem, inode, Attributes::new(0o777, 0, 0))
    }

    fn next(&self, from: u64) -> Result<Option<PseudoEntry>, Errno> {
        let Some((at, volume)) = next_volume(from, |_| true) else {
            return Ok(None);
        };
        Ok(Some(PseudoEntry {
            name: (self.name)(&volume)?,
            inode: inode_of(&volume) + self.inode,
            kind: S_IFLNK,
            next: at + 1,
        }))
    }
}

impl Magic for VolumeLink {
    fn text(&self) -> Result<Vec<u8>, Errno> {
        let VolumeLink(volume) = self;
        let disk = disk_of(volume).ok_or(Errno::ENOENT)?;
        match volume.partition {
            None => fallible::text_bytes(format_args!("../../block/{}", disk.name)),
            Some(_) => fallible::text_bytes(format_args!("../../block/{}/{}", disk.name, volume.name)),
        }
    }
}

/// Sectors of one discard.
fn most_discarded(volume: &Volume) -> u64 {
    volume.disk.properties().max_discard.into()
}

fn device_number(volume: &Arc<Volume>, text: &mut Text) -> Result<(), Errno> {
    let (major, minor) = volume.number;
    text.add(format_args!("{major}:{minor}\n"));
    Ok(())
}

fn read_only(volume: &Arc<Volume>, text: &mut Text) -> Result<(), Errno> {
    number(text, volume.is_read_only().into())
}

fn size(volume: &Arc<Volume>, text: &mut Text) -> Result<(), Errno> {
    number(text, volume.sectors())
}

fn block_size(volume: &Arc<Volume>, text: &mut Text) -> Result<(), Errno> {
    number(text, volume.block_size() as u64)
}

fn statistics(volume: &Arc<Volume>, text: &mut Text) -> Result<(), Errno> {
    add_statistics(text, volume);
    Ok(())
}
