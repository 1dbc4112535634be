//! Numbers with a meaning: physical and virtual addresses, frames, pages, address-space identifiers. Arithmetic that could
//! leave its range is checked or masked here, once. Read on in `descriptor`.

use core::fmt;

/// log2 of the page size: the 4 KiB granule (Arm ARM D8.2.6).
pub const PAGE_SHIFT: u32 = 12;
/// Bytes in a page or frame.
pub const PAGE_SIZE: usize = 1 << PAGE_SHIFT;
/// Descriptors in one translation table.
pub const TABLE_ENTRIES: usize = 512;
/// Bits of a user address: three levels of tables, 512 GiB.
pub const USER_BITS: u32 = 39;
/// One past the highest user address.
pub const USER_END: u64 = 1 << USER_BITS;

/// A physical byte address (at most 44 bits on Cortex-A72).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PhysAddr(pub u64);

/// A virtual byte address of the user half (TTBR0), or a claim of one: nothing is checked until it is walked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct VirtAddr(pub u64);

/// A physical frame, by number (address / 4 KiB). A plain number: whoever holds a reference is said where it is passed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Frame(pub u32);

/// An address-space identifier as it stands in `TTBR0_EL1[63:48]` (16 bits, TCR_EL1.AS = 1). 0 belongs to the empty space.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Asid(pub u16);

/// The three levels of a 39-bit table tree, by their architectural names: a level-1 entry spans 1 GiB, level 2 spans 2 MiB,
/// level 3 one page (Arm ARM D8.2.6, 4 KiB granule).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum Level {
    /// The root: 512 entries of 1 GiB.
    L1,
    /// 512 entries of 2 MiB.
    L2,
    /// 512 pages.
    L3,
}

impl Level {
    /// log2 of the bytes that one entry of this level spans.
    #[inline]
    pub const fn shift(self) -> u32 {
        match self {
            Level::L1 => 30,
            Level::L2 => 21,
            Level::L3 => 12,
        }
    }

    /// Bytes that one entry of this level spans.
    #[inline]
    pub const fn span(self) -> u64 {
        1 << self.shift()
    }

    /// The level of the table that an entry of this level points to; L3 entries point to pages.
    #[inline]
    pub const fn below(self) -> Option<Level> {
        match self {
            Level::L1 => Some(Level::L2),
            Level::L2 => Some(Level::L3),
            Level::L3 => None,
        }
    }
}

impl PhysAddr {
    /// The frame that holds this byte.
    #[inline]
    pub const fn frame(self) -> Frame {
        Frame((self.0 >> PAGE_SHIFT) as u32)
    }
}

impl Frame {
    /// The physical address of the frame's first byte.
    #[inline]
    pub const fn start(self) -> PhysAddr {
        PhysAddr((self.0 as u64) << PAGE_SHIFT)
    }
}

impl VirtAddr {
    /// Index of this address into the table of `level`.
    #[inline]
    pub const fn index(self, level: Level) -> usize {
        ((self.0 >> level.shift()) & (TABLE_ENTRIES as u64 - 1)) as usize
    }

    /// The first byte of the page that holds this address.
    #[inline]
    pub const fn page_start(self) -> VirtAddr {
        VirtAddr(self.0 & !(PAGE_SIZE as u64 - 1))
    }

    /// Byte offset inside its page.
    #[inline]
    pub const fn page_offset(self) -> usize {
        (self.0 & (PAGE_SIZE as u64 - 1)) as usize
    }

    /// Whether the address lies on a page boundary.
    #[inline]
    pub const fn is_page_aligned(self) -> bool {
        self.page_offset() == 0
    }

    /// Whether the address belongs to the user half.
    #[inline]
    pub const fn is_user(self) -> bool {
        self.0 < USER_END
    }

    /// Without the byte that the processor ignores in a user address (TCR_EL1.TBI0): what is left is what it translates.
    #[inline]
    pub const fn untagged(self) -> VirtAddr {
        VirtAddr(self.0 & (((self.0 << 8) as i64) >> 8) as u64)
    }

    /// The address `bytes` further on; `None` beyond 64 bits.
    #[inline]
    pub const fn offset(self, bytes: u64) -> Option<VirtAddr> {
        match self.0.checked_add(bytes) {
            Some(sum) => Some(VirtAddr(sum)),
            None => None,
        }
    }
}

/// A half-open range of whole user pages: `start` and `end` page aligned, `start <= end <= USER_END`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PageRange {
    start: VirtAddr,
    end: VirtAddr,
}

impl PageRange {
    /// The range of `len` bytes from `start`, `len` rounded up to whole pages. `None` when `start` is not page aligned or
    /// the range leaves the user half.
    pub const fn new(start: VirtAddr, len: u64) -> Option<PageRange> {
        if !start.is_page_aligned() || start.0 > USER_END || len > USER_END {
            return None;
        }
        let end = start.0 + ((len + PAGE_SIZE as u64 - 1) & !(PAGE_SIZE as u64 - 1));
        if end > USER_END {
            return None;
        }
        Some(PageRange {
            start,
            end: VirtAddr(end),
        })
    }

    /// The range between two page-aligned addresses. `None` when they are not, are in the wrong order or not of the user half.
    pub const fn between(start: VirtAddr, end: VirtAddr) -> Option<PageRange> {
        if end.0 < start.0 || !end.is_page_aligned() {
            return None;
        }
        PageRange::new(start, end.0 - start.0)
    }

    /// First byte.
    #[inline]
    pub const fn start(self) -> VirtAddr {
        self.start
    }

    /// One past the last byte.
    #[inline]
    pub const fn end(self) -> VirtAddr {
        self.end
    }

    /// Bytes in the range.
    #[inline]
    pub const fn len(self) -> u64 {
        self.end.0 - self.start.0
    }

    /// Pages in the range.
    #[inline]
    pub const fn pages(self) -> u64 {
        self.len() >> PAGE_SHIFT
    }

    /// Whether the range holds nothing.
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.start.0 == self.end.0
    }

    /// Whether the byte at `address` belongs to the range.
    #[inline]
    pub const fn contains(self, address: VirtAddr) -> bool {
        self.start.0 <= address.0 && address.0 < self.end.0
    }

    /// Whether the two ranges share a page.
    #[inline]
    pub const fn overlaps(self, other: PageRange) -> bool {
        self.start.0 < other.end.0 && other.start.0 < self.end.0
    }

    /// This range and `next`, which begins where this one ends.
    #[inline]
    pub(crate) fn joined(self, next: PageRange) -> PageRange {
        PageRange {
            start: self.start,
            end: next.end,
        }
    }

    /// The pages that both ranges hold; empty at `self.start` when there are none.
    pub fn intersection(self, other: PageRange) -> PageRange {
        let start = self.start.max(other.start);
        let end = self.end.min(other.end);
        if start < end {
            PageRange { start, end }
        } else {
            PageRange {
                start: self.start,
                end: self.start,
            }
        }
    }
}

impl fmt::Debug for PhysAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pa {:#x}", self.0)
    }
}

impl fmt::Debug for VirtAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "va {:#x}", self.0)
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "frame {:#x}", self.0)
    }
}

impl fmt::Debug for Asid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "asid {}", self.0)
    }
}

impl fmt::Debug for PageRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}..{:#x}", self.start.0, self.end.0)
    }
}
