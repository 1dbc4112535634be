//! Each instruction that orders something left out of the finished kernel, one at a time: is it noticed without anything being booted?
//! An order of `tests/litmus` names it, or the list of what is kept does, or it stands in [`harmless`] why it changes nothing. All copies
//! of what is written once are left out at once: that is what a deletion in the source does.

use crate::barriers::Barriers;
use crate::harmless;
use crate::kept::{self, Kept};
use crate::mutations;
use crate::sites::{Kind, Site};
use checker::instruction::{Cache, Operation};
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
    for site in sites.iter().filter(|site| orders_something(site)) {
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

/// DC ZVA zeroes a line, and orders nothing: every test notices pages that are not zeroed.
fn orders_something(site: &Site) -> bool {
    site.kind != Kind::Followed(Operation::Cache(Cache::Zero))
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
            place: place.to_owned(),
            line: 0,
            number: 1,
        };
        let kept = [Kept {
            place: "kept".to_owned(),
            instruction: "ISB".to_owned(),
            count: 1,
            reason: "it is needed".to_owned(),
        }];
        let sites = [site("kept"), site("forgotten"), site("wait_a_quarter")];
        let tried = try_all(&Barriers::default(), &[], &kept, &sites);
        assert_eq!(tried.count, 3);
        assert_eq!(
            tried.unnoticed,
            ["forgotten #1 ISB left out: no order, no list, no reason speaks of it"]
        );
    }
}
