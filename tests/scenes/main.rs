//! Plays the scenes: `scenes [--linux] [--kernel FILE] [--list] [--show] [--watch] [--resume FILE] [--line] [--seconds N] [--seed N]
//! [--long] [TEXT...]` plays those with one of TEXT in their names. With `--linux` Debian's kernel is the one under test, which proves the portable scenes;
//! `--show` prints what the boards print; `--watch` runs them under the checker (tests/checker), `--resume`
//! leaves out those that FILE says have passed, and adds to it;
//! `--long` adds those that `make test` has no time for, which other verbs play;
//! `--line` gives them a serial line as slow as a real one; `--seconds` and `--seed` are for the soak. Ends with `N passed, N failed`.

mod allocations;
mod bad_programs;
mod barriers;
mod board;
mod book;
mod boot;
mod busybox;
mod cards;
mod console;
mod cores;
mod cowtop;
mod crash;
mod debian;
mod debian_root;
mod debugger;
mod demos;
mod disk_files;
mod disk_maps;
mod disk_ranges;
mod disks;
mod early;
mod exercises;
mod fat_files;
mod file_calls;
mod glibc;
mod hostile;
mod latency;
mod memory;
mod network;
mod parallel_files;
mod proc;
mod processors;
mod pthreads;
mod ram;
mod random_files;
mod release;
mod rights;
mod scheduling;
mod sdcard;
mod shares;
mod shell;
mod silicon;
mod small_programs;
mod soak;
mod stacks;
mod storm;
mod swapping;
mod threads;
mod vdso;
mod waiting;
mod watched;

use anyhow::{Context, Result, ensure};
use std::path::PathBuf;
use std::process::ExitCode;
use tests::progress::Progress;
use tests::{Kernel, Scene, Setting, Soak, files, program, runner};

fn all() -> Vec<Scene> {
    let themes = [
        boot::SCENES,
        book::SCENES,
        board::SCENES,
        early::SCENES,
        exercises::SCENES,
        disks::SCENES,
        disk_files::SCENES,
        disk_maps::SCENES,
        disk_ranges::SCENES,
        swapping::SCENES,
        cards::SCENES,
        fat_files::SCENES,
        console::SCENES,
        ram::SCENES,
        random_files::SCENES,
        proc::SCENES,
        processors::SCENES,
        shell::SCENES,
        cowtop::SCENES,
        crash::SCENES,
        debugger::SCENES,
        stacks::SCENES,
        barriers::SCENES,
        demos::SCENES,
        busybox::SCENES,
        glibc::SCENES,
        debian::SCENES,
        allocations::SCENES,
        bad_programs::SCENES,
        memory::SCENES,
        hostile::SCENES,
        latency::SCENES,
        cores::SCENES,
        storm::SCENES,
        threads::SCENES,
        vdso::SCENES,
        waiting::SCENES,
        scheduling::SCENES,
        shares::SCENES,
        pthreads::SCENES,
        file_calls::SCENES,
        network::SCENES,
        parallel_files::SCENES,
        release::SCENES,
        rights::SCENES,
        soak::SCENES,
        sdcard::SCENES,
        watched::SCENES,
    ];
    themes.concat()
}

/// What `make test` asks of the soak.
const SHORT_SOAK: Soak = Soak { seconds: 20, seed: 1 };

struct Choice {
    is_list_only: bool,
    is_long: bool,
    setting: Setting,
    passed: Option<Progress>,
    texts: Vec<String>,
}

fn choice(mut words: impl Iterator<Item = String>) -> Result<Choice> {
    let (mut is_list_only, mut is_shown, mut is_linux, mut is_watched) = (false, false, false, false);
    let (mut is_on_a_line, mut is_long) = (false, false);
    let (mut path, mut passed, mut texts) = (None, None, Vec::new());
    let mut soak = SHORT_SOAK;
    while let Some(word) = words.next() {
        match word.as_str() {
            "--linux" => is_linux = true,
            "--list" => is_list_only = true,
            "--show" => is_shown = true,
            "--watch" => is_watched = true,
            "--long" => is_long = true,
            "--line" => is_on_a_line = true,
            "--kernel" => path = Some(PathBuf::from(words.next().context("--kernel FILE")?)),
            "--seconds" => soak.seconds = words.next().context("--seconds N")?.parse()?,
            "--seed" => soak.seed = words.next().context("--seed N")?.parse()?,
            "--resume" => passed = Some(Progress::read(words.next().context("--resume FILE")?.into())?),
            _ => texts.push(word),
        }
    }
    let (normal, checked) = kernels(is_linux, path)?;
    Ok(Choice {
        is_list_only,
        is_long,
        setting: Setting {
            normal,
            checked,
            soak,
            is_shown,
            is_watched,
            is_on_a_line,
        },
        passed,
        texts,
    })
}

/// The kernels for normal and for checked scenes.
fn kernels(is_linux: bool, named: Option<PathBuf>) -> Result<(Kernel, Kernel)> {
    let built = |name| Kernel::Holstein(files::built().join(name));
    Ok(match named {
        _ if is_linux => {
            let linux = Kernel::Linux(files::linux()?);
            (linux.clone(), linux)
        }
        Some(path) => (Kernel::Holstein(path.clone()), Kernel::Holstein(path)),
        None => (built("kernel8.img"), built("kernel8-checked.img")),
    })
}

fn run() -> Result<bool> {
    let choice = choice(std::env::args().skip(1))?;
    let mut scenes = all();
    if choice.setting.is_watched {
        scenes.extend(silicon::SCENES);
    }
    if choice.is_long {
        scenes.extend(debian_root::SCENES);
        scenes.extend(swapping::LONG);
        scenes.extend(cores::LONG);
        scenes.extend(pthreads::LONG);
    }
    let is_linux = matches!(choice.setting.normal, Kernel::Linux(_));
    let is_wanted =
        |name: &str| choice.texts.is_empty() || choice.texts.iter().any(|text| name.contains(text));
    scenes.retain(|scene| is_wanted(scene.name) && (scene.is_portable || !is_linux));
    ensure!(
        !scenes.is_empty(),
        "no scene's name contains one of {:?}",
        choice.texts
    );
    if choice.is_list_only {
        scenes.iter().for_each(|scene| println!("{}", scene.name));
        return Ok(true);
    }
    let count = runner::play(&scenes, &choice.setting, choice.passed);
    println!("{} passed, {} failed", count.passed, count.failed);
    Ok(count.failed == 0)
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("scenes: {error:#}");
            ExitCode::FAILURE
        }
    }
}
