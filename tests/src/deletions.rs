//! Each instruction that orders something left out of the finished kernel, one at a time: is it noticed without anything being booted?
//! An order of `tests/litmus` names it, or the list of what is kept does, or it stands in [`harmless`] why it changes nothing. All copies
//! of what is written once are left out at once: that is what a deletion in the source does.

use crate::barriers::Barriers;
use crate::files;
use crate::harmless;
use crate::kept::{self, Kept};
use crate::mutations;
use crate::sites::{Kind, Site};
use checker::instruction::{Accesses, Cache, Domain, Operation};
use litmus::order::Order;
use std::collections::{BTreeMap, BTreeSet};

/// The beginning of a reason that says that nothing changes. The others say why no work shows it.
const CHANGES_NOTHING: &str = "harmless: ";

/// What became of the deletions.
pub struct Tried {
    /// How many were tried.
    pub count: usize,
    /// Those that nobody notices though it is not said why they change nothing, a line each.
    pub unnoticed: Vec<String>,
}

/// Tries them all.
pub fn try_all(barriers: &Barriers, orders: &[Order], kept: &[Kept], sites: &[Site]) -> Tried {
    let mut deletions: BTreeMap<String, Vec<&Site>> = BTreeMap::new();
    for site in sites.iter().filter(|site| is_ours(site)) {
        if let Some(deletion) = mutations::of(site).first() {
            let copies = deletions.entry(mutations::line(site, deletion)).or_default();
            copies.push(site);
        }
    }
    let unnoticed = deletions.iter().filter(|(name, copies)| {
        let left_out: BTreeSet<u64> = copies.iter().map(|site| site.address).collect();
        let is_noticed = barriers.misses(orders, &left_out).is_some()
            || kept::misses(kept, sites, copies[0]).is_some()
            || harmless::reason(name).is_some_and(|reason| reason.starts_with(CHANGES_NOTHING));
        !is_noticed
    });
    Tried {
        count: deletions.len(),
        unnoticed: unnoticed
            .map(|(name, _)| format!("{name}: no order, no list, no reason speaks of it"))
            .collect(),
    }
}

/// DC ZVA zeroes a line, and orders nothing: every test notices pages that are not zeroed. What libraries wrote, and what the compiler
/// made of it where it was inlined, is asked for by no line of ours: a copy of it can not be deleted, and comes and goes with the code around it.
fn is_ours(site: &Site) -> bool {
    let is_assembly = !site.place.contains("::");
    let is_zeroing = site.kind == Kind::Followed(Operation::Cache(Cache::Zero));
    let is_of_library = ["alloc/", "spin/", "virtio/"]
        .iter()
        .any(|library| site.place.starts_with(library));
    let is_merged = !is_assembly && site.line == 0;
    // What is dropped (a lock's guard, an Arc) does so at whichever line its scope ends.
    let words: &[&str] = match site.kind {
        Kind::Followed(Operation::Dmb(Domain::Inner, Accesses::Loads)) => &["fence("],
        Kind::Acquire | Kind::Release => &["load(", "store(", "swap(", "exchange", "fetch_"],
        _ => &[],
    };
    let is_of_drop = !words.is_empty() && !is_asked_for(site, words);
    !(is_zeroing || is_of_library || is_merged || is_of_drop)
}

/// Whether the line of the source that an instruction belongs to has one of the words, or cannot be read.
fn is_asked_for(site: &Site, words: &[&str]) -> bool {
    let Some((path, _)) = site.place.split_once("::") else {
        return true;
    };
    let (part, file) = path.split_once('/').unwrap_or((path, ""));
    let folders = [
        format!("kernel/{part}/src/{file}.rs"),
        format!("{part}/src/{file}.rs"),
    ];
    let source = folders
        .iter()
        .find_map(|file| std::fs::read_to_string(files::root().join(file)).ok());
    let line = source
        .as_ref()
        .and_then(|text| text.lines().nth((site.line as usize).wrapping_sub(1)));
    line.is_none_or(|line| words.iter().any(|word| line.contains(word)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use checker::instruction;

    #[test]
    fn one_of_which_nobody_speaks_is_named() {
        const ISB: u32 = 0xd503_3fdf;
        let operation = instruction::decode(ISB).expect("ISB is followed");
        let site = |place: &str| Site {
            address: 0,
            word: ISB,
            kind: Kind::Followed(operation),
            place: format!("mm/file::{place}"),
            line: 1,
            number: 1,
        };
        let kept = [Kept {
            place: "mm/file::kept".to_owned(),
            instruction: "ISB".to_owned(),
            count: 1,
            reason: "it is needed".to_owned(),
        }];
        let sites = [site("kept"), site("forgotten"), site("wait_a_quarter")];
        let tried = try_all(&Barriers::default(), &[], &kept, &sites);
        assert_eq!(tried.count, 3);
        assert_eq!(
            tried.unnoticed,
            ["mm/file::forgotten #1 ISB left out: no order, no list, no reason speaks of it"]
        );
    }
}
