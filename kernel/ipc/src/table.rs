//! All segments, by identifier and by key.
//!
//! A segment that was removed while somebody has it attached keeps its identifier until the last area that shows it is gone. Then
//! it is dropped, wherever that is, without a lock: it only notes that there is something to tidy up ([`totals::note_end`]), which is done
//! by whoever makes the next one.

use super::places::{IpcPlaces, index_of};
use super::segment::{SharedSegment, pages_of};
use super::settings::{MOST_SEGMENTS, SHMMAX};
use super::totals::{self, INDEX_BITS};
use abi::Errno;
use abi::ipc::{IPC_PRIVATE, SHMMIN, ShmGetFlags};
use abi::process::Pid;
use alloc::sync::{Arc, Weak};
use lock::{Mutex, rank};
use memory::fallible::map::Map;
use vfs::Credentials;

/// Segments that are tidied up at once.
const TIDIED_AT_ONCE: usize = 64;

static TABLE: Mutex<SegmentTable, { rank::SEGMENTS }> = Mutex::new(SegmentTable {
    slots: Map::new(),
    keys: Map::new(),
    places: IpcPlaces::new(),
});

struct SegmentTable {
    slots: Map<u32, SegmentPlace>,
    /// Where the segment with a key stands.
    keys: Map<i32, u32>,
    places: IpcPlaces,
}

struct SegmentPlace {
    id: i32,
    holder: SegmentHolder,
}

enum SegmentHolder {
    /// It is there until it is removed.
    Table(Arc<SharedSegment>),
    /// It was removed, and is there as long as somebody has it attached.
    Areas(Weak<SharedSegment>),
}

impl SegmentPlace {
    fn segment(&self) -> Option<Arc<SharedSegment>> {
        match &self.holder {
            SegmentHolder::Table(segment) => Some(Arc::clone(segment)),
            SegmentHolder::Areas(segment) => segment.upgrade(),
        }
    }

    fn has_gone(&self) -> bool {
        matches!(&self.holder, SegmentHolder::Areas(segment) if segment.strong_count() == 0)
    }
}

impl SegmentTable {
    fn by_key(&self, key: i32) -> Option<&Arc<SharedSegment>> {
        match &self.slots.get(self.keys.get(&key)?)?.holder {
            SegmentHolder::Table(segment) => Some(segment),
            SegmentHolder::Areas(_) => None,
        }
    }

    /// Frees the places of segments that have gone.
    fn tidy(&mut self) {
        let mut from = 0;
        for _ in 0..TIDIED_AT_ONCE {
            let gone = self.slots.range(from..).find(|(_, slot)| slot.has_gone());
            let Some(index) = gone.map(|(index, _)| *index) else {
                return;
            };
            self.slots.remove(&index);
            totals::note_tidied();
            from = index + 1;
        }
    }

    /// A new segment. Fails before anything has changed.
    fn make(&mut self, key: i32, bytes: u64, mode: u32, maker: (&Credentials, Pid)) -> Result<i32, Errno> {
        if totals::have_any_gone() {
            self.tidy();
        }
        // More than there are identifiers can be allowed, and not had.
        if self.slots.len() as u64 >= MOST_SEGMENTS.get().min(1 << INDEX_BITS) {
            return Err(Errno::ENOSPC);
        }
        let place = self
            .places
            .next(self.slots.len(), |index| !self.slots.contains_key(&index));
        let index = place.index;
        // What can fail comes first; the segment itself last, so that none has to be dropped under the lock.
        let empty = SegmentPlace {
            id: place.id,
            holder: SegmentHolder::Areas(Weak::new()),
        };
        self.slots.insert(index, empty)?;
        let made = self.fill(index, key, bytes, |id| {
            SharedSegment::new([id, key], bytes, mode, maker)
        });
        if made.is_err() {
            self.slots.remove(&index);
            return made;
        }
        self.places.take(place);
        made
    }

    /// Puts what `make` makes into an empty slot; returns its identifier.
    fn fill(
        &mut self,
        index: u32,
        key: i32,
        bytes: u64,
        make: impl FnOnce(i32) -> Result<Arc<SharedSegment>, Errno>,
    ) -> Result<i32, Errno> {
        if key != IPC_PRIVATE {
            self.keys.insert(key, index)?;
        }
        let made = totals::take_pages(pages_of(bytes)).and_then(|()| {
            let slot = self.slots.get_mut(&index).ok_or(Errno::ENOMEM)?;
            let made = make(slot.id).inspect_err(|_| totals::give_pages_back(pages_of(bytes)))?;
            slot.holder = SegmentHolder::Table(made);
            Ok(slot.id)
        });
        if made.is_err() {
            self.keys.remove(&key);
        }
        made
    }
}

/// shmget(2): the identifier of the segment with that key; if there is none, of a new one if `flags` say so.
///
/// # Errors
/// `ENOENT`, `EEXIST`, `EINVAL` for the size, `EACCES`, `ENOSPC` beyond a limit, `ENOMEM`.
pub fn find_or_make(
    key: i32,
    bytes: u64,
    flags: ShmGetFlags,
    maker: (&Credentials, Pid),
) -> Result<i32, Errno> {
    let mode = flags.bits() & 0o777;
    let mut table = TABLE.lock();
    let known = match key {
        IPC_PRIVATE => None,
        key => table.by_key(key),
    };
    if let Some(segment) = known {
        if flags.contains(ShmGetFlags::IPC_CREAT | ShmGetFlags::IPC_EXCL) {
            return Err(Errno::EEXIST);
        }
        if bytes > segment.bytes() {
            return Err(Errno::EINVAL);
        }
        segment.check(maker.0, mode)?;
        return Ok(segment.id());
    }
    if key != IPC_PRIVATE && !flags.contains(ShmGetFlags::IPC_CREAT) {
        return Err(Errno::ENOENT);
    }
    if bytes < SHMMIN || bytes > SHMMAX.get() {
        return Err(Errno::EINVAL);
    }
    if flags.contains(ShmGetFlags::SHM_HUGETLB) {
        return Err(Errno::ENOMEM);
    }
    table.make(key, bytes, mode, maker)
}

/// The segment with that identifier, removed or not.
///
/// # Errors
/// `EINVAL`: there is none.
pub fn by_id(id: i32) -> Result<Arc<SharedSegment>, Errno> {
    let index = index_of(id).ok_or(Errno::EINVAL)?;
    let table = TABLE.lock();
    let slot = table.slots.get(&index).filter(|slot| slot.id == id);
    slot.and_then(SegmentPlace::segment).ok_or(Errno::EINVAL)
}

/// The segment that stands at that place.
///
/// # Errors
/// `EINVAL`: there is none.
pub fn by_index(index: i32) -> Result<Arc<SharedSegment>, Errno> {
    let index = index_of(index).ok_or(Errno::EINVAL)?;
    let table = TABLE.lock();
    let slot = table.slots.get(&index);
    slot.and_then(SegmentPlace::segment).ok_or(Errno::EINVAL)
}

/// The first segment that stands at `index` or behind it, and where.
pub fn next_from(index: u32) -> Option<(u32, Arc<SharedSegment>)> {
    let table = TABLE.lock();
    let mut slots = table.slots.range(index..);
    slots.find_map(|(index, slot)| Some((*index, slot.segment()?)))
}

/// Removes it: nobody finds it by its key any more, and it goes when nobody has it attached.
pub fn remove(segment: &Arc<SharedSegment>) {
    let mut table = TABLE.lock();
    let index = segment.id() as u32 & ((1 << INDEX_BITS) - 1);
    let Some(slot) = table.slots.get_mut(&index).filter(|slot| slot.id == segment.id()) else {
        return;
    };
    let is_found = matches!(slot.holder, SegmentHolder::Table(_));
    // The caller has it, so this is not its end.
    slot.holder = SegmentHolder::Areas(Arc::downgrade(segment));
    segment.leave();
    if is_found && segment.key() != IPC_PRIVATE {
        table.keys.remove(&segment.key());
    }
}

/// How many segments there are, their pages, and the highest place that is used.
pub fn usage() -> (usize, u64, u32) {
    let table = TABLE.lock();
    let there = table.slots.iter().filter(|(_, slot)| !slot.has_gone());
    let (count, highest) = there.fold((0, 0), |(count, highest), (index, _)| {
        (count + 1, highest.max(*index))
    });
    (count, totals::pages(), highest)
}
