//! Holes, zeros and extended attributes of files on ext4, by a program that checks what it sees, with blocks of 4 and of 1 KiB; then by
//! the host's e2fsprogs.

use crate::disk_files::{check, debugfs, fill_root};
use crate::disks::drive;
use anyhow::{Result, ensure};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tests::{Machine, Scene, Stage, Virt, files, program};

pub const SCENES: &[Scene] = &[
    Scene::holstein("disk_ranges.ext4", ranges).within_seconds(200),
    Scene::holstein("disk_ranges.debian_tools", debian_tools),
];

/// What is taken from which package for the second scene.
const TOOLS: [(&str, &str); 14] = [
    ("util-linux", "bin/lsblk"),
    ("coreutils", "bin/cp"),
    ("attr", "bin/getfattr"),
    ("attr", "bin/setfattr"),
    ("libc6", "lib/ld-linux-aarch64.so.1"),
    ("libc6", "lib/aarch64-linux-gnu/libc.so.6"),
    ("libblkid1", "lib/aarch64-linux-gnu/libblkid.so.1"),
    ("libmount1", "lib/aarch64-linux-gnu/libmount.so.1"),
    ("libsmartcols1", "lib/aarch64-linux-gnu/libsmartcols.so.1"),
    ("libudev1", "lib/aarch64-linux-gnu/libudev.so.1"),
    ("libselinux1", "lib/aarch64-linux-gnu/libselinux.so.1"),
    ("libpcre2-8-0", "lib/aarch64-linux-gnu/libpcre2-8.so.0"),
    ("libattr1", "lib/aarch64-linux-gnu/libattr.so.1"),
    ("libacl1", "lib/aarch64-linux-gnu/libacl.so.1"),
];

fn ranges(stage: &mut Stage) -> Result<()> {
    let root = fill_root(stage)?;
    fs::copy(stage.compile("disk_ranges")?, root.join("bin/disk_ranges"))?;
    let (disk, small) = (stage.file("root.img"), stage.file("small.img"));
    make(&disk, "4096", Some(&root))?;
    make(&small, "1024", None)?;
    let mut load = stage.load();
    load.command_line = format!("{} root=/dev/vda rw", load.command_line);
    load.arguments = drive(&disk, "");
    let second = format!("file={},if=none,id=second,format=raw", small.display());
    let further = ["-drive", &second, "-device", "virtio-blk-device,drive=second"];
    // QEMU's last device stands in the first place.
    load.arguments.splice(0..0, further.map(String::from));
    let mut shell = stage.boot(&Machine::Virt(Virt::default()), &load)?;
    shell.set_step(Duration::from_secs(100));
    shell.expect_prompt()?;
    shell.check("disk_ranges /root", &program::success("disk_ranges"))?;
    shell.check(
        "mount -t ext4 /dev/vdb /mnt && disk_ranges /mnt",
        &program::success("disk_ranges"),
    )?;
    shell.type_line("poweroff")?;
    shell.expect_end()?;
    for (disk, folder) in [(&disk, "/root"), (&small, "")] {
        check(disk)?;
        let kept = debugfs(disk, &format!("ea_get {folder}/with/attributes user.some"))?;
        ensure!(kept.contains("kept"), "the host finds {kept:?}");
    }
    Ok(())
}

/// A file system of 64 MiB with blocks of that size.
fn make(disk: &Path, block_size: &str, root: Option<&Path>) -> Result<()> {
    let _ = fs::remove_file(disk);
    let mut command = Command::new("mke2fs");
    command.args(["-q", "-t", "ext4", "-b", block_size]);
    if let Some(root) = root {
        command.arg("-d").arg(root);
    }
    files::run(command.arg(disk).arg("64M"))?;
    Ok(())
}

/// lsblk of util-linux on /sys/block; setfattr, getfattr and `cp -a` on extended attributes.
fn debian_tools(stage: &mut Stage) -> Result<()> {
    let root = fill_root(stage)?;
    fs::create_dir_all(root.join("lib/aarch64-linux-gnu"))?;
    for (package, path) in TOOLS {
        let (folder, name) = files::debian_file(package, path)?;
        let to = root.join(path);
        let _ = fs::remove_file(&to);
        fs::copy(folder.join(name), to)?;
    }
    let (disk, parts) = (stage.file("root.img"), stage.file("parts.img"));
    make(&disk, "4096", Some(&root))?;
    fs::write(&parts, partitioned())?;
    let mut load = stage.load();
    load.command_line = format!("{} root=/dev/vda rw", load.command_line);
    load.arguments = drive(&disk, "");
    let second = format!(
        "file={},if=none,id=second,format=raw,readonly=on",
        parts.display()
    );
    let further = ["-drive", &second, "-device", "virtio-blk-device,drive=second"];
    load.arguments.splice(0..0, further.map(String::from));
    let mut shell = stage.boot(&Machine::Virt(Virt::default()), &load)?;
    shell.expect_prompt()?;
    let columns = "NAME,MAJ:MIN,RM,SIZE,RO,TYPE,MOUNTPOINTS";
    shell.check(
        &format!("lsblk -rn -o {columns} /dev/vda /dev/vdb"),
        "^vda 254:0 0 64M 0 disk /\nvdb 254:16 0 32M 1 disk \nvdb1 254:17 0 4M 1 part \nvdb2 254:18 0 27M 1 part $",
    )?;
    shell.check(
        "lsblk -dno NAME,LOG-SEC,PHY-SEC,ROTA /dev/vda",
        "^vda +512 +512 +0$",
    )?;
    shell.check("lsblk | grep -c vd", "^4$")?;
    shell.check(
        "cat /sys/class/block/vdb1/start /sys/dev/block/254:18/partition",
        "^2048\n2$",
    )?;
    shell.check("cat /sys/block/vda/stat | wc -w", "^17$")?;
    shell.run("cd /root; echo cow > file; setfattr -n user.origin -v Holstein file; setfattr -n trusted.t -v 1 file")?;
    shell.check(
        "/bin/cp -a file copy && getfattr -d -m - copy",
        "^# file: copy\ntrusted.t=\"1\"\nuser.origin=\"Holstein\"",
    )?;
    shell.check(
        "setfattr -x user.origin copy; getfattr copy; getfattr file | grep user",
        "^user.origin$",
    )?;
    shell.check(
        "setfattr -n user.a -v b /proc/version 2>&1",
        "Operation not supported",
    )?;
    shell.type_line("poweroff")?;
    shell.expect_end()?;
    check(&disk)
}

/// 32 MiB with two primary partitions.
fn partitioned() -> Vec<u8> {
    let mut disk = vec![0; 32 << 20];
    for (entry, (kind, start, len)) in [(0xc, 2048_u32, 8192_u32), (0x83, 10240, 55296)]
        .into_iter()
        .enumerate()
    {
        let at = 446 + 16 * entry;
        disk[at + 4] = kind;
        disk[at + 8..at + 12].copy_from_slice(&start.to_le_bytes());
        disk[at + 12..at + 16].copy_from_slice(&len.to_le_bytes());
    }
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    disk
}
