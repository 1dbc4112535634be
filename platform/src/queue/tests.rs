use super::*;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::thread;

/// Numbers that look random: xorshift64*, Vigna 2016.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % limit
    }
}

#[test]
fn a_queue_does_what_a_list_does() {
    const NODES: usize = 24;
    for seed in 1..200 {
        let mut random = Random(seed);
        let nodes: Nodes<usize> = Nodes::try_new(NODES).expect("memory");
        let node = |index| nodes.get(index).expect("a node");
        let mut queues = [Queue::new(), Queue::new()];
        let mut lists = [VecDeque::new(), VecDeque::new()];
        for _ in 0..2000 {
            let (one, other) = (random.below(2), random.below(NODES));
            match random.below(6) {
                0 | 1 if !node(other).stands() => {
                    queues[one].enter(node(other), other);
                    lists[one].push_back(other);
                }
                2 => assert_eq!(queues[one].take_first(), lists[one].pop_front()),
                3 => {
                    let at = lists[one].iter().position(|&value| value == other);
                    let left = at.and_then(|at| lists[one].remove(at));
                    assert_eq!(queues[one].leave(node(other)), left);
                }
                4 => {
                    let (mut taken, most) = (Vec::new(), random.below(4) + 1);
                    queues[one].take_those(
                        |value| value % 3 == 0,
                        |value| {
                            taken.push(value);
                            taken.len() < most
                        },
                    );
                    for value in &taken {
                        let at = lists[one].iter().position(|value| value % 3 == 0);
                        assert_eq!(at.and_then(|at| lists[one].remove(at)), Some(*value));
                    }
                }
                5 => {
                    let [first, second] = &mut queues;
                    let moved = first.move_those(second, 2, |value| value % 5 < 2, |_| {});
                    for _ in 0..moved {
                        let at = lists[0].iter().position(|value| value % 5 < 2);
                        let value = at.and_then(|at| lists[0].remove(at)).expect("who was moved");
                        lists[1].push_back(value);
                    }
                    let left = lists[0].iter().filter(|value| *value % 5 < 2).count();
                    assert!(moved == 2 || left == 0);
                    assert_eq!(queues[0].count(|value| value % 5 < 2), left);
                }
                _ => {}
            }
            assert_eq!(
                [queues[0].len(), queues[1].len()],
                [lists[0].len(), lists[1].len()]
            );
        }
        // Those who still stand leave with the queues.
        drop(queues);
        assert!((0..NODES).all(|index| !node(index).stands()));
    }
}

#[test]
fn a_moved_queue_is_the_same_and_another_is_not() {
    let mut left = Queue::new();
    let mut right = Queue::new();
    with_node(|one| {
        with_node(|two| {
            left.enter(one, 1);
            right.enter(two, 2);
            core::mem::swap(&mut left, &mut right);
            assert_eq!((left.leave(one), right.leave(two)), (None, None));
            assert_eq!((left.leave(two), right.leave(one)), (Some(2), Some(1)));
            assert_eq!((left.leave(two), left.take_first()), (None, None));
        });
    });
}

#[test]
fn who_is_taken_out_by_another_thread_finds_out() {
    let queue: Arc<Mutex<Queue<Arc<()>>>> = Arc::default();
    let token = Arc::new(());
    let taker = {
        let queue = queue.clone();
        thread::spawn(move || {
            let mut taken = 0;
            while taken < 4 * 1000 {
                taken += usize::from(queue.lock().expect("lock").take_first().is_some());
            }
        })
    };
    let enter = || {
        for _ in 0..1000 {
            with_node(|node| {
                queue.lock().expect("lock").enter(node, token.clone());
                while node.stands() {
                    thread::yield_now();
                }
                assert!(queue.lock().expect("lock").leave(node).is_none());
            });
        }
    };
    thread::scope(|threads| (0..4).for_each(|_| drop(threads.spawn(enter))));
    taker.join().expect("the taker");
    assert_eq!(Arc::strong_count(&token), 1);
}
