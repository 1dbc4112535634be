//! One program of `tests/programs` as process 1, and nothing else.

use crate::qemu::Load;
use crate::{Library, Machine, Session, Stage};
use anyhow::Result;
use std::path::PathBuf;

const LIST: &str = "dir /proc 755\ndir /tmp 1777\ndir /dev 755
nod /dev/console c 5 1 600\nnod /dev/null c 1 3 666\nnod /dev/zero c 1 5 666\nnod /dev/full c 1 7 666\n";

/// Boots a board with the program as init. `boot_words` go to the kernel, `arguments` to the program.
pub fn boot(
    stage: &mut Stage,
    machine: &Machine,
    boot_words: &str,
    program: &str,
    arguments: &str,
) -> Result<Session> {
    let command_line = format!("{boot_words} rdinit=/init -- {arguments}");
    let load = load(stage, program, &command_line)?;
    stage.boot(machine, &load)
}

/// Boots a board with these further options of QEMU, and the program as init.
pub fn boot_beside(stage: &mut Stage, machine: &Machine, options: &[&str], program: &str) -> Result<Session> {
    let mut load = load(stage, program, "rdinit=/init")?;
    load.arguments.extend(options.iter().copied().map(String::from));
    stage.boot(machine, &load)
}

fn load(stage: &mut Stage, program: &str, command_line: &str) -> Result<Load> {
    stage.compile(program)?;
    let folder = stage.file("");
    let list = format!("{LIST}file /init {program} 755");
    let initramfs = stage.initramfs(&list, &[&folder])?;
    Ok(stage.load_with(initramfs, command_line))
}

/// Boots a board with the program, linked with `library`, as init.
pub fn boot_with(stage: &mut Stage, library: Library, machine: &Machine, program: &str) -> Result<Session> {
    library.compile(program, &stage.file(program))?;
    let (run_time, mut folders) = library.run_time_files()?;
    folders.push(stage.file(""));
    let folders: Vec<_> = folders.iter().map(PathBuf::as_path).collect();
    let initramfs = stage.initramfs(&format!("{LIST}{run_time}file /init {program} 755"), &folders)?;
    let load = stage.load_with(initramfs, "rdinit=/init");
    stage.boot(machine, &load)
}

/// The regular expression of the line that says that all of the program's own checks passed (see `tests/programs/check.h`).
pub fn success(program: &str) -> String {
    format!("(?m)^{program}: [1-9][0-9]* passed, 0 failed$")
}

/// The program's own checks must all pass, and it must power the board off.
pub fn expect_success(board: &mut Session, program: &str) -> Result<()> {
    board.expect(&success(program))?;
    board.expect(&format!("^{program}: status 0$"))?;
    board.expect_end()
}
