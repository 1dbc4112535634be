//! Whether an outcome can be reached: every trace of each processor is tried with those of the others.

use crate::candidate::Candidate;
use crate::condition::Condition;
use crate::local::{Local, local};
use crate::memory::domain;
use crate::program::Program;
use crate::run::traces;
use crate::trace::Trace;
use crate::value::{Place, Value};
use anyhow::Result;
use std::collections::BTreeMap;

/// Whether the outcome that a test asks for can be reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// In no execution that is allowed.
    Never,
    /// In some.
    Sometimes,
    /// In all.
    Always,
}

/// Answers a test.
///
/// # Errors
/// It does what the model does not know, or is too large.
pub fn answer(program: &Program) -> Result<Answer> {
    answer_if(program, true)
}

/// Answers a test as if no processor kept any dependency of address, data or control in order.
///
/// # Errors
/// As [`answer`].
pub fn answer_without_dependencies(program: &Program) -> Result<Answer> {
    answer_if(program, false)
}

fn answer_if(program: &Program, keeps_dependencies: bool) -> Result<Answer> {
    let domain = domain(program)?;
    let mut processors = Vec::new();
    for thread in &program.threads {
        let mut ways = Vec::new();
        for trace in traces(program, thread, &domain)?
            .into_iter()
            .filter(|trace| !trace.is_cut)
        {
            let trace = if keeps_dependencies {
                trace
            } else {
                trace.without_dependencies()
            };
            let local = local(&trace, program.has_ets2);
            ways.push((trace, local));
        }
        processors.push(ways);
    }
    let search = Search {
        program,
        processors: &processors,
    };
    let wanted = search.is_reachable(&program.condition)?;
    if !wanted {
        return Ok(Answer::Never);
    }
    let other = Condition::Not(Box::new(program.condition.clone()));
    Ok(if search.is_reachable(&other)? {
        Answer::Sometimes
    } else {
        Answer::Always
    })
}

struct Search<'a> {
    program: &'a Program,
    processors: &'a [Vec<(Trace, Local)>],
}

impl Search<'_> {
    fn is_reachable(&self, condition: &Condition) -> Result<bool> {
        self.choose(&mut Vec::new(), condition)
    }

    /// Chooses a trace for each processor, as long as the condition may still hold.
    fn choose(&self, chosen: &mut Vec<usize>, condition: &Condition) -> Result<bool> {
        if self.truth(chosen, condition, None) == Some(false) {
            return Ok(false);
        }
        if chosen.len() == self.processors.len() {
            let ways = self.processors.iter().zip(chosen.iter());
            let candidate = Candidate::new(
                self.program,
                &ways.map(|(ways, &way)| &ways[way]).collect::<Vec<_>>(),
            )?;
            return Ok(
                candidate.is_reachable(&|memory| self.truth(chosen, condition, Some(memory)) == Some(true))
            );
        }
        for way in 0..self.processors[chosen.len()].len() {
            chosen.push(way);
            let found = self.choose(chosen, condition)?;
            chosen.pop();
            if found {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn trace(&self, chosen: &[usize], thread: usize) -> Option<&Trace> {
        let way = *chosen.get(thread)?;
        Some(&self.processors[thread][way].0)
    }

    fn truth(
        &self,
        chosen: &[usize],
        condition: &Condition,
        memory: Option<&BTreeMap<Place, Value>>,
    ) -> Option<bool> {
        condition.holds(&|atom| match atom {
            Condition::Register(thread, register, value) => {
                let trace = self.trace(chosen, *thread)?;
                let held = trace.registers.get(register).copied().unwrap_or(Value::Number(0));
                Some(held == *value)
            }
            Condition::Fault(thread, label, symbol, kind) => {
                let trace = self.trace(chosen, *thread)?;
                let at = self.program.threads[*thread].labels.get(label).copied();
                Some(trace.faults.iter().any(|&(place, name, why)| {
                    let is_name = symbol.is_none_or(|symbol| symbol == name);
                    Some(place) == at && is_name && kind.is_none_or(|kind| kind == why)
                }))
            }
            Condition::Place(place, value) => memory.map(|memory| memory.get(place) == Some(value)),
            _ => None,
        })
    }
}
