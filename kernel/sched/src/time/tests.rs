//! Timers in order, against a map: something of a test's own expires.

use super::expire::{Alarm, Due, Expire};
use super::tree::{self, TimerPlace, Tree};
use alloc::sync::Arc;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::collections::BTreeMap;

/// Counts how often it expired.
struct Numbered {
    expired: AtomicUsize,
    place: TimerPlace,
}

impl Expire for Numbered {
    fn place(&self) -> &TimerPlace {
        &self.place
    }

    fn expire(self: Arc<Self>) {
        self.expired.fetch_add(1, Ordering::Relaxed);
    }
}

/// An alarm of the only list here.
fn alarm(deadline: u64, sequence: u64) -> Alarm {
    Alarm {
        deadline,
        sequence,
        processor: 0,
    }
}

fn random(state: &mut u64) -> u64 {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 20
}

#[test]
fn what_is_first_comes_first() {
    for seed in 1..100 {
        let mut state = seed;
        let make = |_| Numbered {
            expired: AtomicUsize::new(0),
            place: TimerPlace::new(),
        };
        let all: Vec<Arc<Numbered>> = (0..200).map(make).map(Arc::new).collect();
        let number = |due: &Due| all.iter().position(|one| core::ptr::eq(one.place(), due.place()));
        let (mut tree, mut map): (Tree, BTreeMap<Alarm, usize>) = (None, BTreeMap::new());
        for sequence in 0..3_000 {
            let chosen = random(&mut state) as usize % all.len();
            let due = &all[chosen];
            match due.place().alarm() {
                Some(alarm) if sequence % 3 == 0 => {
                    let (rest, removed) = tree::remove(tree.take(), alarm);
                    tree = rest;
                    assert_eq!(removed.as_ref().and_then(number), map.remove(&alarm));
                }
                None => {
                    let alarm = alarm(random(&mut state) % 500, sequence);
                    tree = tree::insert(tree.take(), due.clone(), alarm, random(&mut state));
                    map.insert(alarm, chosen);
                }
                Some(_) => {}
            }
            assert_eq!(tree::first(&tree), map.first_key_value().map(|(alarm, _)| *alarm));
            let absent = alarm(random(&mut state) % 500, u64::MAX);
            let (rest, removed) = tree::remove(tree.take(), absent);
            tree = rest;
            assert!(removed.is_none());
        }
        while let Some(first) = map.pop_first() {
            let now = first.0.deadline;
            if let Some(before) = now.checked_sub(1) {
                let (rest, early) = tree::take_due(tree.take(), before);
                tree = rest;
                assert!(early.is_none(), "nothing is due before what comes first");
            }
            let (rest, removed) = tree::take_due(tree.take(), now);
            tree = rest;
            let removed = removed.expect("what is first stands in the tree");
            assert_eq!(removed.place().alarm(), None);
            assert_eq!(number(&removed), Some(first.1));
            removed.expire();
        }
        assert!(tree.is_none());
        assert!(all.iter().all(|due| Arc::strong_count(due) == 1));
    }
}
