//! How late a sleeper is beside long calls (`tests/programs/latency.c`), on one processor whose nanoseconds are instructions.
//! Linux, which plays it only to prove the program, may be later.

use crate::program;
use anyhow::Result;
use std::time::Duration;
use tests::{Scene, Stage, latency};

pub const SCENES: &[Scene] = &[
    Scene::portable("latency.calls", calls).within_seconds(300),
    Scene::portable("latency.shortage", shortage).within_seconds(400),
];

fn calls(stage: &mut Stage) -> Result<()> {
    let mut board = latency::boot(stage, "", &[])?;
    program::expect_success(&mut board, latency::PROGRAM)
}

/// When memory runs out (`tests/programs/shortage.c`).
fn shortage(stage: &mut Stage) -> Result<()> {
    let mut board = program::boot(stage, &latency::machine("192M"), "", "shortage", "")?;
    board.set_step(Duration::from_secs(360));
    program::expect_success(&mut board, "shortage")
}
