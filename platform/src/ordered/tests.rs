use super::*;
use std::boxed::Box;
use std::cell::Cell;
use std::vec::Vec;

struct Element {
    number: usize,
    link: Link<Element>,
}

impl Linked for Element {
    fn link(&self) -> &Link<Element> {
        &self.link
    }
}

fn elements(count: usize) -> Vec<Arc<Element>> {
    (0..count)
        .map(|number| {
            Arc::new(Element {
                number,
                link: Link::new(),
            })
        })
        .collect()
}

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

/// The same, in the plainest way: numbers with when they are due.
#[derive(Default)]
struct List(Vec<(i64, usize)>);

impl List {
    fn insert(&mut self, number: usize, due: i64, side: Side) {
        let is_before = |other: &(i64, usize)| match side {
            Side::Front => other.0 < due,
            Side::Back => other.0 <= due,
        };
        let at = self.0.iter().take_while(|other| is_before(other)).count();
        self.0.insert(at, (due, number));
    }

    fn take(&mut self, is_meant: impl Fn(i64, usize) -> bool) -> Option<usize> {
        let at = self.0.iter().position(|&(due, number)| is_meant(due, number))?;
        Some(self.0.remove(at).1)
    }
}

#[test]
fn a_set_does_what_a_sorted_list_does() {
    for seed in 1..200 {
        let mut random = Random(seed);
        let all = elements(40);
        let (mut set, mut list) = (Set::new(), List::default());
        for _ in 0..2000 {
            let one = random.below(all.len());
            let due = random.below(12) as i64 - 6;
            let number = |taken: Option<Arc<Element>>| taken.map(|element| element.number);
            match random.below(6) {
                0..=2 if list.0.iter().all(|other| other.1 != one) => {
                    let side = [Side::Front, Side::Back][random.below(2)];
                    set.insert(all[one].clone(), due, side);
                    list.insert(one, due, side);
                }
                3 => assert_eq!(number(set.take_first()), list.take(|_, _| true)),
                4 => assert_eq!(
                    number(set.remove(&all[one])),
                    list.take(|_, number| number == one)
                ),
                5 => {
                    let taken = set.take_first_of(due, |element| element.number % 3 == 0);
                    let expected = list.take(|other, number| other >= due && number % 3 == 0);
                    assert_eq!(number(taken), expected);
                }
                _ => {}
            }
            assert_eq!(set.len(), list.0.len());
            assert_eq!(set.first_due(), list.0.first().map(|first| first.0));
        }
        drop(set);
        assert!(all.iter().all(|element| Arc::strong_count(element) == 1));
    }
}

#[test]
fn many_in_order_are_found_in_few_steps() {
    let all = elements(1 << 14);
    let mut set = Set::new();
    for (due, element) in all.iter().enumerate() {
        set.insert(element.clone(), due as i64, Side::Back);
    }
    assert!(depth(set.root) < 64);
    let looks = Cell::new(0);
    let found = set.find(9000, |element| {
        looks.set(looks.get() + 1);
        element.number == 9001
    });
    assert_eq!(found.map(|element| element.number), Some(9001));
    assert_eq!(looks.get(), 2);
}

fn depth(tree: Child<Element>) -> usize {
    let Some(link) = tree else { return 0 };
    // SAFETY: it stands in a set that the test has and does not change.
    let standing = unsafe { standing_ref(link) };
    1 + depth(standing.left).max(depth(standing.right))
}

#[test]
#[should_panic(expected = "one set at a time")]
fn an_element_stands_in_one_set() {
    let all = elements(1);
    let (mut one, mut other) = (Set::new(), Set::new());
    one.insert(all[0].clone(), 0, Side::Back);
    other.insert(all[0].clone(), 0, Side::Back);
}

struct Borrowing(&'static Link<Borrowing>);

impl Linked for Borrowing {
    fn link(&self) -> &Link<Borrowing> {
        self.0
    }
}

#[test]
#[should_panic(expected = "a part of its element")]
fn a_link_elsewhere_is_refused() {
    let link = Box::leak(Box::new(Link::new()));
    Set::new().insert(Arc::new(Borrowing(link)), 0, Side::Back);
}
