//! C programs on Debian's glibc, statically linked, as process 1. They count their own checks (`tests/programs`).

use anyhow::Result;
use tests::{Scene, Stage};

pub const SCENES: &[Scene] = &[
    Scene::portable("glibc.forks", |stage| play(stage, "forks")),
    Scene::portable("glibc.maps", |stage| play(stage, "maps")),
];

/// Boots the program as init; all its checks must pass, and it must power the board off.
fn play(stage: &mut Stage, program: &str) -> Result<()> {
    stage.compile(program)?;
    let list = format!("dir /proc 755\nnod /dev/console c 5 1 600\nfile /init {program} 755");
    let folder = stage.file("");
    let initramfs = stage.initramfs(&list, &[&folder])?;
    let load = stage.load_with(initramfs, "rdinit=/init");
    let mut board = stage.boot_virt(&load)?;
    board.expect(&format!("^{program}: [1-9][0-9]* passed, 0 failed$"))?;
    board.expect(&format!("^{program}: status 0$"))?;
    board.expect_end()
}
