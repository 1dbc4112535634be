//! What /proc and /sys say (`tests/programs/proc.c`): of processes, their memory, the machine; to whom, and how fast.

use crate::program;
use anyhow::Result;
use tests::{Machine, Scene, Stage, Virt};

pub const SCENES: &[Scene] = &[
    Scene::portable("proc.files", files),
    Scene::holstein("proc.tracing", tracing),
];

fn files(stage: &mut Stage) -> Result<()> {
    let mut board = program::boot(stage, &Machine::Virt(Virt::default()), "", "proc", "")?;
    program::expect_success(&mut board, "proc")
}

fn tracing(stage: &mut Stage) -> Result<()> {
    let mut board = program::boot(stage, &Machine::Virt(Virt::default()), "", "tracing", "")?;
    program::expect_success(&mut board, "tracing")
}
