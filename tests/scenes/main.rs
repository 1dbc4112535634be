//! Plays the scenes: `scenes [--linux] [--kernel FILE] [--list] [TEXT]` plays those with TEXT in their names. With `--linux` Debian's
//! kernel is the one under test, which proves the portable scenes. Ends with `N passed, N failed`.

mod bad_programs;
mod boot;
mod busybox;
mod crash;
mod debian;
mod demos;
mod glibc;
mod hostile;
mod memory;
mod ram;
mod sdcard;
mod shell;

use anyhow::{Context, Result, ensure};
use std::path::PathBuf;
use std::process::ExitCode;
use tests::{Kernel, Scene, files, runner};

fn all() -> Vec<Scene> {
    let themes = [
        boot::SCENES,
        ram::SCENES,
        shell::SCENES,
        crash::SCENES,
        demos::SCENES,
        busybox::SCENES,
        glibc::SCENES,
        debian::SCENES,
        bad_programs::SCENES,
        memory::SCENES,
        hostile::SCENES,
        sdcard::SCENES,
    ];
    themes.concat()
}

struct Choice {
    is_list_only: bool,
    kernel: Kernel,
    text: String,
}

fn choice(mut words: impl Iterator<Item = String>) -> Result<Choice> {
    let (mut is_list_only, mut is_linux, mut path, mut text) = (false, false, None, String::new());
    while let Some(word) = words.next() {
        match word.as_str() {
            "--linux" => is_linux = true,
            "--list" => is_list_only = true,
            "--kernel" => path = Some(PathBuf::from(words.next().context("--kernel FILE")?)),
            _ => text = word,
        }
    }
    let kernel = if is_linux {
        Kernel::Linux(files::linux()?)
    } else {
        let path = path.unwrap_or_else(|| files::built().join("kernel8.img"));
        Kernel::Holstein(if is_list_only {
            path
        } else {
            files::existing(path)?
        })
    };
    Ok(Choice {
        is_list_only,
        kernel,
        text,
    })
}

fn run() -> Result<bool> {
    let choice = choice(std::env::args().skip(1))?;
    let mut scenes = all();
    let is_linux = matches!(choice.kernel, Kernel::Linux(_));
    scenes.retain(|scene| scene.name.contains(&choice.text) && (scene.is_portable || !is_linux));
    ensure!(!scenes.is_empty(), "no scene's name contains {:?}", choice.text);
    if choice.is_list_only {
        scenes.iter().for_each(|scene| println!("{}", scene.name));
        return Ok(true);
    }
    let count = runner::play(&scenes, &choice.kernel);
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
