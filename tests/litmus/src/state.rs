//! Where a processor is on its way, and what it knows.

use crate::event::{Event, Kind};
use crate::instruction::{Operand, Ordering, Register, ZERO};
use crate::program::Thread;
use crate::relation::{MOST, Set, members};
use crate::trace::Trace;
use crate::value::{Place, Symbol, Value};
use anyhow::{Result, ensure};
use std::collections::BTreeMap;

/// Where a processor is.
#[derive(Clone)]
pub struct State {
    pub next: usize,
    pub step: usize,
    pub values: BTreeMap<Register, Value>,
    /// The loads on which a register's value depends.
    pub sources: BTreeMap<Register, Set>,
    /// The same of what was stored to a place last.
    pub stored: BTreeMap<Place, Set>,
    pub flags: (bool, Set),
    pub branched_on: Set,
    pub monitor: Option<(usize, Place)>,
    /// In the handler: where it returns to.
    pub returns_to: Option<usize>,
    pub trace: Trace,
}

impl State {
    pub fn new(thread: &Thread) -> State {
        State {
            next: 0,
            step: 0,
            values: thread.registers.clone(),
            sources: BTreeMap::new(),
            stored: BTreeMap::new(),
            flags: (false, 0),
            branched_on: 0,
            monitor: None,
            returns_to: None,
            trace: Trace {
                events: Vec::new(),
                address: Vec::new(),
                data: Vec::new(),
                control: Vec::new(),
                atomic: Vec::new(),
                full: Vec::new(),
                walks: Vec::new(),
                registers: BTreeMap::new(),
                faults: Vec::new(),
                is_cut: false,
            },
        }
    }

    pub fn value(&self, register: Register) -> Value {
        let known = self.values.get(&register).filter(|_| register != ZERO);
        known.copied().unwrap_or(Value::Number(0))
    }

    pub fn source(&self, register: Register) -> Set {
        self.sources.get(&register).copied().unwrap_or(0)
    }

    pub fn set(&mut self, register: Register, value: Value, sources: Set) {
        if register != ZERO {
            self.values.insert(register, value);
            self.sources.insert(register, sources);
        }
    }

    pub fn operand(&self, operand: Operand) -> (Value, Set) {
        match operand {
            Operand::Register(register) => (self.value(register), self.source(register)),
            Operand::Number(number) => (Value::Number(number), 0),
        }
    }

    pub fn push(&mut self, event: Event) -> Result<usize> {
        let place = self.trace.events.len();
        ensure!(place < MOST, "too many events");
        self.trace.events.push(event);
        self.trace
            .control
            .extend(members(self.branched_on).map(|source| (source, place)));
        Ok(place)
    }

    pub fn read(&mut self, place: Place, value: Value, access: &Access) -> Result<usize> {
        let sources = access.sources;
        let event = self.push(Event {
            place: Some(place),
            value,
            is_acquire: access.ordering.is_acquire,
            is_acquire_pc: access.ordering.is_acquire_pc,
            has_no_result: access.has_no_result,
            page: access.page,
            ..Event::new(Kind::Read, self.step)
        })?;
        self.trace
            .address
            .extend(members(sources).map(|source| (source, event)));
        self.trace.walks.extend(access.walk.map(|walk| (walk, event)));
        Ok(event)
    }

    pub fn write(&mut self, place: Place, value: Value, data: Set, access: &Access) -> Result<usize> {
        let event = self.push(Event {
            place: Some(place),
            value,
            is_release: access.ordering.is_release,
            page: access.page,
            ..Event::new(Kind::Write, self.step)
        })?;
        self.trace
            .address
            .extend(members(access.sources).map(|source| (source, event)));
        self.trace
            .data
            .extend(members(data).map(|source| (source, event)));
        self.trace.walks.extend(access.walk.map(|walk| (walk, event)));
        self.stored.insert(place, data | access.sources);
        Ok(event)
    }

    /// The loads on which what is loaded from a place depends: by the address, and by what this processor stored there last.
    pub fn behind_load(&self, event: usize, place: Place, access: &Access) -> Set {
        1 << event | access.sources | self.stored.get(&place).copied().unwrap_or(0)
    }
}

/// What is known of an access before it is made.
#[derive(Clone, Copy)]
pub struct Access {
    pub ordering: Ordering,
    pub has_no_result: bool,
    /// The loads on which the address depends.
    pub sources: Set,
    pub page: Option<Symbol>,
    pub walk: Option<usize>,
}
