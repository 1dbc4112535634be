//! Sets whose elements stand in order and hold their links themselves, so that to enter and to leave takes no memory and the
//! logarithm of how many stand in it. A set is guarded by whoever owns it (all changes need `&mut Set`).
//!
//! A set is a treap: a search tree by key that is a heap by a random weight, whatever order its elements came in. (Seidel and
//! Aragon, "Randomized Search Trees".)

use alloc::sync::Arc;
use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU64, Ordering};

/// The number of a link that stands nowhere.
const NOWHERE: u64 = 0;

/// The number of the next set that somebody enters.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// What can stand in a set.
pub trait Linked: Sized {
    /// Its link, which is a part of it.
    fn link(&self) -> &Link<Self>;
}

/// An element's place in a set, if it stands in one.
pub struct Link<T> {
    /// The number of the set it stands in. Changed to a set's number and back only by who has that set.
    set: AtomicU64,
    /// Belongs to the set while the link stands in it; nobody looks at it otherwise.
    standing: UnsafeCell<MaybeUninit<Standing<T>>>,
}

struct Standing<T> {
    key: Key,
    weight: u32,
    /// The set's reference to the element.
    owner: NonNull<T>,
    left: Child<T>,
    right: Child<T>,
}

type Child<T> = Option<NonNull<Link<T>>>;

/// Less is sooner. No two elements of a set have the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    due: i64,
    arrival: i64,
}

/// Where an element comes to stand among those that are due at the same time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// Before them.
    Front,
    /// Behind them.
    Back,
}

/// Elements in the order in which they are due.
pub struct Set<T: Linked> {
    root: Child<T>,
    len: usize,
    number: u64,
    /// The arrivals that were given last, behind and before all others.
    back: i64,
    front: i64,
    random: u32,
}

// SAFETY: a link alone is a number. What else is in it is reached through the set it stands in, which owns a reference to the
// element and can be sent only if that can.
unsafe impl<T: Send + Sync> Send for Link<T> {}

// SAFETY: as above: with `&Link` only the number can be seen; a set checks that the link is its own.
unsafe impl<T: Send + Sync> Sync for Link<T> {}

// SAFETY: a set is references to elements, and links that are reached through it alone.
unsafe impl<T: Linked + Send + Sync> Send for Set<T> {}

impl<T> Link<T> {
    /// A link that stands nowhere.
    #[inline]
    pub const fn new() -> Link<T> {
        Link {
            set: AtomicU64::new(NOWHERE),
            standing: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }
}

impl<T> Default for Link<T> {
    fn default() -> Link<T> {
        Link::new()
    }
}

impl<T: Linked> Set<T> {
    /// A set in which nothing stands.
    pub const fn new() -> Set<T> {
        Set {
            root: None,
            len: 0,
            number: NOWHERE,
            back: 0,
            front: 0,
            random: 0x9e37_79b9,
        }
    }

    /// How many stand in it.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing stands in it.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Lets an element that stands nowhere stand among those due at `due`, on that side of them.
    pub fn insert(&mut self, element: Arc<T>, due: i64, side: Side) {
        let link = NonNull::from(element.link());
        assert!(is_part(&element, link), "a link is a part of its element");
        self.claim(element.link());
        let key = Key {
            due,
            arrival: self.next_arrival(side),
        };
        let weight = self.next_weight();
        // SAFETY: `Arc::into_raw` is not null.
        let owner = unsafe { NonNull::new_unchecked(Arc::into_raw(element).cast_mut()) };
        // SAFETY: the link lies in the element, which the set owns a reference to from now on, so it is alive and does not move.
        // It stood nowhere, so that nobody else reaches what is in it.
        let standing = unsafe {
            (*link.as_ref().standing.get()).write(Standing {
                key,
                weight,
                owner,
                left: None,
                right: None,
            })
        };
        let mut at = &mut self.root;
        while let Some(other) = *at
            // SAFETY: it stands in this set.
            && let other = unsafe { standing_of(other) }
            && other.weight >= weight
        {
            at = if other.key < key {
                &mut other.right
            } else {
                &mut other.left
            };
        }
        let below = at.replace(link);
        split(below, key, &mut standing.left, &mut standing.right);
        self.len += 1;
    }

    /// Makes a link that stands nowhere one of this set.
    fn claim(&mut self, link: &Link<T>) {
        if self.number == NOWHERE {
            self.number = NEXT.fetch_add(1, Ordering::Relaxed);
        }
        let claimed = link
            .set
            .compare_exchange(NOWHERE, self.number, Ordering::Acquire, Ordering::Relaxed);
        assert!(claimed.is_ok(), "an element stands in one set at a time");
    }

    fn next_arrival(&mut self, side: Side) -> i64 {
        match side {
            Side::Back => {
                self.back += 1;
                self.back
            }
            Side::Front => {
                self.front -= 1;
                self.front
            }
        }
    }

    /// Marsaglia's xorshift.
    fn next_weight(&mut self) -> u32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        self.random
    }

    /// When the first is due.
    pub fn first_due(&self) -> Option<i64> {
        let mut first = self.root?;
        loop {
            // SAFETY: it stands in this set, of which nothing is changed.
            let standing = unsafe { standing_ref(first) };
            match standing.left {
                Some(sooner) => first = sooner,
                None => return Some(standing.key.due),
            }
        }
    }

    /// Takes out the first.
    pub fn take_first(&mut self) -> Option<Arc<T>> {
        self.take_first_of(i64::MIN, |_| true)
    }

    /// Takes out the first of those that are due at `least` or later and of whom `is_meant` is true.
    pub fn take_first_of(&mut self, least: i64, is_meant: impl FnMut(&T) -> bool) -> Option<Arc<T>> {
        let key = self.find_key(least, is_meant)?;
        Some(self.take_out(key))
    }

    /// The first of those that are due at `least` or later of whom `is_meant` is true.
    pub fn find(&self, least: i64, is_meant: impl FnMut(&T) -> bool) -> Option<&T> {
        let key = self.find_key(least, is_meant)?;
        let found = self.first_from(key)?;
        // SAFETY: it stands in this set, which owns a reference to the element for as long as it is borrowed.
        Some(unsafe { standing_ref(found).owner.as_ref() })
    }

    fn find_key(&self, least: i64, mut is_meant: impl FnMut(&T) -> bool) -> Option<Key> {
        let mut from = Key {
            due: least,
            arrival: i64::MIN,
        };
        loop {
            // SAFETY: it stands in this set, of which nothing is changed.
            let standing = unsafe { standing_ref(self.first_from(from)?) };
            // SAFETY: the set owns a reference to the element.
            if is_meant(unsafe { standing.owner.as_ref() }) {
                return Some(standing.key);
            }
            from = Key {
                arrival: standing.key.arrival + 1,
                ..standing.key
            };
        }
    }

    /// The link with the least key that is not below `from`.
    fn first_from(&self, from: Key) -> Child<T> {
        let (mut best, mut next) = (None, self.root);
        while let Some(link) = next {
            // SAFETY: it stands in this set, of which nothing is changed.
            let standing = unsafe { standing_ref(link) };
            next = if standing.key < from {
                standing.right
            } else {
                best = Some(link);
                standing.left
            };
        }
        best
    }

    /// Takes an element out if it stands in this set.
    pub fn remove(&mut self, element: &T) -> Option<Arc<T>> {
        let link = element.link();
        // An element of another set may be taken out of that at this moment: either way this is not its number.
        if self.number == NOWHERE || link.set.load(Ordering::Relaxed) != self.number {
            return None;
        }
        // SAFETY: it stands in this set, of which nothing is changed.
        let key = unsafe { standing_ref(NonNull::from(link)) }.key;
        Some(self.take_out(key))
    }

    /// Takes out the element with this key, which stands in the set.
    fn take_out(&mut self, key: Key) -> Arc<T> {
        let mut at = &mut self.root;
        loop {
            let link = at.expect("the key is of an element of this set");
            // SAFETY: it stands in this set, and nothing else of it is borrowed but the link that leads to it.
            let standing = unsafe { standing_of(link) };
            if standing.key == key {
                join(standing.left, standing.right, at);
                self.len -= 1;
                let owner = standing.owner;
                // SAFETY: the set's reference keeps it alive; nothing of it is looked at after the store.
                unsafe { link.as_ref() }.set.store(NOWHERE, Ordering::Release);
                // SAFETY: it came from `Arc::into_raw`, and the set has forgotten it.
                return unsafe { Arc::from_raw(owner.as_ptr()) };
            }
            at = if standing.key < key {
                &mut standing.right
            } else {
                &mut standing.left
            };
        }
    }
}

impl<T: Linked> Default for Set<T> {
    fn default() -> Set<T> {
        Set::new()
    }
}

impl<T: Linked> Drop for Set<T> {
    fn drop(&mut self) {
        while self.take_first().is_some() {}
    }
}

/// Whether a link lies in what the reference keeps alive and in its place.
fn is_part<T>(element: &Arc<T>, link: NonNull<Link<T>>) -> bool {
    let whole = Arc::as_ptr(element).addr();
    let offset = link.addr().get().wrapping_sub(whole);
    offset <= size_of::<T>().saturating_sub(size_of::<Link<T>>())
}

/// Parts a tree into what is below a key, and what is not.
fn split<'a, T: 'a>(mut tree: Child<T>, key: Key, mut below: &'a mut Child<T>, mut above: &'a mut Child<T>) {
    while let Some(link) = tree {
        // SAFETY: it stands in the set that is being changed; only the link that led to it is borrowed.
        let standing = unsafe { standing_of(link) };
        if standing.key < key {
            *below = tree;
            tree = standing.right;
            below = &mut standing.right;
        } else {
            *above = tree;
            tree = standing.left;
            above = &mut standing.left;
        }
    }
    (*below, *above) = (None, None);
}

/// Puts two trees, of which all of the first is below all of the second, together.
fn join<'a, T: 'a>(mut left: Child<T>, mut right: Child<T>, mut at: &'a mut Child<T>) {
    while let (Some(low), Some(high)) = (left, right) {
        // SAFETY: both stand in the set that is being changed, and are two; only the link that led there is borrowed.
        let (low, high) = unsafe { (standing_of(low), standing_of(high)) };
        if low.weight >= high.weight {
            *at = left;
            left = low.right;
            at = &mut low.right;
        } else {
            *at = right;
            right = high.left;
            at = &mut high.left;
        }
    }
    *at = left.or(right);
}

/// What is in a link that stands in a set.
///
/// # Safety
/// The caller has the set, so that the element is alive, and borrows nothing else of what is in the link.
#[inline]
unsafe fn standing_of<'a, T>(link: NonNull<Link<T>>) -> &'a mut Standing<T> {
    // SAFETY: the caller's promise; it was written when the link entered.
    unsafe { (*link.as_ref().standing.get()).assume_init_mut() }
}

/// As [`standing_of`], to look.
///
/// # Safety
/// The caller has the set, so that the element is alive, and nobody changes what is in the link meanwhile.
#[inline]
unsafe fn standing_ref<'a, T>(link: NonNull<Link<T>>) -> &'a Standing<T> {
    // SAFETY: the caller's promise; it was written when the link entered.
    unsafe { (*link.as_ref().standing.get()).assume_init_ref() }
}

#[cfg(test)]
mod tests;
