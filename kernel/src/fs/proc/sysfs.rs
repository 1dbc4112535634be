//! /sys: the directories that programs expect there, and the processors. It uses the tables of /proc.

use alloc::boxed::Box;
use alloc::sync::Arc;

use abi::Errno;

use super::text::Text;
use super::{Directory, Entry, ROOT_INODE};
use crate::fs::filesystem::Filesystem;
use crate::fs::inode::{Attributes, Body, Inode, Listing};

/// Distance of the inode numbers of directories.
const SPREAD: u64 = 64;

static ROOT: [Entry<()>; 3] = [
    Entry::directory("devices", 0o755, |(), filesystem, inode| {
        directory(filesystem, inode, &DEVICES)
    }),
    Entry::directory("fs", 0o755, |(), filesystem, inode| {
        directory(filesystem, inode, &[])
    }),
    Entry::directory("kernel", 0o755, |(), filesystem, inode| {
        directory(filesystem, inode, &[])
    }),
];

static DEVICES: [Entry<()>; 1] = [Entry::directory("system", 0o755, |(), filesystem, inode| {
    directory(filesystem, inode, &SYSTEM)
})];

static SYSTEM: [Entry<()>; 1] = [Entry::directory("cpu", 0o755, |(), filesystem, inode| {
    directory(filesystem, inode, &PROCESSORS)
})];

/// Lists of processors as `cpulist_parse` of Linux reads them. One runs.
static PROCESSORS: [Entry<()>; 3] = [
    Entry::text("online", first),
    Entry::text("possible", first),
    Entry::text("present", first),
];

/// The root directory of a /sys.
pub fn root(filesystem: &Arc<Filesystem>) -> Arc<Inode> {
    let body = Body::Listing(listing(filesystem, ROOT_INODE, &ROOT));
    Inode::numbered(filesystem, ROOT_INODE, body, Attributes::new(0o555, 0, 0))
}

fn directory(filesystem: &Arc<Filesystem>, inode: u64, entries: &'static [Entry<()>]) -> Box<dyn Listing> {
    listing(filesystem, inode * SPREAD, entries)
}

fn listing(filesystem: &Arc<Filesystem>, inode: u64, entries: &'static [Entry<()>]) -> Box<dyn Listing> {
    Box::new(Directory {
        filesystem: filesystem.clone(),
        subject: (),
        entries,
        inode,
        owner: (0, 0),
    })
}

fn first((): &(), text: &mut Text) -> Result<(), Errno> {
    text.bytes(b"0\n");
    Ok(())
}
