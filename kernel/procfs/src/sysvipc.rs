//! /proc/sysvipc: System V shared memory (ipcs(1)); its limits in /proc/sys/kernel.

use alloc::sync::Arc;

use abi::Errno;

use super::entry::{Directory, FixedEntry, SPREAD};
use super::node::PseudoNode;
use super::seq_file::{FIRST_KEY, SeqFile};
use super::setting_file;
use super::text::Text;
use ipc::SharedSegment;
use ipc::settings::IpcSetting;
use sched::scheduler;
use vfs::file_ops::FileOps;
use vfs::super_block::SuperBlock;

static ENTRIES: [FixedEntry<()>; 1] = [FixedEntry::object("shm", 0o444, |()| open())];

/// Longer than any limit.
const NUMBER_LEN: usize = 24;

/// The directory /proc/sysvipc.
///
/// # Errors
/// `ENOMEM`.
pub fn root((): &(), filesystem: &Arc<SuperBlock>, inode: u64) -> Result<PseudoNode, Errno> {
    Directory::fixed(filesystem, inode * SPREAD, &ENTRIES)
}

/// A limit that can be changed.
///
/// # Errors
/// `ENOMEM`. A write: `EINVAL` for what is no number.
pub fn open_limit(setting: &'static IpcSetting) -> Result<Arc<dyn FileOps>, Errno> {
    setting_file::open::<NUMBER_LEN>(
        |text: &mut Text| {
            text.decimal(setting.get());
            text.bytes(b"\n");
            Ok(())
        },
        |written| {
            setting.set(setting_file::number(written)?);
            Ok(())
        },
    )
}

/// A record's key is the place of its segment.
fn open() -> Result<Arc<dyn FileOps>, Errno> {
    SeqFile::open(|key, text| {
        if key == FIRST_KEY {
            text.bytes(HEADER);
        }
        let mut next = key as u32;
        while !text.is_full() {
            let Some((index, segment)) = ipc::next_from(next) else {
                return Ok(None);
            };
            line(&segment, text)?;
            next = index + 1;
            scheduler::cond_resched_killable()?;
        }
        Ok(Some(next.into()))
    })
}

const HEADER: &[u8] = b"       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime                   rss                  swap\n";

fn line(segment: &Arc<SharedSegment>, text: &mut Text) -> Result<(), Errno> {
    let status = SharedSegment::status(segment)?;
    let perm = &status.shm_perm;
    text.add(format_args!(
        "{:10} {:10}  {:4o} {:21} {:5} {:5}  {:5} {:5} {:5} {:5} {:5} {:10} {:10} {:10} {:21} {:21}\n",
        perm.key,
        segment.id(),
        perm.mode,
        status.shm_segsz,
        status.shm_cpid,
        status.shm_lpid,
        status.shm_nattch,
        perm.uid,
        perm.gid,
        perm.cuid,
        perm.cgid,
        status.shm_atime,
        status.shm_dtime,
        status.shm_ctime,
        segment.resident_pages() * mm::PAGE_SIZE as u64,
        0
    ));
    Ok(())
}
