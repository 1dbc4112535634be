//! Fault-around: a program that reads one page of a file soon reads its neighbours. A fault that mapped a page of an object for a
//! read maps those of the pages around it that the object has at hand, so that they take no fault of their own (Linux:
//! `fault_around_bytes`).
//!
//! Nothing is made, copied, waited for or allocated for them, and none of them comes with write access: a store faults, and
//! copies. They lie in the same area and in the same table, which the fault has made private.

use super::Page;
use crate::addr::{Frame, Level, PAGE_SHIFT, PageRange, VirtAddr};
use crate::area::Sharing;
use crate::events::Event;
use crate::memory::Memory;
use crate::mmu::Mmu;
use crate::page_source::{AT_HAND, PageSource};
use crate::table::Tables;

/// Bytes of the window, which begins at a multiple of them: Linux's default.
const WINDOW: u64 = (AT_HAND as u64) << PAGE_SHIFT;

const _: () = assert!(WINDOW == 64 << 10);

impl Page<'_> {
    /// Maps what `source` has at hand around this page, page `index` of it, which has just been mapped for a read.
    pub(super) fn map_around<M: Mmu>(
        &self,
        memory: &Memory<M>,
        tables: &Tables,
        source: &dyn PageSource,
        index: u64,
    ) {
        let Some(window) = self.window().filter(|window| window.pages() > 1) else {
            return;
        };
        let Some(table) = tables.walk(memory, self.address).l3 else {
            return;
        };
        let wanted = missing(memory, table, window);
        if wanted == 0 {
            return;
        }
        let first = index - ((self.address.0 - window.start().0) >> PAGE_SHIFT);
        let mut found = [None; AT_HAND];
        source.pages_at_hand(first, wanted, &mut found);
        self.fill_around(memory, table, window.start().index(Level::L3), &found);
    }

    /// The pages around this one, itself among them, that lie in its area. None where a store to a shared page is to be noticed by
    /// its fault ([`PageSource::note_write`]): such pages come one by one.
    fn window(&self) -> Option<PageRange> {
        if self.area.sharing == Sharing::Shared && self.area.protection.write {
            return None;
        }
        let start = self.address.0 & !(WINDOW - 1);
        let window = PageRange::new(VirtAddr(start), WINDOW)?;
        Some(self.area.range().intersection(window))
    }

    /// Puts the frames, each of which brings its reference, into entries from `start` on, which are empty. The bytes of all of
    /// them come before all of the descriptors.
    fn fill_around<M: Mmu>(
        &self,
        memory: &Memory<M>,
        table: Frame,
        start: usize,
        found: &[Option<Frame>; AT_HAND],
    ) {
        let frames = || {
            (start..)
                .zip(found)
                .filter_map(|(index, &frame)| Some((index, frame?)))
        };
        let mut filled = 0;
        for (_, frame) in frames() {
            self.make_fit(memory, frame);
            filled += 1;
        }
        if filled == 0 {
            return;
        }
        memory.mmu().dmb_ishst();
        for (index, frame) in frames() {
            memory.mmu().store(table, index, self.area.leaf(frame));
        }
        memory.mmu().dsb_ishst();
        memory.count(Event::Fill);
        memory.count_several(Event::MappedAround, filled);
        memory.frames().update_occupancy(table, |occupancy| {
            frames().fold(occupancy, |occupancy, (index, _)| occupancy.with(index))
        });
    }
}

/// A bit for each page of `window`, whose descriptors stand in `table`, that nothing is at: neither mapped nor swapped.
fn missing<M: Mmu>(memory: &Memory<M>, table: Frame, window: PageRange) -> u16 {
    let start = window.start().index(Level::L3);
    (0..window.pages() as usize)
        .filter(|nth| memory.mmu().load(table, start + nth).is_nothing())
        .fold(0, |wanted, nth| wanted | 1 << nth)
}
