//! Threads as programs have them, through the thread libraries of glibc and musl: programs of `tests/programs` that count
//! their own checks, on four processors and on one.

use crate::program;
use anyhow::Result;
use std::time::Duration;
use tests::{Library, Machine, Scene, Stage, Virt};

pub const SCENES: &[Scene] = &[
    Scene::portable("pthreads.glibc", |stage| play_all(stage, Library::Glibc, 4)),
    Scene::portable("pthreads.glibc_one_processor", |stage| {
        play_all(stage, Library::Glibc, 1)
    }),
    Scene::portable("pthreads.shared_glibc", |stage| {
        play_all(stage, Library::SharedGlibc, 4)
    }),
    Scene::portable("pthreads.musl", |stage| play_all(stage, Library::Musl, 4)),
    Scene::portable("pthreads.checked", |stage| play_all(stage, Library::Glibc, 4)).checked(),
    Scene::portable("pthreads.futexes", |stage| {
        play(stage, Library::Glibc, 4, "futexes")
    }),
    Scene::portable("pthreads.membarriers", |stage| {
        play(stage, Library::Glibc, 4, "membarriers")
    })
    .busy(),
    Scene::portable("pthreads.rseq", |stage| play(stage, Library::Glibc, 4, "rseq")).busy(),
    // The longest: forks, each of which checks every byte that four threads write meanwhile.
    Scene::portable("pthreads.forkers", |stage| forkers(stage, 700))
        .within_seconds(900)
        .busy(),
];

/// As often as the program forks of its own accord: `make soak` plays it.
pub const LONG: &[Scene] = &[
    Scene::portable("many_rounds.forkers", |stage| forkers(stage, 10_000))
        .within_seconds(3_600)
        .checked()
        .busy(),
];

/// What each library must do.
const PROGRAMS: [&str; 4] = ["threads", "locks", "thread_signals", "thread_forks"];

fn play_all(stage: &mut Stage, library: Library, cpus: u32) -> Result<()> {
    PROGRAMS
        .iter()
        .try_for_each(|name| play(stage, library, cpus, name))
}

fn play(stage: &mut Stage, library: Library, cpus: u32, name: &str) -> Result<()> {
    let machine = Machine::Virt(Virt {
        cpus,
        ..Virt::default()
    });
    let mut board = program::boot_with(stage, library, &machine, name)?;
    board.set_step(Duration::from_secs(120));
    program::expect_success(&mut board, name)
}

/// Two busy host cores take eight minutes for 10,000 forks, and nothing else is played beside it.
fn forkers(stage: &mut Stage, forks: u32) -> Result<()> {
    let mut board = program::boot(
        stage,
        &Machine::Virt(Virt::default()),
        &format!("FORKS={forks}"),
        "forkers",
        "",
    )?;
    board.set_step(Duration::from_secs(3_600));
    program::expect_success(&mut board, "forkers")
}
