//! A queue in one piece of memory, which grows by halves of what it will be and never shrinks while something stands in it.

use abi::Errno;
use alloc::vec::Vec;
use memory::fallible;
use platform::heap;

/// Places of a queue that has had one entry.
const LEAST: usize = 8;

/// A queue.
pub(super) struct GrowingRing<T> {
    /// Their number is 0 or a power of 2.
    places: Vec<Option<T>>,
    first: usize,
    len: usize,
}

impl<T> GrowingRing<T> {
    /// An empty one, without memory.
    pub(super) const fn new() -> Self {
        GrowingRing {
            places: Vec::new(),
            first: 0,
            len: 0,
        }
    }

    /// How many entries there are.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    fn place(&self, index: usize) -> usize {
        (self.first + index) & (self.places.len() - 1)
    }

    /// The entry that stands behind `index` others.
    #[inline]
    pub(super) fn get(&self, index: usize) -> Option<&T> {
        if index >= self.len {
            return None;
        }
        self.places[self.place(index)].as_ref()
    }

    /// The entry that stands behind `index` others.
    #[inline]
    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        if index >= self.len {
            return None;
        }
        let place = self.place(index);
        self.places[place].as_mut()
    }

    /// Has a place for one more.
    ///
    /// # Errors
    /// `ENOMEM`.
    #[inline]
    pub(super) fn reserve(&mut self) -> Result<(), Errno> {
        if self.len < self.places.len() {
            return Ok(());
        }
        self.grow()
    }

    #[cold]
    fn grow(&mut self) -> Result<(), Errno> {
        let count = (self.places.len() * 2).max(LEAST);
        let mut places = fallible::with_room(count)?;
        for index in 0..self.len {
            let place = self.place(index);
            heap::push_within_capacity(&mut places, self.places[place].take());
        }
        while places.len() < count {
            heap::push_within_capacity(&mut places, None);
        }
        self.places = places;
        self.first = 0;
        Ok(())
    }

    /// Puts an entry behind all others. [`GrowingRing::reserve`] came before.
    #[inline]
    pub(super) fn push(&mut self, entry: T) {
        let place = self.place(self.len);
        self.places[place] = Some(entry);
        self.len += 1;
    }

    /// Takes the first entry.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<T> {
        if self.len == 0 {
            return None;
        }
        let entry = self.places[self.first].take();
        self.first = self.place(1);
        self.len -= 1;
        entry
    }

    /// All entries, from the first on.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        (0..self.len).filter_map(|index| self.get(index))
    }

    /// All entries, from the first on.
    pub(super) fn for_each_mut(&mut self, mut change: impl FnMut(&mut T)) {
        for index in 0..self.len {
            self.get_mut(index).map(&mut change);
        }
    }
}
