//! The descriptors of a process: a table of references to what is open, and which of them execve(2) closes.
//!
//! Fork shares the table (`Arc`); the first change copies it. Generic over what is open, so that the rules are tested
//! without files.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::fallible::{self, TryClone, TryVec};
use abi::Errno;

/// Most descriptors of a process, whatever its limits: `fs.nr_open`.
pub const MAX_DESCRIPTORS: usize = 1 << 20;

/// One descriptor.
struct Slot<F> {
    file: Arc<F>,
    is_closed_on_exec: bool,
}

impl<F> Clone for Slot<F> {
    fn clone(&self) -> Self {
        Slot {
            file: self.file.clone(),
            is_closed_on_exec: self.is_closed_on_exec,
        }
    }
}

/// A table of descriptors.
pub struct Table<F> {
    slots: Vec<Option<Slot<F>>>,
    /// No slot below it is free.
    first_free: usize,
}

impl<F> TryClone for Table<F> {
    fn try_clone(&self) -> Result<Self, Errno> {
        let mut slots = fallible::with_room(self.slots.len())?;
        slots.try_append(self.slots.iter().cloned())?;
        Ok(Table {
            slots,
            first_free: self.first_free,
        })
    }
}

impl<F> Default for Table<F> {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether a descriptor survives execve(2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnExec {
    /// It stays open.
    Keep,
    /// It is closed.
    Close,
}

impl<F> Table<F> {
    /// No descriptors.
    pub const fn new() -> Self {
        Table {
            slots: Vec::new(),
            first_free: 0,
        }
    }

    /// What the descriptor refers to. `EBADF`.
    pub fn get(&self, descriptor: usize) -> Result<&Arc<F>, Errno> {
        Ok(&self.slot(descriptor)?.file)
    }

    fn slot(&self, descriptor: usize) -> Result<&Slot<F>, Errno> {
        self.slots
            .get(descriptor)
            .and_then(Option::as_ref)
            .ok_or(Errno::EBADF)
    }

    /// Whether execve(2) closes it. `EBADF`.
    pub fn on_exec(&self, descriptor: usize) -> Result<OnExec, Errno> {
        let slot = self.slot(descriptor)?;
        Ok(if slot.is_closed_on_exec {
            OnExec::Close
        } else {
            OnExec::Keep
        })
    }

    /// Sets whether execve(2) closes it. `EBADF`.
    pub fn set_on_exec(&mut self, descriptor: usize, what: OnExec) -> Result<(), Errno> {
        let slot = self
            .slots
            .get_mut(descriptor)
            .and_then(Option::as_mut)
            .ok_or(Errno::EBADF)?;
        slot.is_closed_on_exec = what == OnExec::Close;
        Ok(())
    }

    /// Puts the file at the lowest free descriptor from `from` on, which must be below `limit`. `EMFILE`.
    pub fn insert(&mut self, file: Arc<F>, what: OnExec, from: usize, limit: usize) -> Result<usize, Errno> {
        let start = from.max(self.first_free);
        let free = self.slots.iter().skip(start).position(Option::is_none);
        let descriptor = free.map_or(start.max(self.slots.len()), |behind| start + behind);
        self.put(descriptor, file, what, limit, Errno::EMFILE)?;
        if from <= self.first_free {
            self.first_free = descriptor + 1;
        }
        Ok(descriptor)
    }

    /// Puts the file at that descriptor and returns what it referred to. `EBADF` if it is not below `limit`.
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
        if descriptor >= self.slots.len() {
            let missing = descriptor + 1 - self.slots.len();
            self.slots.try_append((0..missing).map(|_| None))?;
        }
        let slot = Slot {
            file,
            is_closed_on_exec: what == OnExec::Close,
        };
        let old = self.slots[descriptor].replace(slot);
        Ok(old.map(|slot| slot.file))
    }

    /// Takes the descriptor out. `EBADF`.
    pub fn remove(&mut self, descriptor: usize) -> Result<Arc<F>, Errno> {
        let slot = self
            .slots
            .get_mut(descriptor)
            .and_then(Option::take)
            .ok_or(Errno::EBADF)?;
        self.first_free = self.first_free.min(descriptor);
        Ok(slot.file)
    }

    /// Whether execve(2) closes any.
    pub fn has_closed_on_exec(&self) -> bool {
        self.slots.iter().flatten().any(|slot| slot.is_closed_on_exec)
    }

    /// Takes out the first descriptor from `first` on that execve(2) closes. The caller drops it without holding a lock.
    #[must_use]
    pub fn take_closed_on_exec(&mut self, first: usize) -> Option<(usize, Arc<F>)> {
        self.take_first(first, usize::MAX, |slot| slot.is_closed_on_exec)
    }

    /// Takes out the first descriptor of `first..=last`. The caller drops it without holding a lock.
    #[must_use]
    pub fn take_next(&mut self, first: usize, last: usize) -> Option<(usize, Arc<F>)> {
        self.take_first(first, last, |_| true)
    }

    fn take_first(
        &mut self,
        first: usize,
        last: usize,
        is_meant: impl Fn(&Slot<F>) -> bool,
    ) -> Option<(usize, Arc<F>)> {
        let end = self.slots.len().min(last.saturating_add(1));
        let range = self.slots.get_mut(first..end)?;
        let at = range
            .iter()
            .position(|slot| slot.as_ref().is_some_and(&is_meant))?;
        let slot = range[at].take()?;
        self.first_free = self.first_free.min(first + at);
        Some((first + at, slot.file))
    }

    /// All descriptors from `from` on, with what they refer to.
    pub fn iter_from(&self, from: usize) -> impl Iterator<Item = (usize, &Arc<F>)> {
        let slots = self.slots.iter().enumerate().skip(from);
        slots.filter_map(|(descriptor, slot)| Some((descriptor, &slot.as_ref()?.file)))
    }

    /// Slots that exist, free or not: `FDSize` in /proc/PID/status.
    pub fn capacity(&self) -> usize {
        self.slots.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(files: &[&'static str]) -> Table<&'static str> {
        let mut table = Table::new();
        for file in files {
            table.insert(Arc::new(*file), OnExec::Keep, 0, 1024).unwrap();
        }
        table
    }

    #[test]
    fn the_lowest_free_descriptor_is_taken() {
        let mut table = table(&["in", "out", "error"]);
        assert_eq!(**table.get(1).unwrap(), "out");
        table.remove(1).unwrap();
        assert_eq!(table.insert(Arc::new("new"), OnExec::Keep, 0, 1024), Ok(1));
        assert_eq!(table.insert(Arc::new("next"), OnExec::Keep, 0, 1024), Ok(3));
    }

    #[test]
    fn a_lower_bound_leaves_lower_slots_free() {
        let mut table = table(&["in"]);
        assert_eq!(table.insert(Arc::new("ten"), OnExec::Close, 10, 1024), Ok(10));
        assert_eq!(table.insert(Arc::new("eleven"), OnExec::Keep, 10, 1024), Ok(11));
        assert_eq!(table.insert(Arc::new("one"), OnExec::Keep, 0, 1024), Ok(1));
        assert_eq!(table.get(5).err(), Some(Errno::EBADF));
    }

    #[test]
    fn limits_are_kept() {
        let mut table = table(&["in", "out"]);
        assert_eq!(
            table.insert(Arc::new("x"), OnExec::Keep, 0, 2).err(),
            Some(Errno::EMFILE)
        );
        assert_eq!(
            table.replace(2, Arc::new("x"), OnExec::Keep, 2).err(),
            Some(Errno::EBADF)
        );
    }

    #[test]
    fn exec_closes_what_is_marked_and_a_copy_keeps_it() {
        let mut parent = table(&["in", "out"]);
        parent.insert(Arc::new("log"), OnExec::Close, 0, 1024).unwrap();
        let mut child = parent.try_clone().unwrap();
        assert_eq!(child.take_closed_on_exec(0).unwrap().0, 2);
        assert!(child.take_closed_on_exec(0).is_none());
        assert_eq!(child.get(2).err(), Some(Errno::EBADF));
        assert_eq!(parent.on_exec(2), Ok(OnExec::Close));
        assert_eq!(
            parent
                .iter_from(1)
                .map(|(descriptor, _)| descriptor)
                .collect::<Vec<_>>(),
            [1, 2]
        );
    }

    #[test]
    fn a_range_is_taken_and_its_first_slot_reused() {
        let mut table = table(&["a", "b", "c", "d"]);
        assert_eq!((1..4).filter_map(|at| table.take_next(at, usize::MAX)).count(), 3);
        assert_eq!(table.insert(Arc::new("e"), OnExec::Keep, 0, 1024), Ok(1));
    }
}
