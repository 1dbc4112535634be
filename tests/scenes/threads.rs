//! Threads as the kernel makes them, without a thread library: ids, what is shared, how they end, exec, fork and wait with
//! several threads (`tests/programs/threads_kernel.c`), signals for one and for all (`group_signals.c`), and all of that at
//! once on all processors (`thread_ends.c`); many that wait for one thing, and one that waits for many (`waits.c`).

use crate::program;
use anyhow::Result;
use std::time::Duration;
use tests::{Kernel, Machine, Scene, Stage, Virt};

pub const SCENES: &[Scene] = &[
    Scene::portable("threads.kernel", |stage| {
        play(stage, &Machine::Virt(Virt::default()), "threads_kernel")
    }),
    Scene::portable("threads.kernel_one_processor", |stage| {
        play(stage, &one_processor(), "threads_kernel")
    }),
    Scene::portable("threads.signals", |stage| {
        play(stage, &Machine::Virt(Virt::default()), "group_signals")
    }),
    Scene::portable("threads.signals_one_processor", |stage| {
        play(stage, &one_processor(), "group_signals")
    }),
    Scene::portable("threads.waits", |stage| {
        play(stage, &Machine::Virt(Virt::default()), "waits")
    })
    .checked(),
    Scene::portable("threads.waits_one_processor", |stage| {
        play(stage, &one_processor(), "waits")
    }),
    Scene::portable("threads.ends", ends)
        .within_seconds(400)
        .checked()
        .busy(),
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

/// Linux plays it only to prove the program.
fn ends(stage: &mut Stage) -> Result<()> {
    let rounds = match stage.kernel {
        Kernel::Holstein(_) => "3000",
        Kernel::Linux(_) => "300",
    };
    let machine = Machine::Virt(Virt::default());
    let mut board = program::boot(stage, &machine, "", "thread_ends", rounds)?;
    board.set_step(Duration::from_secs(300));
    program::expect_success(&mut board, "thread_ends")
}
