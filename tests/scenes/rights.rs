//! Who may do what to whom (`tests/programs/rights.c`): set-ID programs and their old users, capabilities, set-ID bits of files;
//! and what a signal's handler finds on its stack (`frames.c`); and
//! programs with strange headers (`images.c`), parents and children (`reaps.c`), and
//! core dumps (`dumps.c`).

use crate::program;
use anyhow::Result;
use tests::{Machine, Scene, Stage, Virt};

pub const SCENES: &[Scene] = &[
    Scene::portable("rights", |stage| play(stage, "rights")),
    Scene::portable("frames", |stage| play(stage, "frames")),
    Scene::portable("images", |stage| play(stage, "images")),
    Scene::portable("reaps", |stage| play(stage, "reaps")),
    Scene::portable("dumps", |stage| play(stage, "dumps")),
];

fn play(stage: &mut Stage, name: &str) -> Result<()> {
    let mut board = program::boot(stage, &Machine::Virt(Virt::default()), "", name, "")?;
    program::expect_success(&mut board, name)
}
