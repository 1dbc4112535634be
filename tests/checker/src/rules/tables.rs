//! Stores to live tables: break before make, publication, and what may be remembered of what was lost.

use crate::descriptor::{ENTRIES, Entry, Half, Limits, PAGE, Rights, page_of, shift, span};
use crate::lines::{UNCACHED, Writer, lines_of};
use crate::machine::{Loss, Machine};
use crate::tlb::{Change, Moment, Translation, take_table};
use crate::trees::{Linked, Position, TreeId, below};

/// What a store does to an entry.
#[derive(Clone, Copy)]
struct Update {
    cpu: usize,
    pc: u64,
    old: Entry,
    new: Entry,
    level: u8,
    tree: TreeId,
    half: Half,
    address: u64,
}

impl Update {
    /// The first address, and how many bytes.
    fn range(&self) -> (u64, u64) {
        (self.address, span(self.level))
    }

    fn change(&self, at: Moment) -> Change {
        Change {
            cpu: self.cpu,
            at,
            pc: self.pc,
        }
    }

    /// Why this needs a break, if it does.
    fn is_broken(&self) -> Option<&'static str> {
        let (old, new, level) = (self.old, self.new, self.level);
        if !old.is_valid() || !new.is_valid() {
            None
        } else if old.is_table(level) != new.is_table(level) {
            Some("size")
        } else if old.address() != new.address() {
            Some("address")
        } else if !old.is_table(level) && old.attributes() != new.attributes() {
            Some("memory type")
        } else {
            None
        }
    }

    /// Whether something was allowed that no longer is.
    fn loses(&self) -> bool {
        let (old, new, level) = (self.old, self.new, self.level);
        if !old.is_valid() {
            return false;
        }
        if !new.is_valid() || self.is_broken().is_some() {
            return true;
        }
        if old.is_table(level) {
            return new.limits().exceed(old.limits());
        }
        let rights = |entry: Entry| entry.rights(self.half, Limits::default());
        !rights(new).has(rights(old))
    }
}

impl Machine {
    /// A store has changed the word at `address`, which is an entry of a live table.
    pub fn table_store(&mut self, cpu: usize, pc: u64, address: u64, new: Entry) {
        let Some(old) = self.trees.entry_at(address) else {
            return;
        };
        if old == new {
            return;
        }
        self.report.watched.table_stores += 1;
        if old.is_valid() && !new.is_valid() {
            self.report.executed(pc);
        }
        self.report
            .event(self.now, cpu, "table store", pc, [address, old.0, new.0]);
        let (page, slot) = (page_of(address), (address % PAGE / 8) as usize);
        let positions = self.trees.positions(page);
        self.trees.set(address, new);
        for (number, &position) in positions.iter().enumerate() {
            let Some(half) = self.trees.tree(position.tree).map(|tree| tree.half) else {
                continue;
            };
            let update = Update {
                cpu,
                pc,
                old,
                new,
                level: position.level,
                tree: position.tree,
                half,
                address: position.base + ((slot as u64) << shift(position.level)),
            };
            if number == 0 {
                self.check_update(&update, address);
            }
            self.follow(&update);
            self.relink(&update, position, slot);
        }
        self.epoch += 1;
    }

    /// What does not depend on the tree that the table is seen in.
    fn check_update(&mut self, update: &Update, place: u64) {
        let Update {
            cpu,
            pc,
            old,
            new,
            level,
            address,
            ..
        } = *update;
        if let Some(what) = update.is_broken() {
            let text = format!(
                "cpu {cpu}: the level-{level} entry at {place:#x} (for {address:#x}) gets another {what} without a break: \
                 {:#x} becomes {:#x}",
                old.0, new.0
            );
            self.violation("BREAK-BEFORE-MAKE", pc, &text);
        }
        if new.is_leaf(level) {
            self.check_leaf(update);
            let is_new = !old.is_valid() || old.address() != new.address();
            if update.half == Half::User && level == 3 && is_new {
                self.check_published(cpu, pc, new.address(), "page");
                if self.cpus[cpu].has_run_user {
                    self.check_table_taken(cpu, pc, new.address(), "is linked as a page");
                }
            }
        }
    }

    /// The kernel's entries are global and never both writable and executable, a program's are its own.
    fn check_leaf(&mut self, update: &Update) {
        let Update {
            pc,
            new,
            level,
            address,
            half,
            ..
        } = *update;
        let kernel = new.rights(Half::Kernel, Limits::default());
        let broken = match half {
            Half::Kernel => {
                let is_both = kernel.has(Rights(Rights::WRITE.0 | Rights::EXECUTE.0));
                let is_user = !new.el0_rights(Limits::default()).is_empty();
                (new.is_non_global() || is_both || is_user).then_some("KERNEL-ENTRY")
            }
            Half::User => {
                let is_programs = new.is_non_global() && !kernel.has(Rights::EXECUTE);
                (!is_programs && self.cpus[update.cpu].has_run_user).then_some("USER-ENTRY")
            }
        };
        if let Some(rule) = broken {
            let text = format!("level {level}, {address:#x}: {:#x}", new.0);
            self.violation(rule, pc, &text);
        }
    }

    /// What is linked must have been stored before by a barrier's word.
    pub fn check_published(&mut self, cpu: usize, pc: u64, page: u64, what: &str) {
        let last = *self.lines.page(page);
        let is_own = last.writer == Writer::Kernel && usize::from(last.cpu) == cpu;
        if is_own && last.at > self.cpus[cpu].stores_ordered {
            let text = format!(
                "cpu {cpu} links {what} {page:#x}; its last store to it is not ordered before by DSB or DMB"
            );
            self.violation("PUBLISH-BEFORE-BARRIER", pc, &text);
        }
    }

    /// What may be remembered of the old entry, and by whom.
    fn follow(&mut self, update: &Update) {
        if update.old.is_valid() {
            self.speculate(update);
        }
        if update.loses() {
            self.lose(update);
        }
        if !update.old.is_valid() && update.new.is_valid() {
            self.check_make(update);
        }
        if update.new.is_valid() && !update.loses() {
            self.make(update);
        }
    }

    /// Every processor that is in the tree may have taken the old entry in by now, asked for or not.
    fn speculate(&mut self, update: &Update) {
        let walk = self.trees.walk(update.tree, update.address);
        let limits = walk.limits[usize::from(update.level)];
        for cpu in 0..self.cpus.len() {
            if self.cpus[cpu].tree(update.half) == Some(update.tree) {
                self.speculate_on(cpu, update, limits);
            }
        }
    }

    fn speculate_on(&mut self, cpu: usize, update: &Update, limits: Limits) {
        let (old, page, now) = (update.old, update.address >> 12, self.now);
        let asid = self.cpus[cpu].asid;
        let tlb = &mut self.cpus[cpu].tlb;
        let space = match update.half {
            Half::User => tlb.spaces.entry(asid).or_default(),
            Half::Kernel => &mut tlb.global,
        };
        if old.is_table(update.level) {
            let below = limits.and(old.limits());
            match update.level {
                1 => take_table(&mut space.level2, page >> 18, old.address(), below, now),
                2 => take_table(&mut space.level3, page >> 9, old.address(), below, now),
                _ => {}
            }
        } else if update.level == 3 {
            let translation = Translation {
                frame: old.address(),
                rights: old.rights(update.half, limits),
                attributes: old.attributes(),
                is_speculative: true,
                born: now,
                change: None,
            };
            let is_new = match update.half {
                Half::User => {
                    space.take_descriptor(page, old, now);
                    tlb.take(asid, page, translation)
                }
                Half::Kernel => space.take(page, translation),
            };
            self.report.watched.fills += u64::from(is_new);
        }
    }

    /// A new entry, or one that allows more: a walk sees it when a DSB says so.
    fn make(&mut self, update: &Update) {
        let (address, span) = update.range();
        let asid = self.asid_of(update.tree);
        self.cpus[update.cpu].made.push(Loss {
            asid,
            address,
            span,
            tree: update.tree,
            change: update.change(self.now),
        });
    }

    fn lose(&mut self, update: &Update) {
        let change = update.change(self.now);
        let asid = self.asid_of(update.tree);
        if update.half == Half::User && asid.is_none() {
            return;
        }
        let (address, span) = update.range();
        let loss = Loss {
            asid: if update.half == Half::User { asid } else { None },
            address,
            span,
            tree: update.tree,
            change,
        };
        for cpu in 0..self.cpus.len() {
            self.mark(cpu, &loss);
        }
        self.cpus[update.cpu].unordered.push(loss);
        self.cpus[update.cpu].losses.push(loss);
    }

    /// A new entry: nothing else may be remembered for its addresses where somebody is in the tree.
    fn check_make(&mut self, update: &Update) {
        let asid = self.asid_of(update.tree);
        for cpu in 0..self.cpus.len() {
            let is_inside = self.cpus[cpu].tree(update.half) == Some(update.tree);
            if !is_inside || (update.half == Half::User && Some(self.cpus[cpu].asid) != asid) {
                continue;
            }
            if let Some((held, change)) = self.other_than(cpu, update) {
                let text = format!(
                    "cpu {} makes {:#x} for {:#x} (level {}) while cpu {cpu} may still hold {held:#x}, unmade at {:#x}",
                    update.cpu,
                    update.new.address(),
                    update.address,
                    update.level,
                    change.map_or(0, |change| change.pc)
                );
                self.violation("MAKE-BEFORE-FLUSH", update.pc, &text);
            }
        }
    }

    /// What this processor may hold for the addresses of a new entry, and is something else.
    fn other_than(&self, cpu: usize, update: &Update) -> Option<(u64, Option<Change>)> {
        let cpu = &self.cpus[cpu];
        let space = match update.half {
            Half::User => cpu.tlb.spaces.get(&cpu.asid)?,
            Half::Kernel => &cpu.tlb.global,
        };
        let (new, page) = (update.new.address(), update.address >> 12);
        if update.new.is_table(update.level) {
            let held = match update.level {
                1 => space.level2.get(&(page >> 18)),
                2 => space.level3.get(&(page >> 9)),
                _ => None,
            };
            let other = held?.iter().find(|held| held.table != new)?;
            return Some((other.table, other.change));
        }
        let list = space.pages.get(&page)?;
        let other = list.iter().find(|held| held.frame != new)?;
        Some((other.frame, other.change))
    }

    /// Keeps the trees in step with an entry.
    fn relink(&mut self, update: &Update, position: Position, slot: usize) {
        let (old, new, level) = (update.old, update.new, update.level);
        let has_moved = old.address() != new.address();
        if old.is_table(level) && (!new.is_table(level) || has_moved) {
            self.trees.unlink(old.address(), update.tree);
        }
        if new.is_table(level) && (!old.is_table(level) || has_moved) {
            let mut linked = Vec::new();
            let below = below(position, slot);
            self.trees.link(new.address(), below, &self.ram, &mut linked);
            self.check_linked(update.cpu, update.pc, update.half, &linked);
        }
    }

    /// What has become reachable.
    pub fn check_linked(&mut self, cpu: usize, pc: u64, half: Half, linked: &[Linked]) {
        for &linked in linked {
            match linked {
                Linked::Outside(page) => {
                    self.violation("TABLE-OUTSIDE", pc, &format!("table {page:#x} is not in RAM"));
                }
                Linked::Table(page, _) => {
                    self.check_published(cpu, pc, page, "table");
                    self.check_table_uncached(pc, page);
                    if self.cpus[cpu].has_mmu() {
                        self.check_frame_taken(cpu, pc, page, "is linked as a table");
                    }
                }
                Linked::Page(page) if half == Half::User => {
                    self.check_published(cpu, pc, page, "page of a new table")
                }
                Linked::Page(_) => {}
            }
        }
    }

    /// A table that is walked through the caches was not stored past them.
    pub fn check_table_uncached(&mut self, pc: u64, page: u64) {
        if lines_of(page, ENTRIES as u64 * 8).any(|line| self.lines.has(line, UNCACHED)) {
            self.violation("STORED-UNCACHED", pc, &format!("table {page:#x}"));
        }
    }
}
