//! The card image of `make sdcard`: its files booted as the firmware would boot them, and the card read by U-Boot.

use crate::boot::power_off;
use anyhow::{Context, Result, ensure};
use regex::Regex;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tests::qemu::Load;
use tests::{Machine, Scene, Stage, files};

pub const SCENES: &[Scene] = &[
    Scene::holstein("sdcard.contents", contents),
    Scene::holstein("sdcard.files_as_the_firmware_loads_them", as_the_firmware),
    Scene::holstein("sdcard.what_is_written_stays", what_is_written_stays).within_seconds(240),
    Scene::holstein("sdcard.flash_refuses_what_is_no_card", flash_refuses),
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
        initrd: None,
        command_line: command_line.trim().to_owned(),
        card: Some(card()?),
        arguments: Vec::new(),
    };
    let mut shell = stage.boot(&machine, &load)?;
    shell.expect("Holstein")?;
    shell.expect_prompt()?;
    shell.check("echo $((6 * 7))", "^42$")?;
    shell.check("cat /proc/mounts", "^/dev/root / ext4 rw")?;
    power_off(&mut shell)
}

/// What is written stays, on both partitions, and both are left clean.
fn what_is_written_stays(stage: &mut Stage) -> Result<()> {
    let copy = stage.file("card.img");
    files::run(Command::new("cp").arg("--sparse=always").arg(card()?).arg(&copy))?;
    let machine = Machine::Raspi4b {
        device_tree: Some(take_out(stage, "bcm2711-rpi-4-b.dtb")?),
    };
    let drive = format!("if=sd,format=raw,file={}", copy.display());
    let load = Load {
        kernel: Some(take_out(stage, "kernel8.img")?),
        command_line: std::fs::read_to_string(take_out(stage, "cmdline.txt")?)?
            .trim()
            .to_owned(),
        arguments: ["-drive", &drive].map(String::from).into(),
        ..Load::default()
    };
    let mut shell = stage.boot(&machine, &load)?;
    shell.set_step(Duration::from_secs(60));
    shell.expect_prompt()?;
    shell.run("mkdir -p /root/kept /mnt; echo of the first boot > /root/kept/file; sync")?;
    shell.check(
        "mount -t vfat /dev/mmcblk0p1 /mnt; cat /mnt/cmdline.txt",
        "root=/dev/mmcblk0p2",
    )?;
    shell.run("echo a long name > '/mnt/A file of ours.txt'; umount /mnt")?;
    power_off(&mut shell)?;
    let mut shell = stage.boot(&machine, &load)?;
    shell.set_step(Duration::from_secs(60));
    shell.expect_prompt()?;
    shell.check("cat /root/kept/file", "^of the first boot$")?;
    // The lines typed, too, and the keys that bring them back.
    shell.check(
        "head -n 1 $HISTFILE",
        "^mkdir -p /root/kept /mnt; echo of the first",
    )?;
    shell.type_keys("\x12first boot > /root/kept")?;
    shell.type_keys("\x05; echo again\r")?;
    shell.expect("^again$")?;
    shell.expect_prompt()?;
    shell.check(
        "mount -t vfat /dev/mmcblk0p1 /mnt; cat '/mnt/a FILE of ours.txt'",
        "^a long name$",
    )?;
    power_off(&mut shell)?;
    for (number, check) in [(0, "fsck.fat"), (1, "e2fsck")] {
        let part = stage.file("part.img");
        let (start, sectors) = partition(&copy, number)?;
        files::run(
            Command::new("dd")
                .arg(format!("if={}", copy.display()))
                .arg(format!("of={}", part.display()))
                .args(["bs=1M", "conv=sparse"])
                .arg(format!("skip={}", start / 2048))
                .arg(format!("count={}", sectors / 2048)),
        )?;
        files::run(
            Command::new(check)
                .args(if number == 0 { ["-n", "-v"] } else { ["-f", "-n"] })
                .arg(&part),
        )?;
    }
    Ok(())
}

/// `.ci/flash` beside a system made of files: what it says of a device.
fn flash_refuses(stage: &mut Stage) -> Result<()> {
    card()?;
    let system = stage.file("system");
    let _ = fs::remove_dir_all(&system);
    for folder in ["sys/block/sda/sda1/holders", "sys/block/sdb/sdb1", "proc", "dev"] {
        fs::create_dir_all(system.join(folder))?;
    }
    let set = |path: &str, text: &str| fs::write(system.join(path), text);
    for node in ["dev/sda", "dev/sda1", "dev/sdb", "dev/sdb1"] {
        set(node, "")?;
    }
    for (disk, sectors, removable) in [("sda", "900000000", "0"), ("sdb", "60000000", "1")] {
        set(&format!("sys/block/{disk}/size"), sectors)?;
        set(&format!("sys/block/{disk}/removable"), removable)?;
    }
    let says = |device: &str, sure: &str, expected: &str| {
        let mut flash = Command::new(files::root().join(".ci/flash"));
        flash
            .env("SYSTEM", &system)
            .env("DEVICE", device)
            .env("SURE", sure);
        let answer = flash.output()?;
        let text = [answer.stdout, answer.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        let is_refused = expected != "would write";
        ensure!(
            text.contains(expected) && answer.status.success() != is_refused,
            "{device}: {text}, and not {expected}"
        );
        Ok(())
    };
    set("proc/swaps", "Filename Type\n")?;
    set("proc/mounts", "/dev/sda1 / ext4 rw 0 0\n")?;
    says("/dev/sdb", "", "would write")?;
    says("/dev/sdb1", "", "no whole disk")?;
    says("/dev/sdc", "", "no whole disk")?;
    says("/dev/sda", "1", "is mounted on /")?;
    set("proc/mounts", "")?;
    says("/dev/sda", "", "not removable")?;
    says("/dev/sda", "1", "would write")?;
    set("sys/block/sda/removable", "1")?;
    says("/dev/sda", "", "429 GiB")?;
    set("sys/block/sda/sda1/holders/dm-0", "")?;
    says("/dev/sda", "1", "used by dm-0")?;
    set("proc/swaps", "Filename Type\n/dev/sdb1 partition\n")?;
    says("/dev/sdb", "", "is swapped to")?;
    set("proc/swaps", "Filename Type\n")?;
    set("sys/block/sdb/size", "1000")?;
    says("/dev/sdb", "", "has 0 MiB")
}

/// First sector and sectors of a partition.
fn partition(card: &Path, number: usize) -> Result<(u32, u32)> {
    let mut table = [0; 512];
    File::open(card)?.read_exact(&mut table)?;
    let at = 446 + 16 * number;
    let word = |at: usize| table[at..at + 4].try_into().map(u32::from_le_bytes);
    Ok((word(at + 8)?, word(at + 12)?))
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
    shell.check(
        "cat /proc/cmdline",
        "^console=ttyAMA0,115200 boot=report root=/dev/mmcblk0p2 rw rootwait growroot$",
    )?;
    power_off(&mut shell)
}
