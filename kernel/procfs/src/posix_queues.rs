//! /proc/sys/fs/mqueue: limits of POSIX message queues (mq_overview(7)).

use abi::Errno;
use alloc::sync::Arc;
use ipc::posix::limits::{MOST_BYTES, MOST_MESSAGES, MOST_QUEUES, QueueLimit, USUAL_BYTES, USUAL_MESSAGES};
use vfs::file_ops::FileOps;
use vfs::super_block::SuperBlock;

use super::entry::{Directory, FixedEntry, SPREAD};
use super::node::PseudoNode;
use super::setting_file;

/// Longer than any limit.
const NUMBER_LEN: usize = 24;

static LIMITS: [FixedEntry<()>; 5] = [
    FixedEntry::object("msg_default", 0o644, |()| open(&USUAL_MESSAGES)),
    FixedEntry::object("msg_max", 0o644, |()| open(&MOST_MESSAGES)),
    FixedEntry::object("msgsize_default", 0o644, |()| open(&USUAL_BYTES)),
    FixedEntry::object("msgsize_max", 0o644, |()| open(&MOST_BYTES)),
    FixedEntry::object("queues_max", 0o644, |()| open(&MOST_QUEUES)),
];

/// The directory.
///
/// # Errors
/// `ENOMEM`.
pub fn settings((): &(), filesystem: &Arc<SuperBlock>, inode: u64) -> Result<PseudoNode, Errno> {
    Directory::fixed(filesystem, inode * SPREAD, &LIMITS)
}

fn open(limit: &'static QueueLimit) -> Result<Arc<dyn FileOps>, Errno> {
    setting_file::open::<NUMBER_LEN>(
        |text| {
            text.add(format_args!("{}\n", limit.get()));
            Ok(())
        },
        |written| limit.set(setting_file::number(written)?),
    )
}
