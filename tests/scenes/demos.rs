//! The demos of copy-on-write, started by init as `make demo` does it. Each counts its own checks.

use anyhow::{Result, ensure};
use std::time::Duration;
use tests::{Gic, Machine, Scene, Stage, Virt};

pub const SCENES: &[Scene] = &[
    Scene::holstein("demos.virt", |stage| play(stage, &Machine::Virt(Virt::default()))),
    Scene::holstein("demos.virt_small", |stage| {
        play(
            stage,
            &Machine::Virt(Virt {
                memory: "128M",
                gic: Gic::V3,
                has_el2: true,
                cpus: 2,
                ..Virt::default()
            }),
        )
    }),
    Scene::holstein("demos.raspi4b", |stage| play(stage, &Machine::raspi4b()?)),
    Scene::portable("demos.tour", tour),
    Scene::holstein("demos.check_can_fail", check_can_fail),
];

/// The last of the questions.
const QUESTIONS: usize = 16;
/// The longest that all of them may take: Q15 fills the memory, which a busy host does slowly.
const LIMIT: Duration = Duration::from_secs(300);

/// All questions are asked, all checks pass, and the board powers off by itself.
pub fn play(stage: &mut Stage, machine: &Machine) -> Result<()> {
    let load = tests::qemu::Load {
        command_line: "-- demo".into(),
        ..stage.load()
    };
    let mut board = stage.boot(machine, &load)?;
    board.set_step(LIMIT);
    let text = board.expect("^demo: [1-9][0-9]* passed, [0-9]+ failed$")?;
    let failed: Vec<&str> = text.lines().filter(|line| line.starts_with("FAILED: ")).collect();
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    for question in 1..=QUESTIONS {
        let title = format!("== Q{question}:");
        ensure!(text.contains(&title), "{title} was not asked");
    }
    board.expect_end()
}

/// `cow tour` stops after each question and goes where it is told; the list fits a terminal. On Linux no check fails either: what is
/// not so there is said to be.
fn tour(stage: &mut Stage) -> Result<()> {
    let load = stage.load();
    let mut shell = stage.boot_virt(&load)?;
    shell.expect_prompt()?;
    shell.type_line("cow tour")?;
    for (expected, answer) in [
        ("^== Q1:", "99"),
        ("^99: there are questions 1 to 16$", "5"),
        ("^== Q5:", "q11"),
        ("^== Q11:", ""),
        ("^== Q12:", "q"),
    ] {
        shell.expect(expected)?;
        shell.expect("^Enter: next; a number: that question; q: leave ")?;
        shell.type_line(answer)?;
    }
    let text = shell.expect("^demo: [0-9]+ passed, [0-9]+ failed$")?;
    ensure!(text.contains(" passed, 0 failed"), "{text}");
    shell.expect_prompt()?;
    shell.check("cow --help | wc -l; cow list | grep -cE '.{81}'", "^19\n0\n$")?;
    crate::boot::power_off(&mut shell)
}

/// A fork that copies all tables is not flat, and the demo of its cost must say so.
fn check_can_fail(stage: &mut Stage) -> Result<()> {
    let load = tests::qemu::Load {
        command_line: "fork=classic".into(),
        ..stage.load()
    };
    let mut shell = stage.boot_virt(&load)?;
    shell.expect_prompt()?;
    let text = shell.run("cow q10")?;
    ensure!(text.contains("FAILED: a fork of 32 MiB"), "{text}");
    crate::boot::power_off(&mut shell)
}
