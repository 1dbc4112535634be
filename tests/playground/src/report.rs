//! What a command did: in words, in faults, and in everything that the machine was asked for, with the line of the heart that asked.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use machine::{Event, Traced};
use mm::{Cost, Resolution};
use serde::Serialize;

/// What kind of thing was done, for whoever shows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Word {
    /// A setting was changed.
    Setting,
    /// It was done.
    Done,
    /// The program would get a signal.
    Signal,
    /// A process was ended for want of memory.
    Killed,
    /// The program was shown what it should not see: the machine is sabotaged.
    Wrong,
}

/// One event.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// The processor.
    pub cpu: usize,
    /// `load`, `store`, `barrier`, `tlbi`, `content`, `program`.
    pub kind: &'static str,
    /// In words.
    pub text: String,
    /// The table, where it is a load or a store of a descriptor.
    pub table: Option<u32>,
    /// The entry.
    pub index: Option<usize>,
    /// The file of the heart that asked for it.
    pub file: Option<&'static str>,
    /// The line.
    pub line: Option<u32>,
}

/// What the machine was asked for.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize)]
pub struct Executed {
    /// TLB invalidations.
    pub tlbis: u64,
    /// DSBs.
    pub dsbs: u64,
    /// Bytes copied.
    pub copied: u64,
    /// Bytes filled with zeros.
    pub zeroed: u64,
    /// Descriptors stored.
    pub stores: usize,
}

/// All of it.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The command.
    pub command: String,
    /// What kind of end it had.
    pub word: Word,
    /// What happened, in words.
    pub sentence: String,
    /// How each fault was resolved.
    pub faults: Vec<&'static str>,
    /// What was loaded or stored.
    pub value: Option<u64>,
    /// The cost.
    pub cost: Executed,
    /// Everything in order.
    pub steps: Vec<Step>,
}

impl Report {
    /// Of something that took no fault.
    pub fn of(word: Word, sentence: String) -> Report {
        Report {
            command: String::new(),
            word,
            sentence,
            faults: Vec::new(),
            value: None,
            cost: Executed::default(),
            steps: Vec::new(),
        }
    }

    /// Notes the difference of what was executed.
    pub fn set_cost(&mut self, before: Cost, after: Cost) {
        self.cost.tlbis = after.tlbis - before.tlbis;
        self.cost.dsbs = after.dsbs - before.dsbs;
        self.cost.copied = after.bytes_copied - before.bytes_copied;
        self.cost.zeroed = after.bytes_zeroed - before.bytes_zeroed;
    }

    /// Notes what was traced.
    pub fn set_events(&mut self, trace: &[Traced]) {
        self.cost.stores = trace
            .iter()
            .filter(|traced| matches!(traced.event, Event::Store { .. }))
            .count();
        self.steps = trace.iter().map(step).collect();
    }
}

fn step(traced: &Traced) -> Step {
    let (kind, text, entry) = match &traced.event {
        Event::Load { table, index, word } => (
            "load",
            format!("load {table:x}[{index}] = {}", descriptor(*word)),
            Some((*table, *index)),
        ),
        Event::Store {
            table,
            index,
            old,
            new,
        } => (
            "store",
            format!(
                "store {table:x}[{index}]: {} → {}",
                descriptor(*old),
                descriptor(*new)
            ),
            Some((*table, *index)),
        ),
        Event::Instruction(name, asid, address) if name.starts_with("tlbi") => {
            let text = match (*name, address) {
                ("tlbi vmalle1", _) => name.to_string(),
                (_, 0) => format!("{name}, asid {asid}"),
                _ => format!("{name}, asid {asid}, page {:x}", address >> 12),
            };
            ("tlbi", text, None)
        }
        Event::Instruction("msr ttbr0_el1", 0, _) => ("barrier", "msr ttbr0_el1, no table".to_string(), None),
        Event::Instruction(name @ "msr ttbr0_el1", root, asid) => {
            ("barrier", format!("{name}, root {root:x}, asid {asid}"), None)
        }
        Event::Instruction(name, ..) => ("barrier", name.to_string(), None),
        Event::Content("zero", frame, _) => ("content", format!("zero frame {frame:x}"), None),
        Event::Content("clear", frame, _) => ("content", format!("clear table {frame:x}"), None),
        Event::Content("junk", frame, _) => ("content", format!("frame {frame:x} is free"), None),
        Event::Content("copy to, from", to, from) => {
            ("content", format!("copy frame {from:x} to {to:x}"), None)
        }
        Event::Content(verb, frame, _) => ("content", format!("{verb} frame {frame:x}"), None),
        Event::Note(text) => ("program", text.clone(), None),
    };
    Step {
        cpu: traced.cpu,
        kind,
        text,
        table: entry.map(|(table, _)| table),
        index: entry.map(|(_, index)| index),
        file: traced.place.map(|place| place.file()),
        line: traced.place.map(|place| place.line()),
    }
}

/// A descriptor in words.
pub fn descriptor(raw: u64) -> String {
    let frame = raw >> 12 & 0xf_ffff_ffff;
    match () {
        () if raw == 0 => "none".to_string(),
        () if mm::Descriptor(raw).is_swapped() => format!("slot {}", mm::Descriptor(raw).slot().offset()),
        () if raw & 1 == 0 => format!("parked {frame:x}"),
        () if raw >> 10 & 1 == 0 => format!("table {frame:x}{}", if raw >> 62 & 1 == 0 { "" } else { " RO" }),
        () if raw >> 6 & 1 == 0 => format!("page {frame:x} --"),
        () => format!("page {frame:x} {}", if raw >> 7 & 1 == 0 { "RW" } else { "RO" }),
    }
}

/// How a fault was resolved, in the words of the field.
pub fn resolution(resolution: Resolution) -> &'static str {
    match resolution {
        Resolution::Spurious => "spurious",
        Resolution::ZeroShared => "zero frame mapped",
        Resolution::ZeroFilled => "zero-filled",
        Resolution::SourceMapped => "file page mapped",
        Resolution::Copied => "copied",
        Resolution::Regained => "regained",
        Resolution::Upgraded => "rights added",
        Resolution::SwappedIn => "swapped in",
    }
}
