//! The directory of a process: /proc/PID, and that of a thread: /proc/PID/task/TID. They have the same entries; where Linux
//! gives something to each thread, that of a process shows its first thread.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use task::thread::ThreadExt;

use abi::Errno;
use abi::file::S_IFDIR;

use super::access::may_inspect;
use super::entry::{Directory, FIRST, FixedEntry};
#[cfg(debug_assertions)]
use super::fail_nth;
use super::node::{Magic, PseudoDirectory, PseudoEntry, PseudoNode, listing_of};
use super::proc_task::{ProcTask, process_id};
use super::{
    adjustment, comm, descriptors, limits, maps, mounts, pagemap, program_memory, references, seq_file,
    smaps, stat, status, transfers, translation,
};
use memory::fallible;
use task::process::{Pid, Process, oom};
use vfs::Dentry;
use vfs::inode::{Attributes, Inode};
use vfs::super_block::SuperBlock;

static ENTRIES: &[FixedEntry<ProcTask>] = &[
    FixedEntry::object("auxv", 0o400, program_memory::open_auxiliary_vector),
    // No hierarchy of control groups is mounted.
    FixedEntry::text("cgroup", |_, _| Ok(())),
    FixedEntry::object("clear_refs", 0o200, references::open),
    FixedEntry::object("cmdline", 0o444, program_memory::open_command_line),
    FixedEntry::object("comm", 0o644, comm::open),
    FixedEntry::link("cwd", |process| place_link(process, current_directory)),
    FixedEntry::object("environ", 0o400, program_memory::open_environment),
    FixedEntry::link("exe", |process| place_link(process, executable)),
    #[cfg(debug_assertions)]
    FixedEntry::object("fail-nth", 0o644, fail_nth::open),
    FixedEntry::directory("fd", 0o500, descriptors::links),
    FixedEntry::directory("fdinfo", 0o555, descriptors::texts),
    FixedEntry::object("io", 0o400, transfers::open),
    FixedEntry::text("limits", limits::limits),
    FixedEntry::object("maps", 0o444, maps::open),
    FixedEntry::object("mem", 0o600, program_memory::open),
    FixedEntry::object("mountinfo", 0o444, mounts::open_information).watched(),
    FixedEntry::object("mounts", 0o444, mounts::open).watched(),
    FixedEntry::text("oom_score", |process, text| {
        text.add(format_args!("{}\n", oom::score(process)));
        Ok(())
    }),
    FixedEntry::object("oom_score_adj", 0o644, adjustment::open),
    FixedEntry::object("pagemap", 0o400, pagemap::open),
    FixedEntry::object("personality", 0o400, |process| {
        may_inspect(process)?;
        let process = process.clone();
        seq_file::open_whole(move |text| {
            text.hexadecimal(process.attributes.personality.load(Ordering::Relaxed).into(), 8);
            text.bytes(b"\n");
            Ok(())
        })
    }),
    FixedEntry::link("root", |process| place_link(process, ProcTask::root)),
    FixedEntry::object("smaps", 0o444, smaps::open),
    FixedEntry::object("smaps_rollup", 0o444, smaps::open_rollup),
    FixedEntry::text("stat", stat::stat),
    FixedEntry::text("statm", stat::statm),
    FixedEntry::text("status", status::status),
    FixedEntry::object("tables", 0o444, translation::open_tables),
    FixedEntry::object("translation", 0o444, translation::open),
    // Where a thread sleeps is known to nobody (`CONFIG_KALLSYMS` of Linux).
    FixedEntry::text("wchan", |_, text| {
        text.bytes(b"0");
        Ok(())
    }),
    // The last: the directory of a thread has all but this.
    FixedEntry::directory("task", 0o555, tasks),
];

/// `st_ino` of the directory of a process; those of its entries follow.
pub fn inode_number(pid: Pid) -> u64 {
    (u64::from(pid) + 1) << 24
}

/// The directory of a process. It belongs to the process's user.
///
/// # Errors
/// `ENOMEM`.
pub fn directory(filesystem: &Arc<SuperBlock>, process: Arc<Process>) -> Result<Arc<Inode>, Errno> {
    let number = inode_number(process.pid);
    let subject = ProcTask {
        process,
        thread: None,
    };
    numbered_directory(filesystem, &subject, number, ENTRIES)
}

/// The process whose directory that is.
pub fn of_directory(inode: &Inode) -> Option<&Arc<Process>> {
    let listing: &Directory<ProcTask> = listing_of(inode)?;
    let process = &listing.subject.process;
    (listing.inode == inode_number(process.pid)).then_some(process)
}

fn numbered_directory(
    filesystem: &Arc<SuperBlock>,
    process: &ProcTask,
    inode: u64,
    entries: &'static [FixedEntry<ProcTask>],
) -> Result<Arc<Inode>, Errno> {
    let credentials = process.credentials();
    let directory_owner = (credentials.euid, credentials.egid);
    // What others may not look into does not even belong to its user (`task_dump_owner`).
    let owner = if process.is_dumpable() {
        directory_owner
    } else {
        (0, 0)
    };
    let listing = Directory {
        filesystem: filesystem.clone(),
        subject: process.clone(),
        entries,
        inode,
        owner,
        directory_owner,
    };
    let attributes = Attributes::new(0o555, directory_owner.0, directory_owner.1);
    PseudoNode::directory(listing)?.inode(filesystem, inode, attributes)
}

fn place_link(process: &ProcTask, place: fn(&ProcTask) -> Option<Arc<Dentry>>) -> Result<PseudoNode, Errno> {
    let process = process.clone();
    PseudoNode::link(PlaceLink { process, place })
}

/// A link to a place that the process holds.
struct PlaceLink {
    process: ProcTask,
    place: fn(&ProcTask) -> Option<Arc<Dentry>>,
}

impl PlaceLink {
    fn find(&self) -> Result<Arc<Dentry>, Errno> {
        may_inspect(&self.process)?;
        let place = if self.process.is_zombie() {
            None
        } else {
            (self.place)(&self.process)
        };
        place.ok_or(Errno::ENOENT)
    }
}

impl Magic for PlaceLink {
    fn text(&self) -> Result<Vec<u8>, Errno> {
        self.find()?.shown_path()
    }

    fn target(&self) -> Result<Option<Arc<Dentry>>, Errno> {
        self.find().map(Some)
    }
}

fn current_directory(process: &ProcTask) -> Option<Arc<Dentry>> {
    Some(
        process
            .own_thread()?
            .fs_context()
            .read(|held| held.current.clone()),
    )
}

fn executable(process: &ProcTask) -> Option<Arc<Dentry>> {
    Some(process.executable()?.dentry.clone())
}

/// The directory of threads.
fn tasks(process: &ProcTask, filesystem: &Arc<SuperBlock>, inode: u64) -> Result<PseudoNode, Errno> {
    PseudoNode::directory(Tasks {
        process: process.clone(),
        filesystem: filesystem.clone(),
        inode,
    })
}

struct Tasks {
    process: ProcTask,
    filesystem: Arc<SuperBlock>,
    inode: u64,
}

impl Tasks {
    fn number(&self, tid: Pid) -> u64 {
        self.inode + (u64::from(tid) << 40)
    }
}

impl PseudoDirectory for Tasks {
    fn lookup(&self, name: &[u8]) -> Result<Arc<Inode>, Errno> {
        let tid = process_id(name).ok_or(Errno::ENOENT)?;
        let thread = self.process.next_thread(tid).filter(|thread| thread.tid() == tid);
        let subject = ProcTask {
            process: self.process.process.clone(),
            thread: Some(thread.ok_or(Errno::ENOENT)?),
        };
        numbered_directory(
            &self.filesystem,
            &subject,
            self.number(tid),
            &ENTRIES[..ENTRIES.len() - 1],
        )
    }

    fn next(&self, from: u64) -> Result<Option<PseudoEntry>, Errno> {
        let least = Pid::try_from(from.saturating_sub(FIRST)).unwrap_or(Pid::MAX);
        let Some(tid) = self.process.next_thread(least).map(|thread| thread.tid()) else {
            return Ok(None);
        };
        Ok(Some(PseudoEntry {
            name: fallible::text_bytes(format_args!("{tid}"))?,
            inode: self.number(tid),
            kind: S_IFDIR,
            next: u64::from(tid) + FIRST + 1,
        }))
    }
}
