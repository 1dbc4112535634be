//! Seals of a file in memory: fcntl(2), `F_ADD_SEALS`. What is sealed stays as it is, for whoever has the file.

use core::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use abi::Errno;
use abi::file::SealFlags;

/// A write goes on by so many bytes: a page.
const STEP: u64 = 4096;

/// Nobody may write, or map it shared to write.
const NO_WRITE: SealFlags = SealFlags::F_SEAL_WRITE.union(SealFlags::F_SEAL_FUTURE_WRITE);
/// There may be no mappings that can be written, ever.
const DENIED: i32 = -1;

/// The seals of one file. Added and looked at by those who have their turn to write.
pub struct Seals {
    bits: AtomicU32,
    /// Shared mappings that can be written, or may become so; or [`DENIED`].
    writable_mappings: AtomicI32,
}

impl Seals {
    /// With these seals.
    pub const fn new(seals: SealFlags) -> Seals {
        Seals {
            bits: AtomicU32::new(seals.bits()),
            writable_mappings: AtomicI32::new(0),
        }
    }

    /// `F_GET_SEALS`.
    pub fn get(&self) -> SealFlags {
        SealFlags::from_bits_retain(self.bits.load(Ordering::Acquire))
    }

    /// `F_ADD_SEALS`.
    ///
    /// # Errors
    /// `EPERM` if no more may be added, `EBUSY` if a shared mapping can be written that is to be forbidden.
    pub fn add(&self, seals: SealFlags) -> Result<(), Errno> {
        let old = self.get();
        if old.contains(SealFlags::F_SEAL_SEAL) {
            return Err(Errno::EPERM);
        }
        if (seals - old).contains(SealFlags::F_SEAL_WRITE) {
            let denied =
                self.writable_mappings
                    .compare_exchange(0, DENIED, Ordering::AcqRel, Ordering::Acquire);
            denied.map_err(|_| Errno::EBUSY)?;
        }
        self.bits.fetch_or(seals.bits(), Ordering::AcqRel);
        Ok(())
    }

    /// How many of `len` bytes may be written at `at` of a file of `size` bytes.
    ///
    /// # Errors
    /// `EPERM` if none.
    #[inline]
    pub fn check_write(&self, at: u64, len: usize, size: u64) -> Result<usize, Errno> {
        if !self.get().intersects(NO_WRITE | SealFlags::F_SEAL_GROW) {
            return Ok(len);
        }
        self.check_sealed_write(at, len, size)
    }

    /// A write goes page by page: of one that would grow the file, the pages before.
    #[cold]
    fn check_sealed_write(&self, at: u64, len: usize, size: u64) -> Result<usize, Errno> {
        let last_whole = size - size % STEP;
        if self.get().intersects(NO_WRITE) {
            return Err(Errno::EPERM);
        }
        if at.saturating_add(len as u64) <= size {
            return Ok(len);
        }
        let most = last_whole.checked_sub(at).filter(|most| *most > 0);
        most.map(|most| most as usize).ok_or(Errno::EPERM)
    }

    /// Whether the size may change so.
    ///
    /// # Errors
    /// `EPERM`.
    pub fn check_resize(&self, old: u64, new: u64) -> Result<(), Errno> {
        let seals = self.get();
        let is_refused = new < old && seals.contains(SealFlags::F_SEAL_SHRINK)
            || new > old && seals.contains(SealFlags::F_SEAL_GROW);
        if is_refused { Err(Errno::EPERM) } else { Ok(()) }
    }

    /// Whether bytes may be made zero.
    ///
    /// # Errors
    /// `EPERM`.
    pub fn check_punch(&self) -> Result<(), Errno> {
        if self.get().intersects(NO_WRITE) {
            Err(Errno::EPERM)
        } else {
            Ok(())
        }
    }

    /// There is one more shared mapping that can be written.
    ///
    /// # Errors
    /// `EPERM` if there may be none.
    pub fn enter_mapping(&self) -> Result<(), Errno> {
        if self.get().intersects(NO_WRITE) {
            return Err(Errno::EPERM);
        }
        let one_more = |mappings: i32| (0..i32::MAX).contains(&mappings).then(|| mappings + 1);
        let entered = self
            .writable_mappings
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more);
        entered.map(drop).map_err(|_| Errno::EPERM)
    }

    /// Such a mapping is gone.
    pub fn leave_mapping(&self) {
        self.writable_mappings.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_would_grow_a_sealed_file_ends_at_its_last_whole_page() {
        let seals = Seals::new(SealFlags::F_SEAL_GROW);
        assert_eq!(seals.check_write(100, 4000, 5000), Ok(4000));
        assert_eq!(seals.check_write(100, 5000, 5000), Ok(3996));
        assert_eq!(seals.check_write(4096, 1000, 5000), Err(Errno::EPERM));
        assert_eq!(seals.check_write(6000, 1, 5000), Err(Errno::EPERM));
        assert_eq!(seals.check_write(4096, 904, 5000), Ok(904));
    }

    #[test]
    fn a_mapping_that_can_be_written_keeps_the_seal_away_and_the_seal_keeps_it_away() {
        let seals = Seals::new(SealFlags::empty());
        assert_eq!(seals.enter_mapping(), Ok(()));
        assert_eq!(seals.add(SealFlags::F_SEAL_WRITE), Err(Errno::EBUSY));
        seals.leave_mapping();
        assert_eq!(seals.add(SealFlags::F_SEAL_WRITE), Ok(()));
        assert_eq!(seals.enter_mapping(), Err(Errno::EPERM));
        assert_eq!(
            seals.add(SealFlags::F_SEAL_WRITE | SealFlags::F_SEAL_SEAL),
            Ok(())
        );
        assert_eq!(seals.add(SealFlags::F_SEAL_GROW), Err(Errno::EPERM));
    }
}
