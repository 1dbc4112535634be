//! How a file system is mounted: what mount(2) forbids there. No file system is mounted twice, so it keeps this itself.

use core::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use abi::Errno;
use abi::mount::MountFlags;

/// The flags that are kept, with the words for them in /proc/PID/mounts.
const SHOWN: [(MountFlags, &str); 6] = [
    (MountFlags::MS_NOSUID, ",nosuid"),
    (MountFlags::MS_NODEV, ",nodev"),
    (MountFlags::MS_NOEXEC, ",noexec"),
    (MountFlags::MS_NOATIME, ",noatime"),
    (MountFlags::MS_NODIRATIME, ",nodiratime"),
    (MountFlags::MS_RELATIME, ",relatime"),
];
/// Instead of a number of writers.
const READ_ONLY: i32 = -1;
/// Taken from the number of writers when nothing may be written any more, whoever has a file open for it.
const BROKEN: i32 = 1 << 30;

/// Flags of mount(2), and who keeps the filesystem from being read-only.
///
/// ```
/// use abi::mount::MountFlags;
/// use vfs::mount_state::MountState;
///
/// let state = MountState::new();
/// state.enter_writer().expect("it can be written");
/// assert!(state.set(MountFlags::MS_RDONLY).is_err(), "a file is open for writing");
/// state.leave_writer();
/// state.set(MountFlags::MS_RDONLY | MountFlags::MS_NOSUID).expect("nobody writes");
/// assert!(state.enter_writer().is_err(), "it is read-only");
/// assert_eq!(state.words().collect::<String>(), "ro,nosuid,relatime");
/// ```
pub struct MountState {
    /// All but `MS_RDONLY`.
    flags: AtomicU32,
    /// Files that are open for writing, or [`READ_ONLY`]; less by [`BROKEN`] for good.
    writers: AtomicI32,
}

impl MountState {
    /// As without any.
    pub const fn new() -> MountState {
        MountState {
            flags: AtomicU32::new(MountFlags::MS_RELATIME.bits()),
            writers: AtomicI32::new(0),
        }
    }

    /// Takes those of the wished flags that are kept; access times are set now and then if nothing else is said.
    ///
    /// # Errors
    /// `EBUSY` if it is to become read-only and a file is open for writing.
    pub fn set(&self, wanted: MountFlags) -> Result<(), Errno> {
        if !wanted.contains(MountFlags::MS_RDONLY) {
            let _read_only = self.exchange(READ_ONLY, 0);
        } else if !self.is_read_only() && !self.exchange(0, READ_ONLY) {
            return Err(Errno::EBUSY);
        }
        let mut kept = SHOWN
            .iter()
            .fold(MountFlags::empty(), |kept, (flag, _)| kept | *flag & wanted);
        kept.set(MountFlags::MS_RELATIME, !wanted.contains(MountFlags::MS_NOATIME));
        self.flags.store(kept.bits(), Ordering::Release);
        Ok(())
    }

    /// As [`MountState::set`], for a remount: access times stay as they are if nothing is said of them.
    ///
    /// # Errors
    /// As of [`MountState::set`].
    pub fn change(&self, wanted: MountFlags) -> Result<(), Errno> {
        let times = MountFlags::MS_NOATIME | MountFlags::MS_NODIRATIME | MountFlags::MS_RELATIME;
        let kept = if wanted.intersects(times) {
            MountFlags::empty()
        } else {
            self.get() & times
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
    pub fn get(&self) -> MountFlags {
        let mut flags = MountFlags::from_bits_retain(self.flags.load(Ordering::Acquire));
        flags.set(MountFlags::MS_RDONLY, self.is_read_only());
        flags
    }

    /// Whether one of these is set.
    #[inline]
    pub fn has(&self, flags: MountFlags) -> bool {
        MountFlags::from_bits_retain(self.flags.load(Ordering::Relaxed)).intersects(flags)
    }

    /// Whether nothing may be changed.
    #[inline]
    pub fn is_read_only(&self) -> bool {
        self.writers.load(Ordering::Acquire) < 0
    }

    /// Whether something may be changed.
    ///
    /// # Errors
    /// `EROFS`.
    #[inline]
    pub fn check_writable(&self) -> Result<(), Errno> {
        if self.is_read_only() {
            Err(Errno::EROFS)
        } else {
            Ok(())
        }
    }

    /// A file is open for writing from now on.
    ///
    /// # Errors
    /// `EROFS`.
    pub fn enter_writer(&self) -> Result<(), Errno> {
        let one_more = |writers: i32| (0..i32::MAX).contains(&writers).then(|| writers + 1);
        let entered = self
            .writers
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more);
        entered.map(drop).map_err(|_| Errno::EROFS)
    }

    /// Nothing is changed any more, though files are open for writing: what lies below has failed. Whether that is new.
    pub fn break_off(&self) -> bool {
        let lower = |writers: i32| (writers > READ_ONLY - BROKEN / 2).then(|| writers - BROKEN);
        let lowered = self
            .writers
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, lower);
        lowered.is_ok()
    }

    /// It is not any longer.
    pub fn leave_writer(&self) {
        self.writers.fetch_sub(1, Ordering::AcqRel);
    }

    /// The words of /proc/PID/mounts, `ro` or `rw` first.
    pub fn words(&self) -> impl Iterator<Item = &'static str> {
        let flags = self.get();
        let first = if flags.contains(MountFlags::MS_RDONLY) {
            "ro"
        } else {
            "rw"
        };
        let others = SHOWN.iter().filter(move |(flag, _)| flags.contains(*flag));
        core::iter::once(first).chain(others.map(|(_, word)| *word))
    }
}

impl Default for MountState {
    fn default() -> MountState {
        MountState::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_writes_what_is_read_only_and_who_writes_keeps_it_writable() {
        let flags = MountState::new();
        assert_eq!(flags.enter_writer(), Ok(()));
        assert_eq!(flags.set(MountFlags::MS_RDONLY), Err(Errno::EBUSY));
        flags.leave_writer();
        assert_eq!(flags.set(MountFlags::MS_RDONLY | MountFlags::MS_NOEXEC), Ok(()));
        assert_eq!(flags.enter_writer(), Err(Errno::EROFS));
        assert_eq!(flags.words().collect::<String>(), "ro,noexec,relatime");
        assert_eq!(flags.set(MountFlags::MS_RDONLY | MountFlags::MS_NOATIME), Ok(()));
        assert_eq!(flags.words().collect::<String>(), "ro,noatime");
        assert_eq!(flags.set(MountFlags::empty()), Ok(()));
        assert_eq!(flags.enter_writer(), Ok(()));
    }

    #[test]
    fn what_has_failed_stays_read_only() {
        let flags = MountState::new();
        assert_eq!(flags.enter_writer(), Ok(()));
        assert!(flags.break_off() && !flags.break_off());
        assert_eq!(flags.words().next(), Some("ro"));
        assert_eq!(flags.enter_writer(), Err(Errno::EROFS));
        flags.leave_writer();
        assert!(flags.is_read_only());
        assert_eq!(flags.set(MountFlags::empty()), Ok(()));
        assert!(flags.is_read_only(), "nobody can mend it");
    }
}
