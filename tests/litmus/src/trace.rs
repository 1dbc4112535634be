//! One way through a processor's program, with the value that each load found.

use crate::event::{Event, FaultKind};
use crate::instruction::Register;
use crate::relation::Relation;
use crate::value::{Place, Symbol, Value};
use std::collections::{BTreeMap, BTreeSet};

/// What each place may hold.
pub type Domain = BTreeMap<Place, BTreeSet<Value>>;

/// One way through a processor's program.
#[derive(Clone, Debug)]
pub struct Trace {
    /// What was done, in program order.
    pub events: Vec<Event>,
    /// A load's value went into the address of an access.
    pub address: Vec<(usize, usize)>,
    /// A load's value went into what was stored.
    pub data: Vec<(usize, usize)>,
    /// A load's value decided a branch before.
    pub control: Vec<(usize, usize)>,
    /// The load and the store of an atomic, or of a pair of exclusives.
    pub atomic: Vec<(usize, usize)>,
    /// Those pairs that a single instruction with acquire and release made.
    pub full: Vec<(usize, usize)>,
    /// The read of an entry, and the access or fault that it led to.
    pub walks: Vec<(usize, usize)>,
    /// The registers at the end.
    pub registers: BTreeMap<Register, Value>,
    /// The instructions that faulted, the names in their addresses, and why.
    pub faults: Vec<(usize, Symbol, FaultKind)>,
    /// Whether it was left before its end.
    pub is_cut: bool,
}

impl Trace {
    /// A relation among its events.
    pub fn relation(&self, pairs: &[(usize, usize)]) -> Relation {
        let mut relation = Relation::empty(self.events.len());
        for &(from, to) in pairs {
            relation.add(from, to);
        }
        relation
    }

    /// The same way, of which nobody remembers what went into what.
    #[must_use]
    pub fn without_dependencies(mut self) -> Trace {
        for kind in [&mut self.address, &mut self.data, &mut self.control] {
            kind.clear();
        }
        self
    }
}
