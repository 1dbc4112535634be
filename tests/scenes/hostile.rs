//! Programs that want to bring the system down, as process 1: random system calls (`tests/programs/fuzz.c`), and what one may
//! try on purpose (`tests/programs/abuse.c`). The kernel lives, nothing hangs, all memory comes back.

use anyhow::Result;
use std::time::Duration;
use tests::{Machine, Scene, Stage, Virt};

/// How long one program may take, on a machine that is busy with other things.
const LIMIT: Duration = Duration::from_secs(150);

pub const SCENES: &[Scene] = &[
    Scene::holstein("hostile.random_calls", |stage| {
        play(
            stage,
            "fuzz",
            "256M",
            "1 12 1200",
            "^fuzz: [1-9][0-9]{4,} calls, .*: passed$",
        )
    }),
    Scene::holstein("hostile.random_calls_in_little_memory", |stage| {
        play(
            stage,
            "fuzz",
            "64M",
            "500 6 1200",
            "^fuzz: [1-9][0-9]{4,} calls, .*: passed$",
        )
    }),
    Scene::holstein("hostile.on_purpose", |stage| {
        play(
            stage,
            "abuse",
            "128M",
            "",
            "^abuse: [1-9][0-9]* passed, 0 failed$",
        )
    }),
];

/// Boots the program as init; it must say that all went well, and power the board off.
fn play(
    stage: &mut Stage,
    program: &str,
    memory: &'static str,
    arguments: &str,
    success: &str,
) -> Result<()> {
    stage.compile(program)?;
    let nodes = "nod /dev/console c 5 1 600\nnod /dev/null c 1 3 666\nnod /dev/zero c 1 5 666\nnod /dev/full c 1 7 666";
    let list = format!("dir /proc 755\ndir /tmp 1777\ndir /dev 755\n{nodes}\nfile /init {program} 755");
    let folder = stage.file("");
    let initramfs = stage.initramfs(&list, &[&folder])?;
    let load = stage.load_with(initramfs, &format!("quiet rdinit=/init -- {arguments}"));
    let machine = Machine::Virt(Virt {
        memory,
        ..Virt::default()
    });
    let mut board = stage.boot(&machine, &load)?;
    board.set_step(LIMIT);
    board.expect(success)?;
    board.expect_end()
}
