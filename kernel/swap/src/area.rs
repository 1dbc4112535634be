//! The areas that are in use, and what stands behind each.

use abi::Errno;
use alloc::sync::Arc;
use alloc::vec::Vec;
use block::Volume;
use lock::Mutex;
use memory::FrameHandle;
use mm::{Interrupted, Slot, SwapDevice};
use sched::wait::WaitQueue;

use crate::place::{SwapPlace, SwapPlaceId};
use crate::read;

/// Pages in front of the first slot: the header.
const HEADER_PAGES: u64 = 1;

/// An area in use.
pub struct Area {
    place: SwapPlace,
    /// What swapon(2) was given, for /proc/swaps.
    name: Vec<u8>,
    priority: i16,
    /// Woken when a page has been read.
    pub(crate) has_read: WaitQueue,
}

/// What /proc/swaps shows of an area.
pub struct AreaReport {
    /// Its number.
    pub number: usize,
    /// What swapon(2) was given.
    pub name: Vec<u8>,
    /// Pages.
    pub pages: u64,
    /// Those that are in use.
    pub used: u64,
    /// Areas with a higher one are used first.
    pub priority: i16,
    /// It is a file.
    pub is_file: bool,
}

/// By number.
static AREAS: Mutex<[Option<Arc<Area>>; Slot::AREAS]> = Mutex::new([const { None }; Slot::AREAS]);

impl Area {
    /// A new one, in no list yet.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn new(place: SwapPlace, name: Vec<u8>, priority: i16) -> Result<Arc<Area>, Errno> {
        memory::fallible::arc(Area {
            place,
            name,
            priority,
            has_read: WaitQueue::new(),
        })
    }

    /// The disk.
    pub fn volume(&self) -> &Arc<Volume> {
        self.place.volume()
    }

    fn page(slot: Slot) -> u64 {
        u64::from(slot.offset()) + HEADER_PAGES
    }

    /// Reads the pages of slots that follow each other.
    ///
    /// # Errors
    /// `EIO`, `ENOMEM`.
    pub fn read(&self, first: Slot, pages: &[FrameHandle]) -> Result<(), Errno> {
        self.place.read(Area::page(first), pages)
    }

    /// Pages that are read at once: of memory only the one that is wanted.
    pub fn window(&self) -> usize {
        match self.place.zram() {
            Some(_) => 1,
            None => read::WINDOW,
        }
    }

    /// A frame that is needed no more: a compressed area keeps it if its reserve is not full. Else it comes back.
    pub fn take_for_reserve(&self, frame: FrameHandle) -> Option<FrameHandle> {
        match self.place.zram() {
            Some(zram) => zram.take_for_reserve(frame),
            None => Some(frame),
        }
    }

    /// Frames have become free, of which a compressed area takes what it needs to go on with.
    pub fn note_freed(&self) {
        if let Some(zram) = self.place.zram() {
            zram.fill_reserve();
        }
    }

    /// Writes them.
    ///
    /// # Errors
    /// `EIO`, `ENOMEM`.
    pub fn write(&self, first: Slot, pages: &[FrameHandle]) -> Result<(), Errno> {
        self.place.write(Area::page(first), pages)
    }
}

impl SwapDevice for Area {
    fn note_free(&self, slot: Slot) {
        if let Some(zram) = self.place.zram() {
            zram.forget(Area::page(slot));
        }
    }

    fn wait_for_page(&self, slot: Slot) -> Result<(), Interrupted> {
        read::for_fault(self, slot)
    }
}

/// The area is in use as number `number`.
pub fn add(number: usize, area: Arc<Area>) {
    AREAS.lock()[number] = Some(area);
}

/// The area of that number is in use no longer.
pub fn remove(number: usize) {
    let area = AREAS.lock()[number].take();
    drop(area);
}

/// The area of that number.
pub fn get(number: usize) -> Option<Arc<Area>> {
    AREAS.lock().get(number)?.clone()
}

/// The number of the area that lies there.
pub fn find(place: SwapPlaceId) -> Option<usize> {
    let areas = AREAS.lock();
    areas
        .iter()
        .position(|area| area.as_ref().is_some_and(|area| area.place.id() == place))
}

/// Whether an area lies there.
pub fn is_used(place: SwapPlaceId) -> bool {
    find(place).is_some()
}

/// The lowest priority that an area in use has without having asked for one: they count down from -2, as on Linux.
pub fn next_priority() -> i16 {
    let areas = AREAS.lock();
    let lowest = areas.iter().flatten().map(|area| area.priority).min();
    lowest.unwrap_or(0).min(-1) - 1
}

/// All that are in use, by number.
pub fn areas() -> impl Iterator<Item = Result<AreaReport, Errno>> {
    (0..Slot::AREAS).filter_map(|number| {
        let area = get(number)?;
        let usage = memory::get().swap().usage_of(number)?;
        Some(memory::fallible::bytes(&area.name).map(|name| AreaReport {
            number,
            name,
            pages: usage.slots,
            used: usage.used,
            priority: area.priority,
            is_file: matches!(area.place.id(), SwapPlaceId::File(..)),
        }))
    })
}
