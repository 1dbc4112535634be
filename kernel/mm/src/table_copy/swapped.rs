//! The copy of a level-3 table in which pages may be swapped: entry by entry. A swapped page is shared as a mapped one is, by a reference
//! more to its slot.

use super::{Replacement, finish_copy, groups_of};
use crate::addr::Frame;
use crate::descriptor::Descriptor;
use crate::memory::Memory;
use crate::mmu::{GROUP, Mmu};
use crate::occupancy::Occupancy;

/// [`super::copy_entries`] of such a table. The entry that is replaced stays as it is in `source`.
#[cold]
pub(super) fn copy_with_swapped<M: Mmu>(
    memory: &Memory<M>,
    source: Frame,
    target: Frame,
    replacement: Option<Replacement>,
) -> bool {
    let (frames, mmu) = (memory.frames(), memory.mmu());
    let used = frames.occupancy(source).used();
    let groups = groups_of(used.clone());
    let replaced = replacement.map(|replacement| replacement.index);
    let (mut count, mut has_swapped, mut is_marked) = (0, false, false);
    for index in groups.start * GROUP..groups.end * GROUP {
        let entry = mmu.load(source, index);
        let mut copy = Descriptor::INVALID;
        if Some(index) == replaced {
            // It comes below.
        } else if entry.is_valid() {
            frames.share(entry.frame());
            copy = entry.page_write_protected();
            if copy != entry {
                if !is_marked {
                    frames.mark_write_protected(source);
                    is_marked = true;
                }
                mmu.store(source, index, copy);
            }
        } else if entry.is_swapped() {
            memory.swap().share(entry.slot());
            copy = entry;
            has_swapped = true;
        }
        count += usize::from(!copy.is_nothing());
        mmu.store(target, index, copy);
    }
    let mut occupancy = Occupancy::spanning(used, count);
    if let Some(Replacement { index, descriptor }) = replacement {
        mmu.store(target, index, descriptor);
        occupancy = occupancy.with(index);
    }
    if has_swapped {
        occupancy = occupancy.with_swapped();
    }
    finish_copy(memory, source, (target, occupancy))
}
