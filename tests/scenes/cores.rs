//! Copy-on-write where several processors write at once (`tests/programs/cores.c`). On Holstein each is tried 90,000 times
//! in all, on virt, on virt with one ASID and on raspi4b. Linux, which plays them only to prove the program, tries less.
//!
//! The virt board has as many processors as the case keeps busy: in QEMU each broadcast TLBI waits for all of them, the idle
//! ones too, which doubles the time.

use crate::program;
use anyhow::Result;
use std::time::Duration;
use tests::{Kernel, Machine, Scene, Stage, Virt};

pub const SCENES: &[Scene] = &[
    scene("cores.write_while_forking", |stage| {
        on_virt(stage, "", "write_while_forking", 56_000, 1)
    }),
    // Stale entries show themselves in QEMU when all spaces have the same ASID: it flushes at every change of it.
    holstein("cores.write_while_forking_with_one_asid", |stage| {
        on_virt(stage, "asid=fixed", "write_while_forking", 25_000, 1)
    }),
    scene("cores.three_write_while_forking", |stage| {
        on_virt(stage, "", "write_while_forking", 2_000, 3)
    }),
    scene("cores.both_write", |stage| {
        on_virt(stage, "", "both_write", 83_000, 1)
    }),
    scene("cores.remap", |stage| on_virt(stage, "", "remap", 83_000, 1)),
    scene("cores.break", |stage| on_virt(stage, "", "break", 83_000, 1)),
    scene("cores.fault_together", |stage| {
        on_virt(stage, "", "fault_together", 83_000, 1)
    }),
    holstein("cores.raspi4b", |stage| {
        let machine = Machine::raspi4b()?;
        for case in CASES {
            play(stage, &machine, "", case, 2_000, 2)?;
        }
        Ok(())
    }),
    holstein("cores.one_asid", |stage| {
        for case in CASES {
            on_virt(stage, "asid=fixed", case, 5_000, 2)?;
        }
        Ok(())
    }),
];

/// What takes longest, more often than `make test` has time for: `make soak` plays it.
pub const LONG: &[Scene] = &[holstein("many_rounds.three_write_while_forking", |stage| {
    on_virt(stage, "", "write_while_forking", 20_000, 3)
})];

/// All of them, where each is tried less often.
const CASES: [&str; 5] = [
    "write_while_forking",
    "both_write",
    "remap",
    "break",
    "fault_together",
];

const fn scene(name: &'static str, play: fn(&mut Stage) -> Result<()>) -> Scene {
    Scene::portable(name, play).within_seconds(600).checked().busy()
}

const fn holstein(name: &'static str, play: fn(&mut Stage) -> Result<()>) -> Scene {
    Scene {
        is_portable: false,
        ..scene(name, play)
    }
}

/// One case on as many processors as it keeps busy.
pub fn on_virt(stage: &mut Stage, boot_words: &str, case: &str, rounds: u32, writers: u32) -> Result<()> {
    let machine = Machine::Virt(Virt {
        cpus: writers + 1,
        ..Virt::default()
    });
    play(stage, &machine, boot_words, case, rounds, writers)
}

fn play(
    stage: &mut Stage,
    machine: &Machine,
    boot_words: &str,
    case: &str,
    rounds: u32,
    writers: u32,
) -> Result<()> {
    let rounds = match stage.kernel {
        Kernel::Holstein(_) => rounds,
        Kernel::Linux(_) => rounds / 50,
    };
    let arguments = format!("{case} {rounds} {writers}");
    let mut board = program::boot(stage, machine, boot_words, "cores", &arguments)?;
    board.set_step(Duration::from_secs(550));
    program::expect_success(&mut board, "cores")
}
