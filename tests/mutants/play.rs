//! What mutants are played under: short work that reaches what it can of the kernel, watched by the checker, and ended at the first
//! thing that anybody notices.

use crate::BASE;
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};
use tests::{Gic, Kernel, Machine, Session, Stage, Virt, program};

/// How long one may take on a busy machine; who takes longer hangs.
const LIMIT: Duration = Duration::from_secs(90);
/// How often it is looked.
const PAUSE: Duration = Duration::from_millis(25);

/// Work on a board.
pub struct Work {
    /// Its name.
    pub name: &'static str,
    /// The order between processors is looked at.
    pub watches_order: bool,
    start: fn(&mut Stage) -> Result<Session>,
}

impl Work {
    fn watch(&self, stage: &mut Stage) {
        if self.watches_order {
            stage.watch_order();
        } else {
            stage.watch();
        }
    }
}

/// From the shortest to the longest.
pub const ALL: [Work; 13] = [
    Work {
        name: "order, threads",
        watches_order: true,
        start: |stage| program::boot(stage, &virt(), "", "storm", "threads 40"),
    },
    Work {
        name: "order, soak",
        watches_order: true,
        start: |stage| program::boot(stage, &virt(), "", "soak", "4 1"),
    },
    Work {
        name: "order, execs",
        watches_order: true,
        start: |stage| program::boot(stage, &virt(), "", "storm", "execs 4"),
    },
    Work {
        name: "order, maps",
        watches_order: true,
        start: |stage| program::boot(stage, &virt(), "", "maps", ""),
    },
    Work {
        name: "order, mappings",
        watches_order: true,
        start: |stage| program::boot(stage, &virt(), "", "mappings", ""),
    },
    Work {
        name: "order, moves",
        watches_order: true,
        start: |stage| program::boot(stage, &virt(), "", "moves", ""),
    },
    Work {
        name: "soak",
        watches_order: false,
        start: |stage| program::boot(stage, &virt(), "", "soak", "4 1"),
    },
    Work {
        name: "GICv3, EL2",
        watches_order: false,
        start: |stage| {
            let machine = Machine::Virt(Virt {
                gic: Gic::V3,
                has_el2: true,
                memory: "256M",
                ..Virt::default()
            });
            program::boot(stage, &machine, "", "storm", "execs 2")
        },
    },
    Work {
        name: "raspi4b",
        watches_order: false,
        start: |stage| program::boot(stage, &Machine::raspi4b()?, "", "storm", "forks 1"),
    },
    Work {
        name: "threads",
        watches_order: false,
        start: |stage| program::boot(stage, &virt(), "", "storm", "threads 40"),
    },
    Work {
        name: "fork=classic",
        watches_order: false,
        start: |stage| program::boot(stage, &virt(), "fork=classic", "storm", "forks 2"),
    },
    Work {
        name: "asid=16",
        watches_order: false,
        start: |stage| program::boot(stage, &virt(), "asid=16", "soak", "5 2"),
    },
    Work {
        name: "demos",
        watches_order: false,
        start: |stage| {
            let load = tests::qemu::Load {
                command_line: "-- demo".into(),
                ..stage.load()
            };
            stage.boot(&virt(), &load)
        },
    },
];

/// What only the plants of [`tests::plants`] are played under: `rules CASE` on one processor, where it goes one way.
const OF_RULES: [Work; 6] = [
    Work {
        name: "rules, zeros",
        watches_order: false,
        start: |stage| play_rules(stage, "zeros"),
    },
    Work {
        name: "rules, two_pages",
        watches_order: false,
        start: |stage| play_rules(stage, "two_pages"),
    },
    Work {
        name: "rules, one_page",
        watches_order: false,
        start: |stage| play_rules(stage, "one_page"),
    },
    Work {
        name: "rules, copies",
        watches_order: false,
        start: |stage| play_rules(stage, "copies"),
    },
    Work {
        name: "rules, walks",
        watches_order: false,
        start: |stage| play_rules(stage, "walks"),
    },
    Work {
        name: "rules, freed_twice",
        watches_order: false,
        start: |stage| play_rules(stage, "freed_twice"),
    },
];

fn play_rules(stage: &mut Stage, case: &str) -> Result<Session> {
    let machine = Machine::Virt(Virt {
        cpus: 1,
        memory: "256M",
        ..Virt::default()
    });
    program::boot(stage, &machine, "", "rules", case)
}

/// The work of this name.
pub fn named(name: &str) -> Result<&'static Work> {
    let mut all = ALL.iter().chain(&OF_RULES);
    all.find(|work| work.name == name)
        .with_context(|| format!("no work {name:?}"))
}

fn virt() -> Machine {
    Machine::Virt(Virt {
        memory: "256M",
        ..Virt::default()
    })
}

/// Who noticed a mutant, and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The checker, by this rule.
    Checker(String),
    /// The work itself: it failed, crashed or hung.
    Test(String),
    /// Scene `barriers.are_those_of_the_orders`: this order of `tests/litmus` rests on it, and does not hold without.
    Order(String),
    /// The same scene: the list of what is kept names it, for this reason.
    Kept(String),
    /// Nobody.
    Nobody,
}

/// Plays the image under this work until somebody notices something, or it is over. What only the work noticed must happen twice: on
/// a busy machine it may fail by itself.
pub fn play(image: &Path, work: &Work) -> Result<Verdict> {
    let verdict = play_once(image, work)?;
    if matches!(verdict, Verdict::Test(_)) {
        return play_once(image, work);
    }
    Ok(verdict)
}

fn play_once(image: &Path, work: &Work) -> Result<Verdict> {
    let mut stage = Stage::alone("mutants", Kernel::Holstein(image.to_owned()), LIMIT)?;
    work.watch(&mut stage);
    let mut board = (work.start)(&mut stage)?;
    board.set_step(PAUSE);
    let start = Instant::now();
    while start.elapsed() < LIMIT {
        let has_ended = board.expect_end().is_ok();
        let crash = stage.close();
        if let Err(crash) = crash {
            return Ok(noticed(&format!("{crash:#}")));
        }
        if has_ended {
            return Ok(end(&stage.transcript()));
        }
    }
    Ok(Verdict::Test("a hang".to_owned()))
}

/// The rules that the checker has named when the image is first seen to break one under this work; none: it came to its end.
pub fn first_rules(image: &Path, work: &Work) -> Result<Vec<String>> {
    let whole = play_until(image, work, Duration::ZERO)?;
    Ok(whole.rules.into_iter().collect())
}

/// What was noticed when nobody stopped at the first thing.
pub struct Whole {
    /// The rules that the checker named.
    pub rules: BTreeSet<String>,
    /// What the work said, if it did not come to a good end.
    pub failure: Option<String>,
}

/// How long the work goes on behind the first violation.
const BEHIND: Duration = Duration::from_secs(10);

/// Plays the image under this work to its end, or until some time behind the first violation.
pub fn play_whole(image: &Path, work: &Work) -> Result<Whole> {
    play_until(image, work, BEHIND)
}

fn play_until(image: &Path, work: &Work, behind: Duration) -> Result<Whole> {
    let mut stage = Stage::alone("mutants", Kernel::Holstein(image.to_owned()), LIMIT)?;
    work.watch(&mut stage);
    let mut board = (work.start)(&mut stage)?;
    board.set_step(PAUSE);
    let start = Instant::now();
    let mut first = None;
    let mut failure = Some("a hang".to_owned());
    while start.elapsed() < LIMIT && first.is_none_or(|first: Instant| first.elapsed() < behind) {
        if board.expect_end().is_ok() {
            let end = end(&stage.transcript());
            failure = match end {
                Verdict::Test(what) => Some(what),
                _ => None,
            };
            break;
        }
        if first.is_none() && stage.watch_log()?.contains("VIOLATION ") {
            first = Some(Instant::now());
            failure = None;
        }
    }
    let log = stage.watch_log()?;
    let rules = log
        .lines()
        .filter_map(|line| line.strip_prefix("VIOLATION ")?.split(' ').next());
    Ok(Whole {
        rules: rules.map(str::to_owned).collect(),
        failure,
    })
}

/// Who noticed what ended the stage.
fn noticed(error: &str) -> Verdict {
    let rule = error
        .lines()
        .find_map(|line| line.strip_prefix("VIOLATION ")?.split(' ').next());
    match rule {
        Some(rule) => Verdict::Checker(rule.to_owned()),
        None => Verdict::Test(error.lines().next().unwrap_or("a crash").to_owned()),
    }
}

/// What the work said at its end.
fn end(text: &str) -> Verdict {
    let failed = text
        .lines()
        .find(|line| line.contains("FAILED") || line.contains(" failed") && !line.contains(" 0 failed"));
    match failed {
        Some(line) => Verdict::Test(line.to_owned()),
        None if text.contains(" 0 failed") => Verdict::Nobody,
        None => Verdict::Test("no verdict".to_owned()),
    }
}

/// The instructions that the unchanged kernel executes under this work.
pub fn executed(image: &Path, work: &Work) -> Result<BTreeSet<u64>> {
    let mut stage = Stage::alone("mutants", Kernel::Holstein(image.to_owned()), LIMIT)?;
    work.watch(&mut stage);
    let mut board = (work.start)(&mut stage)?;
    board.set_step(LIMIT);
    board.expect_end().with_context(|| work.name)?;
    stage.watched()?;
    let log = stage.watch_log()?;
    let addresses = log
        .lines()
        .filter_map(|line| line.strip_prefix("executed: 0x")?.split(' ').next());
    addresses
        .map(|digits| Ok(linked(u64::from_str_radix(digits, 16)?)))
        .collect()
}

/// The address at which an instruction is linked: those of boot run where the loader put the Image, at 2 MiB from the start of RAM.
fn linked(address: u64) -> u64 {
    const RAM: u64 = 0x4000_0000;
    const LOADED: u64 = 0x20_0000;
    if address >> 63 == 1 {
        return address;
    }
    BASE.wrapping_add((address % RAM).wrapping_sub(LOADED))
}
