//! The map against the one of `alloc`, while some of its allocations fail.

use super::map::Map;
use super::{TryVec, fail_after, push_back};
use abi::Errno;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

/// Numbers that look random (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

fn compare(map: &Map<u64, u64>, model: &BTreeMap<u64, u64>, from: u64) {
    assert_eq!(map.len(), model.len());
    assert!(map.iter().eq(model.iter()));
    assert!(map.range(from..).eq(model.range(from..)));
}

/// One step on both: keys below `end`; `bias` of ten steps insert.
fn step(map: &mut Map<u64, u64>, model: &mut BTreeMap<u64, u64>, numbers: &mut Numbers, end: u64, bias: u64) {
    let (key, value) = (numbers.below(end), numbers.below(1000));
    if numbers.below(10) < bias {
        fail_after((numbers.below(4) == 0).then_some(numbers.below(3)));
        let is_new = numbers.below(2) == 0;
        let inserted = if is_new {
            map.insert_new(key, value).map(|()| None)
        } else {
            map.insert(key, value)
        };
        fail_after(None);
        match inserted {
            Ok(old) => assert_eq!(old, model.insert(key, value)),
            Err(Errno::EEXIST) => assert!(is_new && model.contains_key(&key)),
            Err(_) => assert!(!model.contains_key(&key)),
        }
    } else if numbers.below(8) == 0 {
        assert_eq!(map.pop_first(), model.pop_first());
    } else {
        assert_eq!(map.remove(&key), model.remove(&key));
    }
    assert_eq!(map.get(&key), model.get(&key));
}

#[test]
fn it_does_what_the_other_does_and_a_failed_insertion_changes_nothing() {
    let mut numbers = Numbers(0x1234_5678_9abc_def1);
    for end in [20, 300, 5_000, 100_000] {
        let (mut map, mut model) = (Map::new(), BTreeMap::new());
        for bias in [7, 3, 9, 2, 8, 0] {
            for _ in 0..end.min(8_000) {
                step(&mut map, &mut model, &mut numbers, end, bias);
            }
            compare(&map, &model, numbers.below(end));
        }
    }
}

#[test]
fn ascending_and_descending_keys_come_and_go() {
    let mut map = Map::new();
    (0..10_000_u64).for_each(|key| assert_eq!(map.insert(key, key), Ok(None)));
    (10_000..20_000_u64)
        .rev()
        .for_each(|key| assert_eq!(map.insert(key, key), Ok(None)));
    assert_eq!(map.len(), 20_000);
    (0..20_000_u64).for_each(|key| assert_eq!(map.pop_first(), Some((key, key))));
    assert!(map.is_empty() && map.iter().next().is_none());
}

#[test]
fn an_insertion_that_fails_is_an_error() {
    let mut map = Map::new();
    fail_after(Some(0));
    let inserted = map.insert(1_u64, 1);
    fail_after(None);
    assert!(inserted.is_err());
    assert!(map.is_empty());
}

#[test]
fn an_insertion_or_a_queue_without_memory_changes_nothing() {
    let mut numbers = Numbers(0x0bad_5eed_0f00_d123);
    let (mut list, mut list_model) = (Vec::new(), Vec::new());
    let (mut queue, mut queue_model) = (VecDeque::new(), VecDeque::new());
    let mut refused = 0;
    for value in 0..2_000 {
        let at = numbers.below(list.len() as u64 + 1) as usize;
        fail_after((numbers.below(4) == 0).then_some(0));
        let inserted = list.try_insert(at, value);
        fail_after(None);
        fail_after((numbers.below(4) == 0).then_some(0));
        let pushed = push_back(&mut queue, value);
        fail_after(None);
        match inserted {
            Ok(()) => list_model.insert(at, value),
            Err(error) => assert_eq!(error, Errno::ENOMEM),
        }
        match pushed {
            Ok(()) => queue_model.push_back(value),
            Err(error) => assert_eq!(error, Errno::ENOMEM),
        }
        refused += usize::from(inserted.is_err()) + usize::from(pushed.is_err());
        assert_eq!(list, list_model);
        assert_eq!(queue, queue_model);
        if numbers.below(8) == 0 {
            // They grow again from little.
            (list, list_model) = (Vec::new(), Vec::new());
            (queue, queue_model) = (VecDeque::new(), VecDeque::new());
        } else if numbers.below(3) == 0 {
            assert_eq!(queue.pop_front(), queue_model.pop_front());
        }
    }
    assert!(refused > 100, "only {refused} were refused");
}
