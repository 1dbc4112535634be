//! The real kernel under the checker (`tests/checker`), which knows what silicon does not forgive: boot and demos on both boards,
//! storms, random work. `make check-silicon` watches far more.

use crate::{cores, demos, memory, soak, storm};
use anyhow::{Context, Result, ensure};
use regex::Regex;
use tests::{Gic, Machine, Scene, Stage, Virt};

pub const SCENES: &[Scene] = &[
    scene("watched.demos", |stage| {
        watch(stage, |stage| demos::play(stage, &Machine::Virt(Virt::default())))
    }),
    scene("watched.raspi4b", |stage| watch(stage, boot_raspi4b)),
    scene("watched.forks", |stage| watch_storm(stage, "forks", 1)),
    scene("watched.threads", |stage| watch_storm(stage, "threads", 40)),
    scene("watched.execs", |stage| watch_storm(stage, "execs", 10)),
    scene("watched.kills", |stage| watch_storm(stage, "kills", 20)),
    scene("watched.bytes", |stage| {
        watch(stage, |stage| memory::bytes(stage, &Machine::Virt(small()), 60))
    }),
    // Two processors fault on the same pages at once: the second finds what it asks for made, and its fault is answered as a spurious
    // one. The program counts them by /proc/vmstat and fails if there were not many.
    scene("watched.spurious", |stage| {
        watch(stage, |stage| {
            cores::on_virt(stage, "", "fault_together", 3_000, 1)
        })
    }),
    scene("watched.order", |stage| {
        stage.watch_order();
        watch_storm(stage, "threads", 20)
    }),
    scene("watched.soak", |stage| {
        stage.soak.seconds = 10;
        watch(stage, |stage| soak::soak(stage, &Machine::Virt(el2_and_gic_v3())))
    }),
];

const fn scene(name: &'static str, play: fn(&mut Stage) -> Result<()>) -> Scene {
    Scene::holstein(name, play).within_seconds(240).busy()
}

/// The other way into the kernel, and the other interrupt controller.
fn el2_and_gic_v3() -> Virt {
    Virt {
        gic: Gic::V3,
        has_el2: true,
        memory: "512M",
        ..Virt::default()
    }
}

fn small() -> Virt {
    Virt {
        memory: "512M",
        ..Virt::default()
    }
}

/// Plays a scene under the checker; a board that was hardly watched is a failure too.
fn watch(stage: &mut Stage, play: impl FnOnce(&mut Stage) -> Result<()>) -> Result<()> {
    stage.watch();
    play(stage)?;
    let line = stage.watched()?;
    for what in [
        "to tables",
        "TLBI",
        "DSB",
        "entries to EL0",
        "TLB fills",
        "frames taken",
    ] {
        let count = Regex::new(&format!("{what} ([0-9]+)"))?;
        let found = count
            .captures(&line)
            .with_context(|| format!("no {what} in {line:?}"))?;
        ensure!(found[1].parse::<u64>()? > 20, "{what}: {line:?}");
    }
    Ok(())
}

fn watch_storm(stage: &mut Stage, case: &str, rounds: u32) -> Result<()> {
    let machine = Machine::Virt(small());
    watch(stage, |stage| storm::play(stage, &machine, "", case, rounds))
}

fn boot_raspi4b(stage: &mut Stage) -> Result<()> {
    let load = stage.load();
    let mut board = stage.boot(&Machine::raspi4b()?, &load)?;
    board.expect_prompt()?;
    board.check("cow q2", "^ok: ")?;
    board.type_line("poweroff")?;
    board.expect_end()
}
