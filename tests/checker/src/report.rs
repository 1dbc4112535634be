//! What the checker says: violations with both histories, the last events before the first one, and what was watched.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write;

/// How often one rule at one place is printed.
const PRINTED: u64 = 5;
/// How many events are kept for the first violation of each rule.
const EVENTS: usize = 48;

/// One event, as the last ones are printed.
#[derive(Clone, Copy, Debug)]
struct Event {
    at: u64,
    cpu: usize,
    what: &'static str,
    pc: u64,
    operands: [u64; 3],
}

/// How much was watched.
#[derive(Clone, Copy, Debug, Default)]
pub struct Watched {
    /// Stores by the kernel and by programs.
    pub stores: u64,
    /// Stores to live tables.
    pub table_stores: u64,
    /// TLBI
    pub tlbis: u64,
    /// DSB
    pub dsbs: u64,
    /// ISB
    pub isbs: u64,
    /// Writes of TTBR0 and TTBR1
    pub tree_changes: u64,
    /// Entries to EL0 by ERET
    pub user_entries: u64,
    /// Accesses to programs' memory, by them or for them
    pub user_accesses: u64,
    /// Of those, how many were compared with tables and TLBs
    pub compared: u64,
    /// Translations that a TLB took in
    pub fills: u64,
    /// Blocks of programs' instructions compared with the instruction cache
    pub fetches: u64,
    /// Frames taken for new contents, compared with all that could reach them
    pub frames_taken: u64,
    /// Accesses whose order with other processors' was looked at
    pub ordered: u64,
    /// Accesses that another processor's unfinished change excuses
    pub in_flight: u64,
}

/// The log.
pub struct Report {
    output: Box<dyn Write + Send>,
    counts: BTreeMap<(&'static str, u64), u64>,
    events: VecDeque<Event>,
    executed: BTreeMap<u64, u64>,
    /// What was watched so far.
    pub watched: Watched,
}

impl Report {
    /// A log that goes there.
    pub fn new(output: Box<dyn Write + Send>) -> Report {
        Report {
            output,
            counts: BTreeMap::new(),
            events: VecDeque::with_capacity(EVENTS),
            executed: BTreeMap::new(),
            watched: Watched::default(),
        }
    }

    /// The log's reader is told; nobody can do anything about a log that cannot be written, and the verdict will lack.
    fn line(&mut self, text: &str) {
        let written = writeln!(self.output, "{text}").and_then(|()| self.output.flush());
        if let Err(error) = written {
            eprintln!("checker: {error}");
        }
    }

    /// Keeps an event for later.
    pub fn event(&mut self, at: u64, cpu: usize, what: &'static str, pc: u64, operands: [u64; 3]) {
        if self.events.len() == EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(Event {
            at,
            cpu,
            what,
            pc,
            operands,
        });
    }

    /// An instruction that is followed was executed: the log ends with how often each was.
    pub fn executed(&mut self, pc: u64) {
        *self.executed.entry(pc).or_default() += 1;
    }

    fn print_events(&mut self) {
        for event in std::mem::take(&mut self.events) {
            let [a, b, c] = event.operands;
            let Event {
                at, cpu, what, pc, ..
            } = event;
            self.line(&format!(
                "  event {at} cpu {cpu} {what:<12} at {pc:#x}: {a:#x} {b:#x} {c:#x}"
            ));
        }
    }

    /// A rule was broken, by the instruction at `pc`.
    pub fn violation(&mut self, rule: &'static str, pc: u64, text: &str) {
        let is_first_of_rule = !self.counts.keys().any(|(known, _)| *known == rule);
        let count = self.counts.entry((rule, pc)).or_default();
        *count += 1;
        if *count <= PRINTED {
            self.line(&format!("VIOLATION {rule} at {pc:#x}: {text}"));
        }
        if is_first_of_rule {
            self.print_events();
        }
    }

    /// How often this rule was broken.
    pub fn count(&self, rule: &str) -> u64 {
        let of_rule = self.counts.iter().filter(|((known, _), _)| *known == rule);
        of_rule.map(|(_, count)| count).sum()
    }

    /// How many violations there were.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// The last lines: what was watched, where, each kind of violation, the verdict.
    pub fn close(&mut self) {
        let w = self.watched;
        self.line(&format!(
            "watched: stores {}, to tables {}, TLBI {}, DSB {}, ISB {}, TTBR writes {}, entries to EL0 {}, user accesses {} \
             (compared {}), TLB fills {}, fetches {}, frames taken {}, ordered {}, in flight {}",
            w.stores,
            w.table_stores,
            w.tlbis,
            w.dsbs,
            w.isbs,
            w.tree_changes,
            w.user_entries,
            w.user_accesses,
            w.compared,
            w.fills,
            w.fetches,
            w.frames_taken,
            w.ordered,
            w.in_flight
        ));
        for (pc, count) in std::mem::take(&mut self.executed) {
            self.line(&format!("executed: {pc:#x} {count}"));
        }
        for ((rule, pc), count) in self.counts.clone() {
            self.line(&format!("count: {count} {rule} at {pc:#x}"));
        }
        let (kinds, total) = (self.counts.len(), self.total());
        self.line(&format!("verdict: {kinds} kinds, {total} violations"));
    }
}
