//! Random changes of a file's bytes and of names, by `tests/programs/random_bytes.c` and `random_names.c`, which answer with digests: on
//! memory, ext4 with blocks of 4 and of 1 KiB, and FAT. The digests that are expected are Linux's (`--linux`). What was written is there
//! behind another mount, and e2fsck and fsck.fat find nothing.
//!
//! `CHANGES=N SEED=N` plays others, whose digests are printed by both kernels, to be compared by whoever asks.

use crate::disks::drive;
use crate::{busybox, disk_files, fat_files};
use anyhow::{Context, Result, ensure};
use regex::Regex;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use tests::{Machine, Scene, Session, Stage, Virt, files};

pub const SCENES: &[Scene] =
    &[Scene::portable("random_files.same_as_linux", same_as_linux).within_seconds(1800)];

/// Changes of bytes, and of names.
const USUAL: [u32; 2] = [400, 1500];

/// A file system, and the digests that both programs come to on Linux.
struct Kind {
    name: &'static str,
    mount: &'static str,
    digests: [&'static str; 2],
}

const KINDS: [Kind; 4] = [
    Kind {
        name: "memory",
        mount: "-t tmpfs none",
        digests: ["a45513f42a1ef295", "116ae7af36587bdb"],
    },
    Kind {
        name: "ext4",
        mount: "-t ext4 /dev/vda",
        digests: ["e30332532cd340bd", "116ae7af36587bdb"],
    },
    Kind {
        name: "ext4 in small blocks",
        mount: "-t ext4 /dev/vdb",
        digests: ["911d9d3cc443e7a4", "116ae7af36587bdb"],
    },
    Kind {
        name: "FAT",
        mount: "-t vfat /dev/vdc",
        digests: ["537cc3537e2b13c4", "a24530b6c1f6277c"],
    },
];

/// What Debian's kernel needs for disks, in this order.
const MODULES: [&str; 11] = [
    "drivers/virtio/virtio_mmio.ko",
    "drivers/block/virtio_blk.ko",
    "lib/crc16.ko",
    "fs/mbcache.ko",
    "fs/jbd2/jbd2.ko",
    "crypto/crc32c_generic.ko",
    "fs/ext4/ext4.ko",
    "fs/nls/nls_cp437.ko",
    "fs/nls/nls_ascii.ko",
    "fs/fat/fat.ko",
    "fs/fat/vfat.ko",
];

fn number(name: &str) -> Option<u32> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

fn same_as_linux(stage: &mut Stage) -> Result<()> {
    let changes = number("CHANGES").map_or(USUAL, |changes| [changes; 2]);
    let seed = number("SEED").unwrap_or(1);
    let is_usual = changes == USUAL && seed == 1;
    let disks = disks(stage)?;
    let mut shell = boot(stage, &disks)?;
    let mut wrong = Vec::new();
    for kind in &KINDS {
        shell.run(&format!("mount {} /mnt", kind.mount))?;
        let programs = ["random_bytes", "random_names"];
        for ((program, changes), expected) in programs.iter().zip(changes).zip(kind.digests) {
            let digest = play(&mut shell, kind, program, changes, seed)?;
            if is_usual && digest != expected {
                wrong.push(format!(
                    "{program} on {} comes to {digest}, not {expected}",
                    kind.name
                ));
            }
        }
        shell.run("umount /mnt")?;
    }
    shell.type_line("poweroff")?;
    shell.expect_end()?;
    disk_files::check(&disks[0])?;
    disk_files::check(&disks[1])?;
    fat_files::check(&disks[2])?;
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// Runs one of them, and looks behind a mount whether it is all there; its digest.
fn play(shell: &mut Session, kind: &Kind, program: &str, changes: u32, seed: u32) -> Result<String> {
    let text = shell.run(&format!("/{program} /mnt {changes} {seed}"))?;
    let form = Regex::new(r"digest ([0-9a-f]{16}), (\w+ [0-9a-f]{16})")?;
    let found = form
        .captures(&text)
        .with_context(|| format!("{program} on {}: {text}", kind.name))?;
    ensure!(
        !text.contains("failed") || text.contains(", 0 failed"),
        "{program} on {}: {text}",
        kind.name
    );
    if kind.mount.contains("/dev/") {
        shell.run("umount /mnt")?;
        shell.run(&format!("mount {} /mnt", kind.mount))?;
        let again = shell.run(&format!("/{program} /mnt again"))?;
        ensure!(
            again.contains(&found[2]),
            "{program} on {}, behind a mount: {again}, not {}",
            kind.name,
            &found[2]
        );
    }
    Ok(found[1].to_owned())
}

fn disks(stage: &Stage) -> Result<[PathBuf; 3]> {
    let disks = ["large.img", "small.img", "fat.img"].map(|name| stage.file(name));
    for disk in &disks {
        let _ = fs::remove_file(disk);
    }
    for (disk, size) in disks.iter().zip(["4096", "1024"]) {
        let mut command = Command::new("mke2fs");
        files::run(
            command
                .args(["-q", "-t", "ext4", "-b", size])
                .arg(disk)
                .arg("32M"),
        )?;
    }
    fs::File::create(&disks[2])?.set_len(64 << 20)?;
    files::run(
        Command::new("mkfs.vfat")
            .args(["-F", "32", "-s", "1"])
            .arg(&disks[2]),
    )?;
    Ok(disks)
}

fn boot(stage: &mut Stage, disks: &[PathBuf; 3]) -> Result<Session> {
    let mut list = String::from("dir /mnt 755\n");
    for program in ["random_bytes", "random_names"] {
        stage.compile(program)?;
        list += &format!("file /{program} {program} 755\n");
    }
    let modules = if stage.is_linux() {
        add_modules(stage)?
    } else {
        Vec::new()
    };
    for module in &modules {
        list += &format!("file /{module} {module} 644\n");
    }
    let initramfs = busybox::initramfs(stage, &list)?;
    let mut load = stage.load_with(initramfs, "rdinit=/init");
    // QEMU's last device stands in the first place.
    for (disk, name) in disks.iter().zip(["disk", "second", "third"]).rev() {
        let named = drive(disk, "")
            .into_iter()
            .map(|word| word.replace("=disk", &format!("={name}")));
        load.arguments.extend(named);
    }
    let mut shell = stage.boot(&Machine::Virt(Virt::default()), &load)?;
    shell.set_step(Duration::from_secs(900));
    shell.expect_prompt()?;
    for module in &modules {
        shell.run(&format!("insmod /{module}"))?;
    }
    if stage.is_linux() {
        shell.run("mount -t devtmpfs none /dev")?;
    }
    Ok(shell)
}

/// Debian's modules into the scene's folder; their names.
fn add_modules(stage: &Stage) -> Result<Vec<String>> {
    let all = files::debian("linux-image-arm64")?.join("lib/modules");
    let version = fs::read_dir(&all)?.next().context("no modules")??.path();
    let mut names = Vec::new();
    for module in MODULES {
        let name = module.rsplit('/').next().unwrap_or(module).to_owned();
        fs::copy(version.join("kernel").join(module), stage.file(&name))?;
        names.push(name);
    }
    Ok(names)
}
