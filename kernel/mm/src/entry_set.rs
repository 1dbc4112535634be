//! A set of entries of one table. A root is used at its ends (program below, stack and mappings above), so a range would
//! make fork and exit look at all 512 entries; the set makes them look at the few in use.

use crate::addr::TABLE_ENTRIES;

const WORD: usize = u64::BITS as usize;

/// Indices below 512, one bit each.
#[derive(Clone, Copy, Default)]
pub(crate) struct EntrySet([u64; TABLE_ENTRIES / WORD]);

impl EntrySet {
    /// Adds `index`, below 512.
    #[inline]
    pub(crate) fn insert(&mut self, index: usize) {
        self.0[index / WORD] |= 1 << (index % WORD);
    }

    /// The lowest index in the set that is not below `from`.
    pub(crate) fn first_from(&self, from: usize) -> Option<usize> {
        let (at, bit) = (from / WORD, from % WORD);
        let rest = self.0.get(at)? & u64::MAX << bit;
        if rest != 0 {
            return Some(at * WORD + rest.trailing_zeros() as usize);
        }
        let (further, word) = self
            .0
            .iter()
            .enumerate()
            .skip(at + 1)
            .find(|(_, word)| **word != 0)?;
        Some(further * WORD + word.trailing_zeros() as usize)
    }

    /// The indices in the set, lowest first.
    #[inline]
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().enumerate().flat_map(|(at, &(mut word))| {
            core::iter::from_fn(move || {
                let bit = word.trailing_zeros() as usize;
                word &= word.wrapping_sub(1);
                (bit < WORD).then_some(at * WORD + bit)
            })
        })
    }
}
