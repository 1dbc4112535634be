//! What was counted, by row and repeat: the benchmark's program passes through a mark before each.

use crate::counts::Counts;
use crate::model::{Memory, Miss, Model};
use std::collections::BTreeMap;
use std::fmt::Write;

/// What the program says as it passes a mark: the first argument of `mark_deed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The next row begins.
    Row,
    /// The next repeat begins, with caches as they are.
    Warm,
    /// The next repeat begins, and nothing is in a cache or a TLB when its measured part does.
    Cold,
    /// The repeats of the row are over.
    Over,
}

impl Mark {
    /// Of the argument.
    pub fn of(argument: u64) -> Option<Mark> {
        [Mark::Row, Mark::Warm, Mark::Cold, Mark::Over]
            .get(usize::try_from(argument).ok()?)
            .copied()
    }
}

/// A repeat: the sum of its measured parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deed {
    /// From 1 on, in the order in which the rows were announced.
    pub row: usize,
    /// Whether caches were empty.
    pub is_cold: bool,
    /// How many parts.
    pub parts: u64,
    /// Cycles of the longest, by the estimate.
    pub longest: u64,
    /// Their sum.
    pub counts: Counts,
}

/// All repeats so far.
#[derive(Default)]
pub struct Ledger {
    row: usize,
    deeds: Vec<Deed>,
    is_open: bool,
    is_to_be_emptied: bool,
    is_measured: bool,
    lines: BTreeMap<(usize, Miss), u64>,
}

impl Ledger {
    /// The program passed `mark_deed`.
    pub fn mark(&mut self, mark: Mark) {
        self.is_open = matches!(mark, Mark::Warm | Mark::Cold);
        self.is_to_be_emptied = mark == Mark::Cold;
        match mark {
            Mark::Row => self.row += 1,
            Mark::Over => {}
            Mark::Warm | Mark::Cold => self.deeds.push(Deed {
                row: self.row,
                is_cold: mark == Mark::Cold,
                parts: 0,
                longest: 0,
                counts: Counts::default(),
            }),
        }
    }

    /// A measured part begins.
    pub fn begin<M: Memory>(&mut self, model: &mut Model<M>) {
        if !self.is_open {
            return;
        }
        if std::mem::take(&mut self.is_to_be_emptied) {
            model.empty();
        }
        model.counts = Counts::default();
        if let Some(missed) = &mut model.missed {
            missed.clear();
        }
        self.is_measured = true;
    }

    /// And ends.
    pub fn end<M: Memory>(&mut self, model: &mut Model<M>) {
        let Some(deed) = self.deeds.last_mut() else { return };
        if !std::mem::take(&mut self.is_measured) {
            return;
        }
        deed.parts += 1;
        deed.counts += model.counts;
        deed.longest = deed.longest.max(model.counts.cycles() as u64);
        let missed = model.missed.as_mut().filter(|_| !deed.is_cold);
        for miss in missed.into_iter().flat_map(|missed| missed.drain(..)) {
            *self.lines.entry((deed.row, miss)).or_default() += 1;
        }
    }

    /// Everything as lines of text: `deed ROW cold|warm PARTS LONGEST COUNT...`, `line ROW KIND memory|l2 ADDRESS PC TIMES`.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for deed in &self.deeds {
            let state = if deed.is_cold { "cold" } else { "warm" };
            let counts = deed.counts.fields().map(|count| count.to_string()).join(" ");
            writeln!(
                text,
                "deed {} {state} {} {} {counts}",
                deed.row, deed.parts, deed.longest
            )
            .expect("writing to a string");
        }
        for ((row, miss), times) in &self.lines {
            let from = if miss.is_from_memory { "memory" } else { "l2" };
            writeln!(
                text,
                "line {row} {:?} {from} {:#x} {:#x} {times}",
                miss.kind, miss.address, miss.pc
            )
            .expect("writing to a string");
        }
        text
    }
}
