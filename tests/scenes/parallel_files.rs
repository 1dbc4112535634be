//! Names, files, pipes and locks used by several processes at once (`tests/programs/parallel_files.c`).

use crate::program;
use anyhow::Result;
use std::time::Duration;
use tests::{Machine, Scene, Stage, Virt};

pub const SCENES: &[Scene] = &[
    busy(Scene::portable("parallel_files.virt", |stage| {
        play(stage, &Machine::Virt(Virt::default()), 1000)
    })),
    busy(Scene::holstein("parallel_files.raspi4b", |stage| {
        play(stage, &Machine::raspi4b()?, 200)
    })),
];

const fn busy(scene: Scene) -> Scene {
    scene.within_seconds(400).checked().busy()
}

fn play(stage: &mut Stage, machine: &Machine, rounds: u32) -> Result<()> {
    let mut board = program::boot(stage, machine, "", "parallel_files", &rounds.to_string())?;
    board.set_step(Duration::from_secs(300));
    program::expect_success(&mut board, "parallel_files")
}
