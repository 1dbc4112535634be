//! A balanced search tree (AVL) whose making of nodes can fail, and whose subtrees know a summary of their entries. Lookups,
//! insertions and removals take O(log n) steps; a removed node is kept by the caller and may be used again.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::ops::{Deref, DerefMut};

/// There is no memory for a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoNode;

/// What a tree holds.
pub trait TreeEntry {
    /// What entries are ordered by. No two entries of a tree are equal in it.
    type Key: Ord + Copy;
    /// What a search must know of a subtree to pass it by.
    type Summary: Copy;

    /// The entry's key.
    fn key(&self) -> Self::Key;
    /// The summary of this entry alone.
    fn summary(&self) -> Self::Summary;
    /// The summary of two sets of entries.
    fn join(a: Self::Summary, b: Self::Summary) -> Self::Summary;
}

/// One node, in a tree or out of it. A box that is made without a panic: a vector of one.
pub struct Node<T: TreeEntry>(Box<[Inner<T>; 1]>);

/// What a node holds.
pub struct Inner<T: TreeEntry> {
    entry: T,
    summary: T::Summary,
    height: u8,
    left: Link<T>,
    right: Link<T>,
}

type Link<T> = Option<Node<T>>;

impl<T: TreeEntry> Deref for Node<T> {
    type Target = Inner<T>;

    fn deref(&self) -> &Inner<T> {
        &self.0[0]
    }
}

impl<T: TreeEntry> DerefMut for Node<T> {
    fn deref_mut(&mut self) -> &mut Inner<T> {
        &mut self.0[0]
    }
}

impl<T: TreeEntry> Node<T> {
    /// A node of its own.
    ///
    /// # Errors
    /// [`NoNode`] if there is no memory.
    pub fn new(entry: T) -> Result<Self, NoNode> {
        let mut place = Vec::new();
        place.try_reserve_exact(1).map_err(|_| NoNode)?;
        let summary = entry.summary();
        place.push(Inner {
            entry,
            summary,
            height: 1,
            left: None,
            right: None,
        });
        let place = place.into_boxed_slice().try_into().map_err(|_| NoNode)?;
        Ok(Node(place))
    }

    /// The same node with another entry. It is in no tree.
    pub fn with(mut self, entry: T) -> Self {
        self.entry = entry;
        self.refresh();
        self
    }

    /// Height and summary from those of the children.
    fn refresh(&mut self) {
        let mut summary = self.entry.summary();
        for child in [&self.left, &self.right].into_iter().flatten() {
            summary = T::join(summary, child.summary);
        }
        self.height = 1 + height(&self.left).max(height(&self.right));
        self.summary = summary;
    }

    fn balanced(mut self) -> Self {
        self.refresh();
        let (left, right) = (height(&self.left), height(&self.right));
        if left > right + 1 {
            self.left = self.left.take().map(|child| {
                if height(&child.left) < height(&child.right) {
                    child.rotated_left()
                } else {
                    child
                }
            });
            return self.rotated_right();
        }
        if right > left + 1 {
            self.right = self.right.take().map(|child| {
                if height(&child.right) < height(&child.left) {
                    child.rotated_right()
                } else {
                    child
                }
            });
            return self.rotated_left();
        }
        self
    }

    /// The right child becomes the top.
    fn rotated_left(mut self) -> Self {
        let Some(mut top) = self.right.take() else {
            return self;
        };
        self.right = top.left.take();
        self.refresh();
        top.left = Some(self);
        top.refresh();
        top
    }

    /// The left child becomes the top.
    fn rotated_right(mut self) -> Self {
        let Some(mut top) = self.left.take() else {
            return self;
        };
        self.left = top.right.take();
        self.refresh();
        top.right = Some(self);
        top.refresh();
        top
    }
}

fn height<T: TreeEntry>(link: &Link<T>) -> u8 {
    link.as_ref().map_or(0, |node| node.height)
}

/// A tree.
pub struct Tree<T: TreeEntry>(Link<T>);

/// What a search does at an entry.
pub enum TreeStep {
    /// This is the one.
    Found,
    /// It may stand behind.
    Later,
    /// It cannot stand here or behind.
    Over,
}

impl<T: TreeEntry> Default for Tree<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: TreeEntry> Tree<T> {
    /// No entries.
    pub const fn new() -> Self {
        Tree(None)
    }

    /// Puts a node in. Its key must be new.
    pub fn insert(&mut self, node: Node<T>) {
        self.0 = Some(insert(self.0.take(), node));
    }

    /// Takes the node with that key out.
    pub fn remove(&mut self, key: T::Key) -> Option<Node<T>> {
        let (rest, removed) = remove(self.0.take(), key);
        self.0 = rest;
        removed
    }

    /// The first entry whose key is `key` or more.
    pub fn first_from(&self, key: T::Key) -> Option<&T> {
        let (mut at, mut best) = (&self.0, None);
        while let Some(node) = at {
            if node.entry.key() >= key {
                best = Some(&node.entry);
                at = &node.left;
            } else {
                at = &node.right;
            }
        }
        best
    }

    /// The last entry whose key is less than `key`.
    pub fn last_below(&self, key: T::Key) -> Option<&T> {
        let (mut at, mut best) = (&self.0, None);
        while let Some(node) = at {
            if node.entry.key() < key {
                best = Some(&node.entry);
                at = &node.right;
            } else {
                at = &node.left;
            }
        }
        best
    }

    /// The first entry, in order, that `test` calls found. Subtrees that `may_hold` denies are passed by.
    pub fn find(
        &self,
        may_hold: &impl Fn(&T::Summary) -> bool,
        test: &impl Fn(&T) -> TreeStep,
    ) -> Option<&T> {
        find(&self.0, may_hold, test)
    }
}

fn find<'a, T: TreeEntry>(
    link: &'a Link<T>,
    may_hold: &impl Fn(&T::Summary) -> bool,
    test: &impl Fn(&T) -> TreeStep,
) -> Option<&'a T> {
    let node = link.as_ref().filter(|node| may_hold(&node.summary))?;
    if let Some(found) = find(&node.left, may_hold, test) {
        return Some(found);
    }
    match test(&node.entry) {
        TreeStep::Found => Some(&node.entry),
        TreeStep::Later => find(&node.right, may_hold, test),
        TreeStep::Over => None,
    }
}

fn insert<T: TreeEntry>(link: Link<T>, node: Node<T>) -> Node<T> {
    let Some(mut top) = link else { return node };
    if node.entry.key() < top.entry.key() {
        top.left = Some(insert(top.left.take(), node));
    } else {
        top.right = Some(insert(top.right.take(), node));
    }
    top.balanced()
}

fn remove<T: TreeEntry>(link: Link<T>, key: T::Key) -> (Link<T>, Option<Node<T>>) {
    let Some(mut top) = link else { return (None, None) };
    let removed = match key.cmp(&top.entry.key()) {
        Ordering::Less => {
            let (rest, removed) = remove(top.left.take(), key);
            top.left = rest;
            removed
        }
        Ordering::Greater => {
            let (rest, removed) = remove(top.right.take(), key);
            top.right = rest;
            removed
        }
        Ordering::Equal => return remove_top(top),
    };
    (Some(top.balanced()), removed)
}

/// Takes the top of a tree off: its place is taken by the first of those behind it.
fn remove_top<T: TreeEntry>(mut top: Node<T>) -> (Link<T>, Option<Node<T>>) {
    let (left, right) = (top.left.take(), top.right.take());
    let rest = match (left, right) {
        (left, None) => left,
        (left, Some(right)) => {
            let (rest, mut first) = remove_first(right);
            first.left = left;
            first.right = rest;
            Some(first.balanced())
        }
    };
    (rest, Some(top))
}

fn remove_first<T: TreeEntry>(mut top: Node<T>) -> (Link<T>, Node<T>) {
    match top.left.take() {
        None => (top.right.take(), top),
        Some(left) => {
            let (rest, first) = remove_first(left);
            top.left = rest;
            (Some(top.balanced()), first)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl TreeEntry for u32 {
        type Key = u32;
        /// How many there are.
        type Summary = usize;

        fn key(&self) -> u32 {
            *self
        }

        fn summary(&self) -> usize {
            1
        }

        fn join(a: usize, b: usize) -> usize {
            a + b
        }
    }

    fn check(link: &Link<u32>, seen: &mut Vec<u32>) -> usize {
        let Some(node) = link else { return 0 };
        let count = check(&node.left, seen);
        seen.push(node.entry);
        let count = count + 1 + check(&node.right, seen);
        assert_eq!(node.summary, count);
        assert!(height(&node.left).abs_diff(height(&node.right)) <= 1);
        count
    }

    #[test]
    fn it_stays_ordered_balanced_and_summed_up() {
        let (mut tree, mut model) = (Tree::new(), std::collections::BTreeSet::new());
        let mut random = 1u32;
        for _ in 0..4000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let key = random >> 23;
            if model.insert(key) {
                tree.insert(Node::new(key).unwrap());
            } else {
                model.remove(&key);
                assert_eq!(tree.remove(key).map(|node| node.entry), Some(key));
            }
            assert_eq!(tree.first_from(key), model.range(key..).next());
            assert_eq!(tree.last_below(key), model.range(..key).next_back());
            let mut seen = Vec::new();
            check(&tree.0, &mut seen);
            assert!(seen.iter().eq(&model));
        }
    }
}
