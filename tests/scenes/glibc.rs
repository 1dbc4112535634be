//! C programs on Debian's glibc, statically linked, as process 1. They count their own checks (`tests/programs`).

use crate::program;
use anyhow::Result;
use tests::{Machine, Scene, Stage, Virt};

pub const SCENES: &[Scene] = &[
    Scene::portable("glibc.forks", |stage| play(stage, "forks")),
    Scene::portable("glibc.maps", |stage| play(stage, "maps")),
];

/// Boots the program as init; all its checks must pass, and it must power the board off.
fn play(stage: &mut Stage, name: &str) -> Result<()> {
    let mut board = program::boot(stage, &Machine::Virt(Virt::default()), "", name, "")?;
    program::expect_success(&mut board, name)
}
