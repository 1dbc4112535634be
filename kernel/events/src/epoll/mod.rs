//! Waiting for many files, as many of them as are ready: epoll(7).
//!
//! A watched file (`item`) stays in the file's own wait queues ([`sched::wait::Watcher`]). When such a queue is woken, the file goes to
//! the epoll's ready list (`lists`) and who waits is woken. Who reports (`report`) asks the files of that list alone what they can do:
//! what is not ready leaves it, what was reported stays at its end, unless it is told of once only. So neither what is watched and
//! quiet nor what was added long ago costs anything.
//!
//! A file is watched as long as anybody has it open: its end takes it out ([`vfs::file_watch`]). The epoll's own end takes out all,
//! some at a time.
//!
//! Locks: the map of what is watched and the ready list are leaves, never held together; files are asked with neither. Who changes
//! what is watched, and who reports, keeps others of its kind out by a sleeping mutex; the end of a file needs neither.

mod control;
mod item;
mod lists;
mod nesting;
mod report;
#[cfg(test)]
mod tests;

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};

use abi::Errno;
use abi::file::{OpenFlags, POLLIN, POLLRDNORM};
use item::{Item, ItemKey};
use lists::{Lists, STEPS};
use memory::fallible;
use sched::deferred_free::{self, Pages};
use sched::scheduler;
use vfs::OpenFile;
use vfs::file_ops::{FileOps, Positioning, Queues, ShowInfo};

use super::anonymous::AnonymousKind;
use super::users::User;

static KIND: AnonymousKind = AnonymousKind::new("[eventpoll]");

/// Before all keys.
const FIRST: ItemKey = ItemKey {
    file: 0,
    descriptor: i32::MIN,
};

/// Files that a user may watch, in /proc/sys/fs/epoll; 0 before anybody has asked.
static MOST_WATCHES: AtomicU64 = AtomicU64::new(0);

/// An epoll.
pub struct Epoll {
    lists: Arc<Lists>,
    user: User,
}

/// A new epoll of the user `uid`.
///
/// # Errors
/// `ENOMEM`.
pub fn open(uid: u32) -> Result<Arc<OpenFile>, Errno> {
    let lists = fallible::arc_with(Lists::new)?;
    let user = User::of(uid)?;
    let ops = fallible::arc(Epoll { lists, user })?;
    KIND.open(ops, OpenFlags::O_RDWR)
}

/// How many files a user may watch. At first as many as take a 25th of the memory, as in Linux.
pub fn most_watches() -> u64 {
    match MOST_WATCHES.load(Ordering::Relaxed) {
        0 => (platform::memory::ram_bytes() / 25 / size_of::<Item>() as u64).max(1),
        most => most,
    }
}

/// Changes that.
///
/// # Errors
/// `EINVAL`: it is 0 or negative.
pub fn set_most_watches(most: i64) -> Result<(), Errno> {
    match u64::try_from(most) {
        Ok(most @ 1..) => MOST_WATCHES.store(most, Ordering::Relaxed),
        _ => return Err(Errno::EINVAL),
    }
    Ok(())
}

impl FileOps for Epoll {
    fn positioning(&self) -> Positioning {
        Positioning::SeekOnly
    }

    fn poll(&self) -> i16 {
        if self.lists.is_ready() {
            POLLIN | POLLRDNORM
        } else {
            0
        }
    }

    fn queues(&self) -> Queues<'_> {
        [Some(&self.lists.waiters), None]
    }

    fn show_info(&self, show: ShowInfo<'_>) {
        let (mut from, mut shown) = (FIRST, 0);
        while let Some(item) = self.lists.next(from..) {
            if let Some(file) = item.file.upgrade() {
                let (seen, inode) = (item.see(), file.inode());
                show(format_args!(
                    "tfd: {:8} events: {:8x} data: {:16x}  pos:{} ino:{:x} sdev:{:x}\n",
                    item.key.descriptor,
                    seen.event.events.bits(),
                    seen.event.data,
                    file.position(),
                    inode.number,
                    inode.filesystem.device
                ));
            }
            from = item.key.behind();
            shown += 1;
            if shown % STEPS == 0 {
                scheduler::cond_resched();
            }
        }
    }
}

impl Drop for Epoll {
    fn drop(&mut self) {
        deferred_free::lay_aside(ClosedEpoll(self.lists.clone()));
    }
}

/// What an epoll that is gone still watches.
struct ClosedEpoll(Arc<Lists>);

impl Pages for ClosedEpoll {
    fn left(&self) -> usize {
        self.0.len()
    }

    fn release_one(&mut self) {
        if let Some(item) = self.0.next(FIRST..) {
            item.leave();
        }
    }
}

impl Drop for ClosedEpoll {
    fn drop(&mut self) {
        while self.left() > 0 {
            self.release_one();
        }
    }
}
