//! Allocations that fail: in the kernel with checks the n-th one of a thread's system call is refused, for every n
//! (`tests/programs/fail_nth.c`).

use crate::program;
use anyhow::Result;
use std::time::Duration;
use tests::{Machine, Scene, Stage, Virt};

pub const SCENES: &[Scene] = &[Scene::holstein("allocations.fail_nth", fail_nth)
    .within_seconds(200)
    .checked()];

fn fail_nth(stage: &mut Stage) -> Result<()> {
    let machine = Machine::Virt(Virt::default());
    let mut board = program::boot(stage, &machine, "", "fail_nth", "")?;
    board.set_step(Duration::from_secs(150));
    program::expect_success(&mut board, "fail_nth")
}
