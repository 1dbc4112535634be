//! An ordered map whose insertion may fail: a B+ tree of small nodes, so that no allocation is large however much it holds.
//!
//! Full nodes are split on the way down, before anything is inserted; each split is complete by itself, so that one that fails
//! leaves a tree that holds what it held. Removing allocates nothing: an empty node goes, and neighbours that fill half a node
//! together become one.

use super::boxed_with;
use abi::Errno;
use alloc::boxed::Box;
use arrayvec::ArrayVec;
use core::borrow::Borrow;
use core::mem;
use core::ops::RangeFrom;

/// Most elements of a node.
const FANOUT: usize = 16;

/// Neighbours with no more elements than this together become one node.
const FEW: usize = FANOUT / 2;

/// Values by key. Keys are cloned into the upper nodes: their `clone` must not allocate.
pub struct Map<K, V> {
    root: Option<Node<K, V>>,
    len: usize,
}

type Entries<K, V> = ArrayVec<(K, V), FANOUT>;
/// Each node with a key that is not above any of its keys; that of the first is not looked at.
type Children<K, V> = ArrayVec<(K, Node<K, V>), FANOUT>;

enum Node<K, V> {
    Leaf(Box<Entries<K, V>>),
    Inner(Box<Children<K, V>>),
}

impl<K: Ord + Clone, V> Default for Map<K, V> {
    fn default() -> Map<K, V> {
        Map::new()
    }
}

impl<K: Ord + Clone, V> Map<K, V> {
    /// An empty map.
    pub const fn new() -> Map<K, V> {
        Map { root: None, len: 0 }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The value of that key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let mut node = self.root.as_ref()?;
        loop {
            match node {
                Node::Leaf(entries) => return Some(&entries[find(entries, key).ok()?].1),
                Node::Inner(children) => node = &children[child_of(children, key)].1,
            }
        }
    }

    /// The value of that key, for a change.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let entries = self.leaf(key)?;
        let at = find(entries, key).ok()?;
        Some(&mut entries[at].1)
    }

    /// Whether there is a value of that key.
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.get(key).is_some()
    }

    /// Sets the value of a key; the old one comes back.
    ///
    /// # Errors
    /// `ENOMEM`, for a new key only: nothing has changed.
    pub fn insert(&mut self, key: K, value: V) -> Result<Option<V>, Errno> {
        match self.leaf(&key).map(|entries| (find(entries, &key), entries)) {
            Some((Ok(at), entries)) => Ok(Some(mem::replace(&mut entries[at].1, value))),
            Some((Err(at), entries)) if !entries.is_full() => {
                entries.insert(at, (key, value));
                self.len += 1;
                Ok(None)
            }
            _ => self.insert_with_split(key, value).map(|()| None),
        }
    }

    /// Sets the value of a key that has none.
    ///
    /// # Errors
    /// `EEXIST`: it has one, which stays. `ENOMEM`: nothing has changed.
    pub fn insert_new(&mut self, key: K, value: V) -> Result<(), Errno> {
        match self.leaf(&key).map(|entries| (find(entries, &key), entries)) {
            Some((Ok(_), _)) => Err(Errno::EEXIST),
            Some((Err(at), entries)) if !entries.is_full() => {
                entries.insert(at, (key, value));
                self.len += 1;
                Ok(())
            }
            _ => self.insert_with_split(key, value),
        }
    }

    /// The leaf that the key belongs into.
    #[inline]
    fn leaf<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut Entries<K, V>>
    where
        K: Borrow<Q>,
    {
        let mut node = self.root.as_mut()?;
        loop {
            match node {
                Node::Leaf(entries) => return Some(entries),
                Node::Inner(children) => {
                    let at = child_of(children, key);
                    node = &mut children[at].1;
                }
            }
        }
    }

    /// Inserts a new key where there is no leaf, or a full one.
    #[cold]
    fn insert_with_split(&mut self, key: K, value: V) -> Result<(), Errno> {
        let entries = self.leaf_with_room(&key)?;
        let at = entries.partition_point(|(other, _)| *other < key);
        entries.insert(at, (key, value));
        self.len += 1;
        Ok(())
    }

    /// The leaf that the key belongs into, with room for one more. `ENOMEM`.
    fn leaf_with_room(&mut self, key: &K) -> Result<&mut Entries<K, V>, Errno> {
        let mut node = self.root_with_room()?;
        loop {
            match node {
                Node::Leaf(entries) => return Ok(entries),
                Node::Inner(children) => {
                    let mut at = child_of(children, key);
                    if children[at].1.is_full() {
                        let right = children[at].1.split()?;
                        let is_right = right.0 <= *key;
                        children.insert(at + 1, right);
                        at += usize::from(is_right);
                    }
                    node = &mut children[at].1;
                }
            }
        }
    }

    fn root_with_room(&mut self) -> Result<&mut Node<K, V>, Errno> {
        let root = match self.root.take() {
            None => Ok(Node::Leaf(boxed_with(ArrayVec::new)?)),
            Some(root) if root.is_full() => root.grow(),
            Some(root) => Ok(root),
        };
        match root {
            Ok(root) => Ok(self.root.insert(root)),
            Err(root) => {
                self.root = Some(root);
                Err(Errno::ENOMEM)
            }
        }
    }

    /// Takes out a key and its value.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let removed = self.root.as_mut()?.remove(key)?;
        self.len -= 1;
        self.root = self.root.take().and_then(Node::lowered);
        Some(removed.1)
    }

    /// Takes out the entry with the lowest key.
    pub fn pop_first(&mut self) -> Option<(K, V)> {
        let removed = self.root.as_mut()?.pop_first()?;
        self.len -= 1;
        self.root = self.root.take().and_then(Node::lowered);
        Some(removed)
    }

    /// All entries, by key.
    pub fn iter(&self) -> Iter<'_, K, V> {
        Iter {
            root: self.root.as_ref(),
            entries: self.root.as_ref().map_or(&[], |root| root.from(&|_| false)),
        }
    }

    /// All values, by key.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// The entries from a key on.
    pub fn range(&self, keys: RangeFrom<K>) -> Iter<'_, K, V> {
        let is_before = |key: &K| *key < keys.start;
        Iter {
            root: self.root.as_ref(),
            entries: self.root.as_ref().map_or(&[], |root| root.from(&is_before)),
        }
    }
}

/// Where the key stands in a leaf, or would.
fn find<K: Borrow<Q>, V, Q: Ord + ?Sized>(entries: &Entries<K, V>, key: &Q) -> Result<usize, usize> {
    entries.binary_search_by(|(other, _)| other.borrow().cmp(key))
}

/// The child that has the key, if any has.
fn child_of<K: Borrow<Q>, V, Q: Ord + ?Sized>(children: &Children<K, V>, key: &Q) -> usize {
    children[1..].partition_point(|(least, _)| least.borrow().cmp(key).is_le())
}

impl<K: Ord + Clone, V> Node<K, V> {
    fn len(&self) -> usize {
        match self {
            Node::Leaf(entries) => entries.len(),
            Node::Inner(children) => children.len(),
        }
    }

    fn is_full(&self) -> bool {
        self.len() == FANOUT
    }

    /// Gives the upper half to a new node, which comes back with its lowest key. `ENOMEM`, nothing changed.
    fn split(&mut self) -> Result<(K, Node<K, V>), Errno> {
        match self {
            Node::Leaf(entries) => {
                let right = upper_half(entries)?;
                Ok((right[0].0.clone(), Node::Leaf(right)))
            }
            Node::Inner(children) => {
                let right = upper_half(children)?;
                Ok((right[0].0.clone(), Node::Inner(right)))
            }
        }
    }

    /// A node above a full root and what was split from it; or the root as it was.
    fn grow(mut self) -> Result<Node<K, V>, Node<K, V>> {
        let Ok(mut above) = boxed_with(ArrayVec::new) else {
            return Err(self);
        };
        let Ok(right) = self.split() else {
            return Err(self);
        };
        above.push((right.0.clone(), self));
        above.push(right);
        Ok(Node::Inner(above))
    }

    /// A root without what it does not need: nothing for an empty leaf, the child for a node with one.
    fn lowered(self) -> Option<Node<K, V>> {
        match self {
            Node::Inner(mut children) if children.len() < 2 => Some(children.pop()?.1),
            Node::Leaf(entries) if entries.is_empty() => None,
            root => Some(root),
        }
    }

    fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<(K, V)>
    where
        K: Borrow<Q>,
    {
        match self {
            Node::Leaf(entries) => {
                let at = find(entries, key).ok()?;
                Some(entries.remove(at))
            }
            Node::Inner(children) => {
                let at = child_of(children, key);
                let removed = children[at].1.remove(key)?;
                tidy(children, at);
                Some(removed)
            }
        }
    }

    fn pop_first(&mut self) -> Option<(K, V)> {
        match self {
            Node::Leaf(entries) => entries.pop_at(0),
            Node::Inner(children) => {
                let removed = children[0].1.pop_first()?;
                tidy(children, 0);
                Some(removed)
            }
        }
    }

    /// Takes over all of the node behind it, whose keys are not below `least`.
    fn append(&mut self, least: K, right: Node<K, V>) {
        match (self, right) {
            // Drained where they lie: moved out of its box a node would take room on the stack.
            (Node::Leaf(entries), Node::Leaf(mut right)) => entries.extend(right.drain(..)),
            (Node::Inner(children), Node::Inner(mut right)) => {
                right[0].0 = least;
                children.extend(right.drain(..));
            }
            _ => unreachable!("all leaves are equally deep"),
        }
    }

    /// What follows, in one leaf, from the first key on that is not `is_before`; empty if there is none.
    fn from(&self, is_before: &impl Fn(&K) -> bool) -> &[(K, V)] {
        match self {
            Node::Leaf(entries) => &entries[entries.partition_point(|(key, _)| is_before(key))..],
            Node::Inner(children) => {
                let at = children[1..].partition_point(|(least, _)| is_before(least));
                let found = children[at].1.from(is_before);
                match children.get(at + 1) {
                    Some((_, next)) if found.is_empty() => next.from(is_before),
                    _ => found,
                }
            }
        }
    }
}

fn upper_half<T>(full: &mut ArrayVec<T, FANOUT>) -> Result<Box<ArrayVec<T, FANOUT>>, Errno> {
    let mut right = boxed_with(ArrayVec::new)?;
    right.extend(full.drain(FANOUT / 2..));
    Ok(right)
}

/// After something was taken out of the child at `at`: an empty one goes, and one that is small joins a neighbour.
fn tidy<K: Ord + Clone, V>(children: &mut Children<K, V>, at: usize) {
    let len = children[at].1.len();
    if len > FEW {
        return;
    }
    if len == 0 {
        children.remove(at);
        return;
    }
    for right in [at + 1, at] {
        let is_pair = right > 0 && right < children.len();
        if is_pair && children[right - 1].1.len() + children[right].1.len() <= FEW {
            let (least, gone) = children.remove(right);
            children[right - 1].1.append(least, gone);
        }
    }
}

/// The entries of a [`Map`], by key.
pub struct Iter<'a, K, V> {
    root: Option<&'a Node<K, V>>,
    /// What is left of a leaf.
    entries: &'a [(K, V)],
}

impl<'a, K: Ord + Clone, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        let ((key, value), rest) = self.entries.split_first()?;
        self.entries = rest;
        if rest.is_empty() {
            let is_before = |other: &K| other <= key;
            self.entries = self.root.map_or(&[], |root| root.from(&is_before));
        }
        Some((key, value))
    }
}
