//! A card of SD on the Raspberry Pi: the root on its second partition stays, whatever way the card counts; one that is taken out says so.

use crate::busybox;
use crate::disk_files::{check, fill_root};
use crate::disks::drive;
use anyhow::{Context, Result, ensure};
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tests::monitor::Monitor;
use tests::{Machine, Scene, Session, Stage, Virt, files};

pub const SCENES: &[Scene] = &[
    Scene::holstein("cards.root_stays", root_stays).within_seconds(300),
    Scene::holstein("cards.more_than_2_gib", large).within_seconds(240),
    Scene::holstein("cards.grows", grows).within_seconds(400),
    Scene::holstein("cards.none", none),
    Scene::holstein("cards.pulled_out", pulled_out).within_seconds(120),
];

const MEGABYTE: u64 = 1 << 20;
const SECTOR: u64 = 512;
/// Where the second partition begins, and its length.
const ROOT_START: u64 = 16 * MEGABYTE;
const ROOT_LEN: u64 = 96 * MEGABYTE;

/// Makes a card with room for a partition of FAT and one with a root in it.
fn card(stage: &Stage, name: &str, len: u64) -> Result<PathBuf> {
    card_of(stage, name, len, &[])
}

/// The same, with further options for mke2fs.
fn card_of(stage: &Stage, name: &str, len: u64, options: &[&str]) -> Result<PathBuf> {
    let root = fill_root(stage)?;
    let path = stage.file(name);
    let _ = fs::remove_file(&path);
    let mut file = File::create(&path)?;
    file.set_len(len)?;
    let mut table = [0; SECTOR as usize];
    let parts = [(0x0c, MEGABYTE, 15 * MEGABYTE), (0x83, ROOT_START, ROOT_LEN)];
    for (index, (kind, start, len)) in parts.into_iter().enumerate() {
        let entry = &mut table[446 + index * 16..][..16];
        entry[4] = kind;
        entry[8..12].copy_from_slice(&((start / SECTOR) as u32).to_le_bytes());
        entry[12..].copy_from_slice(&((len / SECTOR) as u32).to_le_bytes());
    }
    table[510..].copy_from_slice(&[0x55, 0xaa]);
    file.write_all(&table)?;
    files::run(
        Command::new("mke2fs")
            .args(["-q", "-t", "ext4", "-L", "cattle"])
            .args(options)
            .arg("-E")
            .arg(format!("offset={ROOT_START}"))
            .arg("-d")
            .arg(&root)
            .arg(&path)
            .arg(format!("{}M", ROOT_LEN / MEGABYTE)),
    )?;
    Ok(path)
}

/// e2fsck has nothing to say of the second partition.
fn check_root(stage: &Stage, card: &Path) -> Result<()> {
    let mut file = File::open(card)?;
    file.seek(SeekFrom::Start(ROOT_START))?;
    let part = stage.file("part.img");
    std::io::copy(&mut file.take(ROOT_LEN), &mut File::create(&part)?)?;
    check(&part)
}

/// QEMU's arguments for a card in the slot.
pub fn drive_of_card(card: &Path) -> Vec<String> {
    let drive = format!("if=sd,format=raw,file={}", card.display());
    ["-drive", &drive].map(String::from).into()
}

fn boot(stage: &mut Stage, card: &Path, root: &str) -> Result<Session> {
    let mut load = stage.load();
    load.command_line = format!("{} {root}", load.command_line).trim().to_owned();
    load.arguments = drive_of_card(card);
    let mut shell = stage.boot(&Machine::raspi4b()?, &load)?;
    shell.set_step(Duration::from_secs(120));
    shell.expect_prompt()?;
    Ok(shell)
}

fn power_off(shell: &mut Session) -> Result<()> {
    shell.type_line("poweroff")?;
    shell.expect_end()
}

fn root_stays(stage: &mut Stage) -> Result<()> {
    let card = card(stage, "card.img", 128 * MEGABYTE)?;
    let mut shell = boot(stage, &card, "root=/dev/mmcblk0p2 rw rootwait")?;
    shell.check("head -n 1 /proc/mounts", "^/dev/root / ext4 rw")?;
    let parts = r"179 +0 +131072 mmcblk0\n +179 +1 +15360 mmcblk0p1\n +179 +2 +98304 mmcblk0p2";
    shell.check("cat /proc/partitions", parts)?;
    shell.check("dmesg | grep mmcblk0:", "SD card, 128 MiB, 4 lines at high speed")?;
    shell.run("mkdir -p /root/a/b; seq 1 100000 > /root/a/b/numbers; cp /bin/busybox /root/copy; sync")?;
    shell.check("cmp /bin/busybox /root/copy && echo same", "^same$")?;
    shell.run("dd if=/dev/zero of=/root/large bs=64k count=160 2>/dev/null; sync")?;
    shell.run(
        "dd if=/dev/urandom of=/root/random bs=4k count=600 2>/dev/null; md5sum /root/random > /root/sum",
    )?;
    power_off(&mut shell)?;
    check_root(stage, &card)?;
    let mut shell = boot(stage, &card, "root=LABEL=cattle rw")?;
    shell.check("seq 1 100000 | cmp - /root/a/b/numbers && echo same", "^same$")?;
    shell.check("cmp /bin/busybox /root/copy && echo same", "^same$")?;
    shell.check("md5sum -c /root/sum", "OK$")?;
    shell.run("rm -r /root/a /root/large; sync")?;
    power_off(&mut shell)?;
    check_root(stage, &card)
}

/// Cards of more than 2 GiB count sectors.
fn large(stage: &mut Stage) -> Result<()> {
    let card = card(stage, "large.img", 4096 * MEGABYTE)?;
    let mut shell = boot(stage, &card, "root=/dev/mmcblk0p2 rw")?;
    shell.check("dmesg | grep mmcblk0:", "SDHC card, 4096 MiB")?;
    shell.run("seq 1 50000 > /root/numbers; echo last | dd of=/dev/mmcblk0 bs=512 seek=8388607 conv=sync 2>/dev/null; sync")?;
    shell.check(
        "dd if=/dev/mmcblk0 bs=512 skip=8388607 2>/dev/null | head -n 1",
        "^last$",
    )?;
    power_off(&mut shell)?;
    check_root(stage, &card)?;
    let mut file = File::open(&card)?;
    file.seek(SeekFrom::End(-512))?;
    let mut last = [0; 4];
    file.read_exact(&mut last).context("the last sector")?;
    ensure!(&last == b"last", "the last sector has {last:?}");
    fs::remove_file(&card)?;
    Ok(())
}

/// Without a card the board boots as before, and a root on one is not there.
fn none(stage: &mut Stage) -> Result<()> {
    let load = stage.load();
    let mut shell = stage.boot(&Machine::raspi4b()?, &load)?;
    shell.expect_prompt()?;
    shell.check("ls /dev | grep -c mmc", "^0$")?;
    power_off(&mut shell)?;
    stage.may_crash()?;
    let mut load = stage.load();
    load.command_line = format!("{} root=/dev/mmcblk0p2", load.command_line);
    let mut shell = stage.boot(&Machine::raspi4b()?, &load)?;
    shell.expect("VFS: Cannot open root device \"/dev/mmcblk0p2\"")?;
    shell.expect("Unable to mount root fs")?;
    shell.expect_end()
}

/// A card is pulled out beside one who reads it and one who writes a file and waits for it to be kept: both are told EIO, the file system is
/// read-only from then on, and nobody waits for what never comes.
fn pulled_out(stage: &mut Stage) -> Result<()> {
    let card = card(stage, "card.img", 128 * MEGABYTE)?;
    let monitor = Monitor::new(stage.file("monitor"));
    let initramfs = busybox::initramfs(stage, "")?;
    let mut load = stage.load_with(initramfs, "rdinit=/init");
    load.arguments = drive_of_card(&card);
    load.arguments.extend(monitor.arguments());
    let mut shell = stage.boot(&Machine::raspi4b()?, &load)?;
    shell.set_step(Duration::from_secs(60));
    shell.expect_prompt()?;
    shell.run("mkdir -p /mnt; mount -t ext4 /dev/mmcblk0p2 /mnt; echo kept > /mnt/kept; sync")?;
    shell.run("while dd if=/dev/mmcblk0 of=/dev/null bs=64k iflag=direct 2> /tmp/reader; do :; done &")?;
    shell.run("while echo more | dd of=/mnt/log conv=notrunc,fsync 2> /tmp/writer; do :; done &")?;
    monitor.order(&["eject -f sd0"])?;
    shell.run("wait")?;
    shell.check("cat /tmp/reader", "Input/output error|I/O error")?;
    shell.check(
        "cat /tmp/writer",
        "Input/output error|I/O error|Read-only file system",
    )?;
    shell.check("dmesg", "(?s)was taken away.*Remounting filesystem read-only")?;
    shell.check("grep /mnt /proc/mounts", "^/dev/mmcblk0p2 /mnt ext4 ro")?;
    shell.check("touch /mnt/new", "Read-only file system")?;
    shell.check(
        "dd if=/dev/mmcblk0p1 bs=64k skip=40 count=1 of=/dev/null",
        "Input/output error|I/O error",
    )?;
    // What was read before is in memory.
    shell.check("cat /mnt/kept", "^kept$")?;
    shell.run("sync; umount /mnt")?;
    shell.check(
        "grep -c /mnt /proc/mounts; mount -t ext4 /dev/mmcblk0p2 /mnt",
        "(?s)^0.*(Input/output|I/O) error",
    )?;
    power_off(&mut shell)
}

/// A card that is larger than the image written to it: the first boot makes the root as large, and loses nothing where the power goes.
fn grows(stage: &mut Stage) -> Result<()> {
    let fresh = growing_card(stage)?;
    let card = stage.file("card.img");
    files::run(Command::new("cp").arg("--sparse=always").arg(&fresh).arg(&card))?;
    const ROOT: &str = "root=/dev/mmcblk0p2 rw rootwait growroot";
    let mut shell = boot(stage, &card, ROOT)?;
    shell.check("dmesg | grep mmcblk0p2", "the file system has 1008 MiB")?;
    shell.check("df -m / | tail -n 1", r"^/dev/root +9[0-9][0-9] ")?;
    shell.run(
        "dd if=/dev/zero of=/root/large bs=1M count=8 2>/dev/null; seq 1 100000 > /root/numbers; sync",
    )?;
    power_off(&mut shell)?;
    check_grown(stage, &card)?;
    // There is nothing more to be had: the next boot, on the other board, changes nothing. What came can be filled.
    let mut load = stage.load();
    load.command_line = format!("{} root=/dev/vda2 rw growroot", load.command_line);
    load.arguments = drive(&card, "");
    let mut shell = stage.boot(&Machine::Virt(Virt::default()), &load)?;
    shell.set_step(Duration::from_secs(120));
    shell.expect_prompt()?;
    shell.check("dmesg | grep vda2", "the file system has 1008 MiB")?;
    shell.check(
        "seq 1 100000 | cmp - /root/numbers && wc -c < /root/large",
        "^8388608$",
    )?;
    shell.run("dd if=/dev/zero of=/root/more bs=1M count=150 2>/dev/null; sync")?;
    power_off(&mut shell)?;
    check_grown(stage, &card)?;
    for cut in 0..CUTS {
        files::run(Command::new("cp").arg("--sparse=always").arg(&fresh).arg(&card))?;
        let mut shell = stage.boot(&Machine::Virt(Virt::default()), &load)?;
        // From before the table is written until behind the last copy of the superblock.
        shell.expect("vda1 vda2")?;
        std::thread::sleep(Duration::from_millis(10 * cut));
        drop(shell);
        let mut shell = stage.boot(&Machine::Virt(Virt::default()), &load)?;
        shell.set_step(Duration::from_secs(60));
        shell.expect_prompt()?;
        shell.check(
            "df -m / | tail -n 1; ls -l /bin/busybox | wc -l",
            r"(?s)^/dev/root +9[0-9][0-9] .*^1$",
        )?;
        power_off(&mut shell)?;
        check_grown(stage, &card).with_context(|| format!("cut {cut}"))?;
    }
    fs::remove_file(&card)?;
    fs::remove_file(&fresh)?;
    Ok(())
}

/// How often the power goes.
const CUTS: u64 = 6;

/// A card of 1 GiB with a root of 96 MiB that can grow, as `make sdcard` makes it.
fn growing_card(stage: &Stage) -> Result<PathBuf> {
    let path = card_of(
        stage,
        "fresh.img",
        1024 * MEGABYTE,
        &["-b", "4096", "-O", "meta_bg,^resize_inode"],
    )?;
    Ok(path)
}

/// The second partition reaches to the end of the card, and e2fsck has nothing to say of it.
fn check_grown(stage: &Stage, card: &Path) -> Result<()> {
    let mut file = File::open(card)?;
    let mut table = [0; SECTOR as usize];
    file.read_exact(&mut table)?;
    let count = u32::from_le_bytes(table[446 + 16 + 12..][..4].try_into()?);
    let wanted = (1024 * MEGABYTE - ROOT_START) / SECTOR;
    ensure!(u64::from(count) == wanted, "the partition has {count} sectors");
    let part = stage.file("part.img");
    let _ = fs::remove_file(&part);
    files::run(
        Command::new("dd")
            .arg(format!("if={}", card.display()))
            .arg(format!("of={}", part.display()))
            .args(["bs=1M", "conv=sparse", "skip=16"]),
    )?;
    check(&part)?;
    fs::remove_file(&part)?;
    Ok(())
}
