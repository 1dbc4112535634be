//! What TLBs and walk caches may hold, compared with the tables.

use crate::descriptor::{Entry, Half, Limits, Rights, index, page_of};
use crate::machine::{Loss, Machine};
use crate::tlb::{CachedTable, Change, Space, Translation};
use crate::trees::{TreeId, Walk};

/// Whether a translation allows what the tables do not, or to somewhere else.
fn is_harmful(frame: u64, rights: Rights, attributes: u8, walk: &Walk) -> bool {
    if rights.is_empty() {
        return false;
    }
    let Some(leaf) = walk.leaf else { return true };
    page_of(leaf.address) != frame || !leaf.rights.has(rights) || leaf.attributes != attributes
}

fn is_stale(held: &Translation, walk: &Walk) -> bool {
    is_harmful(held.frame, held.rights, held.attributes, walk)
}

/// What the tables say, for a report.
fn say(walk: &Walk) -> String {
    match walk.leaf {
        Some(leaf) => format!("{:#x} {}", page_of(leaf.address), leaf.rights.text()),
        None => format!("nothing (level {})", walk.level),
    }
}

impl Machine {
    /// A frame gets new contents: no walk may begin at it as a table that it was.
    pub fn check_table_taken(&mut self, cpu: usize, pc: u64, frame: u64, what: &str) {
        for holder in 0..self.cpus.len() {
            let own = &self.cpus[holder];
            let Some(space) = own.tlb.spaces.get(&own.asid) else {
                continue;
            };
            let mut tables = space.level3.values().chain(space.level2.values()).flatten();
            let Some(held) = tables.find(|held| held.table == frame) else {
                continue;
            };
            let cause = held.change.map_or(pc, |change| change.pc);
            let text = format!(
                "cpu {cpu}: frame {frame:#x} {what} by {pc:#x}, and a walk of cpu {holder} may begin there under ASID {}",
                own.asid
            );
            self.violation("TABLE-STILL-REACHABLE", cause, &text);
        }
    }
}

/// What is to be compared.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// Whose TLB.
    pub holder: usize,
    /// Who would be harmed.
    pub for_cpu: usize,
    /// Under which ASID.
    pub asid: u16,
    /// For which address.
    pub address: u64,
    /// With which tables.
    pub tree: TreeId,
    /// On which occasion.
    pub when: &'a str,
    /// By which instruction.
    pub pc: u64,
}

/// A comparison that failed.
struct Finding {
    rule: &'static str,
    change: Option<Change>,
    text: String,
}

impl Machine {
    /// What the changes at `loss` have made wrong in a processor's TLB bears that store's name from now on, unless it has one.
    pub fn mark(&mut self, cpu: usize, loss: &Loss) {
        let trees = &self.trees;
        let tlb = &mut self.cpus[cpu].tlb;
        let space = match loss.asid {
            Some(asid) => match tlb.spaces.get_mut(&asid) {
                Some(space) => space,
                None => return,
            },
            None => &mut tlb.global,
        };
        let change = Some(loss.change);
        let mark_page = |page: u64, list: &mut Vec<Translation>| {
            let walk = trees.walk(loss.tree, page << 12);
            for held in list.iter_mut().filter(|held| held.change.is_none()) {
                if is_stale(held, &walk) {
                    held.change = change;
                }
            }
        };
        let first = loss.address >> 12;
        if loss.span == 4096 {
            if let Some(list) = space.pages.get_mut(&first) {
                mark_page(first, list);
            }
            if let Some(list) = space.descriptors.get_mut(&first) {
                list.iter_mut().for_each(|held| held.change = change);
            }
            return;
        }
        let pages = first..first + (loss.span >> 12);
        let inside = |page: &u64, shift: u32| pages.contains(&(page << shift));
        for (page, list) in space.pages.iter_mut().filter(|(page, _)| inside(page, 0)) {
            mark_page(*page, list);
        }
        for (_, list) in space.descriptors.iter_mut().filter(|(page, _)| inside(page, 0)) {
            list.iter_mut().for_each(|held| held.change = change);
        }
        for (_, list) in space.level3.iter_mut().filter(|(key, _)| inside(key, 9)) {
            list.iter_mut().for_each(|held| held.change = change);
        }
        for (_, list) in space.level2.iter_mut().filter(|(key, _)| inside(key, 18)) {
            list.iter_mut().for_each(|held| held.change = change);
        }
    }

    /// Compares all that a processor may remember of an address with the tables.
    pub fn check_remembered(&mut self, question: Question) {
        let Question {
            holder,
            for_cpu,
            asid,
            address,
            tree,
            when,
            pc,
        } = question;
        let Some(space) = self.cpus[holder].tlb.spaces.get(&asid) else {
            return;
        };
        let walk = self.trees.walk(tree, address);
        let found = [
            self.stale_page(space, address, &walk),
            self.stale_descriptor(space, address, &walk),
            self.stale_level3(space, address, &walk),
            self.stale_level2(space, address, &walk),
        ];
        for finding in found.into_iter().flatten() {
            if self.is_in_flight(for_cpu, finding.change) {
                self.report.watched.in_flight += 1;
                continue;
            }
            let cause = finding.change.map_or(pc, |change| change.pc);
            let by = finding.change.map_or_else(String::new, |change| {
                format!(
                    ", since the store of cpu {} at {:#x} (event {})",
                    change.cpu, change.pc, change.at
                )
            });
            let text = format!(
                "{when}, by {pc:#x}: cpu {holder}, ASID {asid}, {address:#x}: {}; the tables say {}{by}",
                finding.text,
                say(&walk)
            );
            self.violation(finding.rule, cause, &text);
        }
    }

    fn stale_page(&self, space: &Space, address: u64, walk: &Walk) -> Option<Finding> {
        let list = space.pages.get(&(address >> 12))?;
        let held = list.iter().find(|held| is_stale(held, walk))?;
        let how = if held.is_speculative {
            " by speculation"
        } else {
            ""
        };
        Some(Finding {
            rule: "STALE-TLB",
            change: held.change,
            text: format!(
                "a TLB may hold {:#x} {}, taken{how} at event {}",
                held.frame,
                held.rights.text(),
                held.born
            ),
        })
    }

    fn stale_descriptor(&self, space: &Space, address: u64, walk: &Walk) -> Option<Finding> {
        if walk.level != 3 {
            return None;
        }
        let limits = walk.limits[3];
        let list = space.descriptors.get(&(address >> 12))?;
        let rights = |held: &Translation| limited(held.rights, limits);
        let held = list
            .iter()
            .find(|held| is_harmful(held.frame, rights(held), held.attributes, walk))?;
        Some(Finding {
            rule: "STALE-LEVEL-3",
            change: held.change,
            text: format!(
                "the level-3 entry alone may be held with {:#x} {}",
                held.frame,
                held.rights.text()
            ),
        })
    }

    fn stale_level3(&self, space: &Space, address: u64, walk: &Walk) -> Option<Finding> {
        let list = space.level3.get(&(address >> 21))?;
        list.iter()
            .filter(|held| !is_current(held, walk, 3))
            .find_map(|held| self.harm_of(held, held.table, held.limits, address, walk))
    }

    fn stale_level2(&self, space: &Space, address: u64, walk: &Walk) -> Option<Finding> {
        let list = space.level2.get(&(address >> 30))?;
        list.iter()
            .filter(|held| !is_current(held, walk, 2))
            .find_map(|held| {
                let above = Entry(self.ram.word(held.table + 8 * index(address, 2) as u64));
                if !above.is_table(2) {
                    return None;
                }
                self.harm_of(
                    held,
                    above.address(),
                    held.limits.and(above.limits()),
                    address,
                    walk,
                )
            })
    }

    /// What a walk that begins at a remembered level-3 table finds, if that does harm.
    fn harm_of(
        &self,
        held: &CachedTable,
        table: u64,
        limits: Limits,
        address: u64,
        walk: &Walk,
    ) -> Option<Finding> {
        let entry = Entry(self.ram.word(table + 8 * index(address, 3) as u64));
        let rights = entry.rights(Half::User, limits);
        if !entry.is_leaf(3) || !is_harmful(entry.address(), rights, entry.attributes(), walk) {
            return None;
        }
        Some(Finding {
            rule: "STALE-WALK-CACHE",
            change: held.change,
            text: format!(
                "a walk cache may hold table {:#x}, by which there is {:#x} {}",
                held.table,
                entry.address(),
                rights.text()
            ),
        })
    }
}

/// Rights of a descriptor by itself under what the tables of now take away.
fn limited(rights: Rights, limits: Limits) -> Rights {
    let mut left = rights.0;
    if limits.0 & 4 != 0 {
        left = 0;
    }
    if limits.0 & 8 != 0 {
        left &= !Rights::WRITE.0;
    }
    if limits.0 & 2 != 0 {
        left &= !Rights::EXECUTE.0;
    }
    Rights(left)
}

/// Whether a remembered table of this level is the one of now, and takes away as much.
fn is_current(held: &CachedTable, walk: &Walk, level: usize) -> bool {
    held.table == walk.tables[level] && !walk.limits[level].exceed(held.limits)
}
