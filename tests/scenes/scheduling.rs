//! Time and scheduling: timers and clocks (`tests/programs/timers.c`), policies, priorities and shares (`policies.c`),
//! and locks whose owners inherit priorities (`inherit.c`).

use crate::program;
use anyhow::Result;
use std::time::Duration;
use tests::{Machine, Scene, Stage, Virt};

pub const SCENES: &[Scene] = &[
    Scene::portable("scheduling.timers", |stage| {
        play(stage, &Machine::Virt(Virt::default()), "timers")
    }),
    Scene::portable("scheduling.timers_one_processor", |stage| {
        play(stage, &one_processor(), "timers")
    }),
    Scene::portable("scheduling.policies", |stage| {
        play(stage, &Machine::Virt(Virt::default()), "policies")
    })
    .busy(),
    Scene::portable("scheduling.inheritance", |stage| {
        play(stage, &Machine::Virt(Virt::default()), "inherit")
    }),
];

fn one_processor() -> Machine {
    Machine::Virt(Virt {
        cpus: 1,
        ..Virt::default()
    })
}

fn play(stage: &mut Stage, machine: &Machine, name: &str) -> Result<()> {
    let mut board = program::boot(stage, machine, "", name, "")?;
    board.set_step(Duration::from_secs(150));
    program::expect_success(&mut board, name)
}
