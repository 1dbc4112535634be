//! File systems on disks: a root that stays, checked by e2fsck; what was synced before the power went.

use crate::disks::drive;
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{fs, os};
use tests::{Machine, Scene, Session, Stage, Virt, files};

pub const SCENES: &[Scene] = &[
    Scene::holstein("disk_files.root_stays", root_stays).within_seconds(180),
    Scene::holstein("disk_files.names", names).within_seconds(180),
    Scene::holstein("disk_files.mounted_beside", mounted_beside).within_seconds(180),
    Scene::holstein("disk_files.loops", loops).within_seconds(240),
    Scene::holstein("disk_files.full", full).within_seconds(180),
    Scene::holstein("disk_files.power_cuts", power_cuts).within_seconds(1200),
    Scene::holstein("disk_files.journal_error", journal_error).within_seconds(180),
    Scene::holstein("disk_files.no_root", no_root),
];

/// How often the power goes, if CUTS= does not say.
const USUAL_CUTS: u32 = 12;

/// A folder that is to be a root with busybox in it.
pub fn fill_root(stage: &Stage) -> Result<PathBuf> {
    let root = stage.file("root");
    let _ = fs::remove_dir_all(&root);
    for folder in ["bin", "etc", "dev", "proc", "sys", "tmp", "root", "mnt"] {
        fs::create_dir_all(root.join(folder))?;
    }
    fs::copy(files::busybox()?, root.join("bin/busybox"))?;
    os::unix::fs::symlink("busybox", root.join("bin/sh"))?;
    os::unix::fs::symlink("bin/busybox", root.join("init"))?;
    let etc = files::root().join("tests/rootfs/etc");
    for file in ["rc", "inittab", "passwd"] {
        let to = root.join("etc").join(file);
        fs::copy(etc.join(file), &to)?;
        files::run(Command::new("chmod").arg("755").arg(&to))?;
    }
    Ok(root)
}

/// Makes an ext4 of so many MiB with busybox in it.
pub fn image(stage: &Stage, name: &str, megabytes: u32) -> Result<PathBuf> {
    let root = fill_root(stage)?;
    let path = stage.file(name);
    let _ = fs::remove_file(&path);
    files::run(
        Command::new("mke2fs")
            .args([
                "-q",
                "-t",
                "ext4",
                "-U",
                "0b1e2d3c-1111-2222-3333-444455556666",
                "-L",
                "cattle",
                "-d",
            ])
            .arg(&root)
            .arg(&path)
            .arg(format!("{megabytes}M")),
    )?;
    Ok(path)
}

/// Boots with the disk as root.
fn boot(stage: &mut Stage, disk: &Path, root: &str) -> Result<Session> {
    let mut load = stage.load();
    load.command_line = format!("{} {root}", load.command_line).trim().to_owned();
    load.arguments = drive(disk, "");
    let machine = Machine::Virt(Virt {
        memory: "256M",
        ..Virt::default()
    });
    let mut shell = stage.boot(&machine, &load)?;
    shell.set_step(Duration::from_secs(60));
    shell.expect_prompt()?;
    Ok(shell)
}

fn power_off(shell: &mut Session) -> Result<()> {
    shell.type_line("poweroff")?;
    shell.expect_end()
}

/// e2fsck finds nothing to say.
pub fn check(disk: &Path) -> Result<()> {
    let answer = Command::new("e2fsck").arg("-fn").arg(disk).output()?;
    let text = String::from_utf8_lossy(&answer.stdout).into_owned();
    ensure!(answer.status.code() == Some(0), "e2fsck says:\n{text}");
    ensure!(!text.contains("recover"), "it was not left clean:\n{text}");
    Ok(())
}

fn root_stays(stage: &mut Stage) -> Result<()> {
    let disk = image(stage, "root.img", 64)?;
    let mut shell = boot(stage, &disk, "root=UUID=0b1e2d3c-1111-2222-3333-444455556666 rw")?;
    shell.check("head -n 1 /proc/mounts", "^/dev/root / ext4 rw")?;
    shell.run("mkdir -p /root/a/b/c; seq 1 100000 > /root/a/b/c/numbers; ln -s a/b /root/link; ln /root/a/b/c/numbers /root/again")?;
    shell.run("mkfifo /root/pipe; mknod /root/null c 1 3; chmod 640 /root/again; chown 7:8 /root/again; touch -d '2001-02-03 04:05:06' /root/a")?;
    shell.run("dd if=/dev/zero of=/root/hole bs=1 count=1 seek=10000000 2>/dev/null; cp /bin/busybox /root/copy; rm /bin/vi")?;
    power_off(&mut shell)?;
    check(&disk)?;
    let mut shell = boot(stage, &disk, "root=LABEL=cattle ro")?;
    shell.check("seq 1 100000 | cmp - /root/link/c/numbers && echo same", "^same$")?;
    shell.check("ls -l /root/again", r"^-rw-r----- +2 7 +8 +588895 ")?;
    shell.check("ls -ld --full-time /root/a", "2001-02-03 04:05:06")?;
    shell.check(
        "ls -l /root/pipe /root/null",
        r"^crw-r--r--.* 1, +3 .*null\nprw-r--r--",
    )?;
    shell.check("wc -c < /root/hole; du -k /root/hole", r"^10000001\n[48]\s")?;
    shell.check("cmp /bin/busybox /root/copy && ls /bin/vi", "No such file")?;
    shell.check("touch /root/x", "Read-only file system")?;
    shell.run("mount -o remount,rw /; echo more >> /root/copy; mount -o remount,ro /")?;
    shell.check("tail -c 5 /root/copy", "^more$")?;
    power_off(&mut shell)?;
    check(&disk)
}

fn names(stage: &mut Stage) -> Result<()> {
    let disk = image(stage, "root.img", 64)?;
    let mut shell = boot(stage, &disk, "root=/dev/vda rw")?;
    shell.run(
        "cd /root; mkdir d; i=0; while [ $i -lt 600 ]; do echo $i > d/name-of-file-$i; i=$((i+1)); done",
    )?;
    shell.check("ls d | wc -l; cat d/* | sort -n | tail -n 1", "^600\n599$")?;
    shell.run("mkdir e; mv d/name-of-file-1* e; mv e f; mv f/name-of-file-10 f/name-of-file-11; rm d/name-of-file-2*")?;
    shell.check(
        "ls d | wc -l; ls f | wc -l; cat f/name-of-file-11",
        "^378\n110\n10$",
    )?;
    shell.check("rmdir d", "Directory not empty")?;
    shell.check("mv f f/below", "Invalid argument")?;
    shell.check("(rm f/name-of-file-12; cat) < f/name-of-file-12", "^12$")?;
    shell.check(
        "exec 3< f/name-of-file-13; rm f/name-of-file-13; cat <&3; exec 3<&-",
        "^13$",
    )?;
    shell.run("rm -r d; mkdir -p x/y/z; mv x/y/z .; rmdir x/y x; sync")?;
    shell.check("ls -1", "^f\nz$")?;
    power_off(&mut shell)?;
    check(&disk)?;
    let mut shell = boot(stage, &disk, "root=/dev/vda rw")?;
    shell.check(
        "ls -1 /root; ls /root/f | wc -l; cat /root/f/name-of-file-199",
        "^f\nz\n108\n199$",
    )?;
    power_off(&mut shell)
}

fn mounted_beside(stage: &mut Stage) -> Result<()> {
    let disk = image(stage, "root.img", 64)?;
    let beside = stage.file("beside.img");
    let _ = fs::remove_file(&beside);
    // Blocks of 1 KiB.
    files::run(
        Command::new("mke2fs")
            .args(["-q", "-t", "ext4", "-b", "1024"])
            .arg(&beside)
            .arg("16M"),
    )?;
    let mut load = stage.load();
    load.command_line = format!("{} root=/dev/vda rw", load.command_line);
    load.arguments = drive(&disk, "");
    let second = format!("file={},if=none,id=second,format=raw", beside.display());
    let further = ["-drive", &second, "-device", "virtio-blk-device,drive=second"];
    // QEMU's last device stands in the first place.
    load.arguments.splice(0..0, further.map(String::from));
    let mut shell = stage.boot(&Machine::Virt(Virt::default()), &load)?;
    shell.set_step(Duration::from_secs(60));
    shell.expect_prompt()?;
    let second = shell.run("mount -t ext4 /dev/vdb /mnt && df /mnt | tail -n 1")?;
    ensure!(second.contains("/dev/vdb"), "{second}");
    shell.check("mount -t ext4 /dev/vdb /tmp", "busy")?;
    shell.check("mount -t ext4 /dev/null /tmp", "[Bb]lock device")?;
    shell.run("seq 1 50000 > /mnt/numbers; cp /bin/busybox /mnt; cd /mnt")?;
    shell.check("umount /mnt", "busy")?;
    shell.run("cd /; umount /mnt")?;
    shell.check(
        "ls /mnt | wc -l; mount -t ext4 -o ro /dev/vdb /mnt; ls -1 /mnt",
        "^0\nbusybox\nlost.found\nnumbers$",
    )?;
    shell.check(
        "seq 1 50000 | cmp - /mnt/numbers && cmp /mnt/busybox /bin/busybox && echo same",
        "^same$",
    )?;
    shell.check("umount /mnt; /mnt/busybox", "not found")?;
    power_off(&mut shell)?;
    check(&disk)?;
    check(&beside)
}

/// Asks debugfs for something; what it prints.
pub fn debugfs(disk: &Path, request: &str) -> Result<String> {
    let mut command = Command::new("debugfs");
    let answer = command.args(["-w", "-R", request]).arg(disk).output()?;
    ensure!(answer.status.success(), "debugfs cannot {request}");
    Ok(String::from_utf8_lossy(&answer.stdout).into_owned())
}

/// A file as a disk, by busybox: mounted, from an offset, read-only; it lets go by itself, and what was written is in the file.
fn loops(stage: &mut Stage) -> Result<()> {
    let disk = image(stage, "root.img", 64)?;
    let inner = stage.file("inner.img");
    let _ = fs::remove_file(&inner);
    files::run(
        Command::new("mke2fs")
            .args(["-q", "-t", "ext4"])
            .arg(&inner)
            .arg("9M"),
    )?;
    debugfs(&disk, &format!("write {} /root/disk", inner.display()))?;
    let mut shell = boot(stage, &disk, "root=/dev/vda rw")?;
    shell.check(
        "ls -l /dev/loop0 /dev/loop-control",
        r"(?s)^crw-rw---- .* 10, +237 .*^brw-rw---- .* 7, +0 ",
    )?;
    shell.run("cd /root; mkdir -p a")?;
    shell.check("mount -t ext4 -o loop disk a; df a | tail -n 1", "^/dev/loop0 ")?;
    shell.check(
        "losetup /dev/loop0; losetup -f",
        r"^/dev/loop0: 0 /root/disk\n/dev/loop1$",
    )?;
    shell.check(
        "grep loop /proc/partitions; blockdev --getsize64 /dev/loop0",
        r"^ +7 +0 +9216 loop0\n9437184$",
    )?;
    shell.run("seq 1 100000 > a/numbers; cp /bin/busybox a; sync")?;
    shell.check("mount -t ext4 -o loop,ro disk /mnt; echo $?; losetup -d /dev/loop0; seq 1 100000 | cmp - a/numbers && echo same", "same$")?;
    shell.run("umount /mnt; umount a")?;
    shell.check("losetup -a; losetup /dev/loop0", "No such device or address$")?;
    shell.check(
        "mount -t ext4 -o loop,ro disk a; cmp a/busybox /bin/busybox && touch a/x",
        "Read-only file system",
    )?;
    shell.run("umount a")?;
    // From an offset, and of a file that is made of a disk's part.
    shell.run("dd if=/dev/zero of=parts bs=1M count=6 2>/dev/null; losetup -o 1048576 /dev/loop3 parts; echo here > /dev/loop3; sync")?;
    shell.check("losetup /dev/loop3; blockdev --getsize64 /dev/loop3; dd if=parts bs=1M skip=1 2>/dev/null | head -n 1", r"^/dev/loop3: 1048576 parts\n5242880\nhere$")?;
    shell.check(
        "losetup /dev/loop3 disk; losetup /dev/loop3; losetup -d /dev/loop3; wc -c < /dev/loop3",
        r"^losetup: disk.*\n/dev/loop3: 1048576 parts\n0$",
    )?;
    shell.check("losetup -r /dev/loop3 parts; echo x > /dev/loop3; blockdev --getro /dev/loop3; losetup /dev/loop4 /dev/loop3; dd if=/dev/loop4 bs=1M skip=1 count=1 2>/dev/null | head -n 1; losetup -d /dev/loop4; losetup -d /dev/loop3", "(?s)Read-only file system.*^1\nhere$")?;
    // One on another, and much to write: more than may be dirty.
    shell.run("losetup /dev/loop0 disk; losetup /dev/loop1 /dev/loop0; mount -t ext4 /dev/loop1 a; rm a/*; dd if=/dev/urandom of=a/much bs=1M count=7 2>/dev/null; cp a/much /tmp; umount a; losetup -d /dev/loop1; losetup -d /dev/loop0")?;
    shell.check(
        "mount -t ext4 -o loop disk a; cmp a/much /tmp/much && echo same",
        "^same$",
    )?;
    shell.run("echo kept > a/kept")?;
    power_off(&mut shell)?;
    check(&disk)?;
    debugfs(&disk, &format!("dump /root/disk {}", inner.display()))?;
    check(&inner)?;
    let shown = debugfs(&inner, "cat /kept")?;
    ensure!(shown == "kept\n", "what was written last is not there");
    Ok(())
}

/// A full disk says so, and loses nothing.
fn full(stage: &mut Stage) -> Result<()> {
    let disk = image(stage, "root.img", 16)?;
    let mut shell = boot(stage, &disk, "root=/dev/vda rw")?;
    shell.run("seq 1 20000 > /root/kept; sync")?;
    shell.check(
        "dd if=/dev/zero of=/root/large bs=64k 2>&1",
        "No space left on device",
    )?;
    shell.check("seq 1 20000 | cmp - /root/kept && echo same", "^same$")?;
    shell.check(
        "rm /root/large; sync; seq 1 20000 > /root/second; cmp /root/kept /root/second && echo same",
        "^same$",
    )?;
    power_off(&mut shell)?;
    check(&disk)
}

/// QEMU is killed at some moment; what was synced before is there, and the journal makes the rest whole.
fn power_cuts(stage: &mut Stage) -> Result<()> {
    let disk = image(stage, "root.img", 64)?;
    let wanted = std::env::var("CUTS").ok();
    let cuts = wanted.and_then(|cuts| cuts.parse().ok()).unwrap_or(USUAL_CUTS);
    for round in 0..cuts {
        let mut shell = boot(stage, &disk, "root=/dev/vda rw")?;
        if round > 0 {
            let last = round - 1;
            let expected = format!("^{}$", 1000 + last);
            shell.check(&format!("cat /root/synced-{last} | tail -n 1"), &expected)?;
        }
        shell.run(&format!("seq 1 {} > /root/synced-{round}; sync", 1000 + round))?;
        shell.type_line("i=0; while :; do mkdir -p /root/w$i/x; seq 1 $i > /root/w$i/f; mv /root/w$i/f /root/w$i/x/g; rm -rf /root/w$((i-5)); i=$((i+1)); done")?;
        std::thread::sleep(Duration::from_millis(150 + u64::from(round) * 170 % 1500));
        drop(shell);
        let answer = Command::new("e2fsck").arg("-fp").arg(&disk).output()?;
        let text = String::from_utf8_lossy(&answer.stdout).into_owned();
        // 1: the journal was replayed, and orphans freed.
        ensure!(
            matches!(answer.status.code(), Some(0 | 1)),
            "cut {round}: e2fsck says:\n{text}"
        );
        check(&disk)?;
    }
    // The kernel's own replay.
    let mut shell = boot(stage, &disk, "root=/dev/vda rw")?;
    shell.run("echo before > /root/before; sync")?;
    shell.type_line("while :; do echo x > /root/y; mv /root/y /root/z; done")?;
    std::thread::sleep(Duration::from_millis(700));
    drop(shell);
    let mut shell = boot(stage, &disk, "root=/dev/vda rw")?;
    shell.check("cat /root/before", "^before$")?;
    power_off(&mut shell)?;
    check(&disk)
}

/// A journal that cannot be written: the log says so, and nothing is changed any more; what is there is read.
fn journal_error(stage: &mut Stage) -> Result<()> {
    let disk = image(stage, "root.img", 64)?;
    let answer = Command::new("debugfs")
        .args(["-R", "blocks <8>"])
        .arg(&disk)
        .output()?;
    let text = String::from_utf8_lossy(&answer.stdout).into_owned();
    let blocks = text.split_whitespace().map(str::parse);
    let blocks = blocks
        .collect::<Result<Vec<u64>, _>>()
        .context("the blocks of the journal")?;
    let rules = stage.file("errors.conf");
    // Blocks of 1 KiB. The first ones hold what mount(2) writes.
    let rule = |block: &u64| {
        format!(
            "[inject-error]\nevent = \"write_aio\"\nerrno = \"5\"\nsector = \"{}\"\n",
            block * 2
        )
    };
    fs::write(&rules, blocks[40..400].iter().map(rule).collect::<String>())?;
    let drive = format!(
        "driver=raw,file.driver=blkdebug,file.config={},file.image.driver=file,file.image.filename={},if=none,id=disk,werror=report",
        rules.display(),
        disk.display()
    );
    let mut load = stage.load();
    load.command_line = format!("{} root=/dev/vda rw", load.command_line);
    load.arguments = ["-drive", &drive, "-device", "virtio-blk-device,drive=disk"]
        .map(String::from)
        .into();
    let mut shell = stage.boot(&Machine::Virt(Virt::default()), &load)?;
    shell.set_step(Duration::from_secs(60));
    shell.expect_prompt()?;
    shell.run("exec 3> /root/open; echo x > /root/file; sync")?;
    shell.run("i=0; while [ $i -lt 100 ]; do mkdir -p /root/d$i/a/b; i=$((i+1)); done; sync")?;
    shell.check(
        "dmesg | grep EXT4",
        "(?s)journal is aborted.*Remounting filesystem read-only",
    )?;
    shell.check("head -n 1 /proc/mounts", "^/dev/root / ext4 ro")?;
    shell.check("touch /root/y", "Read-only file system")?;
    shell.check(
        "echo more >&3",
        "Read-only file system|I/O error|Input/output error",
    )?;
    shell.check("cat /root/file; cmp /bin/busybox /init && echo same", "same$")?;
    power_off(&mut shell)
}

fn no_root(stage: &mut Stage) -> Result<()> {
    stage.may_crash()?;
    let disk = image(stage, "root.img", 16)?;
    let mut load = stage.load();
    load.command_line = format!("{} root=/dev/vdz1", load.command_line);
    load.arguments = drive(&disk, "");
    let mut shell = stage.boot(&Machine::Virt(Virt::default()), &load)?;
    shell.expect("VFS: Cannot open root device \"/dev/vdz1\"")?;
    shell.expect("fe00 +16384 vda")?;
    shell.expect("Unable to mount root fs")?;
    shell.expect_end()
}
