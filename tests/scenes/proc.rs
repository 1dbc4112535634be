//! What /proc and /sys say (`tests/programs/proc.c`): of processes, their memory, the machine; to whom, and how fast.

use crate::program;
use anyhow::{Result, ensure};
use tests::timeline::{self, FORK, Moment};
use tests::{Machine, Scene, Stage, Virt};

pub const SCENES: &[Scene] = &[
    Scene::portable("proc.files", files),
    Scene::holstein("proc.tracing", tracing),
    Scene::holstein("proc.fork_is_drawn", fork_is_drawn),
];

fn files(stage: &mut Stage) -> Result<()> {
    let mut board = program::boot(stage, &Machine::Virt(Virt::default()), "", "proc", "")?;
    program::expect_success(&mut board, "proc")
}

fn tracing(stage: &mut Stage) -> Result<()> {
    let mut board = program::boot(stage, &Machine::Virt(Virt::default()), "", "tracing", "")?;
    program::expect_success(&mut board, "tracing")
}

/// `make trace WHAT=fork`: the parent's stores copy, the child's take what is left, and wait4 comes last; all of it is in the picture.
fn fork_is_drawn(stage: &mut Stage) -> Result<()> {
    let moments = timeline::parse(&timeline::record(stage, FORK)?)?;
    let story = timeline::from_fork(&moments)?;
    let parent = &story[0].thread;
    let place = |is_wanted: &dyn Fn(&Moment) -> bool| story.iter().position(is_wanted);
    let copied = place(&|moment| moment.thread == *parent && moment.told().contains("page copied"));
    let reused = place(&|moment| moment.thread != *parent && moment.told().contains("page reused"));
    let ends = place(&|moment| moment.thread != *parent && moment.title == "the thread ends");
    let waits = place(&|moment| moment.thread == *parent && moment.title.starts_with("wait4 = "));
    let order = [copied, reused, ends, waits];
    ensure!(
        order.iter().all(Option::is_some) && order.is_sorted(),
        "{order:?} of {story:?}"
    );
    let path = stage.file("trace.svg");
    timeline::draw(&path, FORK, story)?;
    let picture = std::fs::read_to_string(path)?;
    ensure!(story.iter().all(|moment| picture.contains(&moment.title)));
    Ok(())
}
