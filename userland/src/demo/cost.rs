//! Q10: what a fork costs.

use alloc::format;

use super::story::Story;
use crate::pages::kernel_counter;
use crate::runtime::memory::{Mapping, PAGE, Sharing};
use crate::runtime::process::{self, Fork, RUSAGE_SELF};
use crate::runtime::{Result, time};

/// How often each fork is repeated; the least time counts, as the rest is other people's.
const ROUNDS: usize = 7;

/// The time of one fork, in nanoseconds, and the minor faults that the child had when it ended.
fn one_fork() -> Result<(u64, i64)> {
    let start = time::monotonic()?;
    let pid = match process::fork_keeping_output()? {
        Fork::Child => process::exit_now(0),
        Fork::Parent(pid) => pid,
    };
    let taken = time::monotonic()?.saturating_sub(start);
    Ok((taken, process::wait_for_end(pid)?.usage.minflt))
}

/// What the kernel says that a fork copied: tables, and bytes of tables and pages.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Copied {
    tables: u64,
    bytes: u64,
}

impl Copied {
    /// So far, on a kernel that counts it.
    fn so_far() -> Option<Copied> {
        Some(Copied {
            tables: kernel_counter("cow_tables_copied")?,
            bytes: kernel_counter("bytes_copied")?,
        })
    }

    /// For each of the forks since `before`.
    fn per_fork_since(before: Option<Copied>) -> Option<Copied> {
        let (before, now) = before.zip(Copied::so_far())?;
        Some(Copied {
            tables: (now.tables - before.tables) / ROUNDS as u64,
            bytes: (now.bytes - before.bytes) / ROUNDS as u64,
        })
    }
}

/// Forks a parent that has touched so much, shows the row, and returns what one fork copied.
fn cost_at(story: &mut Story, mebibytes: usize) -> Result<Option<Copied>> {
    let memory = Mapping::anonymous(mebibytes << 20, Sharing::Private)?;
    for page in 0..memory.pages() {
        memory.store(page * PAGE, 1);
    }
    // The first fork also shares what was written since; the next ones are all alike.
    one_fork()?;
    let before = Copied::so_far();
    let mut least = u64::MAX;
    let mut faults = 0;
    for _ in 0..ROUNDS {
        let (taken, child_faults) = one_fork()?;
        least = least.min(taken);
        faults = child_faults;
    }
    let copied = Copied::per_fork_since(before);
    let tables = copied.map_or("-".into(), |copied| format!("{}", copied.tables));
    story.row(&format!(
        "{mebibytes:>4} MiB {:>11} us {faults:>22} {tables:>15}",
        least / 1000
    ));
    Ok(copied)
}

/// Q10
pub fn fork_cost(story: &mut Story) -> Result<()> {
    story.say("Forks of a parent with more and more memory touched; each child ends at once. A kernel that copies all tables pays for each page. Holstein copies the root, and the stack page that both sides write at once with the two tables above it (Q11), whatever the size: so the child has no fault.");
    story.row(&format!(
        "{:>8} {:>14} {:>22} {:>15}",
        "touched", "fork", "faults of the child", "tables copied"
    ));
    let costs = [cost_at(story, 1)?, cost_at(story, 8)?, cost_at(story, 32)?];
    let is_flat = costs[0].zip(costs[2]).map(|(small, large)| small == large);
    story.check_if_known(
        is_flat,
        "a fork of 32 MiB copies as many tables and bytes as one of 1 MiB",
    );
    let before = process::usage(RUSAGE_SELF)?;
    story.say("The counters are those that /usr/bin/time and `time` show: getrusage and wait4.");
    story.row(&format!(
        "this program so far: {} minor faults, {} major faults",
        before.minflt, before.majflt
    ));
    story.check(before.minflt > 0, "minor faults are counted");
    Ok(())
}
