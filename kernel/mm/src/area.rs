//! Areas: what a range of user addresses means (Linux says VMA). The tables say what *is* mapped, the areas what *may* be; a
//! fault is judged by the area, and the tables are made to agree. An [`AreaMap`] is a sorted list behind an `Arc`, so that fork
//! shares it in O(1) and the first change after that copies it.

use crate::addr::{PAGE_SHIFT, PageRange, USER_END, VirtAddr};
use crate::descriptor::Descriptor;
use crate::{Access, Frame};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

/// What may be done with an area's pages. Writing implies reading, as on every Arm processor.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub struct Protection {
    /// Loads.
    pub read: bool,
    /// Stores.
    pub write: bool,
    /// Instruction fetches.
    pub execute: bool,
}

impl Protection {
    /// No access (PROT_NONE).
    pub const NONE: Protection = Protection {
        read: false,
        write: false,
        execute: false,
    };
    /// Loads only.
    pub const READ: Protection = Protection {
        read: true,
        write: false,
        execute: false,
    };
    /// Loads and stores.
    pub const READ_WRITE: Protection = Protection {
        read: true,
        write: true,
        execute: false,
    };
    /// Loads and fetches.
    pub const READ_EXECUTE: Protection = Protection {
        read: true,
        write: false,
        execute: true,
    };

    /// Whether `access` is allowed. Any right includes loads: AP and UXN cannot express less (Linux does the same).
    #[inline]
    pub const fn allows(self, access: Access) -> bool {
        match access {
            Access::Read => self.read || self.write || self.execute,
            Access::Write => self.write,
            Access::Execute => self.execute,
        }
    }

    /// Whether every right of `other` is one of these.
    #[inline]
    pub const fn includes(self, other: Protection) -> bool {
        (self.read || !other.read) && (self.write || !other.write) && (self.execute || !other.execute)
    }
}

/// Whether stores stay with the process or reach everybody who maps the same object.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Sharing {
    /// MAP_PRIVATE: copy-on-write.
    Private,
    /// MAP_SHARED.
    Shared,
}

/// Why a source could not give a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PageError {
    /// Beyond the end of the object: SIGBUS.
    BeyondEnd,
    /// No frame for it.
    NoMemory,
}

/// What identifies an object in /proc/PID/maps.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FileIdentity {
    /// Device number as Linux encodes it.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
}

/// An object whose pages can be mapped: a file of the in-memory tree, shared anonymous memory.
pub trait PageSource: Send + Sync {
    /// The frame of page `index` of the object, with one reference added for the caller. Called with an address space's lock
    /// held; takes only the object's own lock, and never touches user memory.
    fn page(&self, index: u64) -> Result<Frame, PageError>;

    /// Numbers for /proc/PID/maps.
    fn identity(&self) -> FileIdentity;

    /// Path for /proc/PID/maps.
    fn name(&self) -> String;

    /// Whether whoever mapped the object shared may write to it: mprotect(2) asks. A file that was opened for reading only
    /// says no.
    fn may_write(&self) -> bool {
        true
    }
}

/// Where an area's pages come from when nothing is mapped.
#[derive(Clone)]
pub enum Backing {
    /// Zeros.
    Anonymous,
    /// Pages of an object.
    Source {
        /// The object.
        source: Arc<dyn PageSource>,
        /// The object's page at the area's start.
        first: u64,
    },
}

/// What an area is used for: its name in /proc/PID/maps, and whether it grows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Purpose {
    /// A mapping.
    Mapping,
    /// The break.
    Heap,
    /// The first stack: grows down on demand to `limit`.
    Stack {
        /// The lowest address it may reach.
        limit: VirtAddr,
    },
    /// The kernel's signal-return page.
    SignalReturn,
}

/// One area.
#[derive(Clone)]
pub struct Area {
    pub(crate) range: PageRange,
    /// What may be done.
    pub protection: Protection,
    /// Private or shared.
    pub sharing: Sharing,
    /// Where pages come from.
    pub backing: Backing,
    /// What it is for.
    pub purpose: Purpose,
}

impl Area {
    /// The pages it covers.
    #[inline]
    pub fn range(&self) -> PageRange {
        self.range
    }

    /// The source and index of the page that holds `address`, which lies in the area; `None` for anonymous memory.
    pub fn source_page(&self, address: VirtAddr) -> Option<(&Arc<dyn PageSource>, u64)> {
        match &self.backing {
            Backing::Anonymous => None,
            Backing::Source { source, first } => {
                Some((source, first + ((address.0 - self.range.start().0) >> PAGE_SHIFT)))
            }
        }
    }

    /// A descriptor of a page of this area at `frame`, as much as the area allows except write access.
    #[inline]
    pub(crate) fn leaf(&self, frame: Frame) -> Descriptor {
        let mut leaf = Descriptor::page(frame);
        if self.sharing == Sharing::Shared {
            leaf = leaf.of_shared_area();
        }
        if self.protection.execute {
            leaf = leaf.executable();
        }
        if self.protection.write {
            leaf = leaf.area_writable();
        }
        if self.protection == Protection::NONE {
            leaf.without_access()
        } else {
            leaf
        }
    }

    /// The part of the area inside `range`, which overlaps it.
    fn part(&self, range: PageRange) -> Area {
        let range = self.range.intersection(range);
        let mut part = self.clone();
        if let Backing::Source { first, .. } = &mut part.backing {
            *first += (range.start().0 - self.range.start().0) >> PAGE_SHIFT;
        }
        part.range = range;
        part
    }

    /// Whether `next`, which begins where this one ends, is more of the same.
    fn continues_with(&self, next: &Area) -> bool {
        let is_same_backing = match (&self.backing, &next.backing) {
            (Backing::Anonymous, Backing::Anonymous) => true,
            (
                Backing::Source { source: a, first },
                Backing::Source {
                    source: b,
                    first: next_first,
                },
            ) => {
                core::ptr::addr_eq(Arc::as_ptr(a), Arc::as_ptr(b))
                    && first + self.range.pages() == *next_first
            }
            _ => false,
        };
        is_same_backing
            && self.range.end() == next.range.start()
            && self.protection == next.protection
            && self.sharing == next.sharing
            && self.purpose == next.purpose
    }
}

/// All areas of a space, sorted, without overlaps.
#[derive(Clone, Default)]
pub struct AreaMap {
    areas: Vec<Area>,
}

impl AreaMap {
    /// The areas from the lowest address on.
    pub fn iter(&self) -> impl Iterator<Item = &Area> {
        self.areas.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.areas.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.areas.is_empty()
    }

    /// The area that holds `address`.
    #[inline]
    pub fn find(&self, address: VirtAddr) -> Option<&Area> {
        self.areas
            .get(self.first_ending_after(address))
            .filter(|area| area.range.contains(address))
    }

    /// Index of the first area whose end lies beyond `address`.
    #[inline]
    fn first_ending_after(&self, address: VirtAddr) -> usize {
        self.areas.partition_point(|area| area.range.end() <= address)
    }

    fn indices(&self, range: PageRange) -> Range<usize> {
        if range.is_empty() {
            return 0..0;
        }
        let start = self.first_ending_after(range.start());
        let end = self
            .areas
            .partition_point(|area| area.range.start() < range.end());
        start..end.max(start)
    }

    /// The areas that overlap `range`.
    pub fn overlapping(&self, range: PageRange) -> &[Area] {
        &self.areas[self.indices(range)]
    }

    /// Whether every page of `range` belongs to some area.
    pub fn covers(&self, range: PageRange) -> bool {
        self.covered_end(range) == range.end()
    }

    /// Where the first hole in `range` begins; its end if there is none.
    pub fn covered_end(&self, range: PageRange) -> VirtAddr {
        let mut at = range.start();
        for area in self.overlapping(range) {
            if area.range.start() > at {
                return at;
            }
            at = area.range.end().min(range.end());
        }
        at
    }

    /// The first area that begins above `address`.
    pub fn next_above(&self, address: VirtAddr) -> Option<&Area> {
        self.areas
            .get(self.areas.partition_point(|area| area.range.start() <= address))
    }

    /// The last area that ends at or below `address`.
    pub fn next_below(&self, address: VirtAddr) -> Option<&Area> {
        let after = self.first_ending_after(address);
        after.checked_sub(1).map(|index| &self.areas[index])
    }

    /// The highest gap of `len` bytes (whole pages) that ends at or below `below` and begins at or above `above`.
    pub fn gap_below(&self, below: VirtAddr, len: u64, above: VirtAddr) -> Option<PageRange> {
        let mut end = below.min(VirtAddr(USER_END));
        for area in self.areas.iter().rev() {
            if area.range.start() >= end {
                continue;
            }
            if area.range.end() <= end && end.0 - area.range.end().0 >= len {
                break;
            }
            end = area.range.start();
        }
        let start = VirtAddr(end.0.checked_sub(len)?);
        (start >= above).then(|| PageRange::new(start, len)).flatten()
    }

    /// Adds an area where there is none, joined with its neighbours where they are the same.
    pub(crate) fn insert(&mut self, area: Area) {
        debug_assert!(
            self.overlapping(area.range).is_empty(),
            "areas: {:?} overlaps",
            area.range
        );
        let at = self.first_ending_after(area.range.start());
        self.areas.insert(at, area);
        self.join(at + 1);
        self.join(at);
    }

    /// Joins the area at `index` to the one before it if it is more of the same.
    fn join(&mut self, index: usize) {
        if index == 0
            || index >= self.areas.len()
            || !self.areas[index - 1].continues_with(&self.areas[index])
        {
            return;
        }
        let end = self.areas.remove(index).range.end();
        let before = &mut self.areas[index - 1];
        before.range = PageRange::between(before.range.start(), end).unwrap_or(before.range);
    }

    /// Takes `range` out of the map; areas partly inside are split. Returns what was inside.
    pub(crate) fn remove(&mut self, range: PageRange) -> Vec<Area> {
        let indices = self.indices(range);
        let inside: Vec<Area> = self.areas[indices.clone()]
            .iter()
            .map(|area| area.part(range))
            .collect();
        let mut outside = Vec::new();
        for area in &self.areas[indices.clone()] {
            let before = PageRange::between(area.range.start(), range.start());
            let after = PageRange::between(range.end(), area.range.end());
            outside.extend(
                [before, after]
                    .into_iter()
                    .flatten()
                    .filter(|r| !r.is_empty())
                    .map(|r| area.part(r)),
            );
        }
        self.areas.splice(indices, outside);
        inside
    }

    /// Changes the area that begins at `start` to begin at `lower` instead (stack growth).
    pub(crate) fn grow_down(&mut self, start: VirtAddr, lower: VirtAddr) {
        let index = self.first_ending_after(start);
        let area = &mut self.areas[index];
        area.range = PageRange::between(lower, area.range.end()).unwrap_or(area.range);
    }
}
