//! What programs ask without a call (`tests/programs/vdso.c`).

use crate::program;
use anyhow::Result;
use tests::{Machine, Scene, Stage, Virt};

pub const SCENES: &[Scene] = &[Scene::portable("vdso.clocks", clocks)];

fn clocks(stage: &mut Stage) -> Result<()> {
    let mut board = program::boot(stage, &Machine::Virt(Virt::default()), "", "vdso", "")?;
    program::expect_success(&mut board, "vdso")
}
