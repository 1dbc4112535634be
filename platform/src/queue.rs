//! Queues whose nodes live with those who stand in them: to enter and to leave takes a few steps and no memory, wherever one
//! stands. A queue is guarded by whoever owns it (all changes need `&mut Queue`); a node belongs to one thread.
//!
//! A node must stay where it is while it stands in a queue. So it is lent to a closure ([`with_node`]), or lies on the heap
//! ([`Nodes`]) and is never moved there; both look at the end that it stands nowhere, and stop the machine if it does. Or it is a
//! part of a value that is counted, to which the queue has a reference ([`Member`]).
//!
//! Which queue a node stands in is known by the queue's number, which no second queue ever has and which goes with a queue
//! that is moved.

mod member;

pub use member::Member;

use crate::heap::push_within_capacity;
use alloc::vec::Vec;
use core::cell::UnsafeCell;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU64, Ordering};

/// The number of a node that stands nowhere, and of a queue that nobody has entered yet.
const NOWHERE: u64 = 0;

/// The number of the next queue that somebody enters.
static NEXT: AtomicU64 = AtomicU64::new(1);

type Link<T> = Option<NonNull<Node<T>>>;

/// A queue of values, each in the node that entered with it.
pub struct Queue<T> {
    first: Link<T>,
    last: Link<T>,
    len: usize,
    number: u64,
}

/// A place in a queue, if it stands in one. One thread enters and leaves with it (it is neither `Send` nor `Sync`); whoever has the
/// queue takes it out.
pub struct Node<T> {
    /// The number of the queue it stands in. Changed to a queue's number and back only by who has that queue.
    queue: AtomicU64,
    standing: UnsafeCell<Standing<T>>,
}

/// What belongs to the queue while the node stands in it, and to nobody otherwise.
struct Standing<T> {
    /// `Some` while it stands.
    value: Option<T>,
    previous: Link<T>,
    next: Link<T>,
}

// SAFETY: a queue is its links and the values in its nodes. Those nodes stay alive while they stand in it, and what is in them is
// reached through the queue alone; so who gets the queue gets the values, which may be sent.
unsafe impl<T: Send> Send for Queue<T> {}

// SAFETY: with `&Queue` its length and its values can be seen, and nothing can be changed.
unsafe impl<T: Send + Sync> Sync for Queue<T> {}

impl<T> Node<T> {
    const fn new() -> Node<T> {
        Node {
            queue: AtomicU64::new(NOWHERE),
            standing: UnsafeCell::new(Standing {
                value: None,
                previous: None,
                next: None,
            }),
        }
    }

    /// Whether it stands in a queue. What was done before it was taken out is seen by who finds it out.
    #[inline]
    pub fn stands(&self) -> bool {
        self.queue.load(Ordering::Acquire) != NOWHERE
    }

    /// Its memory is about to become something else.
    fn assert_stands_nowhere(&self) {
        // A panic does not unwind out of an `extern "C"` function: the memory stays as it is.
        extern "C" fn refuse() -> ! {
            panic!("a node ends while it stands in a queue");
        }
        if self.stands() {
            refuse();
        }
    }
}

/// Calls `during` with a node, which must stand in no queue when it returns.
#[inline]
pub fn with_node<T, R>(during: impl FnOnce(&Node<T>) -> R) -> R {
    struct Lent<T>(Node<T>);
    impl<T> Drop for Lent<T> {
        #[inline]
        fn drop(&mut self) {
            self.0.assert_stands_nowhere();
        }
    }
    let lent = Lent(Node::new());
    during(&lent.0)
}

/// Nodes on the heap, which must stand in no queue when this is dropped.
pub struct Nodes<T>(Vec<Node<T>>);

impl<T> Nodes<T> {
    /// So many nodes; `None` if there is no memory.
    pub fn try_new(count: usize) -> Option<Nodes<T>> {
        let mut nodes = Vec::new();
        nodes.try_reserve_exact(count).ok()?;
        // Not `resize_with`: it keeps a way to the end of the kernel for want of memory.
        (0..count).for_each(|_| push_within_capacity(&mut nodes, Node::new()));
        Some(Nodes(nodes))
    }

    /// One of them. They do not move: the list neither grows nor shrinks.
    #[inline]
    pub fn get(&self, index: usize) -> Option<&Node<T>> {
        self.0.get(index)
    }
}

impl<T> Drop for Nodes<T> {
    fn drop(&mut self) {
        self.0.iter().for_each(Node::assert_stands_nowhere);
    }
}

impl<T> Queue<T> {
    /// A queue in which nobody stands.
    pub const fn new() -> Queue<T> {
        Queue {
            first: None,
            last: None,
            len: 0,
            number: NOWHERE,
        }
    }

    /// How many stand in it.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nobody stands in it.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Lets a node that stands nowhere stand at the end, with a value.
    #[inline]
    pub fn enter(&mut self, node: &Node<T>, value: T) {
        assert!(
            node.queue.load(Ordering::Acquire) == NOWHERE,
            "a node stands in one queue at a time"
        );
        if self.number == NOWHERE {
            self.number = NEXT.fetch_add(1, Ordering::Relaxed);
        }
        node.queue.store(self.number, Ordering::Relaxed);
        // SAFETY: the node stood nowhere until this thread, to which it belongs, made it stand here; from now on what is in it
        // belongs to this queue, which the caller has.
        let standing = unsafe { &mut *node.standing.get() };
        standing.value = Some(value);
        self.append(NonNull::from(node), standing);
    }

    #[inline]
    fn append(&mut self, node: NonNull<Node<T>>, standing: &mut Standing<T>) {
        standing.previous = self.last.replace(node);
        standing.next = None;
        match standing.previous {
            // SAFETY: it stands in this queue, and is another than `node`, which did not.
            Some(previous) => unsafe { standing_of(previous) }.next = Some(node),
            None => self.first = Some(node),
        }
        self.len += 1;
    }

    /// Takes the node out if it stands in this queue; its value.
    #[inline]
    pub fn leave(&mut self, node: &Node<T>) -> Option<T> {
        // A node in another queue may be taken out of that at this moment: either way this is not its number.
        let is_here = self.number != NOWHERE && node.queue.load(Ordering::Relaxed) == self.number;
        is_here.then(|| self.take_out(NonNull::from(node))).flatten()
    }

    /// Takes out whoever stands at the front; the value.
    #[inline]
    pub fn take_first(&mut self) -> Option<T> {
        self.take_out(self.first?)
    }

    /// Takes out those of whom `is_meant`, from the front on, and hands their values to `to`, until that answers `false`.
    pub fn take_those(&mut self, is_meant: impl Fn(&T) -> bool, mut to: impl FnMut(T) -> bool) {
        let mut next = self.first;
        while let Some(node) = next {
            // SAFETY: it stands in this queue, and nothing else of it is borrowed.
            let standing = unsafe { standing_of(node) };
            next = standing.next;
            if standing.value.as_ref().is_some_and(&is_meant)
                && let Some(value) = self.take_out(node)
                && !to(value)
            {
                return;
            }
        }
    }

    /// Moves those of whom `is_meant`, at most `most`, to the end of another queue as `change` makes them; how many.
    pub fn move_those(
        &mut self,
        to: &mut Queue<T>,
        most: usize,
        is_meant: impl Fn(&T) -> bool,
        mut change: impl FnMut(&mut T),
    ) -> usize {
        let (mut moved, mut next) = (0, self.first);
        while let Some(node) = next
            && moved < most
        {
            // SAFETY: it stands in this queue, and nothing else of it is borrowed.
            let standing = unsafe { standing_of(node) };
            next = standing.next;
            if let Some(value) = standing.value.as_mut().filter(|value| is_meant(value)) {
                change(value);
                self.hand_over(node, to);
                moved += 1;
            }
        }
        moved
    }

    /// How many stand in it of whom `is_meant`.
    pub fn count(&mut self, is_meant: impl Fn(&T) -> bool) -> usize {
        let (mut count, mut next) = (0, self.first);
        while let Some(node) = next {
            // SAFETY: it stands in this queue, and nothing else of it is borrowed.
            let standing = unsafe { standing_of(node) };
            count += usize::from(standing.value.as_ref().is_some_and(&is_meant));
            next = standing.next;
        }
        count
    }

    /// Shows all values to `look`, from the front on.
    pub fn for_each(&mut self, mut look: impl FnMut(&T)) {
        let mut next = self.first;
        while let Some(node) = next {
            // SAFETY: it stands in this queue, and nothing else of it is borrowed.
            let standing = unsafe { standing_of(node) };
            standing.value.as_ref().inspect(|value| look(value));
            next = standing.next;
        }
    }

    /// A node of this queue goes to the end of another one.
    fn hand_over(&mut self, node: NonNull<Node<T>>, to: &mut Queue<T>) {
        if to.number == NOWHERE {
            to.number = NEXT.fetch_add(1, Ordering::Relaxed);
        }
        // SAFETY: it stands in this queue, so it is alive, and what is in it belongs to this queue and then to that one. It has
        // a number all the time, so its owner leaves it alone.
        let (owner, standing) = unsafe { (&node.as_ref().queue, standing_of(node)) };
        self.unlink(standing);
        to.append(node, standing);
        owner.store(to.number, Ordering::Release);
    }

    #[inline]
    fn take_out(&mut self, node: NonNull<Node<T>>) -> Option<T> {
        // SAFETY: it stands in this queue, and nothing else of it is borrowed.
        let standing = unsafe { standing_of(node) };
        self.unlink(standing);
        let value = standing.value.take();
        // SAFETY: it is alive until the store, which is the last that this queue does with it.
        unsafe { node.as_ref() }.queue.store(NOWHERE, Ordering::Release);
        value
    }

    /// Takes a node of this queue out of the chain.
    #[inline]
    fn unlink(&mut self, standing: &mut Standing<T>) {
        let (previous, next) = (standing.previous.take(), standing.next.take());
        match previous {
            // SAFETY: a neighbour stands in this queue and is another node.
            Some(previous) => unsafe { standing_of(previous) }.next = next,
            None => self.first = next,
        }
        match next {
            // SAFETY: as above.
            Some(next) => unsafe { standing_of(next) }.previous = previous,
            None => self.last = previous,
        }
        self.len -= 1;
    }
}

/// What is in a node that stands in a queue.
///
/// # Safety
/// The caller has the queue, so that the node is alive, and borrows nothing else of what is in it.
#[inline]
unsafe fn standing_of<'a, T>(node: NonNull<Node<T>>) -> &'a mut Standing<T> {
    // SAFETY: the caller's promise.
    unsafe { &mut *node.as_ref().standing.get() }
}

impl<T> Default for Queue<T> {
    fn default() -> Queue<T> {
        Queue::new()
    }
}

impl<T> Drop for Queue<T> {
    /// Whoever still stands in it stands nowhere.
    fn drop(&mut self) {
        while self.take_first().is_some() {}
    }
}

#[cfg(test)]
mod tests;
