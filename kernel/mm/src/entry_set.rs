//! A set of entries of one table. A root is used at its ends (program below, stack and mappings above), so a range would
//! make fork and exit look at all 512 entries; the set makes them look at the few cache lines in use. It is one word: fork and
//! exit hand it on in a register.

use crate::addr::TABLE_ENTRIES;
use crate::mmu::GROUP;

/// Groups of [`GROUP`] entries, a bit each.
#[derive(Clone, Copy, Default)]
pub(crate) struct EntrySet(u64);

const _: () = assert!(TABLE_ENTRIES / GROUP == u64::BITS as usize);

impl EntrySet {
    /// Adds the group of entry `index`, below 512.
    #[inline]
    pub(crate) fn insert(&mut self, index: usize) {
        self.0 |= 1 << (index / GROUP);
    }

    /// Takes out the lowest group.
    #[inline(always)]
    pub(crate) fn take_first(&mut self) -> Option<usize> {
        let group = self.0.trailing_zeros();
        self.0 &= self.0.wrapping_sub(1);
        (group < u64::BITS).then_some(group as usize)
    }

    /// The groups in the set, lowest first.
    #[inline(always)]
    pub(crate) fn groups(mut self) -> impl Iterator<Item = usize> {
        core::iter::from_fn(move || self.take_first())
    }

    /// The indices of all entries of the groups in the set, lowest first.
    #[inline]
    pub(crate) fn iter(self) -> impl Iterator<Item = usize> {
        self.groups().flat_map(|group| group * GROUP..(group + 1) * GROUP)
    }
}
