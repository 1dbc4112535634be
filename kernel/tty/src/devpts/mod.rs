//! devpts: the file system whose files are the slaves of pseudo-terminals, by number, and `ptmx`, which makes another one when it is
//! opened. Each mount is an instance of its own with numbers of its own, as on Linux; /dev/ptmx stands for the one that is mounted at
//! `pts` beside it.

mod limits;
mod options;
mod slots;

use abi::Errno;
use abi::file::{OpenFlags, S_IFCHR, S_IFDIR};
use alloc::sync::Arc;
use core::any::Any;
use lock::Mutex;
use memory::fallible;

use super::Terminal;
use super::driver_list::TtyDriverLine;
use super::file::open_named;
use super::processes::AllGroups;
use super::pty::{self, Master, PtyLine, SlavePlace};
use super::sessions::SESSIONS;
use options::SlaveOptions;
use sched::scheduler;
use slots::SlaveNumbers;
use task::thread::ThreadExt;
use vfs::Dentry;
use vfs::device_registry::{self, DeviceClass, DeviceDriver, DeviceNode, DeviceNumber, DeviceRange};
use vfs::file_ops::{DirectoryEntry, FileOps};
use vfs::filesystem::{self, FileSystem};
use vfs::inode::{Attributes, Inode};
use vfs::inode_ops::InodeOps;
use vfs::super_block::SuperBlock;

pub use limits::{Limit, count};

/// `DEVPTS_SUPER_MAGIC`.
const MAGIC: u64 = 0x1cd1;
/// What makes a pseudo-terminal in the root of each instance, and in /dev.
const PTMX: &[u8] = b"ptmx";
/// Where an instance is mounted beside a ptmx in /dev.
const PTS: &[u8] = b"pts";

/// `TTYAUX_MAJOR` and the number of ptmx there.
const PTMX_NUMBER: DeviceNumber = DeviceNumber { major: 5, minor: 2 };

const ROOT_INODE: u64 = 1;
const PTMX_INODE: u64 = 2;
/// The inode of slave 0, and its position in a listing behind `.`, `..` and ptmx.
const FIRST_INODE: u64 = 3;

static NODES: [DeviceNode; 1] = [DeviceNode {
    name: "ptmx",
    minor: PTMX_NUMBER.minor,
    mode: 0o666,
}];

/// What /proc/tty/drivers says of pseudo-terminals.
pub static DRIVERS: [TtyDriverLine; 3] = [
    TtyDriverLine {
        name: "/dev/ptmx",
        node: "ptmx",
        major: PTMX_NUMBER.major,
        minors: PTMX_NUMBER.minor..=PTMX_NUMBER.minor,
        kind: "system",
    },
    TtyDriverLine {
        name: "pty_slave",
        node: "pts",
        major: pty::SLAVE_MAJOR,
        minors: 0..=pty::MOST - 1,
        kind: "pty:slave",
    },
    TtyDriverLine {
        name: "pty_master",
        node: "ptm",
        major: pty::MASTER_MAJOR,
        minors: 0..=pty::MOST - 1,
        kind: "pty:master",
    },
];

struct DevPts;

/// Registers devpts.
///
/// # Errors
/// `ENOMEM`.
pub fn register() -> Result<(), Errno> {
    filesystem::register(&DevPts)
}

/// Registers ptmx and the numbers of slaves and masters.
///
/// # Errors
/// `EBUSY`: another driver has one of their numbers. `ENOMEM`.
pub fn register_devices() -> Result<(), Errno> {
    let range = |name, number: DeviceNumber, count, nodes| DeviceRange {
        name,
        class: DeviceClass::Character,
        major: number.major,
        minors: number.minor..=number.minor + count - 1,
        driver: &Numbers,
        nodes,
    };
    let all = |major| DeviceNumber { major, minor: 0 };
    device_registry::register(range("/dev/ptmx", PTMX_NUMBER, 1, &NODES))?;
    device_registry::register(range("ptm", all(pty::MASTER_MAJOR), pty::MOST, &[]))?;
    device_registry::register(range("pts", all(pty::SLAVE_MAJOR), pty::MOST, &[]))
}

/// The device numbers. A slave is opened by its name in a devpts, not by its number in another file system.
struct Numbers;

impl DeviceDriver for Numbers {
    fn open(&self, _minor: u32, _flags: OpenFlags) -> Result<Arc<dyn FileOps>, Errno> {
        Err(Errno::EIO)
    }

    /// `ENODEV`, `ENOENT`: no devpts is mounted at `pts` beside it. `ENOSPC`.
    fn open_node(
        &self,
        node: Arc<dyn Any + Send + Sync>,
        minor: u32,
        flags: OpenFlags,
    ) -> Result<Arc<dyn FileOps>, Errno> {
        match node.downcast::<Dentry>() {
            Ok(node) if node.inode.device_number() == PTMX_NUMBER.encode() => {
                open_master(&node.parent().child(PTS)?)
            }
            _ => self.open(minor, flags),
        }
    }
}

impl FileSystem for DevPts {
    fn name(&self) -> &'static str {
        "devpts"
    }

    fn magic(&self) -> u64 {
        MAGIC
    }

    fn mount(&'static self, device: u64, text: &[u8]) -> Result<Arc<Dentry>, Errno> {
        let options = options::parse(text, SlaveOptions::default())?;
        let super_block = SuperBlock::new(self, device, 0)?;
        let ptmx = Inode::numbered(
            &super_block,
            PTMX_INODE,
            S_IFCHR,
            fallible::arc(Ptmx)?,
            Attributes::new(options.ptmx_mode, 0, 0),
        )?;
        let instance = fallible::arc(Instance {
            super_block: super_block.clone(),
            options: Mutex::new(options),
            ptmx,
            slots: SlaveNumbers::new(),
        })?;
        let attributes = Attributes::new(0o755, 0, 0);
        let root = Inode::numbered(&super_block, ROOT_INODE, S_IFDIR, instance, attributes)?;
        Dentry::detached(b"", root)
    }

    /// What is open stays as it is.
    fn remount(&self, root: &Arc<Dentry>, text: &[u8]) -> Result<(), Errno> {
        let instance = Instance::of(&root.inode).ok_or(Errno::EINVAL)?;
        let wanted = options::parse(text, instance.options())?;
        *instance.options.lock() = wanted;
        instance
            .ptmx
            .change(|attributes| attributes.mode = wanted.ptmx_mode);
        Ok(())
    }
}

/// One devpts: what answers for its root directory.
struct Instance {
    super_block: Arc<SuperBlock>,
    options: Mutex<SlaveOptions>,
    ptmx: Arc<Inode>,
    slots: SlaveNumbers,
}

impl Instance {
    /// The one of which that is the root.
    fn of(root: &Inode) -> Option<&Instance> {
        let ops: &dyn Any = &*root.ops;
        ops.downcast_ref()
    }

    fn options(&self) -> SlaveOptions {
        *self.options.lock()
    }

    /// The inode of a new slave.
    fn make_slave(
        &self,
        index: u32,
        line: &Arc<PtyLine>,
        terminal: &Arc<Terminal>,
    ) -> Result<Arc<Inode>, Errno> {
        let options = self.options();
        let credentials = scheduler::current().process().credentials();
        let uid = options.uid.unwrap_or(credentials.fsuid);
        let gid = options.gid.unwrap_or(credentials.fsgid);
        let node = fallible::arc(SlaveNode {
            line: line.clone(),
            terminal: terminal.clone(),
        })?;
        let attributes = Attributes::new(options.mode, uid, gid);
        let number = FIRST_INODE + u64::from(index);
        Inode::numbered(&self.super_block, number, S_IFCHR, node, attributes)
    }
}

impl InodeOps for Instance {
    fn lookup(&self, directory: &Arc<Dentry>, name: &[u8]) -> Result<Arc<Dentry>, Errno> {
        if name == PTMX {
            return Dentry::new(Some(directory), name, self.ptmx.clone());
        }
        let index = index_of(name).ok_or(Errno::ENOENT)?;
        self.slots.find(index).ok_or(Errno::ENOENT)
    }

    fn list(&self, position: u64, take: &mut dyn FnMut(DirectoryEntry<'_>) -> bool) -> Result<u64, Errno> {
        let mut position = position;
        if position < FIRST_INODE {
            let entry = DirectoryEntry {
                name: PTMX,
                inode: PTMX_INODE,
                kind: S_IFCHR,
                next: FIRST_INODE,
            };
            if !take(entry) {
                return Ok(position);
            }
            position = FIRST_INODE;
        }
        while let Some((index, slave)) = self.slots.next(index_at(position)) {
            let next = FIRST_INODE + u64::from(index) + 1;
            let is_taken = slave.with_name(|name| {
                take(DirectoryEntry {
                    name,
                    inode: slave.inode.number,
                    kind: S_IFCHR,
                    next,
                })
            });
            if !is_taken {
                break;
            }
            position = next;
            scheduler::cond_resched();
        }
        Ok(position)
    }
}

/// The number that a slave's name is: decimal, without zeros before it.
fn index_of(name: &[u8]) -> Option<u32> {
    let is_plain = name == b"0" || name.first().is_some_and(|first| *first != b'0');
    let digits = Some(name).filter(|name| is_plain && name.iter().all(u8::is_ascii_digit))?;
    str::from_utf8(digits).ok()?.parse().ok()
}

/// The slave that stands at a position of a listing, or the next.
fn index_at(position: u64) -> u32 {
    u32::try_from(position.saturating_sub(FIRST_INODE)).unwrap_or(u32::MAX)
}

/// `ptmx` in the root of a devpts.
struct Ptmx;

impl InodeOps for Ptmx {
    fn open(self: Arc<Self>, dentry: &Arc<Dentry>, _flags: OpenFlags) -> Result<Arc<dyn FileOps>, Errno> {
        open_master(&dentry.parent())
    }

    fn device_number(&self) -> u64 {
        PTMX_NUMBER.encode()
    }
}

/// A slave, as long as its master is open.
struct SlaveNode {
    line: Arc<PtyLine>,
    terminal: Arc<Terminal>,
}

impl InodeOps for SlaveNode {
    /// `EIO`: it is locked, or its master is closed.
    fn open(self: Arc<Self>, _dentry: &Arc<Dentry>, flags: OpenFlags) -> Result<Arc<dyn FileOps>, Errno> {
        self.line.check_open()?;
        let open = open_named(self.terminal.clone(), flags)?;
        // A master that was closed meanwhile has hung up what was opened before.
        self.line.check_open().map(|()| open)
    }

    fn device_number(&self) -> u64 {
        self.terminal.number().encode()
    }
}

/// A number that was given out, and the name that stands for it, if there is one already.
struct Slot {
    root: Arc<Dentry>,
    index: u32,
}

impl Slot {
    /// `ENOSPC`, `ENOMEM`.
    fn reserve(root: &Arc<Dentry>) -> Result<Slot, Errno> {
        let instance = Instance::of(&root.inode).ok_or(Errno::ENODEV)?;
        Ok(Slot {
            root: root.clone(),
            index: instance.slots.reserve(instance.options().most)?,
        })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let released = Instance::of(&self.root.inode).and_then(|instance| instance.slots.release(self.index));
        if let Some(name) = released {
            name.mark_removed();
            name.inode.remove_name();
        }
    }
}

/// Where a slave is called by its number.
struct NamedSlot {
    slot: Slot,
    name: Arc<Dentry>,
}

impl SlavePlace for NamedSlot {
    fn index(&self) -> u32 {
        self.slot.index
    }

    fn node(&self) -> &Arc<Dentry> {
        &self.name
    }
}

/// Makes a pseudo-terminal in the devpts with that root; its master.
///
/// # Errors
/// `ENODEV`: that is not the root of one. `ENOSPC`: there are too many. `ENOMEM`.
fn open_master(root: &Arc<Dentry>) -> Result<Arc<dyn FileOps>, Errno> {
    let instance = Instance::of(&root.inode).ok_or(Errno::ENODEV)?;
    let slot = Slot::reserve(root)?;
    let line = PtyLine::try_new()?;
    let number = DeviceNumber {
        major: pty::SLAVE_MAJOR,
        minor: slot.index,
    };
    let terminal = Terminal::try_new(number, line.clone(), &AllGroups)?;
    let inode = instance.make_slave(slot.index, &line, &terminal)?;
    let name = fallible::text(format_args!("{}", slot.index))?;
    let name = Dentry::new(Some(root), name.as_bytes(), inode)?;
    let named = NamedSlot {
        name: name.clone(),
        slot,
    };
    let index = named.slot.index;
    let master = fallible::arc_with(|| Master::new(line, terminal, named, &SESSIONS))?;
    instance.slots.name(index, name);
    Ok(master)
}
