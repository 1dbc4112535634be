//! The tree against a plain list of pages, while some of its allocations fail.

use super::AreaMap;
use super::node::{Kind, MOST, MOST_BELOW, Node};
use crate::addr::{PAGE_SIZE, PageRange, VirtAddr};
use crate::area::{Area, AreaFlags, Backing, Protection, Purpose, Sharing};
use crate::fallible::failing::fail_after;
use alloc::vec::Vec;

const PAGE: u64 = PAGE_SIZE as u64;
const PAGES: u64 = 3000;

/// Numbers that look random (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    fn range(&mut self, most: u64) -> (usize, usize) {
        let first = self.below(PAGES);
        let end = PAGES.min(first + 1 + self.below(most));
        (first as usize, end as usize)
    }
}

/// What each page is: `None`, or the protection's number.
type Model = Vec<Option<u8>>;

fn protection(number: u8) -> Protection {
    Protection {
        read: number & 1 != 0,
        write: number & 2 != 0,
        execute: number & 4 != 0,
    }
}

fn pages((first, end): (usize, usize)) -> PageRange {
    PageRange::new(VirtAddr(first as u64 * PAGE), (end - first) as u64 * PAGE).unwrap()
}

fn area(range: PageRange, number: u8) -> Area {
    Area {
        range,
        protection: protection(number),
        sharing: Sharing::Private,
        flags: AreaFlags::NONE,
        backing: Backing::Anonymous,
        purpose: Purpose::Mapping,
    }
}

/// Runs of equal pages.
fn runs(model: &Model) -> Vec<(usize, usize, u8)> {
    let mut runs: Vec<(usize, usize, u8)> = Vec::new();
    for (page, number) in model.iter().enumerate() {
        match (number, runs.last_mut()) {
            (Some(number), Some((_, end, last))) if *end == page && last == number => *end = page + 1,
            (Some(number), _) => runs.push((page, page + 1, *number)),
            (None, _) => {}
        }
    }
    runs
}

fn compare(map: &AreaMap, model: &Model) {
    let runs = runs(model);
    let seen = map.iter().map(|area| (area.range, area.protection));
    let wanted = runs
        .iter()
        .map(|(first, end, number)| (pages((*first, *end)), protection(*number)));
    assert!(seen.eq(wanted));
    assert_eq!(map.len(), runs.len());
    let mapped = model.iter().flatten().count() as u64;
    assert_eq!(map.sums().bytes, mapped * PAGE);
    if let Some(root) = &map.root {
        check_node(root, true);
    }
}

/// Sizes and summaries; returns the depth.
fn check_node(node: &Node, is_root: bool) -> usize {
    assert!(node.len() <= MOST && (is_root || node.len() > 0));
    let Kind::Branch(children) = node.kind() else {
        return 1;
    };
    let depths: Vec<usize> = children
        .iter()
        .map(|child| {
            let (is, said) = (child.node.summary().unwrap(), child.summary);
            assert_eq!((is.start, is.end), (said.start, said.end));
            assert_eq!(
                (is.widest_gap, is.areas, is.sums),
                (said.widest_gap, said.areas, said.sums)
            );
            check_node(&child.node, false)
        })
        .collect();
    assert!(depths.windows(2).all(|pair| pair[0] == pair[1]));
    depths[0] + 1
}

/// What the map answers about some places.
fn ask(map: &AreaMap, model: &Model, numbers: &mut Numbers) {
    let page = numbers.below(PAGES) as usize;
    let at = VirtAddr(page as u64 * PAGE);
    assert_eq!(map.find(at).is_some(), model[page].is_some());
    let found = map.find_near(numbers.below(1 << 20) as usize, at);
    assert_eq!(
        found.map(|(_, area)| area.range),
        map.find(at).map(|area| area.range)
    );
    if let Some((place, area)) = found {
        assert_eq!(map.find_near(place, at).unwrap().1.range, area.range);
    }
    let range = numbers.range(50);
    assert_eq!(
        map.is_free(pages(range)),
        model[range.0..range.1].iter().all(Option::is_none)
    );
    let hole = model[range.0..range.1].iter().position(Option::is_none);
    let covered = hole.map_or(range.1, |hole| range.0 + hole);
    assert_eq!(map.covered_end(pages(range)), VirtAddr(covered as u64 * PAGE));
    let below = model[..page].iter().rposition(Option::is_some);
    let ends_here = |end: usize| end == page && model[page].is_some() && model[page] == model[page - 1];
    match (below, map.next_below(at)) {
        (Some(last), Some(area)) if !ends_here(last + 1) => {
            assert_eq!(area.range.end(), VirtAddr((last as u64 + 1) * PAGE));
        }
        (None, found) => assert!(found.is_none()),
        _ => {}
    }
    ask_for_gap(map, model, numbers);
}

fn ask_for_gap(map: &AreaMap, model: &Model, numbers: &mut Numbers) {
    let (below, len) = (numbers.below(PAGES + 1) as usize, 1 + numbers.below(8) as usize);
    let is_gap = |start: &usize| model[*start..start + len].iter().all(Option::is_none);
    let wanted = (1..(below + 1).saturating_sub(len)).rev().find(is_gap);
    let found = map.gap_below(VirtAddr(below as u64 * PAGE), len as u64 * PAGE, VirtAddr(PAGE));
    let found = found.map(|(range, _)| range);
    assert_eq!(
        found.map(|range| range.start()),
        wanted.map(|start| VirtAddr(start as u64 * PAGE))
    );
}

/// One edit of both; what failed has changed nothing.
fn edit(map: &mut AreaMap, model: &mut Model, numbers: &mut Numbers) {
    let most = if numbers.below(40) == 0 { PAGES } else { 4 };
    let range = numbers.range(most);
    let number = 1 + numbers.below(6) as u8;
    let inside = &mut model[range.0..range.1];
    fail_after((numbers.below(3) == 0).then_some(numbers.below(6)));
    let (is_done, value) = if inside.iter().all(Option::is_none) {
        (map.insert(area(pages(range), number)).is_ok(), Some(number))
    } else if numbers.below(2) == 0
        && let Some(old) = map.find(pages(range).start()).cloned()
        && old.range.end() >= pages(range).end()
    {
        (
            map.protect(pages(range), protection(number)).is_ok(),
            Some(number),
        )
    } else {
        (map.remove(pages(range)).is_ok(), None)
    };
    fail_after(None);
    if is_done {
        inside.fill(value);
    }
}

#[test]
fn many_edits_of_shared_maps_while_memory_fails() {
    for seed in 1..=8u64 {
        let mut numbers = Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut forks = [(AreaMap::default(), Model::from_iter((0..PAGES).map(|_| None)))].to_vec();
        for step in 0..6000 {
            let which = numbers.below(forks.len() as u64) as usize;
            let (map, model) = &mut forks[which];
            edit(map, model, &mut numbers);
            ask(map, model, &mut numbers);
            if step % 500 == 0 {
                forks.iter().for_each(|(map, model)| compare(map, model));
                let copy = forks[which].clone();
                forks.truncate(3);
                forks.push(copy);
            }
        }
        for (map, model) in &mut forks {
            compare(map, model);
            while map.drop_some() {}
        }
    }
}

#[test]
fn as_many_areas_as_a_process_may_have() {
    let mut map = AreaMap::default();
    let place = |nth: u64| pages((2 * nth as usize, 2 * nth as usize + 1));
    for nth in (0..65_530).rev() {
        map.insert(area(place(nth), 1)).unwrap();
    }
    let depth = check_node(map.root.as_ref().unwrap(), true);
    assert!(depth <= 6, "{depth} levels");
    let fork = map.clone();
    fail_after(Some(2 * depth as u64 + 2));
    map.insert(area(pages((3, 4)), 3))
        .expect("a way down is copied, no more");
    fail_after(None);
    assert_eq!((map.len(), fork.len()), (65_531, 65_530));
    let old = map.remove(pages((0, 120_000))).unwrap();
    assert_eq!(map.len(), 5_530);
    assert_eq!(old.map(|old| old.len()), Some(65_531));
}

#[test]
fn few_areas_take_few_nodes() {
    let mut map = AreaMap::default();
    for nth in 0..20_000 {
        map.insert(area(pages((2 * nth, 2 * nth + 1)), 1)).unwrap();
    }
    for nth in (0..20_000).filter(|nth| nth % 48 != 0) {
        map.remove(pages((2 * nth, 2 * nth + 1))).unwrap();
    }
    let leaves = map.root.as_deref().map_or(0, leaves);
    assert!(leaves <= 417 * 4 / MOST_BELOW, "{leaves} leaves");
}

#[test]
fn a_map_that_has_shrunk_is_one_leaf_again() {
    let mut map = AreaMap::default();
    for nth in 0..1_000 {
        map.insert(area(pages((2 * nth, 2 * nth + 1)), 1)).unwrap();
    }
    for nth in (0..1_000).filter(|nth| nth % 50 != 0) {
        map.remove(pages((2 * nth, 2 * nth + 1))).unwrap();
    }
    assert_eq!((map.len(), map.root.as_deref().map(leaves)), (20, Some(1)));
    // Evenly, so that no leaf is ever too small for itself.
    let mut map = AreaMap::default();
    for nth in 0..49 {
        map.insert(area(pages((2 * nth, 2 * nth + 1)), 1)).unwrap();
    }
    assert_eq!(map.root.as_deref().map(leaves), Some(2));
    for nth in (0..49).filter(|nth| nth % 3 != 0) {
        map.remove(pages((2 * nth, 2 * nth + 1))).unwrap();
    }
    assert_eq!((map.len(), map.root.as_deref().map(leaves)), (17, Some(1)));
}

fn leaves(node: &Node) -> usize {
    match node.kind() {
        Kind::Leaf(_) => 1,
        Kind::Branch(children) => children.iter().map(|child| leaves(&child.node)).sum(),
    }
}
