//! What `make debug` loads into gdb, against /proc: both read the same tables, one from outside of the kernel.

use crate::boot::power_off;
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::Command;
use tests::qemu::Load;
use tests::{Scene, Session, Stage, files};

pub const SCENES: &[Scene] = &[Scene::holstein("debugger.helpers", helpers)];

/// Runs commands in gdb; what they print.
fn gdb(socket: &Path, commands: &[String]) -> Result<String> {
    let mut gdb = Command::new("timeout");
    gdb.args(["120", "gdb-multiarch", "-q", "-nx", "-batch"]);
    gdb.arg(files::existing(files::built().join("kernel-inspect.elf"))?);
    gdb.arg("-x").arg(files::root().join(".ci/gdb"));
    let target = format!("target remote {}", socket.display());
    for command in std::iter::once(&target).chain(commands) {
        gdb.arg("-ex").arg(command);
    }
    let output = gdb.current_dir(files::root()).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{text}\n{errors}");
    Ok(format!("{text}\n{errors}"))
}

/// A line of /proc/PID/translation as gdb's helpers write one.
struct Entry {
    level: String,
    address: u64,
    /// Descriptor, frame and references.
    rest: String,
    frame: String,
}

fn translation(shell: &mut Session, pid: u64) -> Result<Vec<Entry>> {
    let text = shell.run(&format!("cat /proc/{pid}/translation"))?;
    let entries = text.lines().filter(|line| line.starts_with('L')).map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        Ok(Entry {
            level: words[0].to_owned(),
            address: u64::from_str_radix(words[2], 16)?,
            rest: words[3..].join(" "),
            frame: words[5].to_owned(),
        })
    });
    entries.collect()
}

/// A shell and its child, which sleeps: walks, spaces, owners of a page that they share, and where threads wait.
fn helpers(stage: &mut Stage) -> Result<()> {
    let socket = stage.file("gdb.sock");
    let load = Load {
        kernel: Some(files::existing(files::built().join("kernel8-inspect.img"))?),
        arguments: vec![
            "-chardev".into(),
            format!("socket,id=gdb,path={},server=on,wait=off", socket.display()),
            "-gdb".into(),
            "chardev:gdb".into(),
        ],
        ..stage.load()
    };
    let mut shell = stage.boot_virt(&load)?;
    shell.expect_prompt()?;
    shell.run("(sleep 1000; true) &")?;
    let parent: u64 = shell.run("echo $$")?.trim().parse()?;
    let child: u64 = shell.run("sleep 0.3; echo $!")?.trim().parse()?;
    let (of_parent, of_child) = (translation(&mut shell, parent)?, translation(&mut shell, child)?);
    let is_of_parent = |entry: &&Entry| of_parent.iter().any(|other| other.frame == entry.frame);
    let mut pages = of_child.iter().filter(|entry| entry.level == "L3");
    let shared = pages
        .find(is_of_parent)
        .context("parent and child share no page")?;

    let text = gdb(
        &socket,
        &[
            "echo == threads\\n".into(),
            "kernel-threads".into(),
            "echo == space\\n".into(),
            format!("space {child}"),
            "echo == walk\\n".into(),
            format!("walk {child} {:#x}", shared.address + 0x123),
            "echo == owners\\n".into(),
            format!("owners 0x{}", shared.frame),
            "echo == wrong\\n".into(),
        ],
    )?;
    let part = |name: &str| {
        let (_, behind) = text
            .split_once(&format!("== {name}\n"))
            .with_context(|| text.clone())?;
        Ok::<_, anyhow::Error>(behind.split("== ").next().unwrap_or(behind))
    };
    let threads = part("threads")?;
    for waits in [
        format!("(?s)\n{parent} sh: registers at .*in tty::.*wait_for_bytes"),
        format!("(?s)\n{child} sh: registers at .*in syscall::wait::wait4 at kernel/syscall/src/wait.rs"),
        "(?s)\n[0-9]+ sleep: registers at .*nanosleep".into(),
    ] {
        ensure!(regex::Regex::new(&waits)?.is_match(threads), "{waits}: {threads}");
    }
    let pages: u64 = regex::Regex::new(r"(?m)([0-9]+) pages ")?
        .captures_iter(part("space")?)
        .map(|found| found[1].parse::<u64>())
        .sum::<Result<_, _>>()?;
    let all = of_child.iter().filter(|entry| entry.level == "L3").count() as u64;
    ensure!(pages == all, "gdb finds {pages} pages, /proc {all}: {text}");
    let walk = part("walk")?;
    let way = of_child.iter().filter(|entry| {
        let shift = [30, 21, 12][entry.level[1..].parse::<usize>().unwrap_or(1) - 1];
        entry.address >> shift == shared.address >> shift
    });
    for entry in way {
        let line = format!("{} {:10x} {}: ", entry.level, entry.address, entry.rest);
        ensure!(walk.contains(&line), "{line:?} is not in {walk}");
    }
    let owners = part("owners")?;
    for pid in [parent, child] {
        ensure!(
            owners.contains(&format!("\n{pid} sh: L3 ")),
            "{pid} is not in {owners}"
        );
    }
    // Each that fails ends gdb's list of commands.
    for (command, complaint) in [
        ("walk 1", "usage: walk PID ADDRESS"),
        ("space 999999", "no process 999999: kernel-threads lists them"),
        ("owners 1", "frame 1: there is no RAM"),
    ] {
        let told = gdb(&socket, &[command.into()]);
        let told = told.unwrap_or_else(|error| error.to_string());
        ensure!(told.contains(complaint), "{command}: {told}");
    }
    shell.check("echo goes on", "^goes on$")?;
    shell.run(&format!("kill {child}"))?;
    power_off(&mut shell)
}
