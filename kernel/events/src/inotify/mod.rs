//! Telling of what happens to files and directories: inotify(7). `fs/notify/inotify` of Linux.
//!
//! A watch (`watch`) stands with its inode (`vfs::inode_watch`), which it keeps, and by its number with its instance; whoever takes it
//! out there ends it, so that it ends once. What happens goes to the instance's queue (`queue`), which is bounded. Whoever closes an
//! instance takes all its watches out, some at a time.
//!
//! Locks: the numbers and the queue are leaves, never held together. Who adds watches keeps others that do so out by a sleeping mutex.

mod queue;
#[cfg(test)]
mod tests;
mod watch;

use alloc::sync::Arc;
use core::any::Any;
use core::sync::atomic::{AtomicU64, Ordering};

use abi::Errno;
use abi::events::{InotifyEvent, InotifyEvents, InotifyInitFlags};
use abi::file::{NAME_MAX, OpenFlags, POLLIN, POLLRDNORM};
use abi::terminal::FIONREAD;
use abi::zerocopy::IntoBytes;
use memory::fallible;
use queue::{EventQueue, QueuedEvent};
use sched::deferred_free::{self, Pages};
use sched::scheduler;
use uaccess::Sink;
use vfs::file_ops::{FileOps, Io, Positioning, Queues, ShowInfo};
use vfs::{Inode, OpenFile};
use watch::{InotifyInstance, NumberedWatch};

use super::anonymous::AnonymousKind;
use super::users::User;

static KIND: AnonymousKind = AnonymousKind::new("inotify");

/// Room for the longest event: names are filled up with zeros to a multiple of the size of an event.
const LONGEST: usize = size_of::<InotifyEvent>() + (NAME_MAX + 1).next_multiple_of(size_of::<InotifyEvent>());

/// Watches looked at between two points where others may run.
const STEPS: usize = 64;

/// The least and the most files that a user may watch before anybody has asked.
const WATCHES_AT_FIRST: [u64; 2] = [8192, 1 << 20];

/// What a limit may be set to.
const LARGEST_LIMIT: i64 = i32::MAX as i64;

/// A limit of /proc/sys/fs/inotify.
pub struct InotifyLimit(AtomicU64);

/// Instances that a user may have.
pub static MOST_INSTANCES: InotifyLimit = InotifyLimit(AtomicU64::new(128));
/// Events that wait in one instance that is made from now on.
pub static MOST_EVENTS: InotifyLimit = InotifyLimit(AtomicU64::new(16384));
/// Files that a user may watch; none before anybody has asked.
static MOST_WATCHES: InotifyLimit = InotifyLimit(AtomicU64::new(UNSET));

const UNSET: u64 = u64::MAX;

impl InotifyLimit {
    /// What it is.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Changes it.
    ///
    /// # Errors
    /// `EINVAL`: it is negative, or more than an `int`.
    pub fn set(&self, most: i64) -> Result<(), Errno> {
        if !(0..=LARGEST_LIMIT).contains(&most) {
            return Err(Errno::EINVAL);
        }
        self.0.store(most as u64, Ordering::Relaxed);
        Ok(())
    }
}

/// How many files a user may watch. At first as many as take a hundredth of the memory with the inodes that they keep, as in Linux.
pub fn most_watches() -> u64 {
    match MOST_WATCHES.get() {
        UNSET => {
            let cost = (size_of::<NumberedWatch>() + 2 * size_of::<Inode>()) as u64;
            let [least, most] = WATCHES_AT_FIRST;
            (platform::memory::ram_bytes() / 100 / cost).clamp(least, most)
        }
        most => most,
    }
}

/// Changes that.
///
/// # Errors
/// As of [`InotifyLimit::set`].
pub fn set_most_watches(most: i64) -> Result<(), Errno> {
    MOST_WATCHES.set(most)
}

/// An instance, as long as it is open.
pub struct Inotify {
    instance: Arc<InotifyInstance>,
}

/// A new instance of the user `uid`.
///
/// # Errors
/// `EMFILE`: the user has as many as it may. `ENOMEM`.
pub fn open(uid: u32, flags: InotifyInitFlags) -> Result<Arc<OpenFile>, Errno> {
    let user = User::of(uid)?;
    if !user.counts().inotify_instances.take_one(MOST_INSTANCES.get()) {
        return Err(Errno::EMFILE);
    }
    // From here on the instance gives back what its user was charged.
    let queue = EventQueue::new(MOST_EVENTS.get() as usize)
        .inspect_err(|_| user.counts().inotify_instances.give_back())?;
    let counts = user.counts().clone();
    let instance = fallible::arc_with(|| InotifyInstance::new(queue, user))
        .inspect_err(|_| counts.inotify_instances.give_back())?;
    let ops = fallible::arc(Inotify { instance })?;
    let status = OpenFlags::from_bits_retain(flags.bits()) & OpenFlags::O_NONBLOCK;
    KIND.open(ops, OpenFlags::O_RDONLY | status)
}

impl Inotify {
    /// `inode` is watched from now on as `wanted` says; the number of the watch.
    ///
    /// # Errors
    /// `EEXIST`: it is watched, and `IN_MASK_CREATE` says that it must not be. `ENOSPC`: the user watches as much as it may.
    /// `ENOMEM`; `EINTR`: the process is to end.
    pub fn add(&self, inode: &Arc<Inode>, wanted: InotifyEvents) -> Result<i32, Errno> {
        let _adding = self.instance.adding.lock()?;
        if let Some(watch) = self.watch_of(inode) {
            if wanted.contains(InotifyEvents::IN_MASK_CREATE) {
                return Err(Errno::EEXIST);
            }
            watch.change(wanted);
            return Ok(watch.number);
        }
        NumberedWatch::add(&self.instance, inode, wanted)
    }

    /// The watch of that inode, unless it is over.
    fn watch_of(&self, inode: &Inode) -> Option<Arc<NumberedWatch>> {
        let found: Arc<dyn Any + Send + Sync> = inode.watches.find(self.instance.key())?;
        let watch: Arc<NumberedWatch> = found.downcast().ok()?;
        self.instance.find(watch.number).map(|_| watch)
    }

    /// The watch of that number ends.
    ///
    /// # Errors
    /// `EINVAL`: there is none.
    pub fn remove(&self, number: i32) -> Result<(), Errno> {
        let watch = self.instance.find(number).ok_or(Errno::EINVAL)?;
        watch.end();
        Ok(())
    }

    /// The first event, if there is room for it.
    fn take(&self, room: usize) -> Option<Result<Arc<QueuedEvent>, Errno>> {
        self.instance.queue.take(room)
    }
}

/// Puts an event where the program wants it. `EFAULT`, `ENOMEM`; `EINTR`: the process is to end.
fn put(event: &QueuedEvent, to: &mut dyn Sink) -> Result<usize, Errno> {
    let len = event.len();
    let name_len = len - size_of::<InotifyEvent>();
    let header = InotifyEvent {
        watch: event.watch,
        mask: event.mask,
        cookie: event.cookie,
        name_len: name_len as u32,
    };
    let mut bytes = [0; LONGEST];
    let (head, rest) = bytes.split_at_mut(size_of::<InotifyEvent>());
    head.copy_from_slice(header.as_bytes());
    rest[..event.name.len()].copy_from_slice(&event.name);
    match to.put(&bytes[..len])? {
        done if done == len => Ok(len),
        _ => Err(Errno::EFAULT),
    }
}

impl FileOps for Inotify {
    fn read(&self, io: &mut Io, to: &mut dyn Sink) -> Result<usize, Errno> {
        let mut next = match self.take(to.room()) {
            Some(next) => Some(next),
            None if io.is_nonblocking() => return Err(Errno::EAGAIN),
            None => Some(self.instance.queue.readers.wait_until(|| self.take(to.room()))?),
        };
        let mut done = 0;
        while let Some(event) = next {
            match event {
                Ok(event) => done += put(&event, to)?,
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
            scheduler::cond_resched();
            next = self.take(to.room());
        }
        Ok(done)
    }

    fn positioning(&self) -> Positioning {
        Positioning::SeekOnly
    }

    fn ioctl(&self, request: u32, argument: u64) -> Result<usize, Errno> {
        if request != FIONREAD {
            return Err(Errno::ENOTTY);
        }
        let bytes = u32::try_from(self.instance.queue.bytes()).unwrap_or(u32::MAX);
        uaccess::write_value(argument, &bytes)?;
        Ok(0)
    }

    fn poll(&self) -> i16 {
        if self.instance.queue.is_empty() {
            0
        } else {
            POLLIN | POLLRDNORM
        }
    }

    fn queues(&self) -> Queues<'_> {
        [Some(&self.instance.queue.readers), None]
    }

    fn show_info(&self, show: ShowInfo<'_>) {
        let (mut from, mut shown) = (0, 0);
        while let Some(watch) = self.instance.next(from) {
            show(format_args!(
                "inotify wd:{:x} ino:{:x} sdev:{:x} mask:{:x} ignored_mask:0 \n",
                watch.number,
                watch.inode.number,
                watch.inode.filesystem.device,
                watch.shown_mask().bits()
            ));
            from = watch.number + 1;
            shown += 1;
            if shown % STEPS == 0 {
                scheduler::cond_resched();
            }
        }
    }
}

impl Drop for Inotify {
    fn drop(&mut self) {
        deferred_free::lay_aside(ClosedInotify(self.instance.clone()));
    }
}

/// What an instance that is closed still watches, and what nobody will read.
struct ClosedInotify(Arc<InotifyInstance>);

impl Pages for ClosedInotify {
    fn left(&self) -> usize {
        self.0.count() + self.0.queue.count()
    }

    fn release_one(&mut self) {
        match self.0.next(0) {
            Some(watch) => watch.end_silently(),
            None => drop(self.0.queue.take(usize::MAX)),
        }
    }
}

impl Drop for ClosedInotify {
    fn drop(&mut self) {
        while self.left() > 0 {
            self.release_one();
        }
    }
}
