//! The one edit of the tree of areas: a range is emptied, and at most one area put into it.
//!
//! Where nobody shares the way down and the leaf stays neither too full nor too empty, the leaf is edited in place. Else new
//! nodes are built beside the old ones, and the root is replaced at the end: O(log n) nodes, the others are shared. Out of memory:
//! nothing has changed (I7).

use super::node::{
    Child, Kind, KindMut, MOST, MOST_BELOW, Node, Summary, first_area_ending_after, first_child_ending_after,
    overlapping_end,
};
use crate::addr::PageRange;
use crate::area::Area;
use crate::fallible::{arc, insert, push, reserve, with_room};
use crate::frames::NoMemory;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

/// A leaf below a branch that has lost areas and has fewer than this is joined with a neighbour.
const FEW: usize = MOST_BELOW / 4;

/// A tree becomes one leaf when that has so much room left.
const ROOM: usize = MOST / 6;

/// What comes in the place of a node: nothing, itself changed, or two of its level.
type Built = [Option<Child>; 2];

/// What an edit does to a leaf: `replaced` goes, `new` comes.
struct LeafEdit {
    replaced: Range<usize>,
    new: [Option<Area>; 3],
}

impl LeafEdit {
    fn of(areas: &[Area], range: PageRange, new: Option<Area>) -> LeafEdit {
        let first = first_area_ending_after(areas, range.start());
        let replaced = first..overlapping_end(areas, first, range);
        let outside = |from, to| {
            let part = PageRange::between(from, to).filter(|part| !part.is_empty());
            move |area: &Area| part.map(|part| area.part(part))
        };
        let inside = &areas[replaced.clone()];
        let head = inside
            .first()
            .and_then(|area| outside(area.range.start(), range.start())(area));
        let tail = inside
            .last()
            .and_then(|area| outside(range.end(), area.range.end())(area));
        LeafEdit {
            replaced,
            new: [head, new, tail],
        }
    }

    fn count(&self) -> usize {
        self.new.iter().flatten().count()
    }

    /// How many areas a leaf of `len` has afterwards.
    fn len_after(&self, len: usize) -> usize {
        len - self.replaced.len() + self.count()
    }

    /// Edits the leaf, which has room.
    fn perform(self, areas: &mut Vec<Area>) {
        let Range { mut start, mut end } = self.replaced;
        for area in self.new.into_iter().flatten() {
            if start < end {
                areas[start] = area;
            } else {
                insert(areas, start, area);
                end += 1;
            }
            start += 1;
        }
        areas.drain(start..end);
    }
}

/// Edits the tree in place if it can be; whether it was. `new` is taken then. A leaf that loses areas keeps at least `least`, one
/// that gains some has at most `most`.
pub(super) fn in_place(
    node: &mut Arc<Node>,
    range: PageRange,
    new: &mut Option<Area>,
    least: usize,
    most: usize,
) -> Result<bool, NoMemory> {
    match Arc::get_mut(node).map(Node::kind_mut) {
        None => Ok(false),
        Some(KindMut::Leaf(areas)) => {
            let edit = LeafEdit::of(areas, range, new.take());
            let len = edit.len_after(areas.len());
            let (shrinks, grows) = (len < areas.len(), len > areas.len());
            if len == 0 || (grows && len > most) || (shrinks && len < least) {
                let [_, middle, _] = edit.new;
                *new = middle;
                return Ok(false);
            }
            reserve(areas, edit.count())?;
            edit.perform(areas);
            Ok(true)
        }
        Some(KindMut::Branch(children)) => {
            let concerned = concerned(children, range);
            let child = &mut children[concerned.start];
            if concerned.len() > 1 || !in_place(&mut child.node, range, new, FEW, MOST_BELOW)? {
                return Ok(false);
            }
            child.summary = child.node.summary().unwrap_or(child.summary);
            Ok(true)
        }
    }
}

/// The children that `range` overlaps; the one that it lies beside if there are none.
fn concerned(children: &[Child], range: PageRange) -> Range<usize> {
    let first = first_child_ending_after(children, range.start()).min(children.len() - 1);
    let more = children[first + 1..]
        .iter()
        .take_while(|child| child.summary.start < range.end());
    first..first + 1 + more.count()
}

/// The root of a tree of one area.
pub(super) fn first_leaf(area: Area) -> Result<Arc<Node>, NoMemory> {
    let mut areas = with_room(1)?;
    push(&mut areas, area);
    arc(Node::leaf(areas))
}

/// What comes in the place of `root`.
pub(super) fn rebuilt_root(
    root: Option<&Node>,
    range: PageRange,
    new: Option<Area>,
) -> Result<Option<Arc<Node>>, NoMemory> {
    let built = match root {
        Some(root) => rebuilt(root, range, new, MOST)?,
        None => {
            let mut areas = with_room(1)?;
            new.into_iter().for_each(|area| push(&mut areas, area));
            [child(Node::leaf(areas))?, None]
        }
    };
    match built {
        [Some(first), Some(second)] => {
            let mut children = with_room(2)?;
            push(&mut children, first);
            push(&mut children, second);
            Ok(Some(arc(Node::branch(children))?))
        }
        [Some(only), None] | [None, Some(only)] => Ok(Some(gathered(lowered(only.node))?)),
        [None, None] => Ok(None),
    }
}

/// Without branches at the top that have one child.
fn lowered(mut root: Arc<Node>) -> Arc<Node> {
    while let [only] = &root.children[..] {
        root = Arc::clone(&only.node);
    }
    root
}

/// Whether a leaf would do, half full.
pub(super) fn is_loose(root: &Node) -> bool {
    !root.children.is_empty() && root.areas() <= MOST / 2
}

/// As one leaf if that has room left: most trees are one.
fn gathered(root: Arc<Node>) -> Result<Arc<Node>, NoMemory> {
    if root.children.is_empty() || root.areas() > MOST - ROOM {
        return Ok(root);
    }
    let mut areas = with_room(root.areas())?;
    gather(&root, &mut areas);
    arc(Node::leaf(areas))
}

/// Adds copies of all areas of the node to a list that has room.
fn gather(node: &Node, areas: &mut Vec<Area>) {
    match node.kind() {
        Kind::Leaf(more) => extend(areas, more),
        Kind::Branch(children) => children.iter().for_each(|child| gather(&child.node, areas)),
    }
}

/// `most`: the most areas of it if it is a leaf.
fn rebuilt(node: &Node, range: PageRange, new: Option<Area>, most: usize) -> Result<Built, NoMemory> {
    match node.kind() {
        Kind::Leaf(areas) => {
            let edit = LeafEdit::of(areas, range, new);
            let mut list = with_room(edit.len_after(areas.len()))?;
            let (before, after) = (&areas[..edit.replaced.start], &areas[edit.replaced.end..]);
            extend(&mut list, before);
            edit.new
                .into_iter()
                .flatten()
                .for_each(|area| push(&mut list, area));
            extend(&mut list, after);
            split(list, most, Node::leaf)
        }
        Kind::Branch(children) => {
            let list = rebuilt_children(children, range, new)?;
            split(list, MOST_BELOW, Node::branch)
        }
    }
}

fn rebuilt_children(children: &[Child], range: PageRange, new: Option<Area>) -> Result<Vec<Child>, NoMemory> {
    let concerned = concerned(children, range);
    let first = rebuilt(&children[concerned.start].node, range, new, MOST_BELOW)?;
    let last = if concerned.len() > 1 {
        rebuilt(&children[concerned.end - 1].node, range, None, MOST_BELOW)?
    } else {
        [None, None]
    };
    let mut list = with_room(children.len() + 2)?;
    extend(&mut list, &children[..concerned.start]);
    let built = first.into_iter().chain(last).flatten();
    built.for_each(|child| push(&mut list, child));
    let end = list.len();
    extend(&mut list, &children[concerned.end..]);
    join_small(&mut list, concerned.start.saturating_sub(1)..end + 1)?;
    Ok(list)
}

/// Joins neighbours among the children in `places` where they fit into one node.
fn join_small(children: &mut Vec<Child>, places: Range<usize>) -> Result<(), NoMemory> {
    let Range {
        start: mut at,
        mut end,
    } = places;
    end = end.min(children.len());
    while at + 1 < end {
        let (left, right) = (&children[at].node, &children[at + 1].node);
        if left.len().min(right.len()) < FEW && left.len() + right.len() <= MOST_BELOW {
            if let Some(joined) = child(joined(left, right)?)? {
                children[at] = joined;
            }
            children.remove(at + 1);
            end -= 1;
        } else {
            at += 1;
        }
    }
    Ok(())
}

/// The two nodes, which are of one level, as one.
fn joined(left: &Node, right: &Node) -> Result<Node, NoMemory> {
    // One of the two lists is empty in both.
    Ok(Node {
        areas: concatenated(&left.areas, &right.areas)?,
        children: concatenated(&left.children, &right.children)?,
    })
}

fn concatenated<T: Clone>(left: &[T], right: &[T]) -> Result<Vec<T>, NoMemory> {
    let mut list = with_room(left.len() + right.len())?;
    extend(&mut list, left);
    extend(&mut list, right);
    Ok(list)
}

/// Adds copies to a list that has room.
///
/// # Panics
/// If it has none.
fn extend<T: Clone>(list: &mut Vec<T>, more: &[T]) {
    assert!(more.len() <= list.capacity() - list.len(), "room was made before");
    list.extend_from_slice(more);
}

/// One node of all of `list`, or two if they are too many.
fn split<T>(mut list: Vec<T>, most: usize, node: fn(Vec<T>) -> Node) -> Result<Built, NoMemory> {
    if list.len() <= most {
        return Ok([child(node(list))?, None]);
    }
    let half = list.len() / 2;
    let mut second = with_room(list.len() - half)?;
    list.drain(half..).for_each(|element| push(&mut second, element));
    Ok([child(node(list))?, child(node(second))?])
}

/// `None`: the node is empty.
fn child(node: Node) -> Result<Option<Child>, NoMemory> {
    let Some(summary): Option<Summary> = node.summary() else {
        return Ok(None);
    };
    Ok(Some(Child {
        node: arc(node)?,
        summary,
    }))
}
