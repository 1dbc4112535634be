//! Which lines of two files differ: as few as possible (Myers, "An O(ND) Difference Algorithm and Its Variations", 1986, with its
//! refinement to linear space).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::Range;

/// For each line of both files whether it is only there.
pub struct Difference {
    pub old: Vec<bool>,
    pub new: Vec<bool>,
}

/// Compares two files by the keys of their lines: lines with one key are equal.
pub fn compare(old: &[Vec<u8>], new: &[Vec<u8>]) -> Difference {
    let (old, new) = numbered(old, new);
    let mut difference = Difference {
        old: alloc::vec![true; old.len()],
        new: alloc::vec![true; new.len()],
    };
    // What has no equal in the other file is different in any case, and costs only time.
    let (old_kept, new_kept) = (common(&old, &new), common(&new, &old));
    let pick = |all: &[usize], kept: &[usize]| kept.iter().map(|at| all[*at]).collect::<Vec<_>>();
    let (old, new) = (pick(&old, &old_kept), pick(&new, &new_kept));
    let mut search = Search::new(&old, &new);
    search.run(0..old.len(), 0..new.len(), &mut |one, other| {
        difference.old[old_kept[one]] = false;
        difference.new[new_kept[other]] = false;
    });
    difference
}

/// The same number for equal keys.
fn numbered(old: &[Vec<u8>], new: &[Vec<u8>]) -> (Vec<usize>, Vec<usize>) {
    let mut numbers: BTreeMap<&[u8], usize> = BTreeMap::new();
    let mut all = Vec::new();
    for key in old.iter().chain(new) {
        let next = numbers.len();
        all.push(*numbers.entry(key).or_insert(next));
    }
    let new = all.split_off(old.len());
    (all, new)
}

/// The places of lines that the other file has as well.
fn common(own: &[usize], other: &[usize]) -> Vec<usize> {
    let other: alloc::collections::BTreeSet<usize> = other.iter().copied().collect();
    (0..own.len()).filter(|at| other.contains(&own[*at])).collect()
}

/// The furthest places that have been reached on each diagonal, counted from the beginning and from the end.
struct Search<'a> {
    old: &'a [usize],
    new: &'a [usize],
    forward: Vec<isize>,
    backward: Vec<isize>,
}

impl Search<'_> {
    fn new<'a>(old: &'a [usize], new: &'a [usize]) -> Search<'a> {
        let diagonals = old.len() + new.len() + 6;
        Search {
            old,
            new,
            forward: alloc::vec![0; diagonals],
            backward: alloc::vec![0; diagonals],
        }
    }

    /// Calls `equal` for each pair of lines that stay.
    fn run(&mut self, mut old: Range<usize>, mut new: Range<usize>, equal: &mut dyn FnMut(usize, usize)) {
        while !old.is_empty() && !new.is_empty() && self.old[old.start] == self.new[new.start] {
            equal(old.start, new.start);
            (old.start, new.start) = (old.start + 1, new.start + 1);
        }
        while !old.is_empty() && !new.is_empty() && self.old[old.end - 1] == self.new[new.end - 1] {
            (old.end, new.end) = (old.end - 1, new.end - 1);
            equal(old.end, new.end);
        }
        if old.is_empty() || new.is_empty() {
            return;
        }
        let (one, other) = self.middle(&old, &new);
        self.run(old.start..one, new.start..other, equal);
        self.run(one..old.end, other..new.end, equal);
    }

    /// A place on a shortest way, with half of the differences on each side: goes from both ends, one difference further each round,
    /// until the ways meet.
    fn middle(&mut self, old: &Range<usize>, new: &Range<usize>) -> (usize, usize) {
        let (old_lines, new_lines) = (&self.old[old.clone()], &self.new[new.clone()]);
        let (height, width) = (old_lines.len() as isize, new_lines.len() as isize);
        let delta = height - width;
        let most = (height + width + 1) / 2 + 1;
        let at = |diagonal: isize| (diagonal + most) as usize;
        let (forward, backward) = (&mut self.forward, &mut self.backward);
        (forward[at(1)], backward[at(1)]) = (0, 0);
        for round in 0..most {
            for diagonal in (-round..=round).step_by(2) {
                let start = step(forward, at, diagonal, round);
                let same = |x: isize| old_lines[x as usize] == new_lines[(x - diagonal) as usize];
                let end = slide(start, diagonal, height, width, same);
                forward[at(diagonal)] = end;
                let opposite = delta - diagonal;
                if delta % 2 != 0 && opposite.abs() < round && end + backward[at(opposite)] >= height {
                    return (
                        old.start + start as usize,
                        new.start + (start - diagonal) as usize,
                    );
                }
            }
            for diagonal in (-round..=round).step_by(2) {
                let start = step(backward, at, diagonal, round);
                let from_end = |x: isize| {
                    let y = x - diagonal;
                    old_lines[(height - 1 - x) as usize] == new_lines[(width - 1 - y) as usize]
                };
                let end = slide(start, diagonal, height, width, from_end);
                backward[at(diagonal)] = end;
                let opposite = delta - diagonal;
                if delta % 2 == 0 && opposite.abs() <= round && end + forward[at(opposite)] >= height {
                    return (old.end - end as usize, new.end - (end - diagonal) as usize);
                }
            }
        }
        unreachable!("ways from both ends meet once all lines count as different")
    }
}

/// The place on a diagonal that one difference more leads to.
fn step(reached: &[isize], at: impl Fn(isize) -> usize, diagonal: isize, round: isize) -> isize {
    let (below, above) = (at(diagonal - 1), at(diagonal + 1));
    if diagonal == -round || diagonal != round && reached[below] < reached[above] {
        reached[above]
    } else {
        reached[below] + 1
    }
}

/// Along equal lines, to the next that differ.
fn slide(start: isize, diagonal: isize, height: isize, width: isize, same: impl Fn(isize) -> bool) -> isize {
    let mut x = start;
    while (0..height).contains(&x) && (0..width).contains(&(x - diagonal)) && same(x) {
        x += 1;
    }
    x
}
