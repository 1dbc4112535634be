//! Swap space: on /dev/zram0 and on a disk, by busybox's own mkswap, swapon and swapoff. A program checks every byte of what goes out and
//! comes back (`tests/programs/swapping.c`).

use crate::busybox;
use crate::disks::drive;
use anyhow::Result;
use std::fs::File;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use tests::files;
use tests::{Machine, Scene, Session, Stage, Virt, program};

pub const SCENES: &[Scene] = &[
    Scene::holstein("swapping.pages", pages).checked(),
    Scene::holstein("swapping.zram", |stage| deep(stage, ZRAM, 3)).within_seconds(300),
    Scene::holstein("swapping.disk", |stage| deep(stage, DISK, 3)).within_seconds(300),
    Scene::holstein("swapping.shared", shared),
    Scene::holstein("swapping.refused", refused),
    Scene::holstein("swapping.files", in_file),
    Scene::holstein("swapping.turns", turns),
    Scene::holstein("swapping.too_little", too_little).within_seconds(300),
    Scene::holstein("swapping.broken_in", |stage| broken(stage, "read")),
    Scene::holstein("swapping.broken_out", |stage| broken(stage, "write")),
];

/// Of `make soak-swap`: far more than there is memory, for as long as is asked for.
pub const LONG: &[Scene] = &[
    Scene::holstein("deep_swap.zram", |stage| long(stage, LARGE_ZRAM))
        .checked()
        .busy(),
    Scene::holstein("deep_swap.partition", |stage| long(stage, PARTITION))
        .checked()
        .busy(),
];

/// Where the pages go: the device, and what makes it ready.
type Place = (&'static str, &'static str);

const ZRAM: Place = ("/dev/zram0", "echo 256M > /sys/block/zram0/disksize");
const LARGE_ZRAM: Place = ("/dev/zram0", "echo 1G > /sys/block/zram0/disksize");
const PARTITION: Place = ("/dev/vda1", "true");
const DISK: Place = ("/dev/vda", "true");

/// An empty disk.
fn disk(stage: &Stage) -> Result<PathBuf> {
    let disk = stage.file("swap.img");
    File::create(&disk)?.set_len(512 << 20)?;
    Ok(disk)
}

/// A machine with little memory and an empty disk.
fn boot(stage: &mut Stage, memory: &'static str) -> Result<Session> {
    let disk = drive(&disk(stage)?, "");
    boot_with(stage, memory, disk)
}

fn boot_with(stage: &mut Stage, memory: &'static str, disk: Vec<String>) -> Result<Session> {
    stage.compile("swapping")?;
    let initramfs = busybox::initramfs(stage, "file /swapping swapping 755\n")?;
    let mut load = stage.load_with(initramfs, "rdinit=/init");
    load.arguments = disk;
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

/// Most of memory is mapped by four processes, and no frame of it is free before the hand has been with each of them: nobody has to
/// end meanwhile.
fn shared(stage: &mut Stage) -> Result<()> {
    let mut shell = boot(stage, "96M")?;
    swap_on(&mut shell, ZRAM)?;
    shell.check("/swapping shared 56 40 4", &program::success("swapping"))?;
    shell.check("dmesg | grep -c 'Out of memory'", "^0$")?;
    swap_off(&mut shell, ZRAM)?;
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

/// Words of each page that do not compress: all of it must have room in zram, which is memory too.
const NOISE: usize = 40;

/// On 256 MiB, 600 MiB in four processes, each three forks deeper than the one before: each byte is looked at, on four processors. What was
/// taken of swap space and memory is given back to the last page.
fn long(stage: &mut Stage, place: Place) -> Result<()> {
    let seconds = stage.soak.seconds;
    stage.extend(Duration::from_secs(seconds * 2 + 600));
    let mut shell = boot_with(stage, "256M", drive(&partitioned(stage)?, ""))?;
    shell.set_step(Duration::from_secs(seconds * 2 + 400));
    swap_on(&mut shell, place)?;
    shell.check("nproc", "^4$")?;
    shell.check(
        &format!("/swapping deep 150 {seconds} {NOISE}"),
        &program::success("swapping"),
    )?;
    shell.check("dmesg | grep -cE 'Out of memory|on swap-device'", "^0$")?;
    swap_off(&mut shell, place)?;
    power_off(&mut shell)
}

/// A disk of 2 GiB with one partition that has all of it but the first mebibyte.
fn partitioned(stage: &Stage) -> Result<PathBuf> {
    const SECTORS: u32 = 4 << 20;
    let path = stage.file("parted.img");
    let mut record = [0; 512];
    record[446 + 4] = 0x82;
    record[446 + 8..446 + 12].copy_from_slice(&2048_u32.to_le_bytes());
    record[446 + 12..446 + 16].copy_from_slice(&(SECTORS - 2048).to_le_bytes());
    record[510..].copy_from_slice(&[0x55, 0xaa]);
    std::fs::write(&path, record)?;
    let file = File::options().write(true).open(&path)?;
    file.set_len(u64::from(SECTORS) * 512)?;
    Ok(path)
}

/// A disk that refuses one page. On the way out the page stays; on the way in who wants it is told by a signal, and nobody else.
fn broken(stage: &mut Stage, way: &str) -> Result<()> {
    // Of the fourth slot, behind the header.
    const SECTOR: usize = 4 * 8;
    let path = disk(stage)?;
    let blockdev = format!(
        "driver=blkdebug,node-name=bad,image.driver=file,image.filename={},inject-error.0.event=none,\
         inject-error.0.iotype={way},inject-error.0.sector={SECTOR},inject-error.0.errno=5",
        path.display()
    );
    let arguments = ["-blockdev", &blockdev, "-device", "virtio-blk-device,drive=bad"];
    let mut shell = boot_with(stage, "256M", arguments.map(String::from).into())?;
    swap_on(&mut shell, DISK)?;
    shell.check(&format!("/swapping broken {way}"), &program::success("swapping"))?;
    let message = match way {
        "read" => "Read-error on swap-device",
        _ => "Write-error on swap-device",
    };
    shell.check(&format!("dmesg | grep -c '{message}'"), "^[1-9]")?;
    swap_off(&mut shell, DISK)?;
    power_off(&mut shell)
}

/// A file of ext4, which nobody can write meanwhile; and who has a disk to himself.
fn in_file(stage: &mut Stage) -> Result<()> {
    let path = disk(stage)?;
    let mut make = Command::new("mke2fs");
    files::run(make.args(["-q", "-t", "ext4", "-b", "4096"]).arg(&path))?;
    let mut shell = boot_with(stage, "256M", drive(&path, ""))?;
    for (command, answer) in [
        (
            "mkdir /mnt; mount -t ext4 /dev/vda /mnt && echo mounted",
            "^mounted",
        ),
        (
            "dd if=/dev/zero of=/mnt/swap bs=1M count=64 && mkswap /mnt/swap && sync && swapon /mnt/swap",
            "",
        ),
        ("grep -c '/mnt/swap .*file' /proc/swaps", "^1$"),
        ("swapon /mnt/swap", "busy"),
        ("echo more >> /mnt/swap", "Text file busy"),
        ("umount /mnt", "busy"),
        ("rm -f /mnt/swap", "Operation not permitted"),
        ("mv /mnt/swap /mnt/other", "Operation not permitted"),
        (
            "echo a >/mnt/a; mv -f /mnt/a /mnt/swap",
            "Operation not permitted",
        ),
        ("truncate -s 4k /mnt/swap", "Text file busy"),
        ("/swapping pages", &program::success("swapping")),
        (
            "swapoff /mnt/swap && echo more >> /mnt/swap && echo written",
            "^written",
        ),
        (
            "truncate -s 8M /mnt/hole && mkswap /mnt/hole && sync && /swapping on /mnt/hole 1",
            "errno 22",
        ),
        (
            "dd if=/dev/zero of=/tmp/swap bs=1M count=4 && mkswap /tmp/swap && swapon /tmp/swap",
            "Invalid argument",
        ),
        ("swapon /dev/vda", "busy"),
        // Who reads the disk itself sees what its file system has written since.
        (
            "dd if=/dev/vda bs=1 skip=1120 count=1 2>/dev/null | od -An -tx1; mount -o remount,ro /mnt; \
             dd if=/dev/vda bs=1 skip=1120 count=1 2>/dev/null | od -An -tx1; mount -o remount,rw /mnt",
            "^ +[4c]6\r?\n +[4c]2",
        ),
        ("/swapping exclusive /dev/vda", "errno 16"),
        (
            "umount /mnt && /swapping exclusive /dev/vda && mount -t ext4 /dev/vda /mnt && echo again",
            "^again",
        ),
        (
            "umount /mnt && mount -t ext4 /dev/vda /mnt && umount /mnt && echo again",
            "^again",
        ),
        (
            "mkswap /dev/vda && swapon /dev/vda && mount -t ext4 /dev/vda /mnt",
            "busy",
        ),
        ("swapoff /dev/vda && echo off", "^off"),
    ] {
        shell.check(command, answer)?;
    }
    power_off(&mut shell)
}

/// Two areas of one priority fill alike; one of a higher comes first.
fn turns(stage: &mut Stage) -> Result<()> {
    let mut shell = boot(stage, "256M")?;
    shell.check(
        "echo 64M > /sys/block/zram0/disksize; mkswap /dev/zram0; mkswap /dev/vda; /swapping on /dev/zram0 5; /swapping on /dev/vda 5",
        "",
    )?;
    shell.check("/swapping share", &program::success("swapping"))?;
    shell.check(
        "swapoff /dev/vda && /swapping on /dev/vda 6 && /swapping first /dev/vda",
        "1 passed, 0 failed\r?\n(.*\n)?swapping: [1-9][0-9]* passed, 0 failed",
    )?;
    shell.check(
        "swapoff /dev/zram0; swapoff /dev/vda; grep -c dev /proc/swaps",
        "^0$",
    )?;
    power_off(&mut shell)
}

/// Swap space cannot be given up where there is no memory for what is in it, and then all of it is there as before.
fn too_little(stage: &mut Stage) -> Result<()> {
    let mut shell = boot(stage, "96M")?;
    swap_on(&mut shell, DISK)?;
    shell.type_line("/swapping hold 140 & sleep 1; while ! grep -q . /tmp/full; do sleep 1; done; swapoff /dev/vda; rm /tmp/full; wait")?;
    shell.expect("Cannot allocate memory")?;
    shell.expect(&program::success("swapping"))?;
    shell.expect_prompt()?;
    shell.check("dmesg | grep -c 'Out of memory'", "^0$")?;
    swap_off(&mut shell, DISK)?;
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
