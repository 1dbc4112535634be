//! An address space: areas (what may be), tables (what is), and an ASID. This file is mmap, munmap,
//! the break (mprotect: `protect`); `fault` and `fork` are the two stories. The caller holds the space's lock for every call; the
//! space itself knows no lock and no processor.

use crate::addr::{Asid, Frame, PAGE_SIZE, PageRange, USER_END, VirtAddr};
use crate::area::{Area, AreaFlags, Backing, Protection, Purpose, Sharing};
use crate::area_map::{AreaMap, First};
use crate::frames::NoMemory;
use crate::inherit::ForkAdvice;
use crate::memory::Memory;
use crate::mmu::Mmu;
use crate::table::Tables;

/// The lowest address that can be mapped: page 0 and its neighbours catch null pointers (Linux's mmap_min_addr).
pub const LOWEST: VirtAddr = VirtAddr(0x1_0000);

/// Mappings without a fixed address end here: the top GiB is left to the stack, so that its path of tables stays small.
pub const MAPPINGS_END: VirtAddr = VirtAddr(0x7f_c000_0000);

/// A process's memory. End it with [`AddressSpace::release`]: dropping it leaks its frames, and panics.
pub struct AddressSpace {
    pub(crate) tables: Tables,
    pub(crate) areas: AreaMap,
    /// Areas that a range took with it, for whoever holds no lock to drop in pieces.
    pub(crate) retired: Option<AreaMap>,
    /// Where in `areas` the last fault was: the next one is likely to be there.
    pub(crate) recent_area: usize,
    pub(crate) heap: Break,
    /// What fork has to look for.
    pub(crate) fork_advice: ForkAdvice,
    /// It counts among those that have locked areas ([`Memory::is_any_locking`]).
    pub(crate) is_locking: bool,
}

/// The break (brk(2)): from `start` to `end`, any byte.
#[derive(Clone, Copy, Default)]
pub(crate) struct Break {
    pub(crate) start: VirtAddr,
    pub(crate) end: VirtAddr,
}

/// Where a mapping is to be put.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Placement {
    /// There if it is free, else anywhere; 0: anywhere.
    Hint(VirtAddr),
    /// There, in place of whatever is there (MAP_FIXED).
    Fixed(VirtAddr),
    /// There, if it is free (MAP_FIXED_NOREPLACE).
    FixedNoReplace(VirtAddr),
}

/// What mmap is asked for.
#[derive(Clone)]
pub struct MapRequest {
    /// Where.
    pub placement: Placement,
    /// Bytes, rounded up to whole pages; not 0.
    pub len: u64,
    /// Rights.
    pub protection: Protection,
    /// Private or shared. Shared memory needs a source, anonymous or not.
    pub sharing: Sharing,
    /// What is said about it from the start.
    pub flags: AreaFlags,
    /// What is mapped.
    pub backing: Backing,
    /// What it is for.
    pub purpose: Purpose,
}

/// Why an operation on a range was refused. Nothing has changed that a program could see, but for
/// [`MapError::NotMapped`] of [`AddressSpace::protect`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MapError {
    /// Not page aligned, empty, or outside the user half: EINVAL.
    Invalid,
    /// No room for it, or no frame for the tables: ENOMEM.
    NoMemory,
    /// Something is there already: EEXIST.
    Exists,
    /// Part of the range is not mapped: ENOMEM for mprotect, EFAULT for mremap.
    NotMapped,
}

impl From<NoMemory> for MapError {
    fn from(_: NoMemory) -> MapError {
        MapError::NoMemory
    }
}

impl AddressSpace {
    /// An empty space.
    ///
    /// # Errors
    /// [`NoMemory`]: there is no frame for the root.
    pub fn new<M: Mmu>(memory: &Memory<M>) -> Result<AddressSpace, NoMemory> {
        Ok(AddressSpace {
            tables: Tables::new(memory)?,
            areas: AreaMap::default(),
            retired: None,
            recent_area: 0,
            heap: Break::default(),
            fork_advice: ForkAdvice::default(),
            is_locking: false,
        })
    }

    /// Ends the space: its references are dropped, what nobody else shares is freed. No processor may be in it any more, nor
    /// walk its tables (TTBR0 switched away and synchronised). Its ASID is not used again before a roll-over's flush.
    pub fn release<M: Mmu>(mut self, memory: &Memory<M>) {
        self.end_locking(memory);
        self.tables.release(memory);
    }

    /// The root and the ASID for TTBR0_EL1 of the executing processor, which loads them at once.
    #[inline]
    pub fn activate<M: Mmu>(&mut self, memory: &Memory<M>) -> (Frame, Asid) {
        if !self.tables.tag.has_run() {
            memory.dsb_ishst();
        }
        self.tables.tag = memory.asids().activate(memory.mmu(), self.tables.tag);
        (self.tables.root(), self.tables.tag.asid())
    }

    /// mmap(2). Returns the address of the first byte.
    ///
    /// # Errors
    /// [`MapError::Invalid`]: the length is 0, or the range cannot be mapped. [`MapError::Exists`]: something is there
    /// ([`Placement::FixedNoReplace`]). [`MapError::NoMemory`]: no memory, or no room; what was at a fixed place may be gone.
    #[inline(always)]
    pub fn map<M: Mmu>(&mut self, memory: &Memory<M>, request: MapRequest) -> Result<VirtAddr, MapError> {
        let (range, place) = self.place_near(memory, request.placement, request.len)?;
        let MapRequest {
            protection,
            sharing,
            flags,
            backing,
            purpose,
            ..
        } = request;
        if flags.has(AreaFlags::AT_FORK) {
            self.fork_advice.note_area();
            self.begin_locking(memory, flags);
        }
        let area = Area {
            range,
            protection,
            sharing,
            flags,
            backing,
            purpose,
        };
        self.areas.insert_at(place, area)?;
        Ok(range.start())
    }

    /// A free range for `len` bytes at `placement`; a fixed one is emptied.
    pub(crate) fn place<M: Mmu>(
        &mut self,
        memory: &Memory<M>,
        placement: Placement,
        len: u64,
    ) -> Result<PageRange, MapError> {
        Ok(self.place_near(memory, placement, len)?.0)
    }

    /// [`AddressSpace::place`], and where among the areas one in the range would be likely to belong.
    #[inline(always)]
    fn place_near<M: Mmu>(
        &mut self,
        memory: &Memory<M>,
        placement: Placement,
        len: u64,
    ) -> Result<(PageRange, First), MapError> {
        if len == 0 {
            return Err(MapError::Invalid);
        }
        match placement {
            Placement::Hint(hint) if hint.page_start() < LOWEST => {
                self.find_gap(len).ok_or(MapError::NoMemory)
            }
            placement => Ok((self.place_there(memory, placement, len)?, First::UNKNOWN)),
        }
    }

    /// [`AddressSpace::place`] where an address is named.
    #[inline(never)]
    fn place_there<M: Mmu>(
        &mut self,
        memory: &Memory<M>,
        placement: Placement,
        len: u64,
    ) -> Result<PageRange, MapError> {
        match placement {
            Placement::Fixed(start) => {
                let range = mappable(start, len)?;
                self.unmap_range(memory, range)?;
                Ok(range)
            }
            Placement::FixedNoReplace(start) => {
                let range = mappable(start, len)?;
                if self.is_free(range) {
                    Ok(range)
                } else {
                    Err(MapError::Exists)
                }
            }
            Placement::Hint(hint) => {
                let hinted = mappable(hint.page_start(), len).ok();
                let free = hinted.filter(|range| self.is_free(*range));
                let free = free.or_else(|| Some(self.find_gap(len)?.0));
                free.ok_or(MapError::NoMemory)
            }
        }
    }

    fn is_free(&self, range: PageRange) -> bool {
        self.areas.is_free(range)
    }

    #[inline(always)]
    fn find_gap(&self, len: u64) -> Option<(PageRange, First)> {
        let len = len.checked_next_multiple_of(PAGE_SIZE as u64)?;
        self.areas.gap_below(MAPPINGS_END, len, LOWEST)
    }

    /// munmap(2): holes in the range are no error.
    ///
    /// # Errors
    /// [`MapError::Invalid`]: no range. [`MapError::NoMemory`]: nothing has changed.
    pub fn unmap<M: Mmu>(&mut self, memory: &Memory<M>, start: VirtAddr, len: u64) -> Result<(), MapError> {
        let range = PageRange::new(start, len)
            .filter(|range| !range.is_empty())
            .ok_or(MapError::Invalid)?;
        self.unmap_range(memory, range)
    }

    fn unmap_range<M: Mmu>(&mut self, memory: &Memory<M>, range: PageRange) -> Result<(), MapError> {
        let Some(first) = self.areas.first_overlapping(range) else {
            return Ok(());
        };
        // What can fail comes first: the ends of the tables, then the areas.
        let ready = self.tables.make_clearable(memory, range)?;
        let old = self.areas.remove_from(first, range)?;
        if self.retired.is_none() {
            self.retired = old;
        }
        self.tables.clear(memory, ready);
        Ok(())
    }

    /// madvise(2) MADV_DONTNEED: the pages of the range are dropped, the areas stay.
    ///
    /// # Errors
    /// [`MapError::Invalid`]: no range. [`MapError::NotMapped`]: there is a hole in it. [`MapError::NoMemory`]: nothing has changed.
    pub fn discard<M: Mmu>(&mut self, memory: &Memory<M>, start: VirtAddr, len: u64) -> Result<(), MapError> {
        let range = PageRange::new(start, len).ok_or(MapError::Invalid)?;
        if !self.areas.covers(range) {
            return Err(MapError::NotMapped);
        }
        Ok(self.tables.clear_range(memory, range)?)
    }

    /// Sets where the break begins and ends (exec).
    pub fn start_break(&mut self, at: VirtAddr) {
        self.heap = Break { start: at, end: at };
    }

    /// brk(2): moves the break to `end` if that can be, and returns where it is then. New memory gets `flags`.
    pub fn set_break<M: Mmu>(&mut self, memory: &Memory<M>, end: VirtAddr, flags: AreaFlags) -> VirtAddr {
        if end >= self.heap.start && end < MAPPINGS_END && self.try_set_break(memory, end, flags).is_ok() {
            self.heap.end = end;
        }
        self.heap.end
    }

    fn try_set_break<M: Mmu>(
        &mut self,
        memory: &Memory<M>,
        end: VirtAddr,
        flags: AreaFlags,
    ) -> Result<(), MapError> {
        let (old, new) = (page_up(self.heap.end), page_up(end));
        if let Some(more) = PageRange::between(old, new).filter(|range| !range.is_empty()) {
            let request = MapRequest {
                placement: Placement::FixedNoReplace(more.start()),
                len: more.len(),
                protection: Protection::READ_WRITE,
                sharing: Sharing::Private,
                flags,
                backing: Backing::Anonymous,
                purpose: Purpose::Heap,
            };
            self.map(memory, request)?;
        } else if let Some(less) = PageRange::between(new, old) {
            self.unmap_range(memory, less)?;
        }
        Ok(())
    }

    /// The areas from the lowest address on.
    pub fn areas(&self) -> &AreaMap {
        &self.areas
    }

    /// Where the break begins and ends.
    pub fn break_range(&self) -> (VirtAddr, VirtAddr) {
        (self.heap.start, self.heap.end)
    }
}

fn mappable(start: VirtAddr, len: u64) -> Result<PageRange, MapError> {
    let range = PageRange::new(start, len).ok_or(MapError::Invalid)?;
    if range.start() < LOWEST {
        Err(MapError::Invalid)
    } else {
        Ok(range)
    }
}

fn page_up(address: VirtAddr) -> VirtAddr {
    VirtAddr(address.0.next_multiple_of(PAGE_SIZE as u64).min(USER_END))
}
