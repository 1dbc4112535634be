//! FAT beside ext4: what mtools wrote is read, what is written is what mtools reads, and fsck.fat finds nothing.

use crate::disk_files;
use crate::disks::drive;
use anyhow::{Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tests::{Machine, Scene, Session, Stage, Virt, files};

pub const SCENES: &[Scene] = &[
    Scene::holstein("fat_files.names_and_bytes", names_and_bytes).within_seconds(240),
    Scene::holstein("fat_files.full", full).within_seconds(240),
];

/// A FAT32 of so many MiB, with clusters of so many sectors.
fn image(stage: &Stage, megabytes: u64, cluster: u32) -> Result<PathBuf> {
    let path = stage.file("fat.img");
    let _ = fs::remove_file(&path);
    fs::File::create(&path)?.set_len(megabytes << 20)?;
    files::run(
        Command::new("mkfs.vfat")
            .args(["-F", "32", "-n", "CATTLE", "-s", &cluster.to_string()])
            .arg(&path),
    )?;
    Ok(path)
}

/// fsck.fat finds nothing to say.
pub fn check(path: &Path) -> Result<()> {
    let answer = Command::new("fsck.fat").arg("-nv").arg(path).output()?;
    let text = String::from_utf8_lossy(&answer.stdout).into_owned();
    ensure!(answer.status.code() == Some(0), "fsck.fat says:\n{text}");
    Ok(())
}

/// What mtools reads of a file.
fn read(path: &Path, name: &str) -> Result<Vec<u8>> {
    let answer = Command::new("mtype").arg("-i").arg(path).arg(name).output()?;
    ensure!(answer.status.success(), "mtype {name}: {answer:?}");
    Ok(answer.stdout)
}

/// Boots with an ext4 root, and the other as /dev/vdb.
fn boot(stage: &mut Stage, fat: &Path) -> Result<Session> {
    let root = disk_files::image(stage, "root.img", 64)?;
    let mut load = stage.load();
    load.command_line = format!("{} root=/dev/vda rw", load.command_line);
    load.arguments = drive(&root, "");
    let second = format!("file={},if=none,id=second,format=raw", fat.display());
    let further = ["-drive", &second, "-device", "virtio-blk-device,drive=second"];
    // QEMU's last device stands in the first place.
    load.arguments.splice(0..0, further.map(String::from));
    let mut shell = stage.boot(&Machine::Virt(Virt::default()), &load)?;
    shell.set_step(Duration::from_secs(60));
    shell.expect_prompt()?;
    Ok(shell)
}

fn power_off(shell: &mut Session) -> Result<()> {
    shell.type_line("poweroff")?;
    shell.expect_end()
}

fn names_and_bytes(stage: &mut Stage) -> Result<()> {
    for (megabytes, cluster) in [(64, 1), (300, 8)] {
        let fat = image(stage, megabytes, cluster)?;
        let numbers: String = (1..=30000).map(|number| format!("{number}\n")).collect();
        let source = stage.file("numbers");
        fs::write(&source, &numbers)?;
        let copy = |name: &str| {
            files::run(
                Command::new("mcopy")
                    .args(["-m", "-i"])
                    .arg(&fat)
                    .arg(&source)
                    .arg(name),
            )
        };
        copy("::/a rather long name of numbers.txt")?;
        copy("::/SHORT.TXT")?;
        let mut shell = boot(stage, &fat)?;
        shell.check(
            "mount -t vfat -o uid=7,umask=027 /dev/vdb /mnt; grep vdb /proc/mounts",
            "^/dev/vdb /mnt vfat rw",
        )?;
        shell.check("ls -1 /mnt", "^SHORT.TXT\na rather long name of numbers.txt$")?;
        shell.check("ls -l /mnt/short.txt", r"^-rwxr-x--- +1 7 +0 +168894 ")?;
        shell.check(
            "seq 1 30000 | cmp - '/mnt/A RATHER LONG name of numbers.TXT' && echo same",
            "^same$",
        )?;
        shell.check(
            "cmp /mnt/SHORT.TXT /mnt/AR*1.TXT 2>&1; cmp /mnt/SHORT.TXT /mnt/ARATHE~1.TXT && echo same",
            "same$",
        )?;
        shell.run("cd /mnt; mkdir -p d/e; cp /bin/busybox d/e/Busybox; seq 1 5000 > d/five.thousand; mv d/five.thousand 'moved here'; rm short.txt")?;
        shell.check(
            "ls -1 /mnt; ls SHORT.TXT 2>&1",
            "^a rather long name of numbers.txt\nd\nmoved here\nls: SHORT.TXT: No such file",
        )?;
        shell.check("rmdir d", "Directory not empty")?;
        shell.check(
            "ln -s x y; ln 'moved here' z; mknod p p; chown 3 d; chmod 1700 d",
            "(?s)not permitted.*not permitted.*not permitted.*not permitted.*not permitted",
        )?;
        shell.run("echo appended >> 'moved here'; dd if=/dev/zero of=hole bs=1 count=1 seek=100000 2>/dev/null; mv d/e/Busybox d/e/box; rm -r d; cp /bin/busybox BOX.bin")?;
        shell.run("(exec 3> open; echo x >&3; rm open; echo y >&3); touch -d '2031-02-03 04:05:06' BOX.bin; touch d.; cd /")?;
        shell.check("df /mnt | tail -n 1", "^/dev/vdb ")?;
        shell.check(
            "umount /mnt && mount -t vfat -o ro /dev/vdb /mnt && ls -1 /mnt",
            "^BOX.bin\na rather long name of numbers.txt\nd\nhole\nmoved here$",
        )?;
        shell.check(
            "cmp /bin/busybox /mnt/box.bin && ls -l --full-time /mnt/BOX.bin",
            "2031-02-03 04:05:06",
        )?;
        shell.check("touch /mnt/x", "Read-only file system")?;
        shell.run("mount -o remount,rw /mnt; echo more > /mnt/more")?;
        power_off(&mut shell)?;
        check(&fat)?;
        let expected: String = (1..=5000).map(|number| format!("{number}\n")).collect();
        ensure!(read(&fat, "::/moved here")? == (expected + "appended\n").into_bytes());
        ensure!(read(&fat, "::/more")? == b"more\n");
        ensure!(read(&fat, "::/BOX.bin")? == fs::read(files::busybox()?)?);
        ensure!(read(&fat, "::/hole")? == vec![0; 100_001]);
    }
    Ok(())
}

/// A full disk says so, and loses nothing.
fn full(stage: &mut Stage) -> Result<()> {
    let fat = image(stage, 40, 1)?;
    let mut shell = boot(stage, &fat)?;
    shell.run("mount -t vfat /dev/vdb /mnt; seq 1 20000 > /mnt/kept; sync")?;
    shell.check(
        "dd if=/dev/zero of=/mnt/large bs=64k 2>&1",
        "No space left on device",
    )?;
    shell.check("seq 1 20000 | cmp - /mnt/kept && echo same", "^same$")?;
    shell.check(
        "rm /mnt/large; sync; seq 1 20000 > /mnt/second; cmp /mnt/kept /mnt/second && echo same",
        "^same$",
    )?;
    power_off(&mut shell)?;
    check(&fat)
}
