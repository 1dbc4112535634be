//! A bug in each part of the kernel (`tests::plants::BUGS`): the checker alone finds it, whatever the work itself says.

use crate::own;
use crate::play::{self, Work};
use anyhow::Result;
use std::path::Path;
use std::time::{Duration, Instant};
use tests::plants::{BUGS, Bug};

/// The works that one is played under, until it is found.
const WORKS: [&str; 5] = ["soak", "threads", "GICv3, EL2", "raspi4b", "demos"];
/// How long that may take, without the build.
const LIMIT: Duration = Duration::from_secs(600);

/// Who found a bug, under which work and after how long.
struct Found {
    rules: Vec<String>,
    work: &'static str,
    after: Duration,
}

/// Plants those with `text` in their part's name; whether the checker found each.
pub fn run(text: &str) -> Result<bool> {
    let (mut passed, mut failed) = (0, 0);
    for bug in BUGS.iter().filter(|bug| bug.part.contains(text)) {
        let Bug { part, what, edits } = bug;
        let image = own::plant(edits)?;
        match find(&image)? {
            Some(Found { rules, work, after }) => {
                passed += 1;
                let rules = rules.join(", ");
                println!(
                    "ok     {part:<16} {:>4} s {work:<11} {rules}: {what}",
                    after.as_secs()
                );
            }
            None => {
                failed += 1;
                println!("FAILED {part:<16} not found: {what}");
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    Ok(failed == 0)
}

fn find(image: &Path) -> Result<Option<Found>> {
    let start = Instant::now();
    for name in WORKS {
        if start.elapsed() > LIMIT {
            return Ok(None);
        }
        let work: &'static Work = play::named(name)?;
        let rules = play::first_rules(image, work)?;
        if !rules.is_empty() {
            return Ok(Some(Found {
                rules,
                work: work.name,
                after: start.elapsed(),
            }));
        }
    }
    Ok(None)
}
