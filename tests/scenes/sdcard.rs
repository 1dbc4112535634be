//! The card image of `make sdcard`: its files booted as the firmware would boot them, and the card read by U-Boot.

use crate::boot::power_off;
use anyhow::{Context, Result, ensure};
use regex::Regex;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tests::qemu::Load;
use tests::{Machine, Scene, Stage, files};

pub const SCENES: &[Scene] = &[
    Scene::holstein("sdcard.contents", contents),
    Scene::holstein("sdcard.files_as_the_firmware_loads_them", as_the_firmware),
    Scene::holstein("sdcard.through_u_boot", through_u_boot).within_seconds(600),
];

const NEEDED: &[&str] = &[
    "start4.elf",
    "fixup4.dat",
    "LICENCE.broadcom",
    "bcm2711-rpi-4-b.dtb",
    "bcm2711-rpi-400.dtb",
    "bcm2711-rpi-cm4.dtb",
    "config.txt",
    "cmdline.txt",
    "kernel8.img",
    "initramfs.cpio",
    "extlinux/extlinux.conf",
];

fn card() -> Result<PathBuf> {
    files::existing(files::built().join("sdcard.img"))
}

/// Takes a file out of the card's boot partition.
fn take_out(stage: &Stage, name: &str) -> Result<PathBuf> {
    let to = stage.file(
        Path::new(name)
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or(name),
    );
    let partition = format!("{}@@1M", card()?.display());
    files::run(
        Command::new("mcopy")
            .args(["-n", "-o", "-i", &partition])
            .arg(format!("::/{name}"))
            .arg(&to),
    )?;
    Ok(to)
}

fn contents(stage: &mut Stage) -> Result<()> {
    let length = std::fs::metadata(card()?)?.len();
    ensure!(length.is_power_of_two(), "{length} bytes are no power of two");
    for name in NEEDED {
        let length = std::fs::metadata(take_out(stage, name)?)?.len();
        ensure!(length > 0, "{name} is empty");
    }
    let kernel = std::fs::read(take_out(stage, "kernel8.img")?)?;
    ensure!(
        kernel == std::fs::read(files::built().join("kernel8.img"))?,
        "kernel8.img differs from the one built"
    );
    let firmware = std::fs::read(take_out(stage, "start4.elf")?)?;
    let year = year_of(&firmware)?;
    ensure!(
        year >= 2024,
        "the firmware is of {year}: it refuses boards made since"
    );
    let licence = std::fs::read_to_string(take_out(stage, "LICENCE.broadcom")?)?;
    ensure!(
        licence.contains("Redistribution") && licence.contains("DISCLAIMER"),
        "the licence text is not whole"
    );
    Ok(())
}

/// The year in which the firmware was built.
fn year_of(firmware: &[u8]) -> Result<u32> {
    let text = String::from_utf8_lossy(firmware);
    let date = Regex::new(r"VC_BUILD_ID_TIME: [A-Z][a-z]+ +\d+ (\d{4})")?;
    let found = date.captures(&text).context("the firmware has no date")?;
    Ok(found[1].parse()?)
}

fn as_the_firmware(stage: &mut Stage) -> Result<()> {
    let machine = Machine::Raspi4b {
        device_tree: Some(take_out(stage, "bcm2711-rpi-4-b.dtb")?),
    };
    let command_line = std::fs::read_to_string(take_out(stage, "cmdline.txt")?)?;
    let load = Load {
        kernel: Some(take_out(stage, "kernel8.img")?),
        initrd: Some(take_out(stage, "initramfs.cpio")?),
        command_line: command_line.trim().to_owned(),
        card: Some(card()?),
        arguments: Vec::new(),
    };
    let mut shell = stage.boot(&machine, &load)?;
    shell.expect("Holstein")?;
    shell.expect_prompt()?;
    shell.check("echo $((6 * 7))", "^42$")?;
    power_off(&mut shell)
}

/// Debian's U-Boot finds extlinux.conf on the card, loads kernel and initramfs from it, and starts the kernel.
fn through_u_boot(stage: &mut Stage) -> Result<()> {
    let machine = Machine::Raspi4b {
        device_tree: Some(take_out(stage, "bcm2711-rpi-4-b.dtb")?),
    };
    let u_boot = files::debian("u-boot-rpi")?.join("usr/lib/u-boot/rpi_4/u-boot.bin");
    let load = Load {
        kernel: Some(files::existing(u_boot)?),
        card: Some(card()?),
        ..Load::default()
    };
    let mut shell = stage.boot(&machine, &load)?;
    shell.set_step(Duration::from_secs(400));
    shell.expect("U-Boot 20")?;
    shell.expect("Starting kernel")?;
    shell.expect("Holstein")?;
    shell.expect_prompt()?;
    shell.check("cat /proc/cmdline", "^console=ttyAMA0,115200 boot=report$")?;
    power_off(&mut shell)
}
