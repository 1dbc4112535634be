//! Everything recomputed from the raw tables: every count, the invariants I1 and I2, every right, every word, the areas, and
//! every translation that a processor might still hold.

use super::shadow::{Page, Shadow, told_flags};
use super::{FIRST_FRAME, Space, World};
use machine::decode::{Limits, Meaning, decode, effective};
use machine::{PROBES, SoftMmu};
use mm::{Backing, Cost, Descriptor, Event, Frame, PageSource, Sharing, Slot, VirtAddr};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the tables of all spaces together refer to.
struct Survey<'a> {
    world: &'a World,
    /// References found, by frame.
    references: Vec<u32>,
    /// References of the kernel among them.
    kernel: Vec<u32>,
    /// Tables whose entries have been counted.
    counted: Vec<bool>,
    /// Descriptors that name a slot.
    slots: BTreeMap<Slot, u32>,
}

/// One space's tree on the way down.
struct Descent<'a> {
    shadow: &'a Shadow,
    leaves: u64,
}

/// What the tables above say of a table.
#[derive(Clone, Copy)]
struct Above {
    limits: Limits,
    /// A table on the path has more than one reference.
    is_shared: bool,
}

impl World {
    /// Checks all of it. Does nothing while an operation is under way.
    pub fn check_everything(&self) {
        if self.is_busy() {
            return;
        }
        let frames = self.memory.frames().managed().len;
        let none = vec![0; frames];
        let mut survey = Survey {
            world: self,
            references: none.clone(),
            kernel: none,
            counted: vec![false; frames],
            slots: BTreeMap::new(),
        };
        survey.count_kernel_references();
        for space in self.spaces() {
            survey.visit_space(&space);
            self.check_areas(&space);
            self.mmu().check_root(space.root);
        }
        survey.compare();
        self.check_slots(&survey.slots);
        self.check_costs();
        self.verdict();
    }

    /// What the heart's counters say that it asked of the machine, against what the machine was asked.
    fn check_costs(&self) {
        // Tables are copied entry by entry, which is no request.
        let counted = Cost {
            bytes_copied: self.memory.cost().bytes_copied - self.memory.events(Event::TableBytes),
            ..self.memory.cost()
        };
        let executed = self.mmu().executed();
        self.mmu().complain_if(counted != executed, || {
            format!("counted {counted:?}, executed {executed:?}")
        });
    }

    fn check_areas(&self, space: &Space) {
        let guard = space.inner.borrow();
        let Some(inner) = guard.as_ref() else { return };
        let shadow = space.shadow.borrow();
        let mut pages = 0;
        for area in inner.areas().iter() {
            pages += area.range().pages();
            for nth in 0..area.range().pages() {
                let address = VirtAddr(area.range().start().0 + (nth << 12));
                let fits = shadow.page(address).is_some_and(|page| {
                    let told = told_flags(area.sharing, area.flags);
                    (page.protection, page.sharing, page.purpose, page.told_flags())
                        == (area.protection, area.sharing, area.purpose, told)
                        && backing_fits(page, &area.backing, nth)
                });
                self.mmu().complain_if(!fits, || {
                    format!("area {:?} is wrong at {address:?}", area.range())
                });
            }
        }
        let expected = shadow.pages().count() as u64;
        self.mmu().complain_if(pages != expected, || {
            format!("areas hold {pages} pages, not {expected}")
        });
    }
}

fn backing_fits(page: &Page, backing: &Backing, nth: u64) -> bool {
    match (&page.backing, backing) {
        (None, Backing::Anonymous) => true,
        (Some((object, index)), Backing::Source { source, first }) => {
            let object = Arc::clone(object) as Arc<dyn PageSource>;
            std::ptr::addr_eq(Arc::as_ptr(&object), Arc::as_ptr(source)) && first + nth == *index
        }
        _ => false,
    }
}

impl Survey<'_> {
    fn mmu(&self) -> &SoftMmu {
        self.world.mmu()
    }

    fn slot(frame: Frame) -> usize {
        (frame.0 - FIRST_FRAME.0) as usize
    }

    fn count_kernel_references(&mut self) {
        let objects = self
            .world
            .objects
            .iter()
            .flat_map(|object| object.frames().to_vec());
        let held = self.world.held.borrow();
        let all = objects
            .chain(held.iter().copied())
            .chain(self.world.cached_frames())
            .chain([self.world.memory.zero_frame()]);
        for frame in all {
            self.kernel[Self::slot(frame)] += 1;
        }
        self.references.clone_from(&self.kernel);
    }

    fn visit_space(&mut self, space: &Space) {
        self.references[Self::slot(space.root)] += 1;
        let shadow = space.shadow.borrow();
        let mut descent = Descent {
            shadow: &shadow,
            leaves: 0,
        };
        self.visit_table(
            &mut descent,
            space.root,
            1,
            0,
            Above {
                limits: Limits::default(),
                is_shared: false,
            },
        );
        let guard = space.inner.borrow();
        let resident = guard
            .as_ref()
            .map_or(0, |inner| inner.resident_pages(&self.world.memory));
        self.mmu().complain_if(resident != descent.leaves, || {
            format!(
                "root {:?} has {} pages mapped and says {resident}",
                space.root, descent.leaves
            )
        });
    }

    fn visit_table(&mut self, descent: &mut Descent, table: Frame, level: u8, base: u64, above: Above) {
        let is_new = !std::mem::replace(&mut self.counted[Self::slot(table)], true);
        let is_shared = above.is_shared || self.world.memory.frames().count(table) - self.held(table) > 1;
        for index in 0..512 {
            let raw = self.mmu().word(table, index);
            let address = base + ((index as u64) << (39 - 9 * u32::from(level)));
            let target = match decode(level, raw) {
                Meaning::Invalid if level == 3 && Descriptor(raw).is_swapped() => {
                    let slot = Descriptor(raw).slot();
                    *self.slots.entry(slot).or_default() += u32::from(is_new);
                    self.check_swapped(descent, VirtAddr(address), raw, slot);
                    continue;
                }
                Meaning::Invalid => {
                    // What an operation parks it takes out before it gives the lock back.
                    self.mmu().complain_if(raw != 0, || {
                        format!("{table:?}[{index}] = {raw:#x} is not valid, and yet not zero")
                    });
                    continue;
                }
                Meaning::Wrong(why) => {
                    return self
                        .mmu()
                        .complain(|| format!("{table:?}[{index}] = {raw:#x}, level {level}: {why}"));
                }
                Meaning::Table(next, _) | Meaning::Page(next, _) => Frame(next),
            };
            if !self.world.memory.frames().is_managed(target) {
                return self
                    .mmu()
                    .complain(|| format!("{table:?}[{index}] = {raw:#x} leads out of RAM"));
            }
            self.references[Self::slot(target)] += u32::from(is_new);
            self.check_descriptor(raw, target);
            if let Meaning::Table(_, limits) = decode(level, raw) {
                let limits = above.limits.and(limits);
                self.visit_table(descent, target, level + 1, address, Above { limits, is_shared });
            } else {
                self.check_page(
                    descent,
                    VirtAddr(address),
                    target,
                    raw,
                    Above { is_shared, ..above },
                );
            }
        }
    }

    /// I1: what has more than one reference cannot be written through any descriptor. References that the kernel holds for
    /// the time of an operation do not take the write access of a page's one owner away.
    fn check_descriptor(&self, raw: u64, target: Frame) {
        let count = self.world.memory.frames().count(target);
        let is_page = raw >> 10 & 1 != 0;
        let is_disabled = if is_page {
            raw >> 7 & 1 != 0 || raw >> 55 & 1 != 0
        } else {
            raw >> 62 & 1 != 0
        };
        let by_descriptors = count - self.held(target);
        self.mmu().complain_if(by_descriptors > 1 && !is_disabled, || {
            format!("I1: descriptor {raw:#x} lets {target:?} be written, count {count}")
        });
    }

    /// A swapped page holds what it should, will not come back with more rights than its area has, and is private.
    fn check_swapped(&self, descent: &Descent, address: VirtAddr, raw: u64, slot: Slot) {
        let Some(page) = descent.shadow.page(address) else {
            return self
                .mmu()
                .complain(|| format!("{slot:?} is at {address:?}, where there is no area"));
        };
        let p = page.protection;
        let is_any = p.read || p.write || p.execute;
        let is_too_much = (raw >> 6 & 1 != 0 && !is_any)
            || (raw >> 56 & 1 != 0 && !p.write)
            || (raw >> 54 & 1 == 0 && !p.execute);
        let is_wrong = is_too_much || page.sharing == Sharing::Shared || raw >> 7 & 1 == 0;
        self.mmu()
            .complain_if(is_wrong, || format!("{address:?} is {raw:#x}, its area {p:?}"));
        let words = self.world.swapped_words(slot);
        let there = words.map(|words| PROBES.map(|probe| words[probe]));
        self.mmu().complain_if(there != Some(page.words()), || {
            format!(
                "{address:?} holds {there:x?} in {slot:?}; it should hold {:x?}",
                page.words()
            )
        });
    }

    fn held(&self, frame: Frame) -> u32 {
        self.world
            .held
            .borrow()
            .iter()
            .filter(|held| **held == frame)
            .count() as u32
    }

    fn check_page(&self, descent: &mut Descent, address: VirtAddr, frame: Frame, raw: u64, above: Above) {
        descent.leaves += 1;
        let Some(page) = descent.shadow.page(address) else {
            return self
                .mmu()
                .complain(|| format!("{frame:?} is mapped at {address:?}, where there is no area"));
        };
        let Meaning::Page(_, own) = decode(3, raw) else {
            return;
        };
        let rights = effective(own, above.limits);
        let p = page.protection;
        let is_any = p.read || p.write || p.execute;
        let is_too_much =
            (rights.read && !is_any) || (rights.write && !p.write) || (rights.execute && !p.execute);
        self.mmu().complain_if(is_too_much, || {
            format!("{address:?} has {rights:?}, its area {p:?}")
        });
        let is_shared_page = page.sharing == Sharing::Shared;
        self.mmu()
            .complain_if((raw >> 55 & 1 != 0) != is_shared_page, || {
                format!("{address:?}: descriptor {raw:#x}, area {:?}", page.sharing)
            });
        let count = self.world.memory.frames().count(frame) - self.held(frame);
        let is_exclusive = !above.is_shared && (count == 1 || is_shared_page);
        self.mmu().complain_if(rights.write && !is_exclusive, || {
            format!(
                "I2: {address:?} can be written, {frame:?} count {count}, path shared: {}",
                above.is_shared
            )
        });
        let there: [u64; PROBES.len()] = std::array::from_fn(|probe| self.mmu().read_probe(frame, probe));
        self.mmu().complain_if(there != page.words(), || {
            format!(
                "{address:?} holds {there:x?} in {frame:?}; it should hold {:x?}",
                page.words()
            )
        });
    }

    /// Every count is the number of references found.
    fn compare(&self) {
        for frame in self.world.ram.all() {
            let count = self.world.memory.frames().count(frame);
            let found = self.references[Self::slot(frame)];
            self.mmu().complain_if(count != found, || {
                format!("{frame:?} has count {count}; {found} references to it were found")
            });
        }
    }
}
