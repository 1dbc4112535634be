//! The long watch (`make check-silicon`), besides the scenes of all themes: each way into the kernel, each interrupt controller, few
//! ASIDs, and one to eight processors. Played with `--watch` only.

use crate::program;
use anyhow::Result;
use tests::{Gic, Machine, Scene, Stage, Virt};

pub const SCENES: &[Scene] = &[
    scene("silicon.ways_in", ways_in),
    scene("silicon.processors", processors),
    scene("silicon.few_asids", few_asids),
    scene("silicon.classic_fork", |stage| {
        play(stage, Virt::default(), "fork=classic", "storm", "forks 3")
    }),
];

const fn scene(name: &'static str, play: fn(&mut Stage) -> Result<()>) -> Scene {
    Scene::holstein(name, play).within_seconds(600).busy()
}

fn play(stage: &mut Stage, virt: Virt, words: &str, name: &str, arguments: &str) -> Result<()> {
    let mut board = program::boot(stage, &Machine::Virt(virt), words, name, arguments)?;
    board.set_step(std::time::Duration::from_secs(240));
    program::expect_success(&mut board, name)?;
    println!("       {}", stage.watched()?);
    Ok(())
}

fn ways_in(stage: &mut Stage) -> Result<()> {
    for (gic, has_el2) in [(Gic::V2, true), (Gic::V3, false), (Gic::V3, true)] {
        let virt = Virt {
            gic,
            has_el2,
            ..Virt::default()
        };
        play(stage, virt, "", "soak", "5 3")?;
    }
    Ok(())
}

fn processors(stage: &mut Stage) -> Result<()> {
    for cpus in [1, 2, 3, 5, 8] {
        let virt = Virt {
            cpus,
            ..Virt::default()
        };
        play(stage, virt, "", "storm", "threads 20")?;
    }
    Ok(())
}

/// The numbers roll over every few processes.
fn few_asids(stage: &mut Stage) -> Result<()> {
    for asids in [16, 64] {
        play(stage, Virt::default(), &format!("asid={asids}"), "soak", "8 4")?;
        play(
            stage,
            Virt::default(),
            &format!("asid={asids}"),
            "storm",
            "execs 10",
        )?;
    }
    Ok(())
}
