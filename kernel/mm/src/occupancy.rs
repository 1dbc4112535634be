//! The occupancy of a translation table, kept in its frame's record: with it a sparse table is copied and released by its few
//! entries, and the resident pages of a space are a sum.

use core::ops::Range;

/// What a table holds: how many entries, valid or swapped, the range of indices beyond which there are none, whether descriptors in
/// it have been write-protected (I4), and whether some may be swapped. One word, so that a shared table's mark is one atomic OR.
///
/// ```text
/// 31 write-protected | 30 may have swapped entries | 29:20 entries | 19:10 last used index | 9:0 first used index
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Occupancy(u32);

impl Occupancy {
    /// The mark, as a bit of the word.
    pub(crate) const WRITE_PROTECTED: u32 = 1 << 31;
    /// The mark that some entries may be swapped. It stays when they are back.
    pub(crate) const SWAPPED: u32 = 1 << 30;
    const MARKS: u32 = Occupancy::WRITE_PROTECTED | Occupancy::SWAPPED;

    /// The occupancy that a frame's record keeps as `word`.
    #[inline]
    pub(crate) const fn from_word(word: u32) -> Occupancy {
        Occupancy(word)
    }

    /// What a frame's record keeps.
    #[inline]
    pub(crate) const fn word(self) -> u32 {
        self.0
    }

    /// Of a table without a valid entry.
    pub(crate) const EMPTY: Occupancy = Occupancy(0);

    #[inline]
    const fn of(first: usize, last: usize, valid: usize, marks: u32) -> Occupancy {
        Occupancy(first as u32 | (last as u32) << 10 | (valid as u32) << 20 | marks)
    }

    /// Of a table with `valid` entries, all of them in `used`.
    #[inline]
    pub(crate) const fn spanning(used: Range<usize>, valid: usize) -> Occupancy {
        if valid == 0 {
            Occupancy::EMPTY
        } else {
            Occupancy::of(used.start, used.end - 1, valid, 0)
        }
    }

    /// Entries that are something: valid, or swapped.
    #[inline]
    pub(crate) const fn valid(self) -> usize {
        (self.0 >> 20 & 0x3ff) as usize
    }

    /// The indices among which all valid entries are.
    #[inline]
    pub(crate) const fn used(self) -> Range<usize> {
        if self.valid() == 0 {
            return 0..0;
        }
        (self.0 & 0x3ff) as usize..(self.0 >> 10 & 0x3ff) as usize + 1
    }

    /// Whether descriptors have been write-protected since the owner's last flush.
    #[inline]
    pub(crate) const fn is_write_protected(self) -> bool {
        self.0 & Occupancy::WRITE_PROTECTED != 0
    }

    /// Whether some entries may be swapped.
    #[inline]
    pub(crate) const fn may_have_swapped(self) -> bool {
        self.0 & Occupancy::SWAPPED != 0
    }

    /// With some entries that may be swapped.
    #[inline]
    pub(crate) const fn with_swapped(self) -> Occupancy {
        Occupancy(self.0 | Occupancy::SWAPPED)
    }

    /// After entry `index` became valid.
    #[inline]
    pub(crate) fn with(self, index: usize) -> Occupancy {
        let used = self.used();
        let marks = self.0 & Occupancy::MARKS;
        if self.valid() == 0 {
            return Occupancy::of(index, index, 1, marks);
        }
        Occupancy::of(
            used.start.min(index),
            (used.end - 1).max(index),
            self.valid() + 1,
            marks,
        )
    }

    /// After `count` valid entries became invalid. The range is kept: it is a bound.
    #[inline]
    pub(crate) fn without(self, count: usize) -> Occupancy {
        debug_assert!(
            count <= self.valid(),
            "occupancy: {count} entries of a table lost, it had fewer"
        );
        Occupancy(self.0 - ((count as u32) << 20))
    }

    /// After the owner's flush.
    #[inline]
    pub(crate) fn flushed(self) -> Occupancy {
        Occupancy(self.0 & !Occupancy::WRITE_PROTECTED)
    }
}
