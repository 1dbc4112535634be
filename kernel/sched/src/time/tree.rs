//! What is to happen, in the order of its points in time: a treap (Seidel and Aragon 1996) whose nodes live in what expires, in a
//! [`TimerPlace`] of each. So to set something and to take it back needs no memory and cannot fail, and takes a number of steps that
//! is the logarithm of how many wait.
//!
//! Places are changed under the lock of the list only; each has a lock of its own nevertheless, which is then never waited for.
//! One at a time is taken.

use super::expire::{Alarm, Due};
use lock::Mutex;

/// Where something stands that is to happen. Everything that can expire has one, and so stands in one list at a time.
pub struct TimerPlace(Mutex<TimerNode>);

struct TimerNode {
    /// While it stands.
    alarm: Option<Alarm>,
    /// Above both children.
    priority: u64,
    sooner: Tree,
    later: Tree,
}

/// Which of the two children.
#[derive(Clone, Copy)]
enum Side {
    Sooner,
    Later,
}

/// Where [`take_due`] finds itself.
enum Descent {
    /// This comes before, and was taken.
    Sooner(Due),
    /// It comes first, and left this.
    Left(Tree),
    /// It comes first, and is to happen later.
    NotDue,
}

/// A treap, or a part of one.
pub(super) type Tree = Option<Due>;

impl Default for TimerPlace {
    fn default() -> Self {
        Self::new()
    }
}

impl TimerPlace {
    /// That of something that is not to happen.
    pub const fn new() -> TimerPlace {
        TimerPlace(Mutex::new(TimerNode {
            alarm: None,
            priority: 0,
            sooner: None,
            later: None,
        }))
    }

    /// When it is to happen; `None` if it stands nowhere.
    pub(super) fn alarm(&self) -> Option<Alarm> {
        self.0.lock().alarm
    }

    fn rank(&self) -> (Option<Alarm>, u64) {
        let node = self.0.lock();
        (node.alarm, node.priority)
    }

    fn take_child(&self, side: Side) -> Tree {
        self.0.lock().child(side).take()
    }

    fn set_child(&self, side: Side, child: Tree) {
        *self.0.lock().child(side) = child;
    }

    /// Looks whether it comes first of what is at it and below; if so and it is to happen until `now`, it stands nowhere from now on.
    fn leave_if_due(&self, now: u64) -> Descent {
        let mut node = self.0.lock();
        if let Some(sooner) = node.sooner.take() {
            return Descent::Sooner(sooner);
        }
        if node.alarm.is_none_or(|alarm| alarm.deadline > now) {
            return Descent::NotDue;
        }
        node.alarm = None;
        Descent::Left(node.later.take())
    }

    /// Takes both children; it stands nowhere from now on.
    fn leave(&self) -> (Tree, Tree) {
        let mut node = self.0.lock();
        node.alarm = None;
        (node.sooner.take(), node.later.take())
    }
}

impl Side {
    /// Where `alarm` belongs below what happens `at` another time.
    fn of(alarm: Alarm, at: Option<Alarm>) -> Side {
        if Some(alarm) < at {
            Side::Sooner
        } else {
            Side::Later
        }
    }
}

impl TimerNode {
    fn child(&mut self, side: Side) -> &mut Tree {
        match side {
            Side::Sooner => &mut self.sooner,
            Side::Later => &mut self.later,
        }
    }
}

/// Adds something that stands nowhere. `priority` is a number that nobody can foresee.
pub(super) fn insert(tree: Tree, new: Due, alarm: Alarm, priority: u64) -> Tree {
    let Some(top) = tree else {
        return Some(place(new, alarm, priority, (None, None)));
    };
    let (at, above) = top.place().rank();
    if above < priority {
        let parts = split(Some(top), alarm);
        return Some(place(new, alarm, priority, parts));
    }
    let side = Side::of(alarm, at);
    let child = insert(top.place().take_child(side), new, alarm, priority);
    top.place().set_child(side, child);
    Some(top)
}

fn place(new: Due, alarm: Alarm, priority: u64, (sooner, later): (Tree, Tree)) -> Due {
    *new.place().0.lock() = TimerNode {
        alarm: Some(alarm),
        priority,
        sooner,
        later,
    };
    new
}

/// What is sooner than `alarm`, and what is later.
fn split(tree: Tree, alarm: Alarm) -> (Tree, Tree) {
    let Some(top) = tree else {
        return (None, None);
    };
    if top.place().alarm() > Some(alarm) {
        let (sooner, later) = split(top.place().take_child(Side::Sooner), alarm);
        top.place().set_child(Side::Sooner, later);
        (sooner, Some(top))
    } else {
        let (sooner, later) = split(top.place().take_child(Side::Later), alarm);
        top.place().set_child(Side::Later, sooner);
        (Some(top), later)
    }
}

/// All of two trees, the second of which is later.
fn join(sooner: Tree, later: Tree) -> Tree {
    let (Some(first), Some(second)) = (&sooner, &later) else {
        return sooner.or(later);
    };
    let is_first_above = first.place().rank().1 > second.place().rank().1;
    let top = first.clone();
    if is_first_above {
        let part = top.place().take_child(Side::Later);
        top.place().set_child(Side::Later, join(part, later));
        return Some(top);
    }
    let top = second.clone();
    let part = top.place().take_child(Side::Sooner);
    top.place().set_child(Side::Sooner, join(sooner, part));
    Some(top)
}

/// Takes out what is to happen then; the rest, and what was taken out if it stood there.
pub(super) fn remove(tree: Tree, alarm: Alarm) -> (Tree, Tree) {
    let Some(top) = tree else {
        return (None, None);
    };
    let at = top.place().alarm();
    if at == Some(alarm) {
        let (sooner, later) = top.place().leave();
        return (join(sooner, later), Some(top));
    }
    let side = Side::of(alarm, at);
    let (child, removed) = remove(top.place().take_child(side), alarm);
    top.place().set_child(side, child);
    (Some(top), removed)
}

/// Takes out what comes first, if it is to happen until `now`; the rest, and what was taken out.
pub(super) fn take_due(tree: Tree, now: u64) -> (Tree, Tree) {
    let Some(top) = tree else {
        return (None, None);
    };
    match top.place().leave_if_due(now) {
        Descent::NotDue => (Some(top), None),
        Descent::Left(later) => (later, Some(top)),
        Descent::Sooner(sooner) => {
            let (rest, due) = take_due(Some(sooner), now);
            top.place().set_child(Side::Sooner, rest);
            (Some(top), due)
        }
    }
}

/// What comes first.
pub(super) fn first(tree: &Tree) -> Option<Alarm> {
    let mut at = tree.clone()?;
    loop {
        let sooner = at.place().0.lock().sooner.clone();
        match sooner {
            Some(sooner) => at = sooner,
            None => return at.place().alarm(),
        }
    }
}
