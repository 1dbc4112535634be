//! Disks: what is written stays, on the image that the host keeps and over the next boot; what is larger than memory is read all the same.

use crate::busybox;
use anyhow::{Context, Result, ensure};
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tests::{Machine, Scene, Session, Stage, Virt, files};

pub const SCENES: &[Scene] = &[
    Scene::holstein("disks.partitions", partitions),
    Scene::holstein("disks.what_a_newcomer_is_told", what_a_newcomer_is_told),
    Scene::holstein("disks.what_is_written_stays", what_is_written_stays),
    Scene::holstein("disks.larger_than_memory", larger_than_memory).within_seconds(240),
    Scene::holstein("disks.a_read_only_disk_refuses_writes", read_only),
    Scene::holstein("disks.errors_are_told", errors),
];

const SECTOR: usize = 512;
const MEGABYTE: usize = 1 << 20;

/// A partition in the table of an MBR: type, first sector, sectors.
type Entry = (u8, u32, u32);

fn table(entries: &[Entry]) -> [u8; SECTOR] {
    let mut block = [0; SECTOR];
    for (index, (kind, start, count)) in entries.iter().enumerate() {
        let at = 446 + index * 16;
        block[at + 4] = *kind;
        block[at + 8..at + 12].copy_from_slice(&start.to_le_bytes());
        block[at + 12..at + 16].copy_from_slice(&count.to_le_bytes());
    }
    block[510..].copy_from_slice(&[0x55, 0xaa]);
    block
}

/// An empty image of so many MiB with a primary partition of 8 MiB, one that holds others, and one in that.
fn image(stage: &Stage, megabytes: usize) -> Result<PathBuf> {
    let path = stage.file("disk.img");
    let mut file = File::create(&path)?;
    file.set_len((megabytes * MEGABYTE) as u64)?;
    file.write_all(&table(&[(0x83, 2048, 16384), (0x05, 20480, 8192)]))?;
    file.seek(SeekFrom::Start(20480 * SECTOR as u64))?;
    file.write_all(&table(&[(0x83, 2048, 4096)]))?;
    Ok(path)
}

pub fn drive(path: &Path, options: &str) -> Vec<String> {
    let drive = format!("file={},if=none,id=disk,format=raw{options}", path.display());
    ["-drive", &drive, "-device", "virtio-blk-device,drive=disk"]
        .map(String::from)
        .into()
}

fn boot(stage: &mut Stage, memory: &'static str, arguments: Vec<String>) -> Result<Session> {
    let initramfs = busybox::initramfs(stage, "")?;
    let mut load = stage.load_with(initramfs, "rdinit=/init");
    load.arguments = arguments;
    let machine = Machine::Virt(Virt {
        memory,
        ..Virt::default()
    });
    let mut shell = stage.boot(&machine, &load)?;
    shell.expect_prompt()?;
    Ok(shell)
}

fn power_off(shell: &mut Session) -> Result<()> {
    shell.type_line("poweroff")?;
    shell.expect_end()
}

fn partitions(stage: &mut Stage) -> Result<()> {
    let disk = image(stage, 16)?;
    let mut shell = boot(stage, "256M", drive(&disk, ""))?;
    let expected = r"254 +0 +16384 vda\n +254 +1 +8192 vda1\n +254 +2 +1 vda2\n +254 +5 +2048 vda5";
    shell.check("cat /proc/partitions", expected)?;
    shell.check("ls -l /dev/vda5", "^brw-rw---- +1 0 +0 +254, +5 ")?;
    shell.check(
        "blockdev --getsize64 /dev/vda5; blockdev --getss /dev/vda5",
        "^2097152\n512$",
    )?;
    shell.check("grep virtblk /proc/devices", "^254 virtblk$")?;
    shell.check("wc -c < /dev/vda1", "^8388608$")?;
    power_off(&mut shell)
}

/// Our own shell, without a disk and with one: what it says of it is what has to be typed.
fn what_a_newcomer_is_told(stage: &mut Stage) -> Result<()> {
    let load = stage.load();
    let mut shell = stage.boot(&Machine::Virt(Virt::default()), &load)?;
    shell.expect("lost at power-off: there is no disk. `help files` tells more")?;
    shell.expect_prompt()?;
    shell.check("lsblk | wc -l; help files", r"^1\n(?s).*make run DISK=file")?;
    power_off(&mut shell)?;
    let disk = stage.file("disk.img");
    let _ = fs::remove_file(&disk);
    let mut make = Command::new("mke2fs");
    make.args(["-q", "-t", "ext4", "-L", "stall"])
        .arg(&disk)
        .arg("16M");
    files::run(&mut make)?;
    let mut load = stage.load();
    load.arguments = drive(&disk, "");
    let mut shell = stage.boot(&Machine::Virt(Virt::default()), &load)?;
    shell.expect("lost at power-off. A disk keeps it: `mount /dev/vda /mnt`; `help files`")?;
    shell.expect_prompt()?;
    shell.check("lsblk", r"^vda +254:0 +16M ext4 +stall$")?;
    shell.check(
        "mount LABEL=nothing /mnt; echo $?",
        "LABEL=nothing: no disk has that\n1$",
    )?;
    shell.check(
        "mount /dev/null /mnt; echo $?",
        "no file system that is known.*\n1$",
    )?;
    shell.check(
        "mount /dev/vda /mnt; echo cow > /mnt/kept; sync; lsblk",
        "^vda .* /mnt$",
    )?;
    shell.check("umount /mnt; mount LABEL=stall /mnt; cat /mnt/kept", "^cow$")?;
    power_off(&mut shell)?;
    crate::disk_files::check(&disk)
}

fn what_is_written_stays(stage: &mut Stage) -> Result<()> {
    let disk = image(stage, 16)?;
    let mut shell = boot(stage, "256M", drive(&disk, ""))?;
    // Not in whole pages, and over the end of some.
    shell.run("seq 1 200000 | dd of=/dev/vda1 bs=1000 seek=7 conv=notrunc,fsync 2>/dev/null")?;
    shell.check(
        "echo last | dd of=/dev/vda1 bs=1 seek=8388600 2>&1 | tail -n 1",
        r"^5\+0 records out$",
    )?;
    shell.check(
        "dd if=/dev/zero of=/dev/vda5 bs=1M 2>&1",
        "No space left on device",
    )?;
    // fsync has come back: the image has it already.
    let text: Vec<u8> = (1..=200_000)
        .flat_map(|number| format!("{number}\n").into_bytes())
        .collect();
    let mut found = vec![0; text.len()];
    let mut file = File::open(&disk)?;
    file.seek(SeekFrom::Start((2048 * SECTOR + 7000) as u64))?;
    file.read_exact(&mut found)?;
    ensure!(found == text, "the image does not have what was synced");
    power_off(&mut shell)?;
    let mut whole = fs::read(&disk)?;
    let end = 2048 * SECTOR + 8_388_600;
    ensure!(&whole[end..end + 5] == b"last\n", "the end was lost at power off");
    whole.truncate(2048 * SECTOR);
    ensure!(
        whole[..SECTOR] == table(&[(0x83, 2048, 16384), (0x05, 20480, 8192)]),
        "the table changed"
    );
    let mut shell = boot(stage, "256M", drive(&disk, ""))?;
    shell.check("dd if=/dev/vda1 bs=1000 skip=7 2>/dev/null | head -n 200000 | cksum > a; seq 1 200000 | cksum > b; cmp a b && echo same", "^same$")?;
    shell.check("tail -c 8 /dev/vda1 | head -n 1", "^last$")?;
    power_off(&mut shell)
}

/// Pages that were read are given back for others.
fn larger_than_memory(stage: &mut Stage) -> Result<()> {
    let disk = image(stage, 192)?;
    let mut file = fs::OpenOptions::new().append(false).write(true).open(&disk)?;
    file.seek(SeekFrom::Start(MEGABYTE as u64))?;
    for block in 1..192_u32 {
        let line: Vec<u8> = (0..MEGABYTE as u32 / 4)
            .flat_map(|word| (block.wrapping_mul(0x9e37_79b9) ^ word).to_le_bytes())
            .collect();
        file.write_all(&line)?;
    }
    drop(file);
    let sum = Command::new("md5sum").arg(&disk).output()?.stdout;
    let sum = String::from_utf8(sum)?;
    let sum = sum.split_whitespace().next().context("md5sum says nothing")?;
    let mut shell = boot(stage, "96M", drive(&disk, ",snapshot=on"))?;
    shell.set_step(Duration::from_secs(150));
    shell.check("md5sum /dev/vda", &format!("^{sum} "))?;
    // Much is written at once: writers wait for the disk.
    shell.check(
        "dd if=/dev/zero of=/dev/vda bs=1M count=150 2>&1 | tail -n 1",
        r"^150\+0 records out$",
    )?;
    shell.check("sync; grep Dirty /proc/meminfo", "^Dirty: +0 kB$")?;
    shell.check("head -c 157286400 /dev/vda | tr -d '\\0' | wc -c", "^0$")?;
    power_off(&mut shell)
}

fn read_only(stage: &mut Stage) -> Result<()> {
    let disk = image(stage, 16)?;
    let mut shell = boot(stage, "256M", drive(&disk, ",readonly=on"))?;
    shell.check("echo x > /dev/vda1", "Read-only file system")?;
    shell.check("blockdev --getro /dev/vda", "^1$")?;
    shell.check("head -c 512 /dev/vda | tail -c 2 | od -An -tx1", "55 aa")?;
    power_off(&mut shell)
}

/// QEMU lets each write fail from sector 4096 on.
fn errors(stage: &mut Stage) -> Result<()> {
    let disk = image(stage, 16)?;
    let rules = stage.file("errors.conf");
    let rule = "[inject-error]\nevent = \"write_aio\"\nerrno = \"5\"\nsector = \"4096\"\n";
    fs::write(&rules, rule)?;
    let drive = format!(
        "driver=raw,file.driver=blkdebug,file.config={},file.image.driver=file,file.image.filename={},if=none,id=disk,werror=report",
        rules.display(),
        disk.display()
    );
    let arguments = ["-drive", &drive, "-device", "virtio-blk-device,drive=disk"].map(String::from);
    let mut shell = boot(stage, "256M", arguments.into())?;
    shell.check(
        "dd if=/dev/zero of=/dev/vda bs=512 seek=4096 count=1 conv=notrunc,fsync; echo status $?",
        "Input/output error|I/O error",
    )?;
    // Others are written, and later ones do not fail for the first.
    shell.check(
        "dd if=/dev/zero of=/dev/vda bs=512 seek=8192 count=1 conv=notrunc,fsync && echo fine",
        "^fine$",
    )?;
    power_off(&mut shell)
}
