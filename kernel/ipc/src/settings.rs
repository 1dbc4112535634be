//! /proc/sys/kernel/shm*: limits for all segments together.

use abi::ipc::SHMMNI;
use core::sync::atomic::{AtomicU64, Ordering};

/// A limit that can be changed.
pub struct IpcSetting(AtomicU64);

/// The most that may be asked for, less what keeps sums from overflowing: Linux's `SHMMAX`.
const NO_LIMIT: u64 = u64::MAX - (1 << 24);

/// The largest segment, in bytes.
pub static SHMMAX: IpcSetting = IpcSetting(AtomicU64::new(NO_LIMIT));
/// All segments together, in pages.
pub static SHMALL: IpcSetting = IpcSetting(AtomicU64::new(NO_LIMIT));
/// How many segments there may be.
pub static MOST_SEGMENTS: IpcSetting = IpcSetting(AtomicU64::new(SHMMNI as u64));

impl IpcSetting {
    /// The limit.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Another limit, for what is made from now on.
    pub fn set(&self, limit: u64) {
        self.0.store(limit, Ordering::Relaxed);
    }
}
