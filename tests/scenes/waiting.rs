//! Files that tell of events, and who waits for them (`tests/programs/waiting.c`).

use crate::program;
use anyhow::Result;
use tests::{Machine, Scene, Stage, Virt};

pub const SCENES: &[Scene] = &[Scene::portable("waiting.files", files)];

fn files(stage: &mut Stage) -> Result<()> {
    let mut board = program::boot(stage, &Machine::Virt(Virt::default()), "", "waiting", "")?;
    program::expect_success(&mut board, "waiting")
}
