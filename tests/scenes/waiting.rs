//! Files that tell of events, and who waits for them (`tests/programs/waiting.c`, `tests/programs/inotify.c`).

use crate::program;
use anyhow::Result;
use tests::{Machine, Scene, Stage, Virt};

pub const SCENES: &[Scene] = &[
    Scene::portable("waiting.files", files),
    Scene::portable("waiting.inotify", inotify),
];

fn files(stage: &mut Stage) -> Result<()> {
    let mut board = program::boot(stage, &Machine::Virt(Virt::default()), "", "waiting", "")?;
    program::expect_success(&mut board, "waiting")
}

fn inotify(stage: &mut Stage) -> Result<()> {
    let mut board = program::boot(stage, &Machine::Virt(Virt::default()), "", "inotify", "")?;
    program::expect_success(&mut board, "inotify")
}
