//! The bytes that a slave has sent and its master has not read.

use abi::Errno;
use alloc::boxed::Box;
use memory::fallible;

/// Bytes that wait at most; a power of two. Linux keeps 4,096 for a reader and as many again before those.
const CAPACITY: usize = 8192;

/// A ring of bytes. A byte stands where its number is, modulo the length.
pub struct SentRing {
    bytes: Box<[u8]>,
    come: usize,
    gone: usize,
}

impl SentRing {
    /// Without bytes.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn try_new() -> Result<SentRing, Errno> {
        Ok(SentRing {
            bytes: fallible::filled(CAPACITY, 0)?.into_boxed_slice(),
            come: 0,
            gone: 0,
        })
    }

    pub fn len(&self) -> usize {
        self.come.wrapping_sub(self.gone)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn room(&self) -> usize {
        CAPACITY - self.len()
    }

    /// Puts bytes at the end, as far as there is room.
    pub fn push(&mut self, bytes: &[u8]) {
        let bytes = &bytes[..bytes.len().min(self.room())];
        let at = self.come % CAPACITY;
        let (upper, lower) = bytes.split_at(bytes.len().min(CAPACITY - at));
        self.bytes[at..][..upper.len()].copy_from_slice(upper);
        self.bytes[..lower.len()].copy_from_slice(lower);
        self.come = self.come.wrapping_add(bytes.len());
    }

    /// Takes the first bytes; how many.
    pub fn take(&mut self, into: &mut [u8]) -> usize {
        let len = into.len().min(self.len());
        let at = self.gone % CAPACITY;
        let (upper, lower) = into[..len].split_at_mut(len.min(CAPACITY - at));
        upper.copy_from_slice(&self.bytes[at..][..upper.len()]);
        lower.copy_from_slice(&self.bytes[..lower.len()]);
        self.gone = self.gone.wrapping_add(len);
        len
    }

    /// Drops all.
    pub fn clear(&mut self) {
        self.gone = self.come;
    }
}
