//! The descriptors of a process: a table of references to what is open, and which of them execve(2) closes.
//!
//! Fork shares the table (`Arc`); the first change copies it, but of more than 64 descriptors only the way to the piece that changes
//! (`piece`). Generic over what is open, so that the rules are tested without files.

mod piece;
#[cfg(test)]
mod tests;

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use memory::fallible::{self, TryClone, TryVec};
pub use piece::OnExec;
use piece::{BLOCK, Block, DescriptorKind, DescriptorPiece, WIDTH, first_bit};

/// Most descriptors of a process, whatever its limits: `fs.nr_open`.
pub const MAX_DESCRIPTORS: usize = 1 << 20;

/// A table of descriptors.
///
/// ```
/// use std::sync::Arc;
/// use vfs::OnExec;
/// use vfs::file_table::Table;
///
/// let mut table = Table::new();
/// let limit = 1024;
/// let (first, second) = (Arc::new("first"), Arc::new("second"));
/// assert_eq!(table.insert(first, OnExec::Keep, 0, limit), Ok(0));
/// assert_eq!(table.insert(second, OnExec::Close, 0, limit), Ok(1));
/// let (descriptor, file) = table.take_closed_on_exec(0).unwrap().expect("execve(2) closes one");
/// assert_eq!((descriptor, *file), (1, "second"));
/// assert!(table.get(0).is_ok() && table.get(1).is_err());
/// ```
pub struct Table<F> {
    /// The first 64: mostly all.
    first: DescriptorPiece<F>,
    /// Those behind them. There are none in the first piece of the first block.
    blocks: Vec<Option<Arc<Block<F>>>>,
}

impl<F> TryClone for Table<F> {
    fn try_clone(&self) -> Result<Self, Errno> {
        let mut blocks = Vec::new();
        if !self.blocks.is_empty() {
            blocks.try_append(self.blocks.iter().cloned())?;
        }
        Ok(Table {
            first: self.first.try_clone()?,
            blocks,
        })
    }
}

impl<F> Default for Table<F> {
    fn default() -> Self {
        Self::new()
    }
}

impl<F> Table<F> {
    /// No descriptors.
    pub const fn new() -> Self {
        Table {
            first: DescriptorPiece::new(),
            blocks: Vec::new(),
        }
    }

    /// What the descriptor refers to.
    ///
    /// # Errors
    /// `EBADF`.
    #[inline]
    pub fn get(&self, descriptor: usize) -> Result<&Arc<F>, Errno> {
        match self.first.get(descriptor) {
            Some(file) => Ok(file),
            None => self.get_far(descriptor),
        }
    }

    #[cold]
    fn get_far(&self, descriptor: usize) -> Result<&Arc<F>, Errno> {
        let piece = self.piece(descriptor).ok_or(Errno::EBADF)?;
        piece.get(descriptor % WIDTH).ok_or(Errno::EBADF)
    }

    fn piece(&self, descriptor: usize) -> Option<&DescriptorPiece<F>> {
        if descriptor < WIDTH {
            return Some(&self.first);
        }
        let block = self.blocks.get(descriptor / BLOCK)?.as_ref()?;
        block.piece(descriptor % BLOCK)
    }

    /// Whether execve(2) closes it.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn on_exec(&self, descriptor: usize) -> Result<OnExec, Errno> {
        self.get(descriptor)?;
        let closed = self
            .piece(descriptor)
            .map(|piece| piece.all(DescriptorKind::ClosedOnExec));
        Ok(if closed.unwrap_or(0) >> (descriptor % WIDTH) & 1 != 0 {
            OnExec::Close
        } else {
            OnExec::Keep
        })
    }

    /// Sets whether execve(2) closes it.
    ///
    /// # Errors
    /// `EBADF`; `ENOMEM`, nothing changed.
    pub fn set_on_exec(&mut self, descriptor: usize, what: OnExec) -> Result<(), Errno> {
        self.get(descriptor)?;
        self.change(descriptor, |piece| {
            piece.mark(1 << (descriptor % WIDTH), what);
            Ok(())
        })
    }

    /// execve(2) closes what is open of `first..=last`, as far as it lies in one piece. The descriptor to go on from,
    /// if there is more.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn mark_some(&mut self, first: usize, last: usize) -> Result<Option<usize>, Errno> {
        let Some(found) = self
            .next(first, DescriptorKind::Open)
            .filter(|found| *found <= last)
        else {
            return Ok(None);
        };
        let end = found | (WIDTH - 1);
        let which = u64::MAX << (found % WIDTH) & u64::MAX >> (end - end.min(last));
        self.change(found, |piece| {
            piece.mark(which, OnExec::Close);
            Ok(())
        })?;
        Ok((end < last).then_some(end + 1))
    }

    /// Puts the file at the lowest free descriptor from `from` on, which must be below `limit`.
    ///
    /// # Errors
    /// `EMFILE`; `ENOMEM`.
    pub fn insert(&mut self, file: Arc<F>, what: OnExec, from: usize, limit: usize) -> Result<usize, Errno> {
        let descriptor = self.lowest_free(from);
        self.put(descriptor, file, what, limit, Errno::EMFILE)?;
        Ok(descriptor)
    }

    /// Whether a further descriptor would be below `limit`.
    ///
    /// # Errors
    /// `EMFILE`.
    pub fn check_free(&self, limit: usize) -> Result<(), Errno> {
        if self.lowest_free(0) < limit.min(MAX_DESCRIPTORS) {
            Ok(())
        } else {
            Err(Errno::EMFILE)
        }
    }

    /// Puts the file at that descriptor and returns what it referred to.
    ///
    /// # Errors
    /// `EBADF` if it is not below `limit`; `ENOMEM`.
    pub fn replace(
        &mut self,
        descriptor: usize,
        file: Arc<F>,
        what: OnExec,
        limit: usize,
    ) -> Result<Option<Arc<F>>, Errno> {
        self.put(descriptor, file, what, limit, Errno::EBADF)
    }

    fn put(
        &mut self,
        descriptor: usize,
        file: Arc<F>,
        what: OnExec,
        limit: usize,
        beyond: Errno,
    ) -> Result<Option<Arc<F>>, Errno> {
        if descriptor >= limit.min(MAX_DESCRIPTORS) {
            return Err(beyond);
        }
        self.change(descriptor, |piece| piece.put(descriptor % WIDTH, file, what))
    }

    /// Changes the piece of a descriptor, which is made if it is missing. `ENOMEM`, nothing changed.
    #[inline]
    fn change<R>(
        &mut self,
        descriptor: usize,
        change: impl FnOnce(&mut DescriptorPiece<F>) -> Result<R, Errno>,
    ) -> Result<R, Errno> {
        if descriptor < WIDTH {
            return change(&mut self.first);
        }
        self.block(descriptor / BLOCK)?.change(descriptor % BLOCK, change)
    }

    /// The block of that number, made if it is missing, and nobody else's. `ENOMEM`.
    #[cold]
    fn block(&mut self, number: usize) -> Result<&mut Block<F>, Errno> {
        if number >= self.blocks.len() {
            let missing = number + 1 - self.blocks.len();
            self.blocks.try_append((0..missing).map(|_| None))?;
        }
        let place = &mut self.blocks[number];
        if place.is_none() {
            *place = Some(fallible::arc(Block::new(number))?);
        }
        fallible::make_mut(place.as_mut().ok_or(Errno::ENOMEM)?)
    }

    #[inline]
    fn lowest_free(&self, from: usize) -> usize {
        match first_bit(!self.first.all(DescriptorKind::Open), from) {
            Some(free) => free,
            None => self.lowest_free_far(from.max(WIDTH)),
        }
    }

    #[cold]
    fn lowest_free_far(&self, from: usize) -> usize {
        let end = self.blocks.len() * BLOCK;
        let free = (from / BLOCK..self.blocks.len()).find_map(|number| {
            let from = from.saturating_sub(number * BLOCK);
            let free = match &self.blocks[number] {
                None => Some(from),
                Some(block) => block.lowest_free(from),
            };
            free.map(|at| number * BLOCK + at)
        });
        free.unwrap_or(from.max(end))
    }

    /// Takes the descriptor out.
    ///
    /// # Errors
    /// `EBADF`; `ENOMEM`, nothing changed.
    pub fn remove(&mut self, descriptor: usize) -> Result<Arc<F>, Errno> {
        self.get(descriptor)?;
        self.change(descriptor, |piece| {
            piece.take(descriptor % WIDTH).ok_or(Errno::EBADF)
        })
    }

    /// Whether execve(2) closes any.
    #[inline]
    pub fn has_closed_on_exec(&self) -> bool {
        let is_in = |block: &Option<Arc<Block<F>>>| {
            block
                .as_ref()
                .is_some_and(|block| block.all(DescriptorKind::ClosedOnExec) != 0)
        };
        self.first.all(DescriptorKind::ClosedOnExec) != 0 || self.blocks.iter().any(is_in)
    }

    /// Nobody else has the piece of the first descriptor from `from` on that execve(2) closes: taking out what it
    /// closes there allocates nothing. The descriptor to go on from, if there may be more.
    ///
    /// # Errors
    /// `ENOMEM`, nothing changed.
    pub fn own_closed_on_exec(&mut self, from: usize) -> Result<Option<usize>, Errno> {
        let Some(found) = self.next(from, DescriptorKind::ClosedOnExec) else {
            return Ok(None);
        };
        self.change(found, |_| Ok(()))?;
        Ok(Some((found | (WIDTH - 1)) + 1))
    }

    /// Takes out the first descriptor from `first` on that execve(2) closes. The caller drops it without holding a
    /// lock.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn take_closed_on_exec(&mut self, first: usize) -> Result<Option<(usize, Arc<F>)>, Errno> {
        self.take_first(first, usize::MAX, DescriptorKind::ClosedOnExec)
    }

    /// Takes out the first descriptor of `first..=last`. The caller drops it without holding a lock.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn take_next(&mut self, first: usize, last: usize) -> Result<Option<(usize, Arc<F>)>, Errno> {
        self.take_first(first, last, DescriptorKind::Open)
    }

    fn take_first(
        &mut self,
        first: usize,
        last: usize,
        kind: DescriptorKind,
    ) -> Result<Option<(usize, Arc<F>)>, Errno> {
        match self.next(first, kind).filter(|found| *found <= last) {
            None => Ok(None),
            Some(found) => self.remove(found).map(|file| Some((found, file))),
        }
    }

    /// The lowest descriptor of that kind from `from` on.
    fn next(&self, from: usize, kind: DescriptorKind) -> Option<usize> {
        if let Some(found) = first_bit(self.first.all(kind), from) {
            return Some(found);
        }
        let from = from.max(WIDTH);
        (from / BLOCK..self.blocks.len()).find_map(|number| {
            let found = self.blocks[number]
                .as_ref()?
                .next(from.saturating_sub(number * BLOCK), kind);
            found.map(|at| number * BLOCK + at)
        })
    }

    /// The first descriptor from `from` on, with what it refers to.
    pub fn next_from(&self, from: usize) -> Option<(usize, &Arc<F>)> {
        let found = self.next(from, DescriptorKind::Open)?;
        Some((found, self.get(found).ok()?))
    }

    /// What the first 64 descriptors refer to.
    #[inline]
    pub fn near(&self) -> &[Option<Arc<F>>] {
        self.first.files()
    }

    /// Whether there were ever more than these.
    #[inline]
    pub fn has_far(&self) -> bool {
        !self.blocks.is_empty()
    }

    /// What the others refer to, up to 64 at a time.
    pub fn far(&self) -> impl Iterator<Item = &[Option<Arc<F>>]> {
        self.blocks.iter().flatten().flat_map(|block| block.files())
    }

    /// Lets go of up to 64 descriptors; whether there may be more.
    pub fn drop_some(&mut self) -> bool {
        while let Some(last) = self.blocks.last_mut() {
            let piece = match last {
                Some(block) => match Arc::get_mut(block) {
                    Some(block) => block.pop(),
                    // Others have it as well.
                    None => None,
                },
                None => None,
            };
            if piece.is_some() {
                return true;
            }
            self.blocks.pop();
        }
        self.first = DescriptorPiece::new();
        false
    }

    /// Slots that there is room for: `FDSize` in /proc/PID/status.
    pub fn capacity(&self) -> usize {
        WIDTH.max(self.blocks.len() * BLOCK)
    }
}
