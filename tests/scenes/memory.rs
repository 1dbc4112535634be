//! Memory to its end, and back: what processes took must be free again when they are gone.

use crate::{busybox, program};
use anyhow::{Context, Result, ensure};
use std::time::Duration;
use tests::{Machine, Scene, Session, Stage, Virt};

pub const SCENES: &[Scene] = &[
    Scene::portable("memory.fork_bomb_under_a_limit", fork_bomb).checked(),
    Scene::portable("memory.exhausted_by_one", exhausted_by_one).checked(),
    Scene::portable("memory.exhausted_by_copies", exhausted_by_copies).checked(),
    Scene::portable("memory.comes_back", comes_back).checked(),
    Scene::portable("memory.files_give_it_back", files_give_it_back).checked(),
    Scene::portable("memory.mappings", mappings).checked(),
    Scene::portable("memory.moves", moves).checked(),
    Scene::portable("memory.bytes", |stage| {
        bytes(stage, &Machine::Virt(Virt::default()), 150)
    })
    .checked(),
    Scene::holstein("memory.bytes_raspi4b", |stage| {
        bytes(stage, &Machine::raspi4b()?, 120)
    }),
    // DC ZVA zeroes 256 bytes there, not the 64 of a Cortex-A72: nothing is zeroed or copied by it (DCZID_EL0).
    Scene::holstein("memory.bytes_a64fx", |stage| {
        let virt = Virt {
            processor: "a64fx",
            ..Virt::default()
        };
        bytes(stage, &Machine::Virt(virt), 30)
    }),
    Scene::portable("memory.segments", segments).checked(),
    Scene::portable("memory.semaphores", semaphores),
    Scene::holstein("memory.scarce", scarce),
];

/// `MemAvailable` in KiB.
pub fn free_memory(shell: &mut Session) -> Result<i64> {
    let text = shell.check("grep MemAvailable /proc/meminfo", r"^MemAvailable: +\d+ kB$")?;
    Ok(text
        .split_whitespace()
        .nth(1)
        .context("MemAvailable has no value")?
        .parse()?)
}

/// Runs the commands once so that caches fill, then again: the second time nothing may be lost.
fn must_come_back(stage: &Stage, shell: &mut Session, commands: &[&str]) -> Result<()> {
    let mut free = Vec::new();
    for _ in 0..2 {
        for command in commands {
            shell.run(command)?;
        }
        free.push(free_memory(shell)?);
    }
    let lost = free[0] - free[1];
    ensure!(
        lost <= stage.tolerated_loss(),
        "{lost} KiB were lost by {commands:?}"
    );
    Ok(())
}

fn small_virt() -> Option<Machine> {
    Some(Machine::Virt(Virt {
        memory: "256M",
        ..Virt::default()
    }))
}

fn power_off(shell: &mut Session) -> Result<()> {
    shell.type_line("poweroff")?;
    shell.expect_end()
}

fn fork_bomb(stage: &mut Stage) -> Result<()> {
    let mut shell = busybox::boot_with_program(stage, "bomb", None)?;
    let exploded = r"^bomb: [1-9]\d* started, refused yes, ended by signal 9\n(.*\n)*status 0$";
    shell.check("/bomb; echo status $?", exploded)?;
    must_come_back(stage, &mut shell, &["/bomb"])?;
    shell.check("ps | grep -c '[/]bomb'", "^0$")?;
    power_off(&mut shell)
}

fn exhausted_by_one(stage: &mut Stage) -> Result<()> {
    let mut shell = busybox::boot_with_program(stage, "hog", small_virt())?;
    // Ended by SIGKILL at a fault, or refused by mmap.
    shell.check("/hog; echo status $?", "^status (137|3)$")?;
    shell.check("echo alive $((1 + 1))", "^alive 2$")?;
    must_come_back(stage, &mut shell, &["/hog"])?;
    power_off(&mut shell)
}

fn exhausted_by_copies(stage: &mut Stage) -> Result<()> {
    let mut shell = busybox::boot_with_program(stage, "hog", small_virt())?;
    let output = shell.run("/hog 12; echo status $?")?;
    ensure!(
        output.contains("hog: some finished ") || output.contains("status 137"),
        "{output}"
    );
    ensure!(
        !output.contains("wrong") || output.contains("some ended yes, wrong 0"),
        "{output}"
    );
    must_come_back(stage, &mut shell, &["/hog 12"])?;
    power_off(&mut shell)
}

fn comes_back(stage: &mut Stage) -> Result<()> {
    let mut shell = busybox::boot_to_shell(stage)?;
    let commands = [
        "for i in $(seq 50); do (echo $i) | cat > /dev/null; done",
        "seq 3000 | sort -r | tail -n 1; sh -c 'exit 3'; sleep 0 & wait",
        "yes | head -n 20000 | md5sum; cat /proc/self/maps | wc -l",
        "i=0; while [ $i -lt 100 ]; do /bin/true; i=$((i + 1)); done",
        "nosuch 2>/dev/null; (kill -9 $(sh -c 'echo $PPID')) 2>/dev/null; ps > /dev/null",
    ];
    must_come_back(stage, &mut shell, &commands)?;
    power_off(&mut shell)
}

fn files_give_it_back(stage: &mut Stage) -> Result<()> {
    let mut shell = busybox::boot_to_shell(stage)?;
    let commands = [
        "head -c 20000000 /dev/zero > big; cp big copy; rm big copy",
        "mkdir m; for i in $(seq 200); do echo $i > m/$i; done; rm -r m",
        "tar cf t.tar /bin/busybox 2>/dev/null; mkdir x; tar xf t.tar -C x; rm -r x t.tar",
        "echo held > h; (rm h; sleep 1) < h; mkfifo f; rm f; ln -s a l; rm l",
    ];
    must_come_back(stage, &mut shell, &commands)?;
    power_off(&mut shell)
}

/// Much memory that moves while others store to it, fork and look at it (`tests/programs/moves.c`).
/// Shared memory of System V.
fn semaphores(stage: &mut Stage) -> Result<()> {
    let mut board = program::boot(stage, &Machine::Virt(Virt::default()), "", "semaphores", "")?;
    program::expect_success(&mut board, "semaphores")
}

fn segments(stage: &mut Stage) -> Result<()> {
    let mut board = program::boot(stage, &Machine::Virt(Virt::default()), "", "segments", "")?;
    program::expect_success(&mut board, "segments")
}

fn moves(stage: &mut Stage) -> Result<()> {
    let mut board = program::boot(stage, &Machine::Virt(Virt::default()), "", "moves", "")?;
    program::expect_success(&mut board, "moves")
}

/// All bytes after so many random operations, each time (`tests/programs/bytes.c`).
pub fn bytes(stage: &mut Stage, machine: &Machine, operations: u32) -> Result<()> {
    let mut board = program::boot(stage, machine, "", "bytes", &operations.to_string())?;
    board.set_step(Duration::from_secs(240));
    program::expect_success(&mut board, "bytes")
}

/// What mappings of files show and refuse, and what they lose (`tests/programs/mappings.c`).
fn mappings(stage: &mut Stage) -> Result<()> {
    let mut board = program::boot(stage, &Machine::Virt(Virt::default()), "", "mappings", "")?;
    program::expect_success(&mut board, "mappings")
}

/// What many processes make the kernel hold when there is hardly any memory (`tests/programs/scarce.c`).
fn scarce(stage: &mut Stage) -> Result<()> {
    let machine = Machine::Virt(Virt {
        memory: "96M",
        ..Virt::default()
    });
    let mut board = program::boot(stage, &machine, "", "scarce", "")?;
    board.set_step(Duration::from_secs(60));
    program::expect_success(&mut board, "scarce")
}
