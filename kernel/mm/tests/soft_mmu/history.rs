//! What the machine was last asked to do, for the message of a complaint.

use std::collections::VecDeque;
use std::fmt;

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// Entry `index` of `table` was written.
    Store {
        table: u32,
        index: usize,
        old: u64,
        new: u64,
    },
    /// A barrier or TLBI, as it would be written in assembly, with its operands.
    Instruction(&'static str, u64, u64),
    /// Frame contents: the verb and the frames.
    Content(&'static str, u32, u32),
    /// What the test was doing.
    Note(String),
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Store {
                table,
                index,
                old,
                new,
            } => {
                write!(f, "store {table:#x}[{index}]: {old:#018x} -> {new:#018x}")
            }
            Event::Instruction(name, a, b) => write!(f, "{name} {a:#x} {b:#x}"),
            Event::Content(verb, a, b) => write!(f, "{verb} {a:#x} {b:#x}"),
            Event::Note(text) => f.write_str(text),
        }
    }
}

/// The last events, by processor.
#[derive(Default)]
pub struct History {
    events: VecDeque<(usize, Event)>,
}

/// How many events a complaint shows.
const KEPT: usize = 200;

impl History {
    /// Adds one.
    pub fn push(&mut self, cpu: usize, event: Event) {
        if self.events.len() == KEPT {
            self.events.pop_front();
        }
        self.events.push_back((cpu, event));
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.events
            .iter()
            .try_for_each(|(cpu, event)| writeln!(f, "  cpu {cpu}: {event}"))
    }
}
