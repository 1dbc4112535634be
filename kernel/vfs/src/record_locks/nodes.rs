//! The nodes of a lock in the two trees of a file's record locks.

use super::tree::{NoNode, Node, TreeEntry};
use super::{LockKind, LockOwner, Record};

/// A lock in its place. Several owners may share a place.
pub struct Placed {
    /// The lock.
    pub record: Record,
    /// 0, or the number of a claim: a claim may begin where a lock of its owner begins.
    pub tag: u64,
}

/// Whose locks a subtree has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    Nobody,
    One(LockOwner),
    Several,
}

impl Whose {
    fn join(self, other: Whose) -> Whose {
        match (self, other) {
            (Whose::Nobody, known) | (known, Whose::Nobody) => known,
            (one, same) if one == same => one,
            _ => Whose::Several,
        }
    }

    fn is_anybody_but(self, owner: LockOwner) -> bool {
        self != Whose::Nobody && self != Whose::One(owner)
    }
}

/// What a search must know of some locks.
#[derive(Clone, Copy)]
pub struct Reach {
    last: u64,
    whose: Whose,
}

impl Reach {
    const NOTHING: Reach = Reach {
        last: 0,
        whose: Whose::Nobody,
    };

    /// Whether one of the locks may stand in the way of `wanted`.
    pub fn may_exclude(&self, wanted: &Record) -> bool {
        self.last >= wanted.first && self.whose.is_anybody_but(wanted.owner)
    }

    fn join(self, other: Reach) -> Reach {
        Reach {
            last: self.last.max(other.last),
            whose: self.whose.join(other.whose),
        }
    }
}

impl TreeEntry for Placed {
    type Key = (u64, LockOwner, u64);
    /// Of all locks, and of the exclusive ones.
    type Summary = [Reach; 2];

    fn key(&self) -> Self::Key {
        (self.record.first, self.record.owner, self.tag)
    }

    fn summary(&self) -> [Reach; 2] {
        let own = Reach {
            last: self.record.last,
            whose: Whose::One(self.record.owner),
        };
        let is_exclusive = self.record.kind == LockKind::Exclusive;
        [own, if is_exclusive { own } else { Reach::NOTHING }]
    }

    fn join(a: [Reach; 2], b: [Reach; 2]) -> [Reach; 2] {
        [a[0].join(b[0]), a[1].join(b[1])]
    }
}

/// A lock among its owner's.
pub struct Owned(pub Record);

impl TreeEntry for Owned {
    type Key = (LockOwner, u64);
    type Summary = ();

    fn key(&self) -> Self::Key {
        (self.0.owner, self.0.first)
    }

    fn summary(&self) {}

    fn join((): (), (): ()) {}
}

/// The nodes of one lock.
pub struct Pair(pub Node<Placed>, pub Node<Owned>);

impl Pair {
    fn new(record: Record) -> Result<Pair, NoNode> {
        Ok(Pair(
            Node::new(Placed { record, tag: 0 })?,
            Node::new(Owned(record))?,
        ))
    }
}

/// Nodes to be used: those of a new lock and of what is left of an old one on either side.
#[derive(Default)]
pub struct Spare([Option<Pair>; 3]);

impl Spare {
    /// Keeps a pair if there is a place for it.
    pub fn keep(&mut self, pair: Pair) {
        if let Some(place) = self.0.iter_mut().find(|place| place.is_none()) {
            *place = Some(pair);
        }
    }

    /// A pair, if there is one.
    pub fn take(&mut self) -> Option<Pair> {
        self.0.iter_mut().find_map(Option::take)
    }

    /// Makes pairs until there are `count`.
    ///
    /// # Errors
    /// [`NoNode`] if there is no memory.
    pub fn fill(&mut self, count: usize, like: &Record) -> Result<(), NoNode> {
        let missing = count.saturating_sub(self.0.iter().flatten().count());
        for _ in 0..missing {
            self.keep(Pair::new(*like)?);
        }
        Ok(())
    }
}
