//! Queues of what is counted by `Arc`, with the nodes inside of it: whoever may have to enter a queue, at whatever moment, brings
//! its place along from its beginning. The queue holds a reference to all who stand in it, so that their nodes stay where they are.

use super::{NOWHERE, Node, Queue};
use alloc::sync::Arc;
use core::cell::UnsafeCell;
use core::ptr::{self, NonNull};
use core::sync::atomic::Ordering;

/// A place in a queue of `Arc<T>`, to be a field of `T`. Whoever has a queue lets it enter there; it stands in one queue at a time.
pub struct Member<T: ?Sized>(Node<Arc<T>>);

// SAFETY: beside its number, which is atomic, a node is looked into by who has the queue that it stands in alone; and it comes to
// stand there by one compare-and-swap, which one of several threads wins.
unsafe impl<T: Send + Sync + ?Sized> Sync for Member<T> {}

// SAFETY: as above; it moves only while it stands nowhere, for else its queue has a reference to the `T` around it.
unsafe impl<T: Send + Sync + ?Sized> Send for Member<T> {}

impl<T: ?Sized> Member<T> {
    /// A place that stands nowhere.
    pub const fn new() -> Member<T> {
        Member(Node::new())
    }
}

impl<T: ?Sized> Default for Member<T> {
    fn default() -> Member<T> {
        Member::new()
    }
}

impl<T: ?Sized> Queue<Arc<T>> {
    /// Lets `value` stand at the end, in the place that `member` names in it.
    ///
    /// # Panics
    /// If that place stands somewhere already, or is no part of `value`.
    #[inline]
    pub fn enter_member(&mut self, value: Arc<T>, member: impl FnOnce(&T) -> &Member<T>) {
        let node = &member(&value).0;
        let offset = ptr::from_ref(node)
            .addr()
            .wrapping_sub(Arc::as_ptr(&value).addr());
        assert!(
            offset <= size_of_val(&*value).saturating_sub(size_of::<Node<Arc<T>>>()),
            "the place lies in the value"
        );
        let number = self.number();
        let taken = node
            .queue
            .compare_exchange(NOWHERE, number, Ordering::Acquire, Ordering::Relaxed);
        assert!(taken.is_ok(), "a member stands in one queue at a time");
        let place = NonNull::from(node);
        // SAFETY: it stood nowhere until this thread alone made it stand here: from now on what is in it belongs to this queue,
        // which the caller has. It lies in `value`, which stays where it is while the queue has this reference.
        let standing = unsafe { &mut *UnsafeCell::raw_get(&raw const (*place.as_ptr()).standing) };
        standing.value = Some(value);
        self.append(place, standing);
    }

    /// Takes a member out if it stands in this queue.
    #[inline]
    pub fn leave_member(&mut self, member: &Member<T>) -> Option<Arc<T>> {
        self.leave(&member.0)
    }

    /// Whether a member stands in this queue.
    #[inline]
    pub fn has_member(&self, member: &Member<T>) -> bool {
        self.number != NOWHERE && member.0.queue.load(Ordering::Relaxed) == self.number
    }

    /// Who stands in this queue in that place.
    #[inline]
    pub fn get_member(&self, member: &Member<T>) -> Option<&Arc<T>> {
        if !self.has_member(member) {
            return None;
        }
        // SAFETY: it stands in this queue, which is borrowed: nobody changes what is in its nodes.
        let standing = unsafe { &*member.0.standing.get() };
        standing.value.as_ref()
    }
}

impl<T> Queue<T> {
    /// All values, from the front on.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        let mut next = self.first;
        core::iter::from_fn(move || {
            // SAFETY: it stands in this queue, which is borrowed: nobody changes what is in its nodes.
            let standing = unsafe { &*UnsafeCell::raw_get(&raw const (*next?.as_ptr()).standing) };
            next = standing.next;
            standing.value.as_ref()
        })
    }

    /// The first goes to the end; who it is.
    pub fn rotate(&mut self) -> Option<&T> {
        let first = self.first?;
        // SAFETY: it stands in this queue, and nothing else of it is borrowed.
        let standing = unsafe { super::standing_of(first) };
        self.unlink(standing);
        self.append(first, standing);
        standing.value.as_ref()
    }

    /// Its number; from the first call on it has one.
    #[inline]
    fn number(&mut self) -> u64 {
        if self.number == NOWHERE {
            self.number = super::NEXT.fetch_add(1, Ordering::Relaxed);
        }
        self.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    extern crate std;

    #[derive(Default)]
    struct Person {
        number: usize,
        one: Member<Person>,
        other: Member<Person>,
    }

    fn numbers(queue: &Queue<Arc<Person>>) -> Vec<usize> {
        queue.iter().map(|person| person.number).collect()
    }

    #[test]
    fn members_stand_where_they_entered() {
        let people: Vec<_> = (0..4)
            .map(|number| {
                Arc::new(Person {
                    number,
                    ..Person::default()
                })
            })
            .collect();
        let (mut first, mut second) = (Queue::new(), Queue::new());
        for person in &people {
            first.enter_member(person.clone(), |person| &person.one);
        }
        second.enter_member(people[2].clone(), |person| &person.other);
        assert_eq!((numbers(&first), numbers(&second)), (vec![0, 1, 2, 3], vec![2]));
        assert!(second.has_member(&people[2].other) && !second.has_member(&people[2].one));
        assert_eq!(
            first.get_member(&people[3].one).map(|person| person.number),
            Some(3)
        );
        assert!(first.get_member(&people[3].other).is_none());
        assert!(second.leave_member(&people[1].one).is_none());
        assert_eq!(
            first.leave_member(&people[1].one).map(|person| person.number),
            Some(1)
        );
        assert_eq!(first.rotate().map(|person| person.number), Some(0));
        assert_eq!(numbers(&first), [2, 3, 0]);
        let moved = first.move_those(&mut second, 9, |_| true, |_| {});
        assert_eq!((moved, numbers(&second)), (3, vec![2, 2, 3, 0]));
        drop(second);
        assert!(people.iter().all(|person| Arc::strong_count(person) == 1));
    }

    #[test]
    #[should_panic(expected = "one queue at a time")]
    fn no_member_stands_twice() {
        let person = Arc::new(Person::default());
        let (mut first, mut second) = (Queue::new(), Queue::new());
        first.enter_member(person.clone(), |person| &person.one);
        second.enter_member(person, |person| &person.one);
    }
}
