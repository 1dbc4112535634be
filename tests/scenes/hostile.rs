//! Programs that want to bring the system down, as process 1: random system calls (`tests/programs/fuzz.c`), and what one may
//! try on purpose (`tests/programs/abuse.c`). The kernel lives, nothing hangs, all memory comes back.

use crate::program;
use anyhow::Result;
use std::time::Duration;
use tests::{Machine, Scene, Stage, Virt};

/// How long one program may take, on a machine that is busy with other things.
const LIMIT: Duration = Duration::from_secs(150);

pub const SCENES: &[Scene] = &[
    Scene::holstein("hostile.random_calls", |stage| {
        play(
            stage,
            "fuzz",
            "256M",
            "1 12 1200",
            "^fuzz: [1-9][0-9]{4,} calls, .*: passed$",
        )
    })
    .checked(),
    Scene::holstein("hostile.random_calls_in_little_memory", |stage| {
        play(
            stage,
            "fuzz",
            "64M",
            "500 6 1200",
            "^fuzz: [1-9][0-9]{4,} calls, .*: passed$",
        )
    })
    .checked(),
    Scene::holstein("hostile.on_purpose", |stage| {
        play(
            stage,
            "abuse",
            "128M",
            "",
            "^abuse: [1-9][0-9]* passed, 0 failed$",
        )
    })
    .checked(),
];

/// Boots the program as init; it must say that all went well, and power the board off.
fn play(stage: &mut Stage, name: &str, memory: &'static str, arguments: &str, success: &str) -> Result<()> {
    let machine = Machine::Virt(Virt {
        memory,
        ..Virt::default()
    });
    let mut board = program::boot(stage, &machine, "quiet", name, arguments)?;
    board.set_step(LIMIT);
    board.expect(success)?;
    board.expect_end()
}
