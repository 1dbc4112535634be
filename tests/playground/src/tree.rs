//! The translation tables of a space as a tree, with the pages that are swapped out in their places.

use crate::kernel::Kernel;
use alloc::vec::Vec;
use mm::{Level, PAGE_SHIFT, VirtAddr};
use serde::Serialize;

/// A descriptor that is valid or names a slot, and those of the table that it leads to.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    index: usize,
    page: u64,
    /// The frame that it points to, or the slot that it names.
    pub frame: Option<u32>,
    slot: Option<u32>,
    count: u32,
    read_only: bool,
    /// Those of the table.
    pub entries: Vec<Entry>,
}

impl Kernel {
    /// The tree of a space below its root.
    pub fn tree(&self, number: usize) -> Vec<Entry> {
        let mut roots: Vec<Entry> = Vec::new();
        let Some(space) = self.spaces.get(&number) else {
            return roots;
        };
        space.inner.for_each_entry(&self.memory, |found| {
            let is_page = found.level == Level::L3;
            let entry = Entry {
                index: found.index,
                page: found.address.0 >> PAGE_SHIFT,
                frame: Some(found.descriptor.frame().0),
                slot: None,
                count: found.count,
                read_only: if is_page {
                    !found.descriptor.is_page_writable()
                } else {
                    !found.descriptor.is_table_writable()
                },
                entries: Vec::new(),
            };
            let depth = match found.level {
                Level::L1 => 0,
                Level::L2 => 1,
                Level::L3 => 2,
            };
            let mut list = &mut roots;
            for _ in 0..depth {
                // Each table's entries come after the entry that leads to it.
                let Some(above) = list.last_mut() else { return };
                list = &mut above.entries;
            }
            list.push(entry);
        });
        for (address, slot) in self.swapped_pages(number) {
            let count = self.memory.swap().slot_state(slot).0;
            add_swapped(&mut roots, address, (slot.offset(), count));
        }
        roots
    }
}

/// Hangs a swapped page under the table that names its slot.
fn add_swapped(roots: &mut [Entry], address: VirtAddr, (slot, count): (u32, u32)) {
    let at = |level: Level| address.index(level);
    let upper = roots.iter_mut().find(|entry| entry.index == at(Level::L1));
    let lower = upper.and_then(|upper| {
        let mut tables = upper.entries.iter_mut();
        tables.find(|entry| entry.index == at(Level::L2))
    });
    let Some(table) = lower else { return };
    let index = at(Level::L3);
    let place = table.entries.partition_point(|entry| entry.index < index);
    let entry = Entry {
        index,
        page: address.0 >> PAGE_SHIFT,
        frame: None,
        slot: Some(slot),
        count,
        read_only: true,
        entries: Vec::new(),
    };
    table.entries.insert(place, entry);
}
