//! How many pseudo-terminals there may be: /proc/sys/kernel/pty.

use abi::Errno;
use core::sync::atomic::{AtomicU32, Ordering};

/// `NR_UNIX98_PTY_DEFAULT`.
static MAX: AtomicU32 = AtomicU32::new(4096);
/// `NR_UNIX98_PTY_RESERVE`.
static RESERVE: AtomicU32 = AtomicU32::new(1024);

/// Those that there are.
static COUNT: AtomicU32 = AtomicU32::new(0);

/// A number that can be changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Limit {
    /// One more than there may be: kernel/pty/max.
    Max,
    /// How many of them only mounts of the first mount namespace give, which all are here: kernel/pty/reserve.
    Reserve,
}

impl Limit {
    fn cell(self) -> &'static AtomicU32 {
        match self {
            Limit::Max => &MAX,
            Limit::Reserve => &RESERVE,
        }
    }

    /// What it is.
    pub fn get(self) -> u32 {
        self.cell().load(Ordering::Relaxed)
    }

    /// Changes it.
    ///
    /// # Errors
    /// `EINVAL`: it is negative, or no `int`.
    pub fn set(self, value: i64) -> Result<(), Errno> {
        let value = i32::try_from(value).map_err(|_| Errno::EINVAL)?;
        let value = u32::try_from(value).map_err(|_| Errno::EINVAL)?;
        self.cell().store(value, Ordering::Relaxed);
        Ok(())
    }
}

/// How many pseudo-terminals there are: kernel/pty/nr.
pub fn count() -> u32 {
    COUNT.load(Ordering::Relaxed)
}

/// Counts one more.
///
/// # Errors
/// `ENOSPC`.
pub fn charge() -> Result<(), Errno> {
    let one_more = |count: u32| Some(count + 1).filter(|count| *count < Limit::Max.get());
    let charged = COUNT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
    charged.map(drop).map_err(|_| Errno::ENOSPC)
}

/// Counts one less.
pub fn discharge() {
    COUNT.fetch_sub(1, Ordering::Relaxed);
}
