//! What the kernel says of the board, and what it tries on each processor before it runs there.

use crate::boot::power_off;
use crate::busybox;
use anyhow::{Context, Result, anyhow, ensure};
use dtoolkit::fdt::Fdt;
use dtoolkit::model::{DeviceTree, DeviceTreeProperty};
use std::process::Command;
use tests::qemu::Load;
use tests::{Gic, Kernel, Machine, Scene, Session, Stage, Virt, files};

pub const SCENES: &[Scene] = &[
    Scene::holstein("board.report_of_virt", |stage| {
        report(stage, &Machine::Virt(Virt::default()), "GICv2 at 0x8000000")
    }),
    Scene::holstein("board.report_of_virt_gic3", |stage| {
        let gic3 = Virt {
            gic: Gic::V3,
            ..Virt::default()
        };
        report(stage, &Machine::Virt(gic3), "GICv3 at 0x8000000")
    }),
    Scene::holstein("board.report_of_raspi4b", |stage| {
        report(stage, &Machine::raspi4b()?, "GICv2 at 0xff841000")
    }),
    Scene::holstein("board.long_self_test", long_self_test),
    Scene::holstein("board.one_release_word", one_release_word),
    Scene::holstein("board.counters_for_programs", counters_for_programs),
];

/// What the first processor tries by itself.
const ALONE: [&str; 2] = ["alarm", "loopback"];
const CHECKS: [&str; 6] = [
    "alarm",
    "counter",
    "interrupts",
    "exclusives",
    "translation",
    "instructions",
];

/// Every processor has passed what there is to pass: the first cannot try what takes two.
fn all_passed(text: &str, processors: usize) -> Result<()> {
    for number in 0..processors {
        let start = format!("self test of processor {number}:");
        let line = text
            .lines()
            .find(|line| line.contains(&start))
            .with_context(|| format!("no {start:?} in {text}"))?;
        let checks: &[&str] = if number == 0 { &ALONE } else { &CHECKS };
        for check in checks {
            ensure!(
                line.contains(&format!(" {check} ok")),
                "{check} is not ok: {line}"
            );
        }
    }
    Ok(())
}

fn report(stage: &mut Stage, machine: &Machine, gic: &str) -> Result<()> {
    let load = stage.load();
    let mut shell = stage.boot(machine, &load)?;
    shell.expect_prompt()?;
    let text = shell.run("cat /proc/board")?;
    all_passed(&text, 4)?;
    for part in [
        gic,
        "BEGIN Holstein",
        "MIDR_EL1: 0x410fd083",
        "spurious kernel faults: 0",
        "END board report",
    ] {
        ensure!(text.contains(part), "no {part:?} in {text}");
    }
    power_off(&mut shell)
}

/// The long one, with everything switched on that costs time; programs run as ever behind it.
fn long_self_test(stage: &mut Stage) -> Result<()> {
    let mut load = stage.load();
    load.command_line = "boot=selftest spectre_bhb=loop errata=859971".into();
    let mut shell = stage.boot_virt(&load)?;
    let text = shell.expect("END board report")?;
    all_passed(&text, 4)?;
    ensure!(
        text.contains("BHB: loop; erratum 859971: worked around"),
        "{text}"
    );
    shell.expect_prompt()?;
    shell.check("seq 1 500 | sort -rn | head -n 1", "^500$")?;
    shell.check("cow q2", "(?m)^.*passed")?;
    power_off(&mut shell)
}

/// Where the command line says so, root reads the processor's counters, and nobody else does, nor writes them. Without the word:
/// `bad_programs`.
fn counters_for_programs(stage: &mut Stage) -> Result<()> {
    const WORD: &str = "pmu=programs";
    let mut load = stage.load();
    load.command_line = WORD.into();
    let mut shell = stage.boot_virt(&load)?;
    shell.expect_prompt()?;
    shell.check(
        "cat /proc/board",
        "(?m)^performance counters: cycles and instructions, for CAP_PERFMON$",
    )?;
    shell.check(
        "bench cycles repeats=1 null_call",
        r"(?m)^bench\tnull_call\t.*cycles=[1-9]",
    )?;
    power_off(&mut shell)?;

    stage.compile("bad")?;
    let initramfs = busybox::initramfs(stage, "file /bad bad 755\n")?;
    let load = stage.load_with(initramfs, &format!("rdinit=/init {WORD}"));
    let mut shell = stage.boot_virt(&load)?;
    shell.expect_prompt()?;
    shell.check(
        "/bad read_counters; echo status $?",
        "^nothing happened\nstatus 1$",
    )?;
    shell.check("/bad read_counters_as_user; echo status $?", "status 132$")?;
    shell.check("/bad set_counter; echo status $?", "status 132$")?;
    power_off(&mut shell)
}

/// Debian's tree for the board, with one release word for all.
fn tree(stage: &Stage) -> Result<std::path::PathBuf> {
    const WORD: u64 = 0x1000;
    let blob = std::fs::read(files::raspi4b_device_tree()?)?;
    let blob = Fdt::new(&blob).map_err(|error| anyhow!("not a device tree: {error}"))?;
    let mut tree = DeviceTree::from_fdt(&blob);
    for number in 0..4 {
        let path = format!("/cpus/cpu@{number}");
        let cpu = tree.find_node_mut(&path).with_context(|| format!("no {path}"))?;
        let word = WORD.to_be_bytes();
        match cpu.property_mut("cpu-release-addr") {
            Some(property) => property.set_value(word.as_slice()),
            None => cpu.add_property(DeviceTreeProperty::new_unchecked(
                "cpu-release-addr",
                word.as_slice(),
            )),
        }
    }
    let path = stage.file("one_word.dtb");
    std::fs::write(&path, tree.to_dtb())?;
    Ok(path)
}

/// The first release lets all processors come; each is let in when it is its turn.
fn one_release_word(stage: &mut Stage) -> Result<()> {
    let Kernel::Holstein(kernel) = stage.kernel.clone() else {
        anyhow::bail!("only for Holstein")
    };
    let (source, object) = (
        files::root().join("tests/boot/one_word.s"),
        stage.file("one_word.o"),
    );
    let loader = stage.file("one_word.img");
    files::run(
        Command::new("aarch64-linux-gnu-as")
            .arg("-o")
            .arg(&object)
            .arg(source),
    )?;
    files::run(
        Command::new("aarch64-linux-gnu-objcopy")
            .args(["-O", "binary"])
            .args([&object, &loader]),
    )?;
    let mut load = Load {
        kernel: Some(loader),
        ..Load::default()
    };
    let place = format!("loader,force-raw=on,addr=0x200000,file={}", kernel.display());
    load.arguments.extend(["-device".into(), place]);
    let machine = Machine::Raspi4b {
        device_tree: Some(tree(stage)?),
    };
    let mut shell: Session = stage.boot(&machine, &load)?;
    shell.expect("Brought up 4 CPUs")?;
    shell.expect_prompt()?;
    all_passed(&shell.run("cat /proc/board")?, 4)?;
    power_off(&mut shell)
}
