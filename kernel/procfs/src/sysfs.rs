//! /sys: the directories that programs expect there, and the processors. It uses the tables of /proc.

use alloc::sync::Arc;

use abi::Errno;
use abi::file::S_IFDIR;
use platform::cpu::MAX_CPUS;

use super::block_devices;
use super::entry::{Directory, FIRST, FixedEntry, ROOT_INODE, SPREAD};
use super::node::{PseudoDirectory, PseudoEntry, PseudoNode};
use super::pseudo::PseudoFileSystem;
use super::text::Text;
use memory::fallible;
use sched::scheduler;
use vfs::filesystem;
use vfs::inode::{Attributes, Inode};
use vfs::super_block::SuperBlock;

/// Where the processors begin among the entries of their directory.
const FIRST_PROCESSOR: u64 = 1 << 20;

static ROOT: [FixedEntry<()>; 8] = [
    FixedEntry::directory("block", 0o755, block_devices::disks),
    empty("bus"),
    FixedEntry::directory("class", 0o755, |(), filesystem, inode| {
        directory(filesystem, inode, &CLASSES)
    }),
    FixedEntry::directory("dev", 0o755, |(), filesystem, inode| {
        directory(filesystem, inode, &NUMBERS)
    }),
    FixedEntry::directory("devices", 0o755, |(), filesystem, inode| {
        directory(filesystem, inode, &DEVICES)
    }),
    empty("fs"),
    FixedEntry::directory("kernel", 0o755, |(), filesystem, inode| {
        directory(filesystem, inode, &KERNEL)
    }),
    empty("module"),
];

static CLASSES: [FixedEntry<()>; 1] = [FixedEntry::directory("block", 0o755, block_devices::names)];

static NUMBERS: [FixedEntry<()>; 2] = [
    FixedEntry::directory("block", 0o755, block_devices::numbers),
    empty("char"),
];

static KERNEL: [FixedEntry<()>; 2] = [empty("mm"), empty("tracing")];

static DEVICES: [FixedEntry<()>; 1] = [FixedEntry::directory("system", 0o755, |(), filesystem, inode| {
    directory(filesystem, inode, &SYSTEM)
})];

static SYSTEM: [FixedEntry<()>; 1] = [FixedEntry::directory("cpu", 0o755, |(), filesystem, inode| {
    PseudoNode::directory(Processors(Directory {
        filesystem: filesystem.clone(),
        subject: (),
        entries: &PROCESSORS,
        inode: inode * SPREAD,
        owner: (0, 0),
        directory_owner: (0, 0),
    }))
})];

/// Which processors run, could run and are there (Documentation/ABI/testing/sysfs-devices-system-cpu): one that did not
/// start never will, so they are the same. C libraries count processors here.
static PROCESSORS: [FixedEntry<()>; 5] = [
    FixedEntry::text("kernel_max", |(), text| number(text, MAX_CPUS - 1)),
    FixedEntry::text("offline", |(), text| {
        text.bytes(b"\n");
        Ok(())
    }),
    FixedEntry::text("online", online),
    FixedEntry::text("possible", online),
    FixedEntry::text("present", online),
];

static PROCESSOR: [FixedEntry<usize>; 2] = [
    FixedEntry::text("online", |_, text| number(text, 1)),
    FixedEntry::directory("topology", 0o755, |processor, filesystem, inode| {
        about(*processor, filesystem, inode * SPREAD, &TOPOLOGY)
    }),
];

/// Where a processor stands among the others (Documentation/admin-guide/cputopology.rst): all are in one package, none has
/// threads of its own.
static TOPOLOGY: [FixedEntry<usize>; 8] = [
    FixedEntry::text("core_id", |processor, text| number(text, *processor)),
    FixedEntry::text("core_cpus", |processor, text| mask(text, 1 << *processor)),
    FixedEntry::text("core_cpus_list", |processor, text| number(text, *processor)),
    FixedEntry::text("core_siblings", |_, text| mask(text, everybody())),
    FixedEntry::text("core_siblings_list", |_, text| online(&(), text)),
    FixedEntry::text("physical_package_id", |_, text| number(text, 0)),
    FixedEntry::text("thread_siblings", |processor, text| mask(text, 1 << *processor)),
    FixedEntry::text("thread_siblings_list", |processor, text| number(text, *processor)),
];

/// The `f_type` of /sys.
const SYSFS_MAGIC: u64 = 0x6265_6572;

static SYSFS: PseudoFileSystem = PseudoFileSystem {
    name: "sysfs",
    magic: SYSFS_MAGIC,
    make_root: root,
};

/// Registers /sys.
///
/// # Errors
/// `ENOMEM`.
pub fn register() -> Result<(), Errno> {
    filesystem::register(&SYSFS)
}

/// The root directory of a /sys.
fn root(filesystem: &Arc<SuperBlock>) -> Result<Arc<Inode>, Errno> {
    let node = Directory::fixed(filesystem, ROOT_INODE, &ROOT)?;
    node.inode(filesystem, ROOT_INODE, Attributes::new(0o555, 0, 0))
}

const fn empty(name: &'static str) -> FixedEntry<()> {
    FixedEntry::directory(name, 0o755, |(), filesystem, inode| {
        directory(filesystem, inode, &[])
    })
}

fn directory(
    filesystem: &Arc<SuperBlock>,
    inode: u64,
    entries: &'static [FixedEntry<()>],
) -> Result<PseudoNode, Errno> {
    Directory::fixed(filesystem, inode * SPREAD, entries)
}

/// A directory about one processor.
fn about(
    processor: usize,
    filesystem: &Arc<SuperBlock>,
    inode: u64,
    entries: &'static [FixedEntry<usize>],
) -> Result<PseudoNode, Errno> {
    PseudoNode::directory(Directory {
        filesystem: filesystem.clone(),
        subject: processor,
        entries,
        inode,
        owner: (0, 0),
        directory_owner: (0, 0),
    })
}

/// The fixed entries, and behind them the processors.
struct Processors(Directory<()>);

impl Processors {
    fn number(&self, processor: usize) -> u64 {
        (self.0.inode + SPREAD / 2 + processor as u64) * SPREAD
    }
}

impl PseudoDirectory for Processors {
    fn lookup(&self, name: &[u8]) -> Result<Arc<Inode>, Errno> {
        let Some(processor) = processor_of(name) else {
            return self.0.lookup(name);
        };
        let number = self.number(processor);
        let node = about(processor, &self.0.filesystem, number, &PROCESSOR)?;
        let attributes = Attributes::new(0o755, 0, 0);
        node.inode(&self.0.filesystem, number, attributes)
    }

    fn next(&self, from: u64) -> Result<Option<PseudoEntry>, Errno> {
        const { assert!(FIRST < FIRST_PROCESSOR) };
        if let Some(entry) = self.0.next(from)? {
            return Ok(Some(entry));
        }
        let first = from.saturating_sub(FIRST_PROCESSOR);
        let Some(processor) = scheduler::online_processors().find(|number| *number as u64 >= first) else {
            return Ok(None);
        };
        Ok(Some(PseudoEntry {
            name: fallible::text_bytes(format_args!("cpu{processor}"))?,
            inode: self.number(processor),
            kind: S_IFDIR,
            next: FIRST_PROCESSOR + processor as u64 + 1,
        }))
    }
}

/// Which processor that runs is called `cpu` and its number.
fn processor_of(name: &[u8]) -> Option<usize> {
    let [digit @ b'0'..=b'9'] = name.strip_prefix(b"cpu")? else {
        return None;
    };
    let number = usize::from(digit - b'0');
    scheduler::online_processors().find(|online| *online == number)
}

fn number(text: &mut Text, number: usize) -> Result<(), Errno> {
    super::text::number(text, number as u64)
}

fn mask(text: &mut Text, mask: u64) -> Result<(), Errno> {
    text.hexadecimal(mask, 1);
    text.bytes(b"\n");
    Ok(())
}

/// The processors that run, as a mask.
fn everybody() -> u64 {
    scheduler::online_processors().fold(0, |mask, number| mask | 1 << number)
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
