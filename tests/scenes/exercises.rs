//! The exercises of the book, graded: `EXERCISES=folder` has somebody's programs, else the solutions of `tests/exercises` are. What they print is looked
//! at, and how the kernel says that they did it.

use anyhow::{Context, Result, ensure};
use regex::Regex;
use std::path::PathBuf;
use std::process::Command;
use tests::{Scene, Session, Stage, files};

pub const SCENES: &[Scene] = &[
    Scene::holstein("exercises.sibling", sibling),
    Scene::holstein("exercises.forkserver", forkserver),
    Scene::holstein("exercises.store", store),
];

/// Boots our own programs and that of the exercise beside them.
fn boot(stage: &mut Stage, name: &str) -> Result<Session> {
    let folder =
        std::env::var_os("EXERCISES").map_or_else(|| files::root().join("tests/exercises"), PathBuf::from);
    let mut compiler = Command::new("aarch64-linux-gnu-gcc");
    compiler
        .args(["-static", "-O1", "-Wall", "-Wextra", "-o"])
        .arg(stage.file(name));
    files::run(compiler.arg(folder.join(name).with_extension("c")))?;
    let own = std::fs::read(files::built().join("initramfs.cpio"))?;
    let beside = stage.initramfs(&format!("file /bin/{name} {name} 755\n"), &[&stage.file("")])?;
    let both = [own, std::fs::read(beside)?].concat();
    let archive = stage.file("both.cpio");
    std::fs::write(&archive, both)?;
    let mut shell = stage.boot_virt(&stage.load_with(archive, ""))?;
    shell.expect_prompt()?;
    Ok(shell)
}

/// How often the program called clone(2), by the kernel's own count. Only calls are recorded: beside each page's fault the first
/// forks would be the records that give way, if one processor has all the work.
fn forks(shell: &mut Session, command: &str) -> Result<u64> {
    let text = shell.run(&format!(
        "cowtrace -c -e call {command} 2>&1 | grep -e 'call clone' -e lost"
    ))?;
    ensure!(!text.contains("lost"), "not all was counted: {text}");
    let count = text.split_whitespace().nth(2).unwrap_or("0");
    count.parse().with_context(|| text.clone())
}

/// One page, three processes: who has stored has a frame of its own, the others still have one together.
fn sibling(stage: &mut Stage) -> Result<()> {
    let mut shell = boot(stage, "sibling")?;
    let text = shell.run("sibling")?;
    let line = |name: &str| -> Result<(String, String)> {
        let pattern = Regex::new(&format!(r"(?m)^{name} ([0-9a-f]+) (\d+)$"))?;
        let found = pattern.captures(&text);
        let found = found.with_context(|| format!("no line `{name} FRAME VALUE` in {text:?}"))?;
        Ok((found[1].to_owned(), found[2].to_owned()))
    };
    let (parent, a, b) = (line("parent")?, line("a")?, line("b")?);
    ensure!(
        parent.1 == a.1 && b.1 != a.1,
        "b's store is to be seen by b alone: {text}"
    );
    ensure!(parent.0 == a.0, "parent and a have one frame: {text}");
    ensure!(parent.0 != b.0, "b has a frame of its own: {text}");
    let forks = forks(&mut shell, "sibling")?;
    ensure!(forks == 2, "two children, and {forks} forks");
    crate::boot::power_off(&mut shell)
}

/// 60 tests, a third of which crash: each finds the memory as it was prepared.
fn forkserver(stage: &mut Stage) -> Result<()> {
    const ROUNDS: usize = 60;
    let mut shell = boot(stage, "forkserver")?;
    shell.run(&format!(
        "for i in $(seq {ROUNDS}); do [ $((i % 3)) = 0 ] && echo crash || echo $i; done > /tmp/lines"
    ))?;
    let text = shell.run("forkserver < /tmp/lines")?;
    let expected = (1..=ROUNDS).map(|round| if round % 3 == 0 { "signal 11\n" } else { "ok\n" });
    let expected = expected.collect::<String>() + &format!("served {ROUNDS}\n");
    ensure!(text == expected, "{text:?} instead of {expected:?}");
    let forks = forks(&mut shell, "forkserver < /tmp/lines")?;
    ensure!(forks == ROUNDS as u64, "{ROUNDS} lines, and {forks} forks");
    crate::boot::power_off(&mut shell)
}

/// A snapshot is of the moment at which it was asked for, whatever comes behind.
fn store(stage: &mut Stage) -> Result<()> {
    const LINES: &str = r"set a 1\nset b 2\nget c\nsave /tmp/s\nset a 9\nset c 3\nget a\nwait\nget c\n";
    let mut shell = boot(stage, "store")?;
    shell.run(&format!("printf '{LINES}' > /tmp/lines"))?;
    let text = shell.run("store < /tmp/lines")?;
    ensure!(text == "nil\nsaving\n9\nsaved\n3\n", "{text:?}");
    let text = shell.run("cat /tmp/s")?;
    ensure!(text == "a 1\nb 2\n", "the snapshot has {text:?}");
    let forks = forks(&mut shell, "store < /tmp/lines")?;
    ensure!(forks == 1, "one snapshot, and {forks} forks");
    crate::boot::power_off(&mut shell)
}
