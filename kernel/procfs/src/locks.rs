//! /proc/locks, and the lines about locks in /proc/PID/fdinfo: the advisory locks that are held (proc_locks(5),
//! `fs/locks.c`). Who waits for a lock is not shown.

use alloc::sync::Arc;

use abi::Errno;

use super::seq_file::{FIRST_KEY, SeqFile};
use super::text::Text;
use lock::Mutex;
use sched::scheduler;
use vfs::OpenFile;
use vfs::file_ops::FileOps;
use vfs::inode::Inode;
use vfs::lock_list;
use vfs::locks::{Listing, Shown};
use vfs::record_locks::{LockKind, LockOwner};

/// Where a reader of /proc/locks stands.
#[derive(Clone, Copy)]
struct Cursor {
    /// Locks that it has seen.
    seen: u64,
    /// The file that it looks at.
    file: u64,
    listing: Listing,
}

impl Cursor {
    const START: Cursor = Cursor {
        seen: FIRST_KEY,
        file: 0,
        listing: Listing::START,
    };

    /// The next lock of all files, and its file.
    fn advance(&mut self) -> Result<Option<(Arc<Inode>, Shown)>, Errno> {
        while let Some((number, file)) = lock_list::next_from(self.file) {
            scheduler::cond_resched_killable()?;
            if number != self.file {
                (self.file, self.listing) = (number, Listing::START);
            }
            if let Some(lock) = file.locks.next(&mut self.listing) {
                self.seen += 1;
                return Ok(Some((file, lock)));
            }
            (self.file, self.listing) = (number + 1, Listing::START);
        }
        Ok(None)
    }
}

/// Opens /proc/locks.
///
/// # Errors
/// `ENOMEM`.
pub fn open() -> Result<Arc<dyn FileOps>, Errno> {
    let last: Mutex<Cursor> = Mutex::new(Cursor::START);
    SeqFile::open(move |key, text| {
        let known = *last.lock();
        let mut cursor = known;
        if cursor.seen != key {
            cursor = skip(key)?;
        }
        let next = add(&mut cursor, text)?;
        *last.lock() = cursor;
        Ok(next)
    })
}

/// The place behind so many locks.
fn skip(count: u64) -> Result<Cursor, Errno> {
    let mut cursor = Cursor::START;
    while cursor.seen < count && cursor.advance()?.is_some() {}
    Ok(cursor)
}

fn add(cursor: &mut Cursor, text: &mut Text) -> Result<Option<u64>, Errno> {
    while !text.is_full() {
        match cursor.advance()? {
            Some((file, lock)) => line(cursor.seen, &file, &lock, text),
            None => return Ok(None),
        }
    }
    Ok(Some(cursor.seen))
}

/// Adds the locks that a table of descriptors, or that name, holds by one of its open files.
///
/// # Errors
/// `EINTR`: the reader is to end.
pub fn of_open_file(table: u64, file: &Arc<OpenFile>, text: &mut Text) -> Result<(), Errno> {
    let owners = [
        LockOwner::Table(table),
        LockOwner::OpenFile(Arc::as_ptr(file).addr()),
    ];
    let (mut listing, mut number) = (Listing::START, 0);
    while let Some(lock) = file.inode().locks.next(&mut listing) {
        scheduler::cond_resched_killable()?;
        if owners.contains(&lock.record.owner) {
            number += 1;
            text.bytes(b"lock:\t");
            line(number, file.inode(), &lock, text);
        }
    }
    Ok(())
}

fn line(number: u64, file: &Inode, lock: &Shown, text: &mut Text) {
    let record = &lock.record;
    let kind = match record.owner {
        _ if lock.is_flock => "FLOCK ",
        LockOwner::OpenFile(_) => "OFDLCK",
        LockOwner::Table(_) => "POSIX ",
    };
    let mode = match record.kind {
        LockKind::Shared => "READ",
        LockKind::Exclusive => "WRITE",
    };
    // The lock of an open file is no process's.
    let pid = match record.pid {
        0 => -1,
        pid => i64::from(pid),
    };
    let (device, inode) = (file.filesystem.device, file.number);
    let (major, minor) = (device >> 8, device & 0xff);
    text.add(format_args!(
        "{number}: {kind} ADVISORY  {mode} {pid} {major:02x}:{minor:02x}:{inode} {} ",
        record.first
    ));
    match record.last {
        u64::MAX => text.bytes(b"EOF"),
        last => text.decimal(last),
    }
    text.bytes(b"\n");
}
