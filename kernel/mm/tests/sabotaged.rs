//! Every rule is needed, and would be missed: the machine disobeys in one way at a time, and the lives must notice.
//!
//! `HOLSTEIN_SABOTAGE=Name` runs one alone and prints the whole complaint.

use crate::lives::{catch, live, settings_of};
use crate::world::{Negligence, SwapMistake, WaitMistake};
use machine::sabotage::Sabotage;

/// Lives that a sabotage has to survive unnoticed before the test fails.
const SEEDS: u64 = 60;
/// Steps of each.
const STEPS: usize = 1_500;

/// The seed by which the sabotage was noticed, and the complaint.
fn first_notice(sabotage: Sabotage) -> Option<(u64, String)> {
    (0..SEEDS).find_map(|seed| {
        let settings = crate::world::Settings {
            sabotage: Some(sabotage),
            ..settings_of(seed)
        };
        catch(|| live(settings, STEPS))
            .err()
            .map(|complaint| (seed, complaint))
    })
}

#[test]
fn every_sabotage_is_noticed() {
    let only = std::env::var("HOLSTEIN_SABOTAGE").ok();
    let mut unnoticed = Vec::new();
    for sabotage in Sabotage::ALL {
        let name = format!("{sabotage:?}");
        if only.as_ref().is_some_and(|only| *only != name) {
            continue;
        }
        match first_notice(sabotage) {
            Some((_, complaint)) if only.is_some() => println!("{complaint}"),
            Some((seed, complaint)) => {
                println!(
                    "{name}: seed {seed}: {}",
                    complaint.lines().next().unwrap_or_default()
                );
            }
            None => unnoticed.push(name),
        }
    }
    assert!(
        unnoticed.is_empty(),
        "not noticed in {SEEDS} lives of {STEPS} steps: {unnoticed:?}"
    );
}

/// A fork that does not look at what the child must not have would leave it pages that its parent wanted wiped.
#[test]
fn forgotten_advice_is_noticed() {
    let notice = |seed: u64| {
        let settings = crate::world::Settings {
            forgets_advice: true,
            ..settings_of(seed)
        };
        catch(|| live(settings, STEPS)).err()
    };
    let complaint = (0..SEEDS).find_map(notice).expect("not noticed in any life");
    println!("{}", complaint.lines().next().unwrap_or_default());
}

/// The seed by which a kernel with these settings was noticed, and the complaint.
fn first_complaint(settings: impl Fn(u64) -> crate::world::Settings) -> Option<(u64, String)> {
    (0..SEEDS).find_map(|seed| Some((seed, catch(|| live(settings(seed), STEPS)).err()?)))
}

fn must_be_noticed(what: &dyn std::fmt::Debug, settings: impl Fn(u64) -> crate::world::Settings) {
    let noticed = first_complaint(settings);
    let (seed, complaint) = noticed.unwrap_or_else(|| panic!("{what:?} was not noticed in any life"));
    println!(
        "{what:?}: seed {seed}: {}",
        complaint.lines().next().unwrap_or_default()
    );
}

/// A kernel that takes pages from mappings with less care would leave somebody what the file has lost.
#[test]
fn every_negligence_is_noticed() {
    for negligence in [
        Negligence::ForgetsChildren,
        Negligence::LetsMove,
        Negligence::SkipsSharedTables,
        Negligence::KeepsCopies,
    ] {
        must_be_noticed(&negligence, |seed| crate::world::Settings {
            negligence: Some(negligence),
            late_pages: None,
            ..settings_of(seed)
        });
    }
}

/// Nor may a page that had to be waited for be mapped as things stood before the wait, nor the wait keep anything.
#[test]
fn every_mistake_about_late_pages_is_noticed() {
    for mistake in [
        WaitMistake::NoSecondLook,
        WaitMistake::LeaksFrame,
        WaitMistake::KeepsLock,
    ] {
        must_be_noticed(&mistake, |seed| crate::world::Settings {
            wait_mistake: Some(mistake),
            ..settings_of(seed)
        });
    }
}

/// Nor may a page go out while others are at work in its table, nor its frame before its bytes have.
#[test]
fn every_mistake_about_swapped_pages_is_noticed() {
    for mistake in [
        SwapMistake::EvictsWhileOthersWork,
        SwapMistake::FreesUnwritten,
        SwapMistake::IgnoresWriteErrors,
        SwapMistake::WritesToNeighbour,
        SwapMistake::IgnoresReadErrors,
        SwapMistake::NeverFinishes,
    ] {
        must_be_noticed(&mistake, |seed| crate::world::Settings {
            swap_mistake: Some(mistake),
            has_swap_errors: matches!(
                mistake,
                SwapMistake::IgnoresWriteErrors | SwapMistake::IgnoresReadErrors
            ),
            ..settings_of(seed)
        });
    }
}
