//! Lists whose length a program chooses, in pieces of a page: no allocation is larger, and each may fail.

use crate::scheduler;
use abi::Errno;
use alloc::vec::Vec;
use memory::fallible::{self, TryVec};
use mm::PAGE_SIZE;

/// A list of fixed length.
pub struct Paged<T> {
    pieces: Vec<Vec<T>>,
    len: usize,
}

impl<T: Clone + Default> Paged<T> {
    /// A list of `len` default values. No lock may be held.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn try_new(len: usize) -> Result<Paged<T>, Errno> {
        let mut pieces = fallible::with_room(len.div_ceil(Self::PER_PIECE))?;
        let mut missing = len;
        while missing > 0 {
            let part = missing.min(Self::PER_PIECE);
            pieces.try_push(memory::try_list(part)?)?;
            missing -= part;
            scheduler::cond_resched_killable()?;
        }
        Ok(Paged { pieces, len })
    }
}

impl<T> Paged<T> {
    /// How many lie in one piece.
    pub const PER_PIECE: usize = PAGE_SIZE / size_of::<T>();

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// One of them, to be looked at.
    #[inline]
    pub fn get(&self, index: usize) -> Option<&T> {
        self.pieces
            .get(index / Self::PER_PIECE)?
            .get(index % Self::PER_PIECE)
    }

    /// One of them, to be changed.
    #[inline]
    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.pieces
            .get_mut(index / Self::PER_PIECE)?
            .get_mut(index % Self::PER_PIECE)
    }

    /// The pieces in order.
    pub fn pieces(&self) -> impl Iterator<Item = &[T]> {
        self.pieces.iter().map(Vec::as_slice)
    }

    /// The pieces in order, to be changed.
    pub fn pieces_mut(&mut self) -> impl Iterator<Item = &mut [T]> {
        self.pieces.iter_mut().map(Vec::as_mut_slice)
    }
}
