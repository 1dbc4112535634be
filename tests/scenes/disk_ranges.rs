//! Holes, zeros and extended attributes of files on ext4, by a program that checks what it sees, with blocks of 4 and of 1 KiB; then by
//! the host's e2fsprogs.

use crate::disk_files::{check, debugfs, fill_root};
use crate::disks::drive;
use anyhow::{Result, ensure};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tests::{Machine, Scene, Session, Stage, Virt, files, program};

pub const SCENES: &[Scene] = &[
    Scene::holstein("disk_ranges.ext4", ranges).within_seconds(200),
    Scene::holstein("disk_ranges.debian_tools", debian_tools),
];

/// What is taken from which package for the second scene.
const TOOLS: [(&str, &str); 28] = [
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
    ("mount", "bin/mount"),
    ("mount", "bin/umount"),
    ("mount", "sbin/losetup"),
    ("mount", "sbin/swapon"),
    ("mount", "sbin/swapoff"),
    ("util-linux", "sbin/mkswap"),
    ("util-linux", "sbin/blkid"),
    ("util-linux", "bin/findmnt"),
    ("util-linux", "sbin/blockdev"),
    ("fdisk", "sbin/fdisk"),
    ("libfdisk1", "lib/aarch64-linux-gnu/libfdisk.so.1"),
    ("libreadline8", "lib/aarch64-linux-gnu/libreadline.so.8"),
    ("libuuid1", "lib/aarch64-linux-gnu/libuuid.so.1"),
    ("libtinfo6", "lib/aarch64-linux-gnu/libtinfo.so.6"),
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
    for folder in ["lib/aarch64-linux-gnu", "sbin"] {
        fs::create_dir_all(root.join(folder))?;
    }
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
    util_linux(&mut shell)?;
    shell.type_line("poweroff")?;
    shell.expect_end()?;
    check(&disk)
}

/// Each of util-linux's own does its work on a file as a disk, by its name.
fn util_linux(shell: &mut Session) -> Result<()> {
    for (command, answer) in [
        (
            "dd if=/dev/zero of=disk bs=1M count=8 2>/dev/null; chmod 600 disk",
            "^$",
        ),
        (
            "/sbin/mkswap -q -L trough disk; /sbin/blkid -po value disk | head -n 1",
            "^trough$",
        ),
        (
            "/sbin/swapon disk; /sbin/swapon --show --noheadings --raw",
            "^/root/disk file 8M 0B -2$",
        ),
        ("/sbin/swapoff disk; /sbin/swapon --show", "^$"),
        (
            "printf 'o\\nn\\np\\n1\\n2048\\n\\nw\\n' > how; /sbin/fdisk disk < how | grep alt",
            "has been altered",
        ),
        (
            "/sbin/fdisk -l disk | tail -n 1",
            "^disk1 +2048 +16383 +14336 +7M +83 Linux$",
        ),
        ("/sbin/losetup -f --show -o 1048576 disk", "^/dev/loop0$"),
        (
            "/sbin/losetup -nO NAME,OFFSET,BACK-FILE",
            "^/dev/loop0 +1048576 /root/disk$",
        ),
        ("/sbin/losetup /dev/loop0", r"\(/root/disk\), offset 1048576$"),
        ("/sbin/losetup -j disk | cut -c -11", "^/dev/loop0:$"),
        (
            "/sbin/blockdev --getsz /dev/loop0; /sbin/blockdev --getro /dev/vdb",
            "^14336\n1$",
        ),
        (
            "/sbin/losetup -d /dev/loop0; /sbin/losetup -a; /sbin/losetup /dev/loop0",
            "^.sbin.losetup: /dev/loop0: |^losetup: /dev/loop0: ",
        ),
        ("/sbin/blkid -po value -s PTTYPE /dev/vdb", "^dos$"),
        ("/sbin/fdisk -l /dev/vdb | grep -c ^/dev", "^2$"),
        (
            "/bin/mount -t tmpfs -o size=1M none /mnt; /bin/findmnt -rno FSTYPE /mnt",
            "^tmpfs$",
        ),
        (
            "/bin/umount /mnt; /bin/findmnt /mnt; /bin/umount /mnt",
            "^umount: /mnt: not mounted",
        ),
        (
            "/bin/mount -t ext4 /dev/null /mnt",
            "/dev/null is not a block device",
        ),
    ] {
        shell.check(command, answer)?;
    }
    Ok(())
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
