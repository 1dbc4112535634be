//! Runs a program over a text: all possibilities at once, in the order of their preference (a Pike machine). Two that stand at
//! one step have the same future, so the later one is dropped; with back-references only if their groups are the same, too.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::Places;
use super::class::{is_word, letter_at, other_case};
use super::compile::{Program, Step};
use super::parser::Look;

/// A place that is not known.
const NONE: usize = usize::MAX;

/// One possibility.
#[derive(Clone, Copy)]
struct Thread {
    step: usize,
    /// Where its match began.
    start: usize,
    /// Bytes of a group that it has taken once more.
    taken: usize,
}

/// Possibilities at one place of the text, and the slots of each, side by side.
#[derive(Default)]
struct Threads {
    threads: Vec<Thread>,
    slots: Vec<usize>,
}

/// What tells possibilities of one place apart: step, bytes taken of a group, places of the groups referred to.
type Key = (usize, usize, Vec<usize>);

struct Machine<'a> {
    program: &'a Program,
    text: &'a [u8],
    /// How many slots each thread has: those asked for, and those of groups referred to.
    width: usize,
    /// The place at which a step was last reached; used without back-references.
    reached: Vec<usize>,
    seen: BTreeSet<Key>,
    /// The slots of the possibility that is followed.
    current: Vec<usize>,
    best: Option<Best>,
}

struct Best {
    start: usize,
    end: usize,
    slots: Vec<usize>,
}

/// The first match at `from` or later: of the leftmost the longest. `slots`: how many ends of places are wanted; for 0 the first
/// match that is found will do.
pub fn search(program: &Program, text: &[u8], from: usize, slots: usize) -> Option<Places> {
    let referred = program.referred.last().map_or(0, |group| 2 * group + 2);
    let mut machine = Machine {
        program,
        text,
        width: slots.max(referred),
        reached: alloc::vec![NONE; program.steps.len()],
        seen: BTreeSet::new(),
        current: Vec::new(),
        best: None,
    };
    machine.run(from, slots == 0);
    let best = machine.best?;
    let group = |number: usize| match number {
        0 => Some(best.start..best.end),
        _ => {
            let (start, end) = (best.slots[2 * number], best.slots[2 * number + 1]);
            (start != NONE && end != NONE).then_some(start..end)
        }
    };
    Some((0..slots.max(2) / 2).map(group).collect())
}

impl Machine<'_> {
    fn run(&mut self, from: usize, any_will_do: bool) {
        let (mut now, mut next) = (Threads::default(), Threads::default());
        let mut at = from;
        loop {
            if now.threads.is_empty() {
                if self.best.is_some() {
                    return;
                }
                at = self.next_start(at);
                self.seen.clear();
            }
            if self.best.is_none() && at <= self.text.len() {
                self.begin(at, &mut now);
            }
            if at >= self.text.len() || any_will_do && self.best.is_some() {
                return;
            }
            let (letter, len) = letter_at(self.text, at);
            self.seen.clear();
            for index in 0..now.threads.len() {
                let thread = now.threads[index];
                if self.best.as_ref().is_some_and(|best| best.start < thread.start) {
                    break;
                }
                self.current.clear();
                let slots = &now.slots[index * self.width..(index + 1) * self.width];
                self.current.extend_from_slice(slots);
                self.advance(thread, letter, at, len, &mut next);
            }
            core::mem::swap(&mut now, &mut next);
            next.threads.clear();
            next.slots.clear();
            at += len;
        }
    }

    /// A new possibility begins here, after all that have begun earlier.
    fn begin(&mut self, at: usize, now: &mut Threads) {
        self.current.clear();
        self.current.resize(self.width, NONE);
        self.follow(0, at, at, now);
    }

    /// The next place at which a match may begin.
    fn next_start(&self, at: usize) -> usize {
        let Some(first) = &self.program.first else {
            return at;
        };
        let rest = self.text.get(at..).unwrap_or_default();
        let found = rest.iter().position(|byte| first[usize::from(*byte)]);
        found.map_or(self.text.len(), |skipped| at + skipped)
    }

    /// Lets one possibility take the letter at `at`.
    fn advance(&mut self, thread: Thread, letter: u32, at: usize, len: usize, next: &mut Threads) {
        match &self.program.steps[thread.step] {
            Step::Take(class) if self.program.classes[*class].accepts(letter) => {
                self.follow(thread.step + 1, at + len, thread.start, next);
            }
            Step::Again(group) => self.take_again(*group, thread, (at, len), next),
            _ => {}
        }
    }

    fn take_again(&mut self, group: usize, thread: Thread, (at, len): (usize, usize), next: &mut Threads) {
        let (start, end) = (self.current[2 * group], self.current[2 * group + 1]);
        let (letter, _) = letter_at(self.text, at);
        let (wanted, wanted_len) = letter_at(self.text, start + thread.taken);
        let is_same = letter == wanted || self.program.ignores_case && other_case(letter) == wanted;
        if !is_same {
            return;
        }
        let taken = thread.taken + wanted_len;
        if start + taken >= end {
            self.follow(thread.step + 1, at + len, thread.start, next);
        } else if self.is_new(thread.step, taken, at + len) {
            self.keep(Thread { taken, ..thread }, next);
        }
    }

    fn keep(&self, thread: Thread, threads: &mut Threads) {
        threads.threads.push(thread);
        threads.slots.extend_from_slice(&self.current);
    }

    /// Whether no preferred possibility stands at this step of this place.
    fn is_new(&mut self, step: usize, taken: usize, at: usize) -> bool {
        if self.program.referred.is_empty() {
            return core::mem::replace(&mut self.reached[step], at) != at;
        }
        let places = |group: &usize| [self.current[2 * group], self.current[2 * group + 1]];
        let places = self.program.referred.iter().flat_map(places).collect();
        self.seen.insert((step, taken, places))
    }

    /// Adds what can be reached from a step without taking a letter, in the order of preference. What was noted on the way to one
    /// branch is undone before the other.
    fn follow(&mut self, step: usize, at: usize, start: usize, threads: &mut Threads) {
        let mut open = Vec::from([Open::Step(step)]);
        while let Some(next) = open.pop() {
            let step = match next {
                Open::Step(step) => step,
                Open::Undo(slot, old) => {
                    self.current[slot] = old;
                    continue;
                }
            };
            if !self.is_new(step, 0, at) {
                continue;
            }
            match &self.program.steps[step] {
                Step::Take(_) => self.keep_at(step, start, threads),
                Step::Split(one, other) => open.extend([Open::Step(*other), Open::Step(*one)]),
                Step::Jump(to) => open.push(Open::Step(*to)),
                Step::Save(slot) => {
                    if let Some(place) = self.current.get_mut(*slot) {
                        open.push(Open::Undo(*slot, *place));
                        *place = at;
                    }
                    open.push(Open::Step(step + 1));
                }
                Step::Look(look) => open.extend(self.holds(*look, at).then_some(Open::Step(step + 1))),
                Step::Again(group) => match (self.current[2 * group], self.current[2 * group + 1]) {
                    (NONE, _) | (_, NONE) => {}
                    (from, to) if from == to => open.push(Open::Step(step + 1)),
                    _ => self.keep_at(step, start, threads),
                },
                Step::Match => self.note_match(start, at),
            }
        }
    }

    fn keep_at(&self, step: usize, start: usize, threads: &mut Threads) {
        let thread = Thread {
            step,
            start,
            taken: 0,
        };
        self.keep(thread, threads);
    }

    fn note_match(&mut self, start: usize, end: usize) {
        let is_better = |best: &Best| start < best.start || start == best.start && end > best.end;
        if self.best.as_ref().is_none_or(is_better) {
            let slots = self.current.clone();
            self.best = Some(Best { start, end, slots });
        }
    }

    fn holds(&self, look: Look, at: usize) -> bool {
        let (before, after) = (
            at.checked_sub(1).map(|at| self.text[at]),
            self.text.get(at).copied(),
        );
        let is_in = |byte: Option<u8>| byte.is_some_and(is_word);
        let is_line = |byte: Option<u8>| byte.is_none() || self.program.has_lines && byte == Some(b'\n');
        match look {
            Look::Start => is_line(before),
            Look::End => is_line(after),
            Look::TextStart => before.is_none(),
            Look::TextEnd => after.is_none(),
            Look::WordStart => !is_in(before) && is_in(after),
            Look::WordEnd => is_in(before) && !is_in(after),
            Look::Border => is_in(before) != is_in(after),
            Look::NoBorder => is_in(before) == is_in(after),
        }
    }
}

/// What is still to be done.
enum Open {
    Step(usize),
    Undo(usize, usize),
}
