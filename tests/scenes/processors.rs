//! As many processors as the board has run, and everything that tells how many there are says the same.

use crate::busybox;
use anyhow::{Result, ensure};
use tests::{Gic, Machine, Scene, Session, Stage, Virt};

pub const SCENES: &[Scene] = &[
    Scene::portable("processors.gic2", |stage| {
        counts(stage, &[1, 2, 3, 8], Virt::default())
    }),
    Scene::portable("processors.gic3", |stage| {
        let gic3 = Virt {
            gic: Gic::V3,
            ..Virt::default()
        };
        counts(stage, &[1, 2, 7, 8], gic3)
    }),
    Scene::portable("processors.el2", |stage| {
        let el2 = Virt {
            has_el2: true,
            ..Virt::default()
        };
        counts(stage, &[4], el2)
    }),
    Scene::holstein("processors.raspi4b", |stage| {
        agree(stage, &Machine::raspi4b()?, "", 4)
    }),
    Scene::holstein("processors.more_than_the_kernel_runs", more_than_the_kernel_runs),
    Scene::portable("processors.fewer_by_option", fewer_by_option),
    Scene::portable("processors.affinity", affinity),
];

/// As `platform::cpu` has it.
const MOST: u32 = 8;

/// Boots the board with each of these numbers of processors.
fn counts(stage: &mut Stage, numbers: &[u32], virt: Virt) -> Result<()> {
    for &cpus in numbers {
        agree(stage, &Machine::Virt(Virt { cpus, ..virt.clone() }), "", cpus)?;
    }
    Ok(())
}

fn boot(stage: &mut Stage, machine: &Machine, words: &str) -> Result<Session> {
    let mut shell = busybox::boot_on(stage, machine, &format!("rdinit=/init {words}"))?;
    shell.expect_prompt()?;
    Ok(shell)
}

fn agree(stage: &mut Stage, machine: &Machine, words: &str, expected: u32) -> Result<()> {
    let mut shell = boot(stage, machine, words)?;
    shell.check("nproc", &format!("^{expected}$"))?;
    shell.check("grep -c ^processor /proc/cpuinfo", &format!("^{expected}$"))?;
    shell.check("grep -c '^cpu[0-9]' /proc/stat", &format!("^{expected}$"))?;
    let online = if expected == 1 {
        "0".to_owned()
    } else {
        format!("0-{}", expected - 1)
    };
    shell.run("mkdir -p /sys; mount -t sysfs sysfs /sys")?;
    shell.check("cat /sys/devices/system/cpu/online", &format!("^{online}$"))?;
    let mask = (1u32 << expected) - 1;
    shell.check(
        "grep Cpus_allowed: /proc/self/status",
        &format!("^Cpus_allowed:\\s0*{mask:x}$"),
    )?;
    // A watched board is several times slower, and has no less to do at each turn.
    let turns = if stage.is_watched() { 1000 } else { 6000 };
    all_work(&mut shell, expected, turns)?;
    shell.type_line("poweroff")?;
    shell.expect_end()
}

/// Busy loops by twos: no processor stays idle.
fn all_work(shell: &mut Session, processors: u32, turns: u32) -> Result<()> {
    let busy = format!("(i=0; while [ $i -lt {turns} ]; do i=$((i+1)); done) &");
    shell.run(&format!(
        "for n in $(seq {}); do {busy} done; wait",
        2 * processors
    ))?;
    let text = shell.run("grep '^cpu[0-9]' /proc/stat")?;
    for line in text.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        ensure!(fields.len() > 3 && fields[1] != "0", "never at work: {line:?}");
    }
    Ok(())
}

/// The rest is left alone, and the kernel says so.
fn more_than_the_kernel_runs(stage: &mut Stage) -> Result<()> {
    let machine = Machine::Virt(Virt {
        cpus: 12,
        gic: Gic::V3,
        ..Virt::default()
    });
    agree(stage, &machine, "", MOST)
}

fn fewer_by_option(stage: &mut Stage) -> Result<()> {
    let machine = Machine::Virt(Virt::default());
    agree(stage, &machine, "maxcpus=3", 3)?;
    agree(stage, &machine, "maxcpus=1", 1)?;
    agree(stage, &machine, "nosmp", 1)
}

/// A program runs where it was told to, and so do its children.
fn affinity(stage: &mut Stage) -> Result<()> {
    let mut shell = boot(stage, &Machine::Virt(Virt::default()), "")?;
    shell.check("taskset -p $$", "mask: f$")?;
    for (mask, cpu) in [("1", 0), ("2", 1), ("4", 2), ("8", 3)] {
        let where_it_runs = "cut -d' ' -f39 /proc/self/stat";
        shell.check(&format!("taskset {mask} {where_it_runs}"), &format!("^{cpu}$"))?;
        let command = format!("taskset {mask} sh -c 'nproc; for i in 1 2 3; do {where_it_runs}; done'");
        let command = command.replace("-d' '", "-d\" \"");
        shell.check(&command, &format!("^1\n{cpu}\n{cpu}\n{cpu}$"))?;
    }
    shell.check("taskset 0 true; echo status $?", "status 1$")?;
    shell.type_line("poweroff")?;
    shell.expect_end()
}
