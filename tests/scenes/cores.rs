//! Copy-on-write where several processors write at once (`tests/programs/cores.c`). The numbers are those of the cases
//! in the design: each is tried 100,000 times on Holstein. Linux, which plays them only to prove the program, tries less.

use crate::program;
use anyhow::Result;
use std::time::Duration;
use tests::{Kernel, Machine, Scene, Stage, Virt};

pub const SCENES: &[Scene] = &[
    scene("cores.write_while_forking", |stage| {
        on_virt(stage, "write_while_forking", 60_000)
    }),
    scene("cores.both_write", |stage| on_virt(stage, "both_write", 100_000)),
    scene("cores.remap", |stage| on_virt(stage, "remap", 100_000)),
    scene("cores.break", |stage| on_virt(stage, "break", 100_000)),
    scene("cores.fault_together", |stage| {
        on_virt(stage, "fault_together", 100_000)
    }),
];

const fn scene(name: &'static str, play: fn(&mut Stage) -> Result<()>) -> Scene {
    Scene::portable(name, play).within_seconds(400).checked().busy()
}

fn on_virt(stage: &mut Stage, case: &str, rounds: u32) -> Result<()> {
    play(stage, &Machine::Virt(Virt::default()), "", case, rounds)
}

fn play(stage: &mut Stage, machine: &Machine, boot_words: &str, case: &str, rounds: u32) -> Result<()> {
    let rounds = match stage.kernel {
        Kernel::Holstein(_) => rounds,
        Kernel::Linux(_) => rounds / 20,
    };
    let arguments = format!("{case} {rounds}");
    let mut board = program::boot(stage, machine, boot_words, "cores", &arguments)?;
    board.set_step(Duration::from_secs(300));
    program::expect_success(&mut board, "cores")
}
