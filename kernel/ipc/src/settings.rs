//! /proc/sys/kernel/shm*, sem, msg*: limits for all together.

use abi::ipc::SHMMNI;
use abi::message::{MSGMAX, MSGMNB, MSGMNI};
use abi::semaphore::{SEMMNI, SEMMNS, SEMMSL, SEMOPM};
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
/// How many semaphores a set may have.
pub static MOST_SEMAPHORES_IN_SET: IpcSetting = IpcSetting(AtomicU64::new(SEMMSL as u64));
/// How many semaphores all sets may have together.
pub static MOST_SEMAPHORES: IpcSetting = IpcSetting(AtomicU64::new(SEMMNS as u64));
/// How many operations a call may make.
pub static MOST_OPERATIONS: IpcSetting = IpcSetting(AtomicU64::new(SEMOPM as u64));
/// How many sets there may be.
pub static MOST_SETS: IpcSetting = IpcSetting(AtomicU64::new(SEMMNI as u64));
/// Bytes of a message.
pub static MOST_MESSAGE_BYTES: IpcSetting = IpcSetting(AtomicU64::new(MSGMAX as u64));
/// Bytes of a queue that is made.
pub static MOST_QUEUE_BYTES: IpcSetting = IpcSetting(AtomicU64::new(MSGMNB as u64));
/// How many queues there may be.
pub static MOST_QUEUES: IpcSetting = IpcSetting(AtomicU64::new(MSGMNI as u64));

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
