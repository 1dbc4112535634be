//! How threads share a processor (`tests/programs/shares.c`): whoever sleeps is served while others compute, and nobody gets more
//! than his share, whether he naps, forks or yields.

use crate::program;
use anyhow::Result;
use std::time::Duration;
use tests::{Machine, Scene, Stage, Virt};

pub const SCENES: &[Scene] = &[
    scene("shares.one_processor", |stage| {
        let virt = Virt {
            cpus: 1,
            ..Virt::default()
        };
        play(stage, &Machine::Virt(virt))
    }),
    scene("shares.four_processors", |stage| {
        play(stage, &Machine::Virt(Virt::default()))
    }),
];

const fn scene(name: &'static str, play: fn(&mut Stage) -> Result<()>) -> Scene {
    Scene::portable(name, play).within_seconds(120).checked().busy()
}

fn play(stage: &mut Stage, machine: &Machine) -> Result<()> {
    let mut board = program::boot(stage, machine, "", "shares", "")?;
    board.set_step(Duration::from_secs(100));
    program::expect_success(&mut board, "shares")
}
