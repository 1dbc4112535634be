//! Files that tell of events, and who waits for them (`tests/programs/waiting.c`, `inotify.c`); queues of
//! messages (`queues.c`).

use crate::program;
use anyhow::Result;
use tests::{Machine, Scene, Stage, Virt};

pub const SCENES: &[Scene] = &[
    Scene::portable("waiting.files", files),
    Scene::portable("waiting.inotify", inotify),
    Scene::portable("waiting.queues", queues),
];

fn files(stage: &mut Stage) -> Result<()> {
    let mut board = program::boot(stage, &Machine::Virt(Virt::default()), "", "waiting", "")?;
    program::expect_success(&mut board, "waiting")
}

fn inotify(stage: &mut Stage) -> Result<()> {
    let mut board = program::boot(stage, &Machine::Virt(Virt::default()), "", "inotify", "")?;
    program::expect_success(&mut board, "inotify")
}

fn queues(stage: &mut Stage) -> Result<()> {
    let mut board = program::boot(stage, &Machine::Virt(Virt::default()), "", "queues", "")?;
    program::expect_success(&mut board, "queues")
}
