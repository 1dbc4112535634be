//! Swap space: on /dev/zram0 and on a disk, by busybox's own mkswap, swapon and swapoff. A program checks every byte of what goes out and
//! comes back (`tests/programs/swapping.c`).

use crate::busybox;
use crate::disks::drive;
use anyhow::Result;
use std::fs::File;
use std::time::Duration;
use tests::{Machine, Scene, Session, Stage, Virt, program};

pub const SCENES: &[Scene] = &[
    Scene::holstein("swapping.pages", pages).checked(),
    Scene::holstein("swapping.disk", |stage| deep(stage, DISK, 3)).within_seconds(300),
    Scene::holstein("swapping.refused", refused),
];

/// Where the pages go: the device, and what makes it ready.
type Place = (&'static str, &'static str);

const ZRAM: Place = ("/dev/zram0", "echo 256M > /sys/block/zram0/disksize");
const DISK: Place = ("/dev/vda", "true");

/// A machine with little memory and an empty disk.
fn boot(stage: &mut Stage, memory: &'static str) -> Result<Session> {
    let disk = stage.file("swap.img");
    File::create(&disk)?.set_len(512 << 20)?;
    stage.compile("swapping")?;
    let initramfs = busybox::initramfs(stage, "file /swapping swapping 755\n")?;
    let mut load = stage.load_with(initramfs, "rdinit=/init");
    load.arguments = drive(&disk, "");
    let machine = Machine::Virt(Virt {
        memory,
        ..Virt::default()
    });
    let mut shell = stage.boot(&machine, &load)?;
    shell.set_step(Duration::from_secs(240));
    shell.expect_prompt()?;
    Ok(shell)
}

fn swap_on(shell: &mut Session, (device, prepare): Place) -> Result<()> {
    shell.check(
        &format!("{prepare} && mkswap {device} && swapon {device} && grep -c partition /proc/swaps"),
        "^1$",
    )?;
    Ok(())
}

/// Everything comes back, and nothing is left there.
fn swap_off(shell: &mut Session, (device, _): Place) -> Result<()> {
    shell.check(
        &format!("swapoff {device} && grep -E 'Swap(Total|Cached)' /proc/meminfo"),
        r"^SwapCached: +0 kB\r?\n(.*\n)?SwapTotal: +0 kB",
    )?;
    Ok(())
}

fn power_off(shell: &mut Session) -> Result<()> {
    shell.type_line("poweroff")?;
    shell.expect_end()
}

/// What the calls and /proc say.
fn pages(stage: &mut Stage) -> Result<()> {
    let mut shell = boot(stage, "256M")?;
    for place in [ZRAM, DISK] {
        swap_on(&mut shell, place)?;
        shell.check("/swapping pages", &program::success("swapping"))?;
        swap_off(&mut shell, place)?;
    }
    power_off(&mut shell)
}

/// More than there is memory, in four processes, and nobody has to end.
fn deep(stage: &mut Stage, place: Place, seconds: u32) -> Result<()> {
    let mut shell = boot(stage, "96M")?;
    swap_on(&mut shell, place)?;
    shell.check("/swapping fill 90", &program::success("swapping"))?;
    shell.check(
        &format!("/swapping deep 24 {seconds}"),
        &program::success("swapping"),
    )?;
    shell.check("dmesg | grep -c 'Out of memory'", "^0$")?;
    swap_off(&mut shell, place)?;
    power_off(&mut shell)
}

/// As Linux refuses it.
fn refused(stage: &mut Stage) -> Result<()> {
    let mut shell = boot(stage, "256M")?;
    for (command, answer) in [
        ("swapon /dev/vda", "Invalid argument"),
        ("swapoff /dev/vda", "Invalid argument"),
        ("swapon /dev/null", "Invalid argument"),
        ("swapon /nothing", "No such file"),
        ("mkswap /dev/vda && swapon /dev/vda && swapon /dev/vda", "busy"),
        (
            "echo 1 > /sys/block/zram0/disksize; echo 1M > /sys/block/zram0/disksize",
            "busy",
        ),
    ] {
        shell.check(command, answer)?;
    }
    power_off(&mut shell)
}
