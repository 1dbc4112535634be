//! Errors of writing back, each told once to each open file that could have caused it: `errseq_t` of Linux.

use abi::Errno;
use core::sync::atomic::{AtomicU64, Ordering};

/// Bits of the error's number; above them is the count of errors.
const NUMBER_BITS: u32 = 16;

/// The last error of a file's pages.
#[derive(Default)]
pub struct WriteErrors(AtomicU64);

/// What an open file has been told.
#[derive(Default)]
pub struct ErrorSeen(AtomicU64);

impl WriteErrors {
    /// No error.
    pub const fn new() -> WriteErrors {
        WriteErrors(AtomicU64::new(0))
    }

    /// Notes one.
    pub fn note(&self, error: Errno) {
        let next = |old: u64| Some(((old >> NUMBER_BITS) + 1) << NUMBER_BITS | u64::from(error.number()));
        let _always = self.0.fetch_update(Ordering::AcqRel, Ordering::Relaxed, next);
    }

    /// An open file from now on: what happened before is not its business.
    pub fn sample(&self) -> ErrorSeen {
        ErrorSeen(AtomicU64::new(self.0.load(Ordering::Acquire)))
    }

    /// Whether there was one since the open file was last told.
    ///
    /// # Errors
    /// That one, the last of several.
    pub fn check(&self, seen: &ErrorSeen) -> Result<(), Errno> {
        let now = self.0.load(Ordering::Acquire);
        if seen.0.swap(now, Ordering::AcqRel) == now {
            return Ok(());
        }
        let number = (now & ((1 << NUMBER_BITS) - 1)) as u16;
        Err(Errno::from_number(number).unwrap_or(Errno::EIO))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_once_to_each_who_had_the_file_open() {
        let errors = WriteErrors::new();
        let (first, second) = (errors.sample(), errors.sample());
        assert_eq!(errors.check(&first), Ok(()));
        errors.note(Errno::EIO);
        let late = errors.sample();
        assert_eq!(errors.check(&first), Err(Errno::EIO));
        assert_eq!(errors.check(&first), Ok(()));
        assert_eq!(errors.check(&second), Err(Errno::EIO));
        assert_eq!(errors.check(&late), Ok(()));
        errors.note(Errno::ENOSPC);
        errors.note(Errno::ENOSPC);
        assert_eq!(errors.check(&late), Err(Errno::ENOSPC));
        assert_eq!(errors.check(&late), Ok(()));
    }
}
