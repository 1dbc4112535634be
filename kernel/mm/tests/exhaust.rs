//! Every small history: all that up to three spaces can do with pages of two level-3 tables and two entries of the root, step by step,
//! on the adversarial machine that leaves nothing to its dice (`machine::greed`): its processors remember all that they may. Machines of
//! the same shape are the same state (`machine::shape`): "no new state" ends the search.
//!
//! `HOLSTEIN_DEEP=1` goes further, `HOLSTEIN_INTERLEAVED=n` lets another processor act at each point of a step after a fork and n steps;
//! `make exhaust` does both. Who plays, and what they can do, is in [`cast`].

mod cast;
mod interleaved;
mod run;

use crate::lives::catch;
use cast::{
    Act, Cast, LARGER_PAIR, MEMORY, PAIR, RARE, SWAP, SWAPPED_PAIR, THREADS, THREADS_PAIR, THREE, TO_THE_END,
    story,
};
use machine::sabotage::Sabotage;
use run::Run;
use std::collections::HashSet;
use std::time::Instant;

/// Two pages of one table, the first of the next table, one below another entry of the root.
const PAGES: [u64; 4] = [0x5f_f000, 0x5f_e000, 0x60_0000, 0x4000_0000];
/// Whose histories are searched for as far as they are told to be.
const CASTS: [Cast; 4] = [MEMORY, SWAP, THREADS, RARE];
/// Whose histories are searched for to the end.
const FINITE: [Cast; 5] = [PAIR, LARGER_PAIR, THREE, SWAPPED_PAIR, THREADS_PAIR];
/// Steps of the search for stories of sabotages.
const DEPTH_OF_STORIES: u64 = 3;

/// Plays a history from the start: the shape that it comes to, `None` if its last step cannot be; or the complaint.
fn replay(cast: &Cast, history: &[Act], sabotage: Option<Sabotage>) -> Result<Option<u64>, String> {
    catch(|| {
        let mut run = Run::begin(cast, sabotage);
        let mut is_history = true;
        for act in history {
            run.world.mmu().warm_all();
            is_history &= run.act(*act);
        }
        run.world.mmu().warm_all();
        let shape = is_history.then(|| run.shape());
        run.end();
        shape
    })
}

/// What a search found.
struct Found {
    /// New states after each number of steps.
    states: Vec<usize>,
    /// Histories that were played.
    played: u64,
    /// Shortest histories to the states of the last number of steps: the search is complete if there are none.
    last: Vec<Vec<Act>>,
}

impl Found {
    /// No history, however long, leads to another state.
    fn is_complete(&self) -> bool {
        self.last.is_empty()
    }
}

/// Searches `depth` steps far.
///
/// # Errors
/// The shortest history that somebody complained of, and the complaint.
fn search(cast: &Cast, depth: u64, sabotage: Option<Sabotage>) -> Result<Found, (Vec<Act>, String)> {
    let first = replay(cast, &[], sabotage).map_err(|complaint| (Vec::new(), complaint))?;
    let mut seen: HashSet<u64> = first.into_iter().collect();
    let mut found = Found {
        states: vec![1],
        played: 1,
        last: vec![Vec::new()],
    };
    for _ in 0..depth {
        let mut next = Vec::new();
        for history in &found.last {
            for act in cast.acts(cast.spaces) {
                let history: Vec<Act> = history.iter().copied().chain([act]).collect();
                found.played += 1;
                match replay(cast, &history, sabotage) {
                    Err(complaint) => return Err((history, complaint)),
                    Ok(Some(shape)) if seen.insert(shape) => next.push(history),
                    Ok(_) => {}
                }
            }
        }
        found.states.push(next.len());
        found.last = next;
        if found.is_complete() {
            break;
        }
    }
    Ok(found)
}

fn number(name: &str, otherwise: u64) -> u64 {
    let given = std::env::var(name).ok().and_then(|value| value.parse().ok());
    given.unwrap_or(otherwise)
}

#[test]
fn every_short_history_is_right() {
    // Who has the most to do comes last.
    for cast in FINITE.iter().chain(CASTS.iter().rev()) {
        let begun = Instant::now();
        let depth = cast.depths[number("HOLSTEIN_DEEP", 0).min(1) as usize];
        let found = search(cast, depth, None)
            .unwrap_or_else(|(history, complaint)| panic!("{}: {}{complaint}", cast.name, story(&history)));
        println!(
            "{}: {} histories, {} states, new after 0, 1, 2 ... steps: {:?}{}, {:?}",
            cast.name,
            found.played,
            found.states.iter().sum::<usize>(),
            found.states,
            if found.is_complete() {
                ": all there are"
            } else {
                ""
            },
            begun.elapsed()
        );
        assert!(depth != TO_THE_END || found.is_complete());
    }
}

/// The shortest story of a sabotage, of whichever cast, and the complaint.
fn shortest(sabotage: Sabotage) -> Option<(Vec<Act>, String)> {
    for depth in 0..=DEPTH_OF_STORIES {
        for cast in &CASTS {
            if let Err(found) = search(cast, depth, Some(sabotage)) {
                return Some(found);
            }
        }
    }
    None
}

#[test]
fn sabotages_have_short_stories() {
    let only = std::env::var("HOLSTEIN_SABOTAGE").ok();
    let mut without = Vec::new();
    for sabotage in Sabotage::ALL {
        let name = format!("{sabotage:?}");
        if only.as_ref().is_some_and(|only| *only != name) {
            continue;
        }
        match shortest(sabotage) {
            None => without.push(name),
            Some((history, complaint)) => println!(
                "{name}:\n{}  {}",
                story(&history),
                complaint.lines().next().unwrap_or_default()
            ),
        }
    }
    assert!(without.is_empty(), "no story shows {without:?}");
}
