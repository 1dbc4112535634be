//! How a filesystem is mounted: what mount(2) forbids there. No filesystem is mounted twice, so it keeps them itself.

use core::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use abi::Errno;
use abi::mount::{MS_NOATIME, MS_NODEV, MS_NODIRATIME, MS_NOEXEC, MS_NOSUID, MS_RDONLY, MS_RELATIME};

/// The flags that are kept, with the words for them in /proc/PID/mounts.
const SHOWN: [(u32, &str); 6] = [
    (MS_NOSUID, ",nosuid"),
    (MS_NODEV, ",nodev"),
    (MS_NOEXEC, ",noexec"),
    (MS_NOATIME, ",noatime"),
    (MS_NODIRATIME, ",nodiratime"),
    (MS_RELATIME, ",relatime"),
];
/// Instead of a number of writers.
const READ_ONLY: i32 = -1;

/// Flags of mount(2), and who keeps the filesystem from being read-only.
pub struct MountFlags {
    /// All but `MS_RDONLY`.
    flags: AtomicU32,
    /// Files that are open for writing, or [`READ_ONLY`].
    writers: AtomicI32,
}

impl MountFlags {
    /// As without any.
    pub const fn new() -> MountFlags {
        MountFlags {
            flags: AtomicU32::new(MS_RELATIME),
            writers: AtomicI32::new(0),
        }
    }

    /// Those of the wished that are kept; access times are set now and then if nothing else is said.
    pub fn set(&self, wanted: u32) -> Result<(), Errno> {
        if wanted & MS_RDONLY == 0 {
            let _read_only = self.exchange(READ_ONLY, 0);
        } else if !self.is_read_only() && !self.exchange(0, READ_ONLY) {
            return Err(Errno::EBUSY);
        }
        let kept = SHOWN.iter().fold(0, |kept, (flag, _)| kept | flag & wanted);
        let times = if wanted & MS_NOATIME == 0 { MS_RELATIME } else { 0 };
        let flags = if times == 0 {
            kept & !MS_RELATIME
        } else {
            kept | times
        };
        self.flags.store(flags, Ordering::Release);
        Ok(())
    }

    /// As [`MountFlags::set`], for a remount: access times stay as they are if nothing is said of them.
    pub fn change(&self, wanted: u32) -> Result<(), Errno> {
        let times = MS_NOATIME | MS_NODIRATIME | MS_RELATIME;
        let kept = if wanted & times == 0 {
            self.get() & times
        } else {
            0
        };
        self.set(wanted | kept)
    }

    fn exchange(&self, old: i32, new: i32) -> bool {
        let exchanged = self
            .writers
            .compare_exchange(old, new, Ordering::AcqRel, Ordering::Acquire);
        exchanged.is_ok()
    }

    /// All of them.
    pub fn get(&self) -> u32 {
        let read_only = if self.is_read_only() { MS_RDONLY } else { 0 };
        self.flags.load(Ordering::Acquire) | read_only
    }

    /// Whether one of these is set.
    #[inline]
    pub fn has(&self, flags: u32) -> bool {
        self.flags.load(Ordering::Relaxed) & flags != 0
    }

    /// Whether nothing may be changed.
    #[inline]
    pub fn is_read_only(&self) -> bool {
        self.writers.load(Ordering::Acquire) == READ_ONLY
    }

    /// `EROFS` if nothing may be changed.
    #[inline]
    pub fn check_writable(&self) -> Result<(), Errno> {
        if self.is_read_only() {
            Err(Errno::EROFS)
        } else {
            Ok(())
        }
    }

    /// A file is open for writing from now on. `EROFS`.
    pub fn enter_writer(&self) -> Result<(), Errno> {
        let one_more = |writers: i32| (0..i32::MAX).contains(&writers).then(|| writers + 1);
        let entered = self
            .writers
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more);
        entered.map(drop).map_err(|_| Errno::EROFS)
    }

    /// It is not any longer.
    pub fn leave_writer(&self) {
        self.writers.fetch_sub(1, Ordering::AcqRel);
    }

    /// The words of /proc/PID/mounts, `ro` or `rw` first.
    pub fn words(&self) -> impl Iterator<Item = &'static str> {
        let flags = self.get();
        let first = if flags & MS_RDONLY != 0 { "ro" } else { "rw" };
        let others = SHOWN.iter().filter(move |(flag, _)| flags & flag != 0);
        core::iter::once(first).chain(others.map(|(_, word)| *word))
    }
}

impl Default for MountFlags {
    fn default() -> MountFlags {
        MountFlags::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_writes_what_is_read_only_and_who_writes_keeps_it_writable() {
        let flags = MountFlags::new();
        assert_eq!(flags.enter_writer(), Ok(()));
        assert_eq!(flags.set(MS_RDONLY), Err(Errno::EBUSY));
        flags.leave_writer();
        assert_eq!(flags.set(MS_RDONLY | MS_NOEXEC), Ok(()));
        assert_eq!(flags.enter_writer(), Err(Errno::EROFS));
        assert_eq!(flags.words().collect::<String>(), "ro,noexec,relatime");
        assert_eq!(flags.set(MS_RDONLY | MS_NOATIME), Ok(()));
        assert_eq!(flags.words().collect::<String>(), "ro,noatime");
        assert_eq!(flags.set(0), Ok(()));
        assert_eq!(flags.enter_writer(), Ok(()));
    }
}
