//! The card of `make sdcard ROOT=debian`: Debian's own init comes to a login on both boards, and the first boot takes all of the card, be its
//! table an MBR or a GPT. Played by `make test-programs`.

use crate::cards::drive_of_card;
use crate::disks::drive;
use anyhow::{Result, ensure};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tests::qemu::Load;
use tests::{Machine, Scene, Session, Stage, Virt, files};

pub const SCENES: &[Scene] = &[
    Scene::holstein("debian_root.raspi4b", on_raspi4b).within_seconds(900),
    Scene::holstein("debian_root.virt_gpt", on_virt).within_seconds(900),
];

const SECTOR: u64 = 512;
/// What the card of 512 MiB grows to.
const LEN: u64 = 1 << 30;

/// A copy of the card that is as long as `LEN`.
fn card(stage: &Stage) -> Result<PathBuf> {
    let made = files::existing(files::built().join("sdcard.img"))?;
    let copy = stage.file("card.img");
    files::run(Command::new("cp").arg("--sparse=always").arg(&made).arg(&copy))?;
    let file = File::options().write(true).open(&copy)?;
    ensure!(
        file.metadata()?.len() < LEN,
        "the card cannot grow to {LEN} bytes"
    );
    file.set_len(LEN)?;
    Ok(copy)
}

/// Logs in as root, who has no password, and looks around.
fn log_in(shell: &mut Session) -> Result<()> {
    shell.set_step(Duration::from_secs(400));
    shell.expect("^holstein login: $")?;
    shell.type_line("root")?;
    shell.expect("root@holstein:~# ")?;
    // The prompt that scenes know, and no editing of lines, which would draw.
    shell.type_line("export PS1='\\w # '; exec bash --norc --noediting -i")?;
    shell.expect("~ # $")?;
    Ok(())
}

fn look_around(shell: &mut Session) -> Result<()> {
    log_in(shell)?;
    for (command, answer) in [
        ("id", r"^uid=0\(root\) gid=0\(root\) groups=0\(root\)\r?$"),
        ("cat /etc/debian_version", r"^12\."),
        ("ps -o comm= -p 1; tty", "^init\r?\n/dev/ttyAMA0"),
        ("findmnt -n -o FSTYPE,OPTIONS /", "^ext4 +rw"),
        ("df -m / | tail -n 1", "^/dev/[a-z0-9]+ +8[0-9][0-9] "),
        ("su nobody -s /bin/sh -c id", "^uid=65534"),
        (
            "stat -c '%a %U %G' /etc/shadow /usr/bin/chage /usr/bin/passwd /var/mail",
            "^640 root shadow\r?\n2755 root shadow\r?\n4755 root root\r?\n2775 root mail",
        ),
        (
            "printf 'bull\\nbull\\n' | passwd 2>&1; passwd -S root",
            "updated successfully\r?\nroot P ",
        ),
        ("passwd -d root >/dev/null; passwd -S root", "^root NP "),
    ] {
        shell.check(command, answer)?;
    }
    shell.run("seq 1 100000 > /root/numbers")?;
    Ok(())
}

fn power_off(shell: &mut Session) -> Result<()> {
    shell.type_line("poweroff")?;
    shell.expect_end()
}

/// What is written stays; init leaves the file system clean.
fn comes_back(shell: &mut Session) -> Result<()> {
    log_in(shell)?;
    shell.check("seq 1 100000 | cmp - /root/numbers && echo same", "^same")?;
    power_off(shell)
}

fn check_root(stage: &Stage, card: &Path, start: u64) -> Result<()> {
    let part = stage.file("part.img");
    let _ = fs::remove_file(&part);
    files::run(
        Command::new("dd")
            .arg(format!("if={}", card.display()))
            .arg(format!("of={}", part.display()))
            .args(["bs=1M", "conv=sparse"])
            .arg(format!("skip={}", (start * SECTOR) >> 20)),
    )?;
    crate::disk_files::check(&part)?;
    fs::remove_file(&part)?;
    Ok(())
}

/// First sector and number of sectors of an entry of the card's MBR.
fn entry(card: &Path, index: u64) -> Result<(u64, u64)> {
    let mut entry = [0; 16];
    File::open(card)?.read_exact_at(&mut entry, 446 + index * 16)?;
    let number = |at: usize| u32::from_le_bytes([entry[at], entry[at + 1], entry[at + 2], entry[at + 3]]);
    Ok((number(8).into(), number(12).into()))
}

fn on_raspi4b(stage: &mut Stage) -> Result<()> {
    let card = card(stage)?;
    let mut load = stage.load();
    load.command_line = "console=ttyAMA0,115200 root=/dev/mmcblk0p2 rw rootwait growroot".into();
    load.arguments = drive_of_card(&card);
    let mut shell = stage.boot(&Machine::raspi4b()?, &load)?;
    look_around(&mut shell)?;
    power_off(&mut shell)?;
    let (start, count) = entry(&card, 1)?;
    ensure!(
        start + count == LEN / SECTOR,
        "the root ends at {}",
        start + count
    );
    check_root(stage, &card, start)?;
    let mut shell = stage.boot(&Machine::raspi4b()?, &load)?;
    comes_back(&mut shell)?;
    check_root(stage, &card, start)?;
    fs::remove_file(&card)?;
    Ok(())
}

fn on_virt(stage: &mut Stage) -> Result<()> {
    let card = card(stage)?;
    let start = entry(&card, 1)?.0;
    write_gpt(&card)?;
    let load = Load {
        command_line: "root=/dev/vda2 rw growroot".into(),
        arguments: drive(&card, ""),
        ..stage.load()
    };
    let mut shell = stage.boot(&Machine::Virt(Virt::default()), &load)?;
    look_around(&mut shell)?;
    // Debian's fdisk has nothing to say of what the kernel wrote.
    shell.check("sfdisk --verify /dev/vda 2>&1", "No errors detected")?;
    shell.check(
        "sfdisk -l /dev/vda",
        "(?s)Disklabel type: gpt.*/dev/vda2 .* 9[0-9][0-9](\\.[0-9])?M ",
    )?;
    power_off(&mut shell)?;
    check_root(stage, &card, start)?;
    let mut shell = stage.boot(&Machine::Virt(Virt::default()), &load)?;
    comes_back(&mut shell)?;
    check_root(stage, &card, start)?;
    fs::remove_file(&card)?;
    Ok(())
}

/// Gives the card a GPT of the same two partitions in the place of its MBR, as one written for a disk that ends behind them.
fn write_gpt(card: &Path) -> Result<()> {
    let parts = [entry(card, 0)?, entry(card, 1)?];
    let end = parts[1].0 + parts[1].1;
    let file = File::options().read(true).write(true).open(card)?;
    let mut table = vec![0; 128 * 128];
    for (index, (start, count)) in parts.into_iter().enumerate() {
        // The last 33 sectors of a disk are the table's: the file system, which knows its own size, gives up none that it uses.
        let last = start + count - 1;
        let entry = &mut table[index * 128..][..128];
        entry[..16].copy_from_slice(&LINUX_DATA);
        entry[16..32].fill(index as u8 + 1);
        entry[32..40].copy_from_slice(&start.to_le_bytes());
        entry[40..48].copy_from_slice(&last.to_le_bytes());
    }
    let disk_end = end + 34;
    for (own, other, at) in [(1, disk_end - 1, 2), (disk_end - 1, 1, disk_end - 33)] {
        let mut header = [0; 92];
        header[..8].copy_from_slice(b"EFI PART");
        for (at, number) in [(8, 0x1_0000), (12, 92), (80, 128), (84, 128)] {
            header[at..at + 4].copy_from_slice(&u32::to_le_bytes(number));
        }
        for (at, number) in [(24, own), (32, other), (40, 34), (48, disk_end - 34), (72, at)] {
            header[at..at + 8].copy_from_slice(&u64::to_le_bytes(number));
        }
        header[56..72].fill(9);
        header[88..92].copy_from_slice(&crc32(&table).to_le_bytes());
        let checksum = crc32(&header);
        header[16..20].copy_from_slice(&checksum.to_le_bytes());
        file.write_all_at(&header, own * SECTOR)?;
        file.write_all_at(&table, at * SECTOR)?;
    }
    let mut mbr = [0; 66];
    mbr[4] = 0xee;
    mbr[8..12].copy_from_slice(&1_u32.to_le_bytes());
    mbr[12..16].copy_from_slice(&(disk_end as u32 - 1).to_le_bytes());
    mbr[64..].copy_from_slice(&[0x55, 0xaa]);
    file.write_all_at(&mbr, 446)?;
    Ok(())
}

/// "Linux filesystem data", 0fc63daf-8483-4772-8e79-3d69d8477de4.
const LINUX_DATA: [u8; 16] = [
    0xaf, 0x3d, 0xc6, 0x0f, 0x83, 0x84, 0x72, 0x47, 0x8e, 0x79, 0x3d, 0x69, 0xd8, 0x47, 0x7d, 0xe4,
];

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
    !bytes
        .iter()
        .fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}
