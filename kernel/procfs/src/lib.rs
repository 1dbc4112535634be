//! /proc and /sys (`sysfs`): what the kernel says about itself (`system`, `sys`) and about processes (`process` and what follows it), in
//! Linux's formats (proc(5)).
//!
//! Directories are tables of entries (`entry`), most of them about a process or thread (`proc_task`). Nothing is stored:
//! a text is made piece by piece while it is read (`seq_file`).
//!
//! For boot, which registers both, and for sysinfo(2): they stand above everything that they tell of. Its locks are leaves.
//!
//! Where to read on: `entry`, `seq_file`, `process`.
#![warn(clippy::missing_errors_doc)]
#![cfg_attr(target_os = "none", no_std)]
#![feature(allocator_api)]
#![forbid(unsafe_code)]

extern crate alloc;

mod access;
mod adjustment;
mod block_devices;
mod board;
mod comm;
mod descriptors;
mod disks;
mod entry;
#[cfg(debug_assertions)]
mod fail_nth;
mod limits;
mod load;
mod lock_stat;
mod locks;
mod loops;
mod maps;
mod mounts;
mod net;
mod node;
mod pagemap;
mod pages;
mod posix_queues;
mod proc_task;
mod process;
mod processors;
mod program_memory;
mod pseudo;
mod references;
mod resources;
mod seq_file;
mod setting_file;
mod settings;
mod sizes;
mod smaps;
mod stat;
mod status;
mod sys;
mod sysfs;
mod system;
mod sysvipc;
mod text;
mod text_line;
mod trace_pipe;
mod tracefs;
mod transfers;
mod translation;
mod trigger;
mod zram;

use alloc::sync::Arc;

use abi::Errno;
use abi::file::S_IFDIR;

pub use board::report as board_report;
use entry::{Directory, ROOT_INODE};
pub use load::averages as load_averages;
use memory::fallible;
use node::{PseudoDirectory, PseudoEntry, PseudoNode};
use proc_task::process_id;
use pseudo::PseudoFileSystem;
pub use sysfs::register as register_sysfs;
use task::process as processes;
use task::process::Process;
pub use tracefs::register as register_tracefs;
use vfs::OpenFile;
use vfs::filesystem;
use vfs::inode::{Attributes, Inode};
use vfs::super_block::SuperBlock;

/// Where the processes begin among the entries of /proc.
const FIRST_PROCESS: u64 = 1 << 20;

static PROC: PseudoFileSystem = PseudoFileSystem {
    name: "proc",
    magic: PROC_SUPER_MAGIC,
    make_root: root,
};

/// Registers /proc.
///
/// # Errors
/// `ENOMEM`.
pub fn register() -> Result<(), Errno> {
    filesystem::register(&PROC)
}

/// The process whose directory in a /proc that open file is: pidfd_send_signal(2) takes one.
pub fn process_of(file: &OpenFile) -> Option<&Arc<Process>> {
    process::of_directory(file.inode())
}

/// The `f_type` of /proc.
const PROC_SUPER_MAGIC: u64 = 0x9fa0;

/// The root directory of a /proc.
fn root(filesystem: &Arc<SuperBlock>) -> Result<Arc<Inode>, Errno> {
    let fixed = Directory {
        filesystem: filesystem.clone(),
        subject: (),
        entries: &system::ENTRIES,
        inode: ROOT_INODE,
        owner: (0, 0),
        directory_owner: (0, 0),
    };
    PseudoNode::directory(Root(fixed))?.inode(filesystem, ROOT_INODE, Attributes::new(0o555, 0, 0))
}

/// The fixed entries, and behind them the processes.
struct Root(Directory<()>);

impl PseudoDirectory for Root {
    fn lookup(&self, name: &[u8]) -> Result<Arc<Inode>, Errno> {
        match process_id(name).and_then(processes::find) {
            Some(process) => process::directory(&self.0.filesystem, process),
            None => self.0.lookup(name),
        }
    }

    fn next(&self, from: u64) -> Result<Option<PseudoEntry>, Errno> {
        if let Some(entry) = self.0.next(from)? {
            return Ok(Some(entry));
        }
        let first = u32::try_from(from.saturating_sub(FIRST_PROCESS)).unwrap_or(u32::MAX);
        let Some(process) = processes::next_from(first) else {
            return Ok(None);
        };
        Ok(Some(PseudoEntry {
            name: fallible::text_bytes(format_args!("{}", process.pid))?,
            inode: process::inode_number(process.pid),
            kind: S_IFDIR,
            next: FIRST_PROCESS + u64::from(process.pid) + 1,
        }))
    }
}
