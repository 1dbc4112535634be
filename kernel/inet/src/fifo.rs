//! A queue that takes memory for each element, and may be refused it.

use abi::Errno;
use memory::fallible::map::Map;

/// Elements in the order in which they came.
pub(crate) struct Fifo<T> {
    elements: Map<u64, T>,
    next: u64,
}

impl<T> Default for Fifo<T> {
    fn default() -> Self {
        Fifo::new()
    }
}

impl<T> Fifo<T> {
    /// An empty one.
    pub(crate) const fn new() -> Self {
        Fifo {
            elements: Map::new(),
            next: 0,
        }
    }

    /// Adds one behind the others.
    ///
    /// # Errors
    /// `ENOMEM`: it is lost.
    pub(crate) fn push(&mut self, element: T) -> Result<(), Errno> {
        self.elements.insert(self.next, element)?;
        self.next += 1;
        Ok(())
    }

    /// Takes the first one.
    pub(crate) fn pop(&mut self) -> Option<T> {
        self.elements.pop_first().map(|(_, element)| element)
    }

    /// The first one.
    pub(crate) fn first(&self) -> Option<&T> {
        self.elements.values().next()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.elements.len()
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }
}
