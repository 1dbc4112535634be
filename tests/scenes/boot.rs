//! Every way to be booted: boards and their variants, initramfs and command line.

use crate::busybox;
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};
use tests::{Gic, Machine, Scene, Session, Stage, Virt, files};

pub const SCENES: &[Scene] = &[
    Scene::holstein("boot.virt_gic2", |stage| on_virt(stage, Virt::default())),
    Scene::holstein("boot.virt_gic3", |stage| {
        on_virt(
            stage,
            Virt {
                gic: Gic::V3,
                ..Virt::default()
            },
        )
    }),
    Scene::holstein("boot.virt_el2", |stage| {
        on_virt(
            stage,
            Virt {
                has_el2: true,
                ..Virt::default()
            },
        )
    }),
    Scene::holstein("boot.virt_el2_gic3", |stage| {
        on_virt(
            stage,
            Virt {
                has_el2: true,
                gic: Gic::V3,
                ..Virt::default()
            },
        )
    }),
    Scene::holstein("boot.virt_two_processors", |stage| {
        on_virt(
            stage,
            Virt {
                cpus: 2,
                ..Virt::default()
            },
        )
    }),
    Scene::holstein("boot.virt_128_mib", |stage| {
        on_virt(
            stage,
            Virt {
                memory: "128M",
                ..Virt::default()
            },
        )
    }),
    Scene::holstein("boot.virt_3_gib", |stage| {
        on_virt(
            stage,
            Virt {
                memory: "3G",
                ..Virt::default()
            },
        )
    }),
    Scene::holstein("boot.virt_8_gib", |stage| {
        on_virt(
            stage,
            Virt {
                memory: "8G",
                cpus: 2,
                gic: Gic::V3,
                ..Virt::default()
            },
        )
    }),
    Scene::holstein("boot.raspi4b", |stage| {
        to_shell_and_off(stage, &Machine::raspi4b()?)
    }),
    Scene::holstein("boot.initrd_cpio", initrd_cpio),
    Scene::holstein("boot.initrd_gzip", initrd_gzip),
    Scene::holstein("boot.initrd_on_raspi4b", initrd_on_raspi4b),
    Scene::holstein("boot.initrd_cut_short", |stage| {
        damaged(stage, "cut", |bytes| bytes.truncate(5000))
    }),
    Scene::holstein("boot.initrd_of_garbage", |stage| {
        damaged(stage, "garbage", |bytes| bytes.fill(0x5a))
    }),
    Scene::holstein("boot.initrd_gzip_damaged", initrd_gzip_damaged),
    Scene::holstein("boot.no_init", no_init),
    Scene::holstein("boot.init_is_no_program", init_is_no_program),
    Scene::portable("boot.arguments_and_environment", arguments_and_environment),
    Scene::holstein("boot.init_parameter", init_parameter),
    Scene::portable("boot.loglevel", loglevel),
];

fn on_virt(stage: &mut Stage, virt: Virt) -> Result<()> {
    to_shell_and_off(stage, &Machine::Virt(virt))
}

/// Boots the embedded userland, looks at the shell and at the memory that was found, and powers off.
fn to_shell_and_off(stage: &mut Stage, machine: &Machine) -> Result<()> {
    let load = stage.load();
    let mut shell = stage.boot(machine, &load)?;
    shell.expect("Holstein")?;
    shell.expect_prompt()?;
    shell.check("echo $((6 * 7))", "^42$")?;
    let installed = match machine {
        Machine::Virt(virt) => mebibytes(virt.memory)?,
        // What the board's device tree says below the memory of its graphics processor.
        Machine::Raspi4b { .. } => 960,
    };
    let found = memory_total(&mut shell)?;
    ensure!(
        found <= installed && found * 100 >= installed * 88,
        "{found} MiB found of {installed}"
    );
    if matches!(machine, Machine::Virt(_)) {
        expect_time_of_host(&mut shell)?;
    } else {
        expect_replayed(&mut shell)?;
    }
    power_off(&mut shell)
}

/// A run that is recorded here is done again by the playground's machine, record by record, and ends with the tables that /proc shows.
/// `RECORDING=file` keeps it: that of the playground was made so.
fn expect_replayed(shell: &mut Session) -> Result<()> {
    shell.check("cowtrace -r /tmp/recording; echo status $?", "^status 0$")?;
    let recording = shell.run("cat /tmp/recording")?;
    if let Some(path) = std::env::var_os("RECORDING") {
        std::fs::write(path, &recording)?;
    }
    let mut kernel = playground::Kernel::boot_recording(&recording).map_err(anyhow::Error::msg)?;
    let mut forks = 0;
    while let Ok(report) = kernel.perform("n") {
        let told = report.sentence;
        let has_shared = told.contains(" shared_tables=") && !told.contains(" shared_tables=0");
        forks += usize::from(told.contains("call: clone") && has_shared);
    }
    ensure!(
        kernel.mmu().complaint().is_none(),
        "{:?}",
        kernel.mmu().complaint()
    );
    ensure!(kernel.differences().is_empty(), "{:?}", kernel.differences());
    ensure!(forks == 2, "{forks} forks: {recording}");
    Ok(())
}

/// QEMU's clock shows the time of this machine, so the kernel must as well, and so must a file that was just made.
fn expect_time_of_host(shell: &mut Session) -> Result<()> {
    let host = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let text = shell.check("date +%s", r"^\d+$")?;
    let shown: u64 = text.trim().parse()?;
    ensure!(
        shown.abs_diff(host) <= 60,
        "date shows second {shown}, this machine {host}"
    );
    let year = shell.check("date +%Y", r"^\d{4}$")?;
    shell.check(
        "touch /tmp/now && stat /tmp/now",
        &format!("Modify: {}-", year.trim()),
    )?;
    Ok(())
}

fn mebibytes(memory: &str) -> Result<u64> {
    let (digits, unit) = memory.split_at(memory.len() - 1);
    Ok(digits.parse::<u64>()? * if unit == "G" { 1024 } else { 1 })
}

/// MemTotal in MiB.
pub fn memory_total(shell: &mut Session) -> Result<u64> {
    let text = shell.check("cat /proc/meminfo", r"^MemTotal: +\d+ kB$")?;
    let digits = text.split_whitespace().nth(1).context("MemTotal has no value")?;
    Ok(digits.parse::<u64>()? / 1024)
}

pub fn power_off(shell: &mut Session) -> Result<()> {
    shell.type_line("poweroff")?;
    shell.expect_end()
}

/// The default userland with one more folder, by which it can be told from the embedded one.
fn marked_userland() -> Result<Vec<u8>> {
    let list = std::fs::read_to_string(files::root().join("userland/rootfs.txt"))?;
    let archive = files::built().join("initramfs.cpio");
    ensure!(
        list.contains("dir /tmp"),
        "rootfs.txt is not what this scene expects"
    );
    let mut archive = std::fs::read(files::existing(archive)?)?;
    archive.extend(image::initramfs::archive("dir /from-initrd 755", &[])?);
    Ok(archive)
}

fn gzip(path: &Path) -> Result<std::path::PathBuf> {
    files::run(Command::new("gzip").args(["-n", "-f", "-k"]).arg(path))?;
    Ok(path.with_extension("cpio.gz"))
}

fn expect_marked(stage: &mut Stage, machine: &Machine, initrd: std::path::PathBuf) -> Result<()> {
    let load = stage.load_with(initrd, "");
    let mut shell = stage.boot(machine, &load)?;
    shell.expect_prompt()?;
    shell.check("ls /", r"\bfrom-initrd\b")?;
    power_off(&mut shell)
}

fn initrd_cpio(stage: &mut Stage) -> Result<()> {
    let path = stage.file("marked.cpio");
    std::fs::write(&path, marked_userland()?)?;
    expect_marked(stage, &Machine::Virt(Virt::default()), path)
}

fn initrd_gzip(stage: &mut Stage) -> Result<()> {
    let path = stage.file("marked.cpio");
    std::fs::write(&path, marked_userland()?)?;
    expect_marked(stage, &Machine::Virt(Virt::default()), gzip(&path)?)
}

fn initrd_on_raspi4b(stage: &mut Stage) -> Result<()> {
    let path = stage.file("marked.cpio");
    std::fs::write(&path, marked_userland()?)?;
    expect_marked(stage, &Machine::raspi4b()?, gzip(&path)?)
}

/// Boots with an initrd that cannot be used: the kernel must say so and power off.
fn refused(stage: &mut Stage, initrd: std::path::PathBuf, message: &str) -> Result<()> {
    let load = stage.load_with(initrd, "");
    let mut board = stage.boot_virt(&load)?;
    board.expect(message)?;
    board.expect_end()
}

fn damaged(stage: &mut Stage, name: &str, damage: fn(&mut Vec<u8>)) -> Result<()> {
    let path = stage.file(name).with_extension("cpio");
    let mut archive = marked_userland()?;
    damage(&mut archive);
    std::fs::write(&path, archive)?;
    refused(
        stage,
        path,
        "(?i)(initramfs|initrd).*(cpio|archive|ends|cut|short|damaged)",
    )
}

fn initrd_gzip_damaged(stage: &mut Stage) -> Result<()> {
    let path = stage.file("marked.cpio");
    std::fs::write(&path, marked_userland()?)?;
    let path = gzip(&path)?;
    let mut bytes = std::fs::read(&path)?;
    let middle = bytes.len() / 2;
    bytes[middle..middle + 64].fill(0xa5);
    std::fs::write(&path, bytes)?;
    refused(
        stage,
        path,
        "(?i)(initramfs|initrd).*(gzip|compressed|deflate|damaged)",
    )
}

fn no_init(stage: &mut Stage) -> Result<()> {
    stage.may_crash()?;
    let initrd = stage.initramfs("dir /empty 755", &[])?;
    refused(
        stage,
        initrd,
        "(?i)no.*init|init.*(not found|no such file|cannot)",
    )
}

fn init_is_no_program(stage: &mut Stage) -> Result<()> {
    stage.may_crash()?;
    std::fs::write(stage.file("half"), b"\x7fELF\x02\x01\x01 and then nothing")?;
    let folder = stage.file("");
    let initrd = stage.initramfs("file /init half 755", &[&folder])?;
    refused(stage, initrd, "(?i)/init.*(ELF|exec|format|ENOEXEC|cannot)")
}

fn arguments_and_environment(stage: &mut Stage) -> Result<()> {
    stage.compile("arguments")?;
    let folder = stage.file("");
    let list = "nod /dev/console c 5 1 600\nfile /started arguments 755";
    let initrd = stage.initramfs(list, &[&folder])?;
    let load = stage.load_with(initrd, "rdinit=/started colour=brown -- one two=2");
    let mut board = stage.boot_virt(&load)?;
    board.expect("^argument 0: /started$")?;
    board.expect("^argument 1: one$")?;
    board.expect("^argument 2: two=2$")?;
    board.expect("^3 arguments, colour=brown$")?;
    board.expect_end()
}

fn init_parameter(stage: &mut Stage) -> Result<()> {
    let load = stage.load();
    let load = tests::qemu::Load {
        command_line: "init=/bin/sh".into(),
        ..load
    };
    let mut shell = stage.boot_virt(&load)?;
    shell.expect_prompt()?;
    shell.check("echo process $$", "^process 1$")?;
    power_off(&mut shell)
}

/// With `loglevel=0` the kernel itself keeps quiet, with 7 it does not.
fn loglevel(stage: &mut Stage) -> Result<()> {
    let mut shell = busybox::boot(stage, "rdinit=/bin/sh loglevel=0 quiet")?;
    let quiet = shell.expect_prompt()?;
    let mut shell = busybox::boot(stage, "rdinit=/bin/sh ignore_loglevel loglevel=7")?;
    let loud = shell.expect_prompt()?;
    ensure!(
        quiet.len() < loud.len(),
        "{} characters when quiet, {} when not",
        quiet.len(),
        loud.len()
    );
    Ok(())
}
