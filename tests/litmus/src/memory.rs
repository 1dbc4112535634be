//! What memory holds at first, and may hold at all.

use crate::program::Program;
use crate::run::traces;
use crate::trace::Domain;
use crate::value::{Entry, Place, Symbol, Value};
use anyhow::Result;
use std::collections::BTreeSet;

/// All places of a test.
pub fn places(program: &Program) -> impl Iterator<Item = Place> {
    let names = 0..program.names.len() as Symbol;
    let is_translated = program.is_translated;
    names.flat_map(move |name| {
        let entry = is_translated.then_some(Place::Entry(name));
        [Some(Place::Data(name)), entry].into_iter().flatten()
    })
}

/// What a place holds at first.
pub fn initial(program: &Program, place: Place) -> Value {
    let said = program.memory.get(&place).copied();
    said.unwrap_or(match place {
        Place::Data(_) => Value::Number(0),
        Place::Entry(name) => Value::Entry(Entry::of(name)),
    })
}

/// What each place may hold at some time: all that some trace stores there, until nothing new comes.
///
/// # Errors
/// As [`traces`].
pub fn domain(program: &Program) -> Result<Domain> {
    let mut domain: Domain = places(program)
        .map(|place| (place, BTreeSet::from([initial(program, place)])))
        .collect();
    let most_stores: usize = program
        .threads
        .iter()
        .map(|thread| thread.instructions.len())
        .sum();
    for _ in 0..=most_stores {
        let before: usize = domain.values().map(BTreeSet::len).sum();
        for thread in &program.threads {
            for trace in traces(program, thread, &domain)? {
                for event in trace.events.iter().filter(|event| event.is_write()) {
                    if let Some(place) = event.place {
                        domain.entry(place).or_default().insert(event.value);
                    }
                }
            }
        }
        if domain.values().map(BTreeSet::len).sum::<usize>() == before {
            break;
        }
    }
    Ok(domain)
}
