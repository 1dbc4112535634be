//! Objects that are found by identifier and by key, and are there until they are removed: semaphores, queues of messages.

use super::places::{IpcPlaces, index_of};
use super::rights::Owners;
use super::totals::INDEX_BITS;
use abi::Errno;
use abi::ipc::{IPC_PRIVATE, IpcGetFlags};
use alloc::sync::Arc;
use lock::{Mutex, rank};
use memory::fallible::map::Map;
use vfs::Credentials;

/// An object of the registry.
pub trait IpcObject: Sized + Send + Sync {
    /// By what programs know it.
    fn id(&self) -> i32;
    /// By what it is found.
    fn key(&self) -> i32;
    /// Whose it is.
    fn owners(&self) -> Owners;
}

/// All objects of one kind.
pub struct IpcRegistry<T> {
    table: Mutex<Objects<T>, { rank::SEGMENTS }>,
}

struct Objects<T> {
    slots: Map<u32, Arc<T>>,
    /// Where the object with a key stands.
    keys: Map<i32, u32>,
    places: IpcPlaces,
}

impl<T: IpcObject> Objects<T> {
    /// The object with that key; `None`: one is to be made.
    fn find(
        &self,
        (key, flags): (i32, IpcGetFlags),
        who: &Credentials,
        most: u64,
        check: impl Fn(&T) -> Result<(), Errno>,
    ) -> Result<Option<i32>, Errno> {
        if key != IPC_PRIVATE
            && let Some(known) = self.keys.get(&key).and_then(|index| self.slots.get(index))
        {
            if flags.contains(IpcGetFlags::IPC_CREAT | IpcGetFlags::IPC_EXCL) {
                return Err(Errno::EEXIST);
            }
            check(known)?;
            known.owners().check(who, flags.bits() & 0o777)?;
            return Ok(Some(known.id()));
        }
        if key != IPC_PRIVATE && !flags.contains(IpcGetFlags::IPC_CREAT) {
            return Err(Errno::ENOENT);
        }
        if self.slots.len() as u64 >= most.min(1 << INDEX_BITS) {
            return Err(Errno::ENOSPC);
        }
        Ok(None)
    }

    /// A new one. Fails before anything has changed.
    fn add(&mut self, key: i32, make: impl FnOnce(i32) -> Result<Arc<T>, Errno>) -> Result<i32, Errno> {
        let place = self
            .places
            .next(self.slots.len(), |index| !self.slots.contains_key(&index));
        if key != IPC_PRIVATE {
            self.keys.insert(key, place.index)?;
        }
        let added = make(place.id).and_then(|made| self.slots.insert(place.index, made));
        if let Err(error) = added {
            self.keys.remove(&key);
            return Err(error);
        }
        self.places.take(place);
        Ok(place.id)
    }
}

impl<T: IpcObject> IpcRegistry<T> {
    /// There is none.
    pub(super) const fn new() -> Self {
        IpcRegistry {
            table: Mutex::new(Objects {
                slots: Map::new(),
                keys: Map::new(),
                places: IpcPlaces::new(),
            }),
        }
    }

    /// The identifier of the object with that key, which `check` may refuse; if there is none, of a new one, if `flags` say so and there
    /// are fewer than `most`. `prepare` makes what takes long, with no lock held; `make` puts it together.
    ///
    /// # Errors
    /// `ENOENT`, `EEXIST`, `EACCES`, `ENOSPC`, `ENOMEM`; those of `check`, `prepare` and `make`.
    pub(super) fn find_or_make<P>(
        &self,
        (key, flags): (i32, IpcGetFlags),
        who: &Credentials,
        most: u64,
        check: impl Fn(&T) -> Result<(), Errno>,
        prepare: impl FnOnce() -> Result<P, Errno>,
        make: impl FnOnce(i32, P) -> Result<Arc<T>, Errno>,
    ) -> Result<i32, Errno> {
        if let Some(known) = self.table.lock().find((key, flags), who, most, &check)? {
            return Ok(known);
        }
        let prepared = prepare()?;
        let mut table = self.table.lock();
        if let Some(known) = table.find((key, flags), who, most, &check)? {
            // Another was faster; what was prepared goes behind the lock.
            drop(table);
            return Ok(known);
        }
        table.add(key, |id| make(id, prepared))
    }

    /// The object with that identifier.
    ///
    /// # Errors
    /// `EINVAL`: there is none.
    #[inline]
    pub fn by_id(&self, id: i32) -> Result<Arc<T>, Errno> {
        let index = index_of(id).ok_or(Errno::EINVAL)?;
        let table = self.table.lock();
        let found = table.slots.get(&index).filter(|object| object.id() == id);
        found.cloned().ok_or(Errno::EINVAL)
    }

    /// The object that stands at that place.
    ///
    /// # Errors
    /// `EINVAL`: there is none.
    pub fn by_index(&self, index: i32) -> Result<Arc<T>, Errno> {
        let index = index_of(index).ok_or(Errno::EINVAL)?;
        self.table.lock().slots.get(&index).cloned().ok_or(Errno::EINVAL)
    }

    /// The first object that stands at `index` or behind it, and where.
    pub fn next_from(&self, index: u32) -> Option<(u32, Arc<T>)> {
        let table = self.table.lock();
        let (index, object) = table.slots.range(index..).next()?;
        Some((*index, object.clone()))
    }

    /// How many there are, and the highest place that is used.
    pub fn usage(&self) -> (usize, u32) {
        let table = self.table.lock();
        let highest = table.slots.iter().last().map_or(0, |(index, _)| *index);
        (table.slots.len(), highest)
    }

    /// Nobody finds it any more; whether it was there.
    pub(super) fn remove(&self, object: &Arc<T>) -> bool {
        let mut table = self.table.lock();
        let is_there = |index: &u32| {
            let known = table.slots.get(index);
            known.is_some_and(|known| Arc::ptr_eq(known, object))
        };
        let Some(index) = index_of(object.id()).filter(is_there) else {
            return false;
        };
        let removed = table.slots.remove(&index);
        if object.key() != IPC_PRIVATE {
            table.keys.remove(&object.key());
        }
        drop(table);
        drop(removed);
        true
    }
}
