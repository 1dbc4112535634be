//! /sys: the directories that programs expect there, and the processors. It uses the tables of /proc.

use alloc::boxed::Box;
use alloc::sync::Arc;

use abi::Errno;

use super::text::Text;
use super::{Directory, Entry, ROOT_INODE};
use crate::fs::filesystem::Filesystem;
use crate::fs::inode::{Attributes, Body, Inode, Listing};
use crate::scheduler;

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

/// Which processors run, could run and are there (Documentation/ABI/testing/sysfs-devices-system-cpu): one that did not
/// start never will, so they are the same. C libraries count processors here.
static PROCESSORS: [Entry<()>; 3] = [
    Entry::text("online", online),
    Entry::text("possible", online),
    Entry::text("present", online),
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
        directory_owner: (0, 0),
    })
}

/// The processors that run, as a list that `cpulist_parse` of Linux reads: `0-3`, `0,2`.
fn online((): &(), text: &mut Text) -> Result<(), Errno> {
    let mut separator = "";
    let mut online = scheduler::online_processors().peekable();
    while let Some(first) = online.next() {
        let mut last = first;
        while let Some(next) = online.next_if_eq(&(last + 1)) {
            last = next;
        }
        match last {
            _ if last == first => text.add(format_args!("{separator}{first}")),
            _ => text.add(format_args!("{separator}{first}-{last}")),
        }
        separator = ",";
    }
    text.bytes(b"\n");
    Ok(())
}
