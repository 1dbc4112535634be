//! What one processor may do: its program run by itself, with every value that a load could find.

use crate::event::{Event, FaultKind, Kind};
use crate::instruction::{Instruction, Operation, Ordering, Register, When};
use crate::program::{Program, Thread};
use crate::relation::members;
use crate::state::{Access, State};
use crate::trace::{Domain, Trace};
use crate::value::{Entry, Place, Value};
use anyhow::{Context, Result, bail, ensure};

/// So often an instruction faults in an execution that is looked at.
const MOST_FAULTS: usize = 2;

/// All ways through the program of `thread`, if places hold what `domain` says.
///
/// # Errors
/// An instruction got what the model does not know, or there are too many events.
pub fn traces(program: &Program, thread: &Thread, domain: &Domain) -> Result<Vec<Trace>> {
    let mut runner = Runner {
        program,
        thread,
        domain,
        done: Vec::new(),
    };
    runner.run(State::new(thread))?;
    Ok(runner.done)
}

struct Runner<'a> {
    program: &'a Program,
    thread: &'a Thread,
    domain: &'a Domain,
    done: Vec<Trace>,
}

/// What an access needs of the entry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    Read,
    Write,
}

impl Runner<'_> {
    fn values(&self, place: Place) -> Vec<Value> {
        self.domain.get(&place).into_iter().flatten().copied().collect()
    }

    fn run(&mut self, mut state: State) -> Result<()> {
        loop {
            let at = state.next;
            // The handler stands behind the program; who falls into it has ended.
            let has_ended = at >= self.thread.instructions.len()
                || (state.returns_to.is_none() && self.thread.is_end(at));
            if has_ended {
                break;
            }
            let instruction = &self.thread.instructions[at];
            state.next += 1;
            state.step += 1;
            ensure!(state.step < 200, "a loop");
            match instruction {
                Instruction::Nothing => {}
                Instruction::Compute {
                    to,
                    operation,
                    first,
                    second,
                } => {
                    let (left, right) = (state.value(*first), state.operand(*second));
                    let sources = state.source(*first) | right.1;
                    state.set(*to, compute(*operation, left, right.0)?, sources);
                }
                Instruction::Compare(first, second) => {
                    let right = state.operand(*second);
                    state.flags = (state.value(*first) == right.0, state.source(*first) | right.1);
                }
                Instruction::Branch(when, label) => self.branch(&mut state, *when, label)?,
                Instruction::DataMemoryBarrier(accesses) => {
                    state.push(Event::new(Kind::DataMemoryBarrier(*accesses), state.step))?;
                }
                Instruction::DataSynchronisationBarrier(accesses) => {
                    state.push(Event::new(
                        Kind::DataSynchronisationBarrier(*accesses),
                        state.step,
                    ))?;
                }
                Instruction::InstructionBarrier => {
                    state.push(Event::new(Kind::ContextSynchronisation, state.step))?;
                }
                Instruction::ExceptionCall => {
                    state.push(Event::new(Kind::ContextSynchronisation, state.step))?;
                    if let Some(handler) = self.thread.handler {
                        state.returns_to = Some(state.next);
                        state.next = handler;
                    }
                }
                Instruction::ExceptionReturn => {
                    state.push(Event::new(Kind::ContextSynchronisation, state.step))?;
                    state.next = state.returns_to.take().unwrap_or(state.next);
                }
                Instruction::InvalidateTlb { page, is_broadcast } => {
                    let name = match page.map(|page| state.value(page)) {
                        None => None,
                        Some(Value::Page(name)) => Some(name),
                        Some(other) => bail!("TLBI of {other:?}"),
                    };
                    let kind = Kind::InvalidateTlb {
                        page: name,
                        is_broadcast: *is_broadcast,
                    };
                    let event = state.push(Event::new(kind, state.step))?;
                    let sources = page.map_or(0, |page| state.source(page));
                    state
                        .trace
                        .address
                        .extend(members(sources).map(|source| (source, event)));
                }
                access => {
                    // Each way goes on by itself.
                    for next in self.access(&state, at, access)? {
                        self.run(next)?;
                    }
                    return Ok(());
                }
            }
        }
        self.end(state);
        Ok(())
    }

    fn end(&mut self, mut state: State) {
        state.trace.registers = state.values;
        self.done.push(state.trace);
    }

    fn branch(&self, state: &mut State, when: When, label: &str) -> Result<()> {
        let zero = Value::Number(0);
        let (is_taken, sources) = match when {
            When::Always => (true, 0),
            When::Zero(one) => (state.value(one) == zero, state.source(one)),
            When::NotZero(one) => (state.value(one) != zero, state.source(one)),
            When::Equal => state.flags,
            When::NotEqual => (!state.flags.0, state.flags.1),
        };
        state.branched_on |= sources;
        if is_taken {
            state.next = *self
                .thread
                .labels
                .get(label)
                .with_context(|| format!("no label {label}"))?;
        }
        Ok(())
    }

    /// The states behind an access by address: one for each entry that a translation may find; faults end at once.
    fn places(
        &mut self,
        state: &State,
        at: usize,
        register: Register,
        need: Need,
        ordering: Ordering,
    ) -> Result<Vec<(State, Place, Access)>> {
        let mut access = Access {
            ordering,
            has_no_result: false,
            sources: state.source(register),
            page: None,
            walk: None,
        };
        let name = match state.value(register) {
            Value::EntryAddress(name) => return Ok(vec![(state.clone(), Place::Entry(name), access)]),
            Value::Address(name) => name,
            other => bail!("an access by {other:?}"),
        };
        access.page = Some(name);
        if !self.program.is_translated {
            return Ok(vec![(state.clone(), Place::Data(name), access)]);
        }
        let mut ways = Vec::new();
        for value in self.values(Place::Entry(name)) {
            let Value::Entry(entry) = value else {
                bail!("an entry holds {value:?}");
            };
            let mut state = state.clone();
            let walk = state.push(Event {
                place: Some(Place::Entry(name)),
                value,
                is_implicit: true,
                page: Some(name),
                ..Event::new(Kind::Read, state.step)
            })?;
            let place = Place::Data(entry.frame);
            if let Some(fault) = self.refusal(entry, need) {
                let event = state.push(Event {
                    place: Some(place),
                    page: Some(name),
                    ..Event::new(Kind::Fault(fault), state.step)
                })?;
                state.trace.walks.push((walk, event));
                state.trace.faults.push((at, name, fault));
                self.enter_handler(state, at)?;
            } else {
                access.walk = Some(walk);
                ways.push((state, place, access));
            }
        }
        Ok(ways)
    }

    /// A fault was taken at `at`: its handler goes on, which returns there; without one the processor has ended.
    fn enter_handler(&mut self, mut state: State, at: usize) -> Result<()> {
        let Some(handler) = self.thread.handler.filter(|_| state.returns_to.is_none()) else {
            self.end(state);
            return Ok(());
        };
        let times = state.trace.faults.iter().filter(|fault| fault.0 == at).count();
        if times > MOST_FAULTS {
            // It might fault for ever. No execution ends so, but what was stored on the way is there for others.
            state.trace.is_cut = true;
            self.end(state);
            return Ok(());
        }
        state.returns_to = Some(at);
        state.next = handler;
        self.run(state)
    }

    fn refusal(&self, entry: Entry, need: Need) -> Option<FaultKind> {
        if !entry.is_valid {
            Some(FaultKind::Translation)
        } else if !entry.is_accessed {
            Some(FaultKind::AccessFlag)
        } else if (need == Need::Write && !entry.is_writable) || (self.thread.is_user && !entry.is_user) {
            Some(FaultKind::Permission)
        } else {
            None
        }
    }

    fn access(&mut self, state: &State, at: usize, instruction: &Instruction) -> Result<Vec<State>> {
        let mut next = Vec::new();
        match *instruction {
            Instruction::Load {
                to,
                at: address,
                ordering,
                is_exclusive,
            } => {
                for (state, place, access) in self.places(state, at, address, Need::Read, ordering)? {
                    for value in self.values(place) {
                        let mut state = state.clone();
                        let event = state.read(place, value, &access)?;
                        let sources = state.behind_load(event, place, &access);
                        state.set(to, value, sources);
                        if is_exclusive {
                            state.monitor = Some((event, place));
                        }
                        next.push(state);
                    }
                }
            }
            Instruction::Store {
                from,
                at: address,
                ordering,
            } => {
                for (mut state, place, access) in self.places(state, at, address, Need::Write, ordering)? {
                    state.write(place, state.value(from), state.source(from), &access)?;
                    next.push(state);
                }
            }
            Instruction::StoreExclusive {
                status,
                from,
                at: address,
                ordering,
            } => {
                let mut failed = state.clone();
                failed.set(status, Value::Number(1), 0);
                failed.monitor = None;
                next.push(failed);
                for (mut state, place, access) in self.places(state, at, address, Need::Write, ordering)? {
                    let Some((load, watched)) = state.monitor.take() else {
                        continue;
                    };
                    if watched == place {
                        let event = state.write(place, state.value(from), state.source(from), &access)?;
                        state.trace.atomic.push((load, event));
                        // The architecture makes no dependency of the status.
                        state.set(status, Value::Number(0), 0);
                        next.push(state);
                    }
                }
            }
            Instruction::Atomic {
                operation,
                from,
                to,
                at: address,
                ordering,
                has_no_result,
            } => {
                for (state, place, access) in self.places(state, at, address, Need::Write, ordering)? {
                    let access = Access {
                        has_no_result,
                        ..access
                    };
                    for value in self.values(place) {
                        let mut state = state.clone();
                        let load = state.read(place, value, &access)?;
                        let sources = state.behind_load(load, place, &access);
                        let stored = compute(operation, value, state.value(from))?;
                        let mut data = state.source(from);
                        if operation != Operation::Second {
                            data |= sources & !(1 << load);
                        }
                        let store = state.write(place, stored, data, &access)?;
                        if operation != Operation::Second {
                            // What is loaded from here next depends on this load as well.
                            *state.stored.entry(place).or_default() |= 1 << load;
                        }
                        state.trace.atomic.push((load, store));
                        if ordering.is_acquire && ordering.is_release {
                            state.trace.full.push((load, store));
                        }
                        state.set(to, value, sources);
                        next.push(state);
                    }
                }
            }
            Instruction::CompareAndSwap {
                expected,
                new,
                at: address,
                ordering,
            } => {
                for (state, place, access) in self.places(state, at, address, Need::Write, ordering)? {
                    for value in self.values(place) {
                        let mut state = state.clone();
                        let load = state.read(place, value, &access)?;
                        let sources = state.behind_load(load, place, &access);
                        if value == state.value(expected) {
                            let store = state.write(place, state.value(new), state.source(new), &access)?;
                            state.trace.atomic.push((load, store));
                            if ordering.is_acquire && ordering.is_release {
                                state.trace.full.push((load, store));
                            }
                        }
                        state.set(expected, value, sources);
                        next.push(state);
                    }
                }
            }
            _ => bail!("no access"),
        }
        Ok(next)
    }
}

fn compute(operation: Operation, first: Value, second: Value) -> Result<Value> {
    if operation == Operation::Second {
        return Ok(second);
    }
    Ok(match (operation, first, second) {
        (Operation::ShiftRight, Value::Address(name), Value::Number(12)) => Value::Page(name),
        (_, Value::Number(first), Value::Number(second)) => Value::Number(match operation {
            Operation::Add => first.wrapping_add(second),
            Operation::Subtract => first.wrapping_sub(second),
            Operation::Or => first | second,
            Operation::And => first & second,
            Operation::ExclusiveOr => first ^ second,
            Operation::Clear => first & !second,
            Operation::ShiftRight => first >> second.clamp(0, 63),
            Operation::Second => second,
        }),
        _ => bail!("{operation:?} of {first:?} and {second:?}"),
    })
}
