//! What a table of descriptors consists of: pieces of 64 descriptors, and blocks of 64 pieces. Tables that were copied by fork share
//! them (`Arc`), until one of them changes something in a piece. What is looked for is found by words of 64 bits.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use memory::fallible::{self, TryClone, TryVec};

/// Descriptors of a piece, and pieces of a block: the bits of a word.
pub const WIDTH: usize = u64::BITS as usize;

/// Descriptors of a block.
pub const BLOCK: usize = WIDTH * WIDTH;

/// Whether a descriptor survives execve(2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnExec {
    /// It stays open.
    Keep,
    /// It is closed.
    Close,
}

/// Which descriptors are looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DescriptorKind {
    /// Those that are open.
    Open,
    /// Those of them that execve(2) closes.
    ClosedOnExec,
}

/// The lowest bit of `word` that is set, from bit `from` on.
#[inline]
pub fn first_bit(word: u64, from: usize) -> Option<usize> {
    let rest = word & u64::MAX.checked_shl(from as u32)?;
    (rest != 0).then(|| rest.trailing_zeros() as usize)
}

/// Up to 64 descriptors.
pub struct DescriptorPiece<F> {
    /// Bit n: descriptor n is open.
    open: u64,
    /// Bit n: execve(2) closes it. A part of `open`.
    closed_on_exec: u64,
    /// As many as the highest that was ever open wanted.
    files: Vec<Option<Arc<F>>>,
}

impl<F> TryClone for DescriptorPiece<F> {
    fn try_clone(&self) -> Result<Self, Errno> {
        // With room for the next one: who copies it mostly opens something.
        let mut files = fallible::with_room((self.files.len() + 4) & !3)?;
        files.try_append(self.files.iter().cloned())?;
        Ok(DescriptorPiece { files, ..*self })
    }
}

impl<F> DescriptorPiece<F> {
    pub const fn new() -> Self {
        DescriptorPiece {
            open: 0,
            closed_on_exec: 0,
            files: Vec::new(),
        }
    }

    /// The descriptors of that kind.
    #[inline]
    pub fn all(&self, kind: DescriptorKind) -> u64 {
        match kind {
            DescriptorKind::Open => self.open,
            DescriptorKind::ClosedOnExec => self.closed_on_exec,
        }
    }

    /// What its descriptors refer to.
    #[inline]
    pub fn files(&self) -> &[Option<Arc<F>>] {
        &self.files
    }

    /// What descriptor `at` refers to.
    #[inline]
    pub fn get(&self, at: usize) -> Option<&Arc<F>> {
        self.files.get(at)?.as_ref()
    }

    /// Puts the file there and returns what was.
    ///
    /// # Errors
    /// `ENOMEM`, nothing changed.
    pub fn put(&mut self, at: usize, file: Arc<F>, on_exec: OnExec) -> Result<Option<Arc<F>>, Errno> {
        if at >= self.files.len() {
            let missing = at + 1 - self.files.len();
            self.files.try_append((0..missing).map(|_| None))?;
        }
        self.open |= 1 << at;
        self.mark(1 << at, on_exec);
        Ok(self.files[at].replace(file))
    }

    /// Takes the file out.
    pub fn take(&mut self, at: usize) -> Option<Arc<F>> {
        let file = self.files.get_mut(at)?.take()?;
        self.open &= !(1 << at);
        self.closed_on_exec &= self.open;
        Some(file)
    }

    /// What execve(2) does with those of `which` that are open.
    pub fn mark(&mut self, which: u64, on_exec: OnExec) {
        match on_exec {
            OnExec::Close => self.closed_on_exec |= which & self.open,
            OnExec::Keep => self.closed_on_exec &= !which,
        }
    }
}

/// 4,096 descriptors.
pub struct Block<F> {
    /// Bit n: something in piece n is open.
    open: u64,
    /// Bit n: execve(2) closes something in piece n.
    closed_on_exec: u64,
    /// Bit n: everything in piece n is open.
    full: u64,
    pieces: [Option<Arc<DescriptorPiece<F>>>; WIDTH],
}

impl<F> TryClone for Block<F> {
    fn try_clone(&self) -> Result<Self, Errno> {
        Ok(Block {
            pieces: self.pieces.clone(),
            ..*self
        })
    }
}

impl<F> Block<F> {
    /// The block of that number. The first piece of the first one lies elsewhere: here it is always full.
    pub fn new(number: usize) -> Self {
        Block {
            open: 0,
            closed_on_exec: 0,
            full: u64::from(number == 0),
            pieces: [const { None }; WIDTH],
        }
    }

    fn word(&self, piece: usize, kind: DescriptorKind) -> u64 {
        self.pieces[piece].as_ref().map_or(0, |piece| piece.all(kind))
    }

    /// The pieces with descriptors of that kind.
    pub fn all(&self, kind: DescriptorKind) -> u64 {
        match kind {
            DescriptorKind::Open => self.open,
            DescriptorKind::ClosedOnExec => self.closed_on_exec,
        }
    }

    /// The piece of a descriptor of this block.
    pub fn piece(&self, at: usize) -> Option<&DescriptorPiece<F>> {
        self.pieces[at / WIDTH].as_deref()
    }

    /// What its descriptors refer to, piece by piece.
    pub fn files(&self) -> impl Iterator<Item = &[Option<Arc<F>>]> {
        self.pieces.iter().flatten().map(|piece| piece.files())
    }

    /// The lowest descriptor of that kind from `from` on.
    pub fn next(&self, from: usize, kind: DescriptorKind) -> Option<usize> {
        self.find(from, |piece| self.word(piece, kind), self.all(kind))
    }

    /// The lowest free descriptor from `from` on.
    pub fn lowest_free(&self, from: usize) -> Option<usize> {
        self.find(from, |piece| !self.word(piece, DescriptorKind::Open), !self.full)
    }

    /// The lowest bit from `from` on in the words of all pieces; only those of `pieces` have one.
    fn find(&self, from: usize, word: impl Fn(usize) -> u64, pieces: u64) -> Option<usize> {
        let piece = from / WIDTH;
        if first_bit(pieces, piece) == Some(piece)
            && let Some(at) = first_bit(word(piece), from % WIDTH)
        {
            return Some(piece * WIDTH + at);
        }
        let piece = first_bit(pieces, piece + 1)?;
        first_bit(word(piece), 0).map(|at| piece * WIDTH + at)
    }

    /// Changes the piece of a descriptor; it is made if it is missing, and copied if others have it as well.
    ///
    /// # Errors
    /// `ENOMEM`, nothing changed.
    pub fn change<R>(
        &mut self,
        at: usize,
        change: impl FnOnce(&mut DescriptorPiece<F>) -> Result<R, Errno>,
    ) -> Result<R, Errno> {
        let place = &mut self.pieces[at / WIDTH];
        if place.is_none() {
            *place = Some(fallible::arc(DescriptorPiece::new())?);
        }
        let piece = fallible::make_mut(place.as_mut().ok_or(Errno::ENOMEM)?)?;
        let result = change(piece);
        let bit = 1 << (at / WIDTH);
        let set = |word: &mut u64, is_set: bool| *word = *word & !bit | if is_set { bit } else { 0 };
        set(&mut self.open, piece.open != 0);
        set(&mut self.closed_on_exec, piece.closed_on_exec != 0);
        set(&mut self.full, piece.open == u64::MAX);
        result
    }

    /// Takes out a piece.
    pub fn pop(&mut self) -> Option<Arc<DescriptorPiece<F>>> {
        self.pieces.iter_mut().find_map(Option::take)
    }
}
