//! What files and terminals answer: locks and their owners (`tests/programs/advisory.c`), the terminal of a session
//! (`terminal.c`).

use crate::program;
use anyhow::Result;
use tests::{Machine, Scene, Stage, Virt};

pub const SCENES: &[Scene] = &[
    Scene::portable("file_calls.advisory", |stage| play(stage, "advisory")),
    Scene::portable("file_calls.terminal", |stage| play(stage, "terminal")),
];

fn play(stage: &mut Stage, name: &str) -> Result<()> {
    let mut board = program::boot(stage, &Machine::Virt(Virt::default()), "", name, "")?;
    program::expect_success(&mut board, name)
}
