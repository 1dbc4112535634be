//! /proc/sysvipc: System V shared memory, semaphores, messages (ipcs(1)); their limits in /proc/sys/kernel.

use alloc::sync::Arc;

use abi::Errno;

use super::entry::{Directory, FixedEntry, SPREAD};
use super::node::PseudoNode;
use super::seq_file::{FIRST_KEY, SeqFile};
use super::setting_file;
use super::text::Text;
use ipc::messages::QUEUES;
use ipc::semaphores::SETS;
use ipc::settings::{IpcSetting, MOST_OPERATIONS, MOST_SEMAPHORES, MOST_SEMAPHORES_IN_SET, MOST_SETS};
use ipc::{IpcObject, IpcRegistry, SharedSegment};
use sched::scheduler;
use vfs::file_ops::FileOps;
use vfs::super_block::SuperBlock;

static ENTRIES: [FixedEntry<()>; 3] = [
    FixedEntry::object("msg", 0o444, |()| open_queues()),
    FixedEntry::object("sem", 0o444, |()| open_sets()),
    FixedEntry::object("shm", 0o444, |()| open()),
];

/// Longer than any limit.
const NUMBER_LEN: usize = 24;
/// Longer than four of them.
const LINE_LEN: usize = 100;

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

/// A line of each object of one kind, behind a header.
fn open_objects<T: IpcObject + 'static>(
    registry: &'static IpcRegistry<T>,
    header: &'static [u8],
    line: fn(&T, &mut Text),
) -> Result<Arc<dyn FileOps>, Errno> {
    SeqFile::open(move |key, text| {
        if key == FIRST_KEY {
            text.bytes(header);
        }
        let mut next = key as u32;
        while !text.is_full() {
            let Some((index, object)) = registry.next_from(next) else {
                return Ok(None);
            };
            line(&object, text);
            next = index + 1;
            scheduler::cond_resched_killable()?;
        }
        Ok(Some(next.into()))
    })
}

fn open_sets() -> Result<Arc<dyn FileOps>, Errno> {
    const HEADER: &[u8] =
        b"       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n";
    open_objects(&SETS, HEADER, |set, text| {
        let status = set.status();
        let perm = &status.sem_perm;
        text.add(format_args!(
            "{:10} {:10}  {:4o} {:10} {:5} {:5} {:5} {:5} {:10} {:10}\n",
            perm.key,
            set.id(),
            perm.mode,
            status.sem_nsems,
            perm.uid,
            perm.gid,
            perm.cuid,
            perm.cgid,
            status.sem_otime,
            status.sem_ctime
        ));
    })
}

fn open_queues() -> Result<Arc<dyn FileOps>, Errno> {
    const HEADER: &[u8] = b"       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime\n";
    open_objects(&QUEUES, HEADER, |queue, text| {
        let status = queue.status();
        let perm = &status.msg_perm;
        text.add(format_args!(
            "{:10} {:10}  {:4o}  {:10} {:10} {:5} {:5} {:5} {:5} {:5} {:5} {:10} {:10} {:10}\n",
            perm.key,
            queue.id(),
            perm.mode,
            status.msg_cbytes,
            status.msg_qnum,
            status.msg_lspid,
            status.msg_lrpid,
            perm.uid,
            perm.gid,
            perm.cuid,
            perm.cgid,
            status.msg_stime,
            status.msg_rtime,
            status.msg_ctime
        ));
    })
}

/// The limits of semaphores, in one line: /proc/sys/kernel/sem.
///
/// # Errors
/// `ENOMEM`. A write: `EINVAL` for what is no number, or fewer than four of them.
pub fn open_semaphore_limits() -> Result<Arc<dyn FileOps>, Errno> {
    static LIMITS: [&IpcSetting; 4] = [
        &MOST_SEMAPHORES_IN_SET,
        &MOST_SEMAPHORES,
        &MOST_OPERATIONS,
        &MOST_SETS,
    ];
    setting_file::open::<LINE_LEN>(
        |text: &mut Text| {
            for (place, limit) in LIMITS.iter().enumerate() {
                text.bytes(if place == 0 { b"" } else { b"\t" });
                text.decimal(limit.get());
            }
            text.bytes(b"\n");
            Ok(())
        },
        |written| {
            let mut numbers = [0_u64; 4];
            let mut words = written
                .split(|byte| byte.is_ascii_whitespace())
                .filter(|word| !word.is_empty());
            for number in &mut numbers {
                *number = setting_file::number(words.next().ok_or(Errno::EINVAL)?)?;
            }
            if numbers.iter().any(|&number| number > i32::MAX as u64) {
                return Err(Errno::EINVAL);
            }
            LIMITS
                .iter()
                .zip(numbers)
                .for_each(|(limit, number)| limit.set(number));
            Ok(())
        },
    )
}
