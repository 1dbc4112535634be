//! Q11: the page at the top of the stack.

use abi::file::OpenFlags;
use alloc::format;
use alloc::string::ToString;
use core::hint::black_box;

use super::story::Story;
use crate::pages::kernel_counter;
use crate::runtime::file::File;
use crate::runtime::memory::PAGE;
use crate::runtime::process::{self, Fork, RUSAGE_SELF};
use crate::runtime::{Result, measure};

/// Whether fork copies the page under the stack pointer at once; only Holstein has it.
const SWITCH: &str = "/proc/sys/vm/fork_copies_stack";

/// Rounds with either setting, in turns.
const ROUNDS: usize = 5;

/// Children in a round, one after the other.
const LIVES: i64 = 20;

/// What lives took: faults and pages of all of them, and the time of the fastest, as the others were interrupted.
#[derive(Default)]
struct Cost {
    lives: i64,
    parent_faults: i64,
    child_faults: i64,
    fastest: Option<u64>,
    pages: Option<u64>,
}

/// Q11
pub fn top_of_stack(story: &mut Story) -> Result<()> {
    story.say(
        "The first thing that both sides do after fork is to store to the stack: a return address, a local variable. \
         If fork shares that page like all others, each side faults on it at once. 100 children that do nothing else:",
    );
    story.row("100 lives: fork, exit, wait  faults: parent   child  pages copied by faults    fastest");
    if set(true).is_err() {
        let mut cost = Cost::default();
        in_one_page_of_stack(&mut || (0..ROUNDS).try_for_each(|_| round(&mut cost)))?;
        show(story, "as this kernel does it", &cost);
        story.not_here("fork cannot be told to copy the page: nothing to compare with");
        story.check(
            cost.parent_faults >= cost.lives && cost.child_faults >= cost.lives,
            "both sides fault after each fork",
        );
        return Ok(());
    }
    let (mut shared, mut copied) = (Cost::default(), Cost::default());
    let measured = in_one_page_of_stack(&mut || in_turns(&mut shared, &mut copied));
    // Whatever came between, the next forks are as they were before.
    set(true)?;
    measured?;
    show(story, "fork shares the page", &shared);
    show(story, "fork copies it (as usual)", &copied);
    story.check(
        shared.parent_faults == shared.lives && shared.child_faults == shared.lives,
        "shared: one fault of the parent and one of the child in each life",
    );
    let lives = shared.lives as u64;
    story.check(
        shared
            .pages
            .is_some_and(|pages| (lives..=2 * lives).contains(&pages)),
        "and the page is copied after all (by both, if they come at once)",
    );
    story.check(
        copied.parent_faults == 0 && copied.child_faults == 0 && copied.pages == Some(0),
        "copied by fork: no fault at all, and nothing left to copy",
    );
    story.say(
        "So it helps: the page is copied in any case, and two faults less are taken for each fork. For other pages it \
         would not: nobody knows beforehand which of them will be written. To see programs without it: \
         echo 0 > /proc/sys/vm/fork_copies_stack",
    );
    Ok(())
}

/// The rounds of both settings, so that what else the machine does falls on both.
fn in_turns(shared: &mut Cost, copied: &mut Cost) -> Result<()> {
    for _ in 0..ROUNDS {
        set(false)?;
        round(shared)?;
        set(true)?;
        round(copied)?;
    }
    Ok(())
}

/// Sets the switch; an error where there is none.
fn set(is_on: bool) -> Result<()> {
    File::open(SWITCH, OpenFlags::O_WRONLY | OpenFlags::O_CLOEXEC, 0)?.write(if is_on {
        b"1\n"
    } else {
        b"0\n"
    })
}

/// One round.
fn round(cost: &mut Cost) -> Result<()> {
    let pages_before = kernel_counter("cow_copied");
    let faults_before = process::usage(RUSAGE_SELF)?.minflt;
    for _ in 0..LIVES {
        let start = measure::ticks();
        cost.child_faults += life()?;
        let taken = measure::ticks().saturating_sub(start);
        cost.fastest = Some(cost.fastest.unwrap_or(taken).min(taken));
    }
    cost.parent_faults += process::usage(RUSAGE_SELF)?.minflt - faults_before;
    let pages = kernel_counter("cow_copied").zip(pages_before);
    cost.pages = pages.map(|(after, before)| cost.pages.unwrap_or(0) + after - before);
    cost.lives += LIVES;
    Ok(())
}

/// One child; both sides store to the stack. The child's faults.
fn life() -> Result<i64> {
    let mut word = 0u64;
    match process::fork_keeping_output()? {
        Fork::Child => {
            black_box(&mut word);
            process::exit_now(0)
        }
        Fork::Parent(pid) => {
            black_box(&mut word);
            Ok(process::wait_for_end(pid)?.usage.minflt)
        }
    }
}

/// Runs something that needs less than a KiB of stack where no border of a page is near.
#[inline(never)]
fn in_one_page_of_stack<T>(run: &mut dyn FnMut() -> Result<T>) -> Result<T> {
    let room = black_box([0u8; 256]);
    let result = if (2048..3072).contains(&(room.as_ptr() as usize % PAGE)) {
        run()
    } else {
        in_one_page_of_stack(run)
    };
    black_box(&room);
    result
}

fn show(story: &Story, title: &str, cost: &Cost) {
    let pages = cost.pages.map_or("-".to_string(), |pages| pages.to_string());
    story.row(&format!(
        "{title:<28} {:>14} {:>7} {pages:>23} {:>7} ns",
        cost.parent_faults,
        cost.child_faults,
        measure::nanoseconds(cost.fastest.unwrap_or(0)),
    ));
}
