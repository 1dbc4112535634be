//! The stage-1 translation descriptor, bit by bit (Arm ARM D8.3, "Translation table descriptor formats", VMSAv8-64, 4 KiB
//! granule). Descriptors are made only by the named constructors here, and changed only by the named steps, so that the
//! whole kernel has no other place where a bit is set. Every valid user descriptor has AF set and nG set.
//!
//! ```text
//!  table (L1, L2)  63 NSTable | 62:61 APTable | 60 UXNTable | 59 PXNTable | 47:12 next table | 1:0 = 0b11
//!  page  (L3)      58:55 software | 54 UXN | 53 PXN | 52 Contiguous | 47:12 frame | 11 nG | 10 AF | 9:8 SH | 7:6 AP | 4:2 AttrIndx | 1:0 = 0b11
//!  swapped (L3)    the bits of the page but 47:12 = slot, 1:0 = 0b00: what it may be when it is back (`swap`)
//! ```
//! `APTable[1]` (bit 62) takes write access away from the whole subtree, for EL0 and EL1: it is what makes a *table* shared
//! copy-on-write. `AP[2]` (bit 7) does the same for one page.

use crate::addr::{Frame, PAGE_SHIFT};
use crate::swap::Slot;
use core::fmt;

/// One 64-bit descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Descriptor(pub u64);

const VALID: u64 = 1 << 0;
const TABLE_OR_PAGE: u64 = 1 << 1;
const ATTR_NORMAL: u64 = 1 << 2; // AttrIndx = 1: Normal, Write-Back, Write-Allocate (platform sets MAIR_EL1 so)
const AP_EL0: u64 = 1 << 6; // AP[1]: EL0 has access
const AP_READ_ONLY: u64 = 1 << 7; // AP[2]: no writes, at either level
const SH_INNER: u64 = 0b11 << 8;
const ACCESS_FLAG: u64 = 1 << 10;
const NOT_GLOBAL: u64 = 1 << 11;
const PXN: u64 = 1 << 53;
const UXN: u64 = 1 << 54;
const AP_TABLE_NO_WRITE: u64 = 1 << 62; // APTable[1]
const ADDRESS: u64 = 0x0000_ffff_ffff_f000;

// Bits 58:55 are ignored by the walker and left to software.
const SOFT_SHARED: u64 = 1 << 55; // the page belongs to a MAP_SHARED area: writes go to the one frame
const SOFT_WRITABLE: u64 = 1 << 56; // the area lets this page be written, so AP[2] alone stands in the way

impl Descriptor {
    /// No translation.
    pub const INVALID: Descriptor = Descriptor(0);

    /// A table descriptor that points to `table`, with no restriction on what lies below.
    #[inline]
    pub const fn table(table: Frame) -> Descriptor {
        Descriptor(table.start().0 | TABLE_OR_PAGE | VALID)
    }

    /// A user page of Normal memory, readable, not executable, not writable.
    #[inline]
    pub const fn page(frame: Frame) -> Descriptor {
        Descriptor(
            frame.start().0
                | UXN
                | PXN
                | NOT_GLOBAL
                | ACCESS_FLAG
                | SH_INNER
                | AP_READ_ONLY
                | AP_EL0
                | ATTR_NORMAL
                | TABLE_OR_PAGE
                | VALID,
        )
    }

    /// The same page, executable at EL0 (never at EL1).
    #[inline]
    pub const fn executable(self) -> Descriptor {
        Descriptor(self.0 & !UXN)
    }

    /// The same page, one of a MAP_SHARED area.
    #[inline]
    pub const fn of_shared_area(self) -> Descriptor {
        Descriptor(self.0 | SOFT_SHARED)
    }

    /// The same page, one that its area lets be written: still read-only until [`Descriptor::with_write`].
    #[inline]
    pub const fn area_writable(self) -> Descriptor {
        Descriptor(self.0 | SOFT_WRITABLE)
    }

    /// The same page without access for EL0 or rights for anybody to write: PROT_NONE keeps its frame.
    #[inline]
    pub const fn without_access(self) -> Descriptor {
        Descriptor((self.0 & !(AP_EL0 | SOFT_WRITABLE)) | AP_READ_ONLY | UXN)
    }

    /// The same page with write access (`AP[2]` = 0).
    #[inline]
    pub const fn with_write(self) -> Descriptor {
        Descriptor(self.0 & !AP_READ_ONLY)
    }

    /// The same page without write access (`AP[2]` = 1).
    #[inline]
    pub const fn without_write(self) -> Descriptor {
        Descriptor(self.0 | AP_READ_ONLY)
    }

    /// The same page as it stands in a shared table: without write access, unless it is one of a MAP_SHARED area.
    #[inline]
    pub const fn page_write_protected(self) -> Descriptor {
        if self.is_of_shared_area() {
            self
        } else {
            self.without_write()
        }
    }

    /// The same table descriptor, nothing below it writable (`APTable[1]` = 1).
    #[inline]
    pub const fn table_without_write(self) -> Descriptor {
        Descriptor(self.0 | AP_TABLE_NO_WRITE)
    }

    /// The same table descriptor, what lies below deciding (`APTable[1]` = 0).
    #[inline]
    pub const fn table_with_write(self) -> Descriptor {
        Descriptor(self.0 & !AP_TABLE_NO_WRITE)
    }

    /// The same rights at another frame.
    #[inline]
    pub const fn pointing_to(self, frame: Frame) -> Descriptor {
        Descriptor(self.0 & !ADDRESS | frame.start().0)
    }

    /// The same descriptor out of the walker's sight, with all that it says (`hostage`).
    #[inline]
    pub(crate) const fn parked(self) -> Descriptor {
        Descriptor(self.0 & !VALID)
    }

    /// What was parked.
    #[inline]
    pub(crate) const fn unparked(self) -> Descriptor {
        Descriptor(self.0 | VALID)
    }

    /// Whether it is a parked one: not valid, yet it says that it was a table or a page.
    #[inline]
    pub(crate) const fn is_parked(self) -> bool {
        self.0 & (TABLE_OR_PAGE | VALID) == TABLE_OR_PAGE
    }

    /// A page descriptor whose page has gone to `slot`, with all that it says of the page: no walker follows it.
    #[inline]
    pub const fn swapped_to(self, slot: Slot) -> Descriptor {
        let rights = self.without_write().0 & !(ADDRESS | TABLE_OR_PAGE | VALID);
        Descriptor(rights | (slot.0 as u64) << PAGE_SHIFT)
    }

    /// Whether the page is in a slot of a swap area.
    #[inline]
    pub const fn is_swapped(self) -> bool {
        self.0 & (TABLE_OR_PAGE | VALID) == 0 && !self.is_nothing()
    }

    /// The slot of a swapped page.
    #[inline]
    pub const fn slot(self) -> Slot {
        Slot(((self.0 & ADDRESS) >> PAGE_SHIFT) as u32)
    }

    /// The swapped page at a frame again, without write access: that is earned by a write.
    #[inline]
    pub(crate) const fn brought_back(self, frame: Frame) -> Descriptor {
        Descriptor(self.0 | TABLE_OR_PAGE | VALID).pointing_to(frame)
    }

    /// What all of them have in common: the bits set in every one.
    #[inline(always)]
    pub(crate) fn common<const N: usize>(all: &[Descriptor; N]) -> Descriptor {
        Descriptor(all.iter().fold(u64::MAX, |bits, one| bits & one.0))
    }

    /// All their bits together.
    #[inline(always)]
    pub(crate) fn united<const N: usize>(all: &[Descriptor; N]) -> Descriptor {
        Descriptor(all.iter().fold(0, |bits, one| bits | one.0))
    }

    /// Whether the walker follows it.
    #[inline]
    pub const fn is_valid(self) -> bool {
        self.0 & VALID != 0
    }

    /// Whether there is nothing: no table, no page, mapped or swapped.
    #[inline]
    pub(crate) const fn is_nothing(self) -> bool {
        self.0 == Descriptor::INVALID.0
    }

    /// Whether the page's own bits let it be written.
    #[inline]
    pub const fn is_page_writable(self) -> bool {
        self.0 & (VALID | AP_READ_ONLY | AP_EL0) == VALID | AP_EL0
    }

    /// Whether EL0 may read the page.
    #[inline]
    pub const fn is_page_accessible(self) -> bool {
        self.0 & (VALID | AP_EL0) == VALID | AP_EL0
    }

    /// Whether EL0 may execute the page.
    #[inline]
    pub const fn is_page_executable(self) -> bool {
        self.0 & (VALID | AP_EL0 | UXN) == VALID | AP_EL0
    }

    /// Whether the table descriptor lets what is below be written.
    #[inline]
    pub const fn is_table_writable(self) -> bool {
        self.0 & AP_TABLE_NO_WRITE == 0
    }

    /// Whether the page is one of a MAP_SHARED area.
    #[inline]
    pub const fn is_of_shared_area(self) -> bool {
        self.0 & SOFT_SHARED != 0
    }

    /// Whether the page's area lets it be written.
    #[inline]
    pub const fn is_area_writable(self) -> bool {
        self.0 & SOFT_WRITABLE != 0
    }

    /// The frame that the descriptor points to: a table or a page. Meaningless when invalid, unless parked.
    #[inline]
    pub const fn frame(self) -> Frame {
        Frame(((self.0 & ADDRESS) >> PAGE_SHIFT) as u32)
    }
}

/// Valid descriptors one after the other that are alike but for their frames, which lie in a row, upwards or downwards.
#[derive(Clone, Copy)]
pub struct Row {
    /// The first of them without write access.
    pub first: Descriptor,
    /// From the bits of each to those of the one after it, wrapping.
    pub step: u64,
    /// The bits in which each differs from itself without write access; 0: it has none.
    pub change: u64,
}

impl Row {
    const UPWARDS: u64 = 1 << PAGE_SHIFT;
    const DOWNWARDS: u64 = Row::UPWARDS.wrapping_neg();

    /// The row that these are, if they are one and not of a MAP_SHARED area; and they themselves without write access, which
    /// `protect` takes away.
    #[inline(always)]
    pub(crate) fn of<const N: usize>(
        these: &[Descriptor; N],
        protect: impl Fn(Descriptor) -> Descriptor,
    ) -> Option<(Row, [Descriptor; N])> {
        let first = these[0];
        let step = these[1].0.wrapping_sub(first.0);
        let is_step = step == Row::UPWARDS || step == Row::DOWNWARDS;
        if !is_step || !first.is_valid() || first.is_of_shared_area() {
            return None;
        }
        let protected = protect(first);
        let row = Row {
            first: protected,
            step,
            change: first.0 ^ protected.0,
        };
        row.write_protected(these).map(|protected| (row, protected))
    }

    /// The row that these are with the rights that they have, if they are one.
    #[inline(always)]
    pub(crate) fn as_it_is<const N: usize>(these: &[Descriptor; N]) -> Option<Row> {
        let first = these[0];
        let step = these[1].0.wrapping_sub(first.0);
        let is_step = step == Row::UPWARDS || step == Row::DOWNWARDS;
        let row = Row {
            first,
            step,
            change: 0,
        };
        let is_row = is_step && first.is_valid() && row.write_protected(these).is_some();
        is_row.then_some(row)
    }

    /// These without write access, if they are the first of the row.
    #[inline(always)]
    pub fn write_protected<const N: usize>(&self, these: &[Descriptor; N]) -> Option<[Descriptor; N]> {
        let mut next = self.first.0;
        let protected = these.map(|one| Descriptor(one.0 ^ self.change));
        let is_row = protected.iter().all(|one| {
            let is_next = one.0 == next;
            next = next.wrapping_add(self.step);
            is_next
        });
        is_row.then_some(protected)
    }

    /// What is left of the row behind its first `len`.
    #[inline(always)]
    pub fn behind(&self, len: usize) -> Row {
        let passed = self.step.wrapping_mul(len as u64);
        Row {
            first: Descriptor(self.first.0.wrapping_add(passed)),
            ..*self
        }
    }

    /// Whether its first frame is the lowest.
    #[inline(always)]
    pub(crate) fn is_upwards(&self) -> bool {
        self.step == Row::UPWARDS
    }

    /// The lowest frame of the first `len` descriptors, which is not 0.
    #[inline(always)]
    pub(crate) fn lowest(&self, len: usize) -> Frame {
        let first = self.first.frame();
        if self.is_upwards() {
            first
        } else {
            Frame(first.0 - (len as u32 - 1))
        }
    }
}

impl fmt::Debug for Descriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "descriptor {:#018x}", self.0)
    }
}
