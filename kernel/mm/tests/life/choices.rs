//! What the dice choose: ranges, addresses, uses.

use super::{HEAP, Life, STACK_TOP, WHOLE, WHOLE_USED, WINDOW_PAGES, WINDOWS};
use crate::world::{Space, Use};
use machine::PROBES;
use mm::{PageRange, VirtAddr};

impl Life {
    pub(super) fn choose_break(&self) -> VirtAddr {
        VirtAddr(HEAP + self.world.throw(|dice| dice.below(8 * 4096)) as u64)
    }

    /// Mostly some pages of a window, now and then much more.
    pub(super) fn choose_range(&self) -> PageRange {
        let window = self.world.throw(|dice| dice.pick(&WINDOWS));
        let (first, pages, scale) = self.world.throw(|dice| {
            (
                dice.below(WINDOW_PAGES as usize) as u64,
                1 + dice.below(4) as u64,
                dice.below(40),
            )
        });
        let (start, len) = match scale {
            0 => (window >> 21 << 21, 1 << 21),
            1 => (window >> 30 << 30, 1 << 30),
            2 => (window + (first << 12), 0x4000_0000 + (pages << 21)),
            3 => (STACK_TOP - ((first + 1) << 12), 1 << 12),
            _ => (window + (first << 12), pages << 12),
        };
        PageRange::new(VirtAddr(start.max(0x1_0000)), len).expect("windows lie in the user half")
    }

    pub(super) fn choose_use(&self, space: &Space) -> (VirtAddr, usize, Use) {
        let value = self.world.fresh_value();
        let shadow = space.shadow.borrow();
        self.world.throw(|dice| {
            let known = if dice.one_in(8) {
                None
            } else {
                shadow.nth(dice.below(64))
            };
            let address = known.unwrap_or_else(|| VirtAddr(dice.pick(&hot_addresses())));
            let what = match dice.below(10) {
                0..5 => Use::Store(value),
                5..8 => Use::Load,
                _ => Use::Fetch,
            };
            (address, dice.below(PROBES.len()), what)
        })
    }
}

/// All pages of the windows, some of whole tables, of the heap and the stack, and where mmap puts things by itself.
pub(super) fn hot_addresses() -> Vec<u64> {
    let windows = WINDOWS
        .iter()
        .flat_map(|start| (0..WINDOW_PAGES + 2).map(move |page| start + (page << 12)));
    let heap = (0..5).map(|page| HEAP + (page << 12));
    let stack = (1..5).map(|page| STACK_TOP - (page << 12));
    let mappings = (1..5).map(|page| mm::space::MAPPINGS_END.0 - (page << 12));
    let whole = WHOLE
        .iter()
        .flat_map(|start| WHOLE_USED.map(|page| start + (page << 12)));
    windows
        .chain(whole)
        .chain(heap)
        .chain(stack)
        .chain(mappings)
        .collect()
}
