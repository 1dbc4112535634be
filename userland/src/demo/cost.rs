//! Q10: what a fork costs.

use alloc::format;

use super::story::Story;
use crate::pages::{Translation, kernel_counter};
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

/// Q10
pub fn fork_cost(story: &mut Story) -> Result<()> {
    story.say("Forks of a parent with more and more memory touched; each child ends at once. A kernel that copies all tables pays for each page. Holstein copies the root, and the stack page that both sides write at once with the two tables above it (Q11), whatever the size: so the child has no fault.");
    story.row(&format!(
        "{:>8} {:>14} {:>22} {:>15}",
        "touched", "fork", "faults of the child", "tables copied"
    ));
    let mut times = [0; 3];
    for (place, mebibytes) in times.iter_mut().zip([1, 8, 32]) {
        let memory = Mapping::anonymous(mebibytes << 20, Sharing::Private)?;
        for page in 0..memory.pages() {
            memory.store(page * PAGE, 1);
        }
        let tables_before = kernel_counter("cow_tables_copied");
        let mut least = u64::MAX;
        let mut faults = 0;
        for _ in 0..ROUNDS {
            let (taken, child_faults) = one_fork()?;
            least = least.min(taken);
            faults = child_faults;
        }
        *place = least;
        let tables = kernel_counter("cow_tables_copied").zip(tables_before);
        let tables = tables.map_or("-".into(), |(after, before)| {
            format!("{}", (after - before) / ROUNDS as u64)
        });
        story.row(&format!(
            "{mebibytes:>4} MiB {:>11} us {faults:>22} {tables:>15}",
            least / 1000
        ));
    }
    let is_flat = Translation::of("self")
        .is_ok()
        .then(|| times[2] < 4 * times[0].max(1000));
    story.check_if_known(is_flat, "32 MiB cost about what 1 MiB costs");
    let before = process::usage(RUSAGE_SELF)?;
    story.say("The counters are those that /usr/bin/time and `time` show: getrusage and wait4.");
    story.row(&format!(
        "this program so far: {} minor faults, {} major faults",
        before.minflt, before.majflt
    ));
    story.check(before.minflt > 0, "minor faults are counted");
    Ok(())
}
