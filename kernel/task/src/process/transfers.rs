//! What read(2), write(2) and their kin moved: /proc/PID/io. Each thread counts its own; a process adds those of threads that have
//! ended, and of children that it waited for.

use core::sync::atomic::{AtomicU64, Ordering};

use abi::Errno;

/// Counts of one thread, written by itself.
#[derive(Default)]
pub struct Transfers {
    read: Count,
    written: Count,
}

/// Bytes, and the calls that moved them.
#[derive(Default)]
struct Count {
    bytes: AtomicU64,
    calls: AtomicU64,
}

/// Such counts added up.
#[derive(Clone, Copy, Default, Debug)]
pub struct TransferTotals {
    /// Bytes read, and calls.
    pub read: (u64, u64),
    /// Bytes written, and calls.
    pub written: (u64, u64),
}

impl TransferTotals {
    /// Nothing.
    pub const NONE: TransferTotals = TransferTotals {
        read: (0, 0),
        written: (0, 0),
    };

    /// The sum of both.
    pub fn plus(&self, other: &TransferTotals) -> TransferTotals {
        let sum = |a: (u64, u64), b: (u64, u64)| (a.0 + b.0, a.1 + b.1);
        TransferTotals {
            read: sum(self.read, other.read),
            written: sum(self.written, other.written),
        }
    }
}

impl Count {
    #[inline(always)]
    fn add(&self, bytes: usize) {
        let next = |count: &AtomicU64, more: u64| {
            count.store(count.load(Ordering::Relaxed) + more, Ordering::Relaxed)
        };
        next(&self.bytes, bytes as u64);
        next(&self.calls, 1);
    }

    #[inline(always)]
    fn note(&self, result: &Result<usize, Errno>) {
        match result {
            Ok(bytes) => self.add(*bytes),
            Err(error) => self.note_failure(*error),
        }
    }

    /// A call counts unless the descriptor was not one for it.
    #[cold]
    fn note_failure(&self, error: Errno) {
        if !matches!(error, Errno::EBADF | Errno::ESPIPE) {
            self.add(0);
        }
    }

    fn get(&self) -> (u64, u64) {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (get(&self.bytes), get(&self.calls))
    }
}

impl Transfers {
    /// A call of the running thread read, or failed to.
    #[inline(always)]
    pub fn note_read(&self, result: &Result<usize, Errno>) {
        self.read.note(result);
    }

    /// A call of the running thread wrote, or failed to.
    #[inline(always)]
    pub fn note_written(&self, result: &Result<usize, Errno>) {
        self.written.note(result);
    }

    /// The counts.
    pub fn get(&self) -> TransferTotals {
        TransferTotals {
            read: self.read.get(),
            written: self.written.get(),
        }
    }
}
