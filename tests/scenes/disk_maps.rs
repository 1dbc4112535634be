//! Mapped files of a disk, by a program that checks what it sees; on ext4, on FAT, and a file that is larger than memory.

use crate::disk_files::{check, fill_root};
use crate::disks::drive;
use anyhow::Result;
use std::fs;
use std::process::Command;
use std::time::Duration;
use tests::{Machine, Scene, Stage, Virt, files, program};

pub const SCENES: &[Scene] = &[
    Scene::holstein("disk_maps.ext4", |stage| mapped(stage, "256M", 0, "")),
    Scene::holstein("disk_maps.fat", |stage| {
        mapped(stage, "256M", 0, "mount -t vfat /dev/vdb /mnt && ")
    }),
    // In small: the file is half as large again as the memory.
    Scene::holstein("disk_maps.larger_than_memory", |stage| {
        mapped(stage, "96M", 144, "")
    })
    .within_seconds(400),
];

fn mapped(stage: &mut Stage, memory: &'static str, large: u32, before: &str) -> Result<()> {
    let root = fill_root(stage)?;
    fs::copy(stage.compile("disk_maps")?, root.join("bin/disk_maps"))?;
    fs::copy(stage.compile("disk_holes")?, root.join("bin/disk_holes"))?;
    let disk = stage.file("root.img");
    let fat = stage.file("fat.img");
    for image in [&disk, &fat] {
        let _ = fs::remove_file(image);
    }
    files::run(
        Command::new("mke2fs")
            .args(["-q", "-t", "ext4", "-b", "4096", "-d"])
            .arg(&root)
            .arg(&disk)
            .arg("256M"),
    )?;
    fs::File::create(&fat)?.set_len(64 << 20)?;
    files::run(Command::new("mkfs.vfat").args(["-F", "32", "-s", "1"]).arg(&fat))?;
    let mut load = stage.load();
    load.command_line = format!("{} root=/dev/vda rw", load.command_line);
    load.arguments = drive(&disk, "");
    let second = format!("file={},if=none,id=second,format=raw", fat.display());
    let further = ["-drive", &second, "-device", "virtio-blk-device,drive=second"];
    // QEMU's last device stands in the first place.
    load.arguments.splice(0..0, further.map(String::from));
    let machine = Machine::Virt(Virt {
        memory,
        ..Virt::default()
    });
    let mut shell = stage.boot(&machine, &load)?;
    shell.set_step(Duration::from_secs(300));
    shell.expect_prompt()?;
    shell.check(
        &format!("{before}disk_maps /mnt {large}"),
        &program::success("disk_maps"),
    )?;
    if before.is_empty() {
        // FAT has no holes.
        shell.check("disk_holes /root", &program::success("disk_holes"))?;
    }
    shell.type_line("poweroff")?;
    shell.expect_end()?;
    if !before.is_empty() {
        files::run(Command::new("fsck.fat").arg("-n").arg(&fat))?;
    }
    check(&disk)
}
