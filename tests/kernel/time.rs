//! The kernel's timers in order, against a map.

use alloc::sync::Arc;
use std::collections::BTreeMap;

#[path = "../../kernel/src/sched/time/tree.rs"]
mod tree;

/// What the tree asks of what stands in it.
mod expire {
    pub use super::{Alarm, Due};
}

use tree::{Place, Tree};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Alarm(u64, u64);

pub trait Expire {
    fn place(&self) -> &Place;
    fn number(&self) -> usize;
}

pub type Due = Arc<dyn Expire>;

struct Numbered(usize, Place);

impl Expire for Numbered {
    fn place(&self) -> &Place {
        &self.1
    }

    fn number(&self) -> usize {
        self.0
    }
}

fn random(state: &mut u64) -> u64 {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 20
}

#[test]
#[expect(
    clippy::arc_with_non_send_sync,
    reason = "in the kernel a place is looked at under the lock of its processor's timers; here there is one thread"
)]
fn what_is_first_comes_first() {
    for seed in 1..100 {
        let mut state = seed;
        let all: Vec<Due> = (0..200)
            .map(|number| Arc::new(Numbered(number, Place::new())) as Due)
            .collect();
        let (mut tree, mut map): (Tree, BTreeMap<Alarm, usize>) = (None, BTreeMap::new());
        for sequence in 0..3_000 {
            let due = &all[random(&mut state) as usize % all.len()];
            match due.place().alarm() {
                Some(alarm) if sequence % 3 == 0 => {
                    let (rest, removed) = tree::remove(tree.take(), alarm);
                    tree = rest;
                    assert_eq!(removed.map(|due| due.number()), map.remove(&alarm));
                }
                None => {
                    let alarm = Alarm(random(&mut state) % 500, sequence);
                    tree = tree::insert(tree.take(), due.clone(), alarm, random(&mut state));
                    map.insert(alarm, due.number());
                }
                Some(_) => {}
            }
            assert_eq!(tree::first(&tree), map.first_key_value().map(|(alarm, _)| *alarm));
            let absent = Alarm(random(&mut state) % 500, u64::MAX);
            let (rest, removed) = tree::remove(tree.take(), absent);
            tree = rest;
            assert!(removed.is_none());
        }
        while let Some(first) = map.pop_first() {
            let (rest, removed) = tree::remove(tree.take(), first.0);
            tree = rest;
            assert_eq!(removed.map(|due| due.number()), Some(first.1));
        }
        assert!(tree.is_none());
        assert!(all.iter().all(|due| Arc::strong_count(due) == 1));
    }
}
