//! Random work on all processors for a time (`tests/programs/soak.c`), after which everything must be free again. In
//! `make test` it is short; `make soak` makes it long.

use crate::program;
use anyhow::Result;
use std::time::Duration;
use tests::{Machine, Scene, Stage, Virt};

pub const SCENES: &[Scene] = &[
    scene("soak.virt", |stage| soak(stage, &Machine::Virt(Virt::default()))),
    Scene {
        is_portable: false,
        ..scene("soak.raspi4b", |stage| soak(stage, &Machine::raspi4b()?))
    },
];

const fn scene(name: &'static str, play: fn(&mut Stage) -> Result<()>) -> Scene {
    Scene::portable(name, play).within_seconds(240).checked().busy()
}

/// Random work for as long as the stage says.
pub fn soak(stage: &mut Stage, machine: &Machine) -> Result<()> {
    let (seconds, seed) = (stage.soak.seconds, stage.soak.seed);
    stage.extend(Duration::from_secs(seconds + seconds / 4));
    let mut board = program::boot(stage, machine, "", "soak", &format!("{seconds} {seed}"))?;
    board.expect("^soak: [0-9]+ seconds from seed [0-9]+ on 4 processors$")?;
    // A line comes every five seconds, and workers that hang are ended after 90.
    board.set_step(Duration::from_secs(seconds + seconds / 4 + 200));
    program::expect_success(&mut board, "soak")
}
