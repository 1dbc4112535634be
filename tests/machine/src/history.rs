//! What the machine was last asked to do, for the message of a complaint.

use crate::trace::Traced;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::panic::Location;

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// Entry `index` of `table` was read. Only a trace has these.
    Load {
        /// The table.
        table: u32,
        /// The entry.
        index: usize,
        /// What was read.
        word: u64,
    },
    /// Entry `index` of `table` was written.
    Store {
        /// The table.
        table: u32,
        /// The entry.
        index: usize,
        /// What was there before.
        old: u64,
        /// What was to be stored.
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
            Event::Load { table, index, word } => write!(f, "load {table:#x}[{index}]: {word:#018x}"),
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
    /// Where in the heart the machine was last asked for something.
    pub place: Option<&'static Location<'static>>,
    /// All events, for those who look on.
    pub trace: Option<Vec<Traced>>,
}

/// How many events a complaint shows.
const KEPT: usize = 200;

impl History {
    /// Adds one.
    pub fn push(&mut self, cpu: usize, event: Event) {
        if let Some(trace) = &mut self.trace {
            trace.push(Traced {
                cpu,
                event: event.clone(),
                place: self.place,
            });
        }
        if self.events.len() == KEPT {
            self.events.pop_front();
        }
        self.events.push_back((cpu, event));
    }

    /// A load, for the trace.
    pub fn trace_load(
        &mut self,
        cpu: usize,
        place: &'static Location<'static>,
        table: u32,
        index: usize,
        word: u64,
    ) {
        if let Some(trace) = &mut self.trace {
            trace.push(Traced {
                cpu,
                event: Event::Load { table, index, word },
                place: Some(place),
            });
        }
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.events
            .iter()
            .try_for_each(|(cpu, event)| writeln!(f, "  cpu {cpu}: {event}"))
    }
}
