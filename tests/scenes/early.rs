//! Words for the time before there is a console: how far boot came on a Raspberry Pi, and why it goes no further.

use anyhow::{Context, Result, anyhow, ensure};
use dtoolkit::fdt::Fdt;
use dtoolkit::model::{DeviceTree, DeviceTreeProperty};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tests::monitor::Monitor;
use tests::qemu::Load;
use tests::{Kernel, Machine, Scene, Stage, Virt, files};

pub const SCENES: &[Scene] = &[
    Scene::holstein("early.letters_on_raspi4b", letters),
    Scene::holstein("early.loaded_askew", loaded_askew),
    Scene::holstein("early.entered_at_el3", entered_at_el3),
    Scene::holstein("early.exception_on_virt", |stage| {
        exception(stage, &Machine::Virt(Virt::default()))
    }),
    Scene::holstein("early.exception_at_el2", |stage| {
        let el2 = Virt {
            has_el2: true,
            ..Virt::default()
        };
        exception(stage, &Machine::Virt(el2))
    }),
    Scene::holstein("early.exception_on_raspi4b", exception_on_raspi4b),
    Scene::holstein("early.refused_processor", refused_processor),
];

fn letters(stage: &mut Stage) -> Result<()> {
    let load = stage.load();
    let mut shell = stage.boot(&Machine::raspi4b()?, &load)?;
    shell.expect("^H1TMBDP$")?;
    shell.expect_prompt()?;
    crate::boot::power_off(&mut shell)
}

fn kernel(stage: &Stage) -> Result<PathBuf> {
    match &stage.kernel {
        Kernel::Holstein(kernel) => Ok(kernel.clone()),
        Kernel::Linux(_) => anyhow::bail!("only for Holstein"),
    }
}

/// Puts the kernel there, and lets the first processor begin with it.
fn load_at(kernel: &Path, address: u64) -> Load {
    let mut load = Load::default();
    let place = format!("loader,force-raw=on,addr={address:#x},file={}", kernel.display());
    load.arguments.extend(["-device".into(), place]);
    load.arguments
        .extend(["-device".into(), format!("loader,addr={address:#x},cpu-num=0")]);
    load
}

fn loaded_askew(stage: &mut Stage) -> Result<()> {
    let load = load_at(&kernel(stage)?, 0x4020_1000);
    let mut board = stage.boot_virt(&load)?;
    board.expect("^holstein: loaded at 0000000040201000, which is no multiple of 2 MiB")?;
    Ok(())
}

fn entered_at_el3(stage: &mut Stage) -> Result<()> {
    let mut load = load_at(&kernel(stage)?, 0x4020_0000);
    load.arguments.extend(["-machine".into(), "secure=on".into()]);
    let mut board = stage.boot_virt(&load)?;
    board.expect("^holstein: entered at EL3")?;
    Ok(())
}

/// A kernel with an instruction that no processor has, where the tables are made.
fn damaged(stage: &Stage) -> Result<PathBuf> {
    // msr mdscr_el1, x9: the first instruction of `turn_mmu_on`.
    const FIRST: [u8; 4] = 0xd510_0249u32.to_le_bytes();
    let mut image = std::fs::read(kernel(stage)?)?;
    let at = image
        .chunks_exact(4)
        .position(|word| word == FIRST)
        .context("turn_mmu_on was not found")?;
    image[4 * at..][..4].fill(0);
    let path = stage.file("damaged.img");
    std::fs::write(&path, image)?;
    Ok(path)
}

fn exception(stage: &mut Stage, machine: &Machine) -> Result<()> {
    let load = Load {
        kernel: Some(damaged(stage)?),
        ..Load::default()
    };
    let mut board = stage.boot(machine, &load)?;
    board.expect("^holstein: exception before the kernel runs, behind stage T. ESR 0000000002000000 ELR 0000000040200[0-9a-f]{3} FAR")?;
    Ok(())
}

/// And the LED blinks as often as stages were done.
fn exception_on_raspi4b(stage: &mut Stage) -> Result<()> {
    let monitor = Monitor::new(stage.file("monitor"));
    let mut load = Load {
        kernel: Some(damaged(stage)?),
        ..Load::default()
    };
    load.arguments.extend(monitor.arguments());
    let mut board = stage.boot(&Machine::raspi4b()?, &load)?;
    board.expect("^H1T$")?;
    board.expect("^holstein: exception before the kernel runs, behind stage T")?;
    let blinks = blinks_before_a_pause(&monitor)?;
    ensure!(blinks == 3, "the LED blinks {blinks} times");
    Ok(())
}

/// How often the LED goes on between two pauses of more than a second.
fn blinks_before_a_pause(monitor: &Monitor) -> Result<u32> {
    const PAUSE: Duration = Duration::from_millis(1000);
    let end = Instant::now() + Duration::from_secs(15);
    let (mut was_on, mut since, mut pauses, mut blinks) = (is_lit(monitor)?, Instant::now(), 0, 0);
    while Instant::now() < end {
        let is_on = is_lit(monitor)?;
        if is_on && !was_on {
            pauses += u32::from(since.elapsed() > PAUSE);
            if pauses == 2 {
                return Ok(blinks);
            }
            blinks += u32::from(pauses == 1);
        }
        if is_on != was_on {
            (was_on, since) = (is_on, Instant::now());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    anyhow::bail!("the LED made {pauses} pauses in 15 seconds")
}

/// GPIO42, in the second word of GPLEV.
fn is_lit(monitor: &Monitor) -> Result<bool> {
    let text = monitor.order(&["xp /1wx 0xfe200038"])?;
    let (_, rest) = text.split_once("fe200038: 0x").context("the LED's pin")?;
    let word = rest.get(..8).context("a word")?;
    Ok(u32::from_str_radix(word, 16)? & 1 << 10 != 0)
}

/// A kernel to which each read of ID_AA64MMFR0_EL1 says that the processor has ASIDs of 8 bits, as no model of QEMU has.
fn with_short_asids(stage: &Stage) -> Result<PathBuf> {
    const READ: u32 = 0xd538_0700;
    const SHORT_ASIDS: u32 = 0x1102;
    const MOVZ: u32 = 0xd280_0000 | SHORT_ASIDS << 5;
    let mut image = std::fs::read(kernel(stage)?)?;
    let mut reads = 0;
    for word in image.chunks_exact_mut(4) {
        let (instruction, register) = (u32::from_le_bytes(word.try_into()?) & !31, word[0] & 31);
        if instruction == READ {
            word.copy_from_slice(&(MOVZ | u32::from(register)).to_le_bytes());
            reads += 1;
        }
    }
    ensure!(reads > 0, "nobody reads ID_AA64MMFR0_EL1");
    let path = stage.file("short_asids.img");
    std::fs::write(&path, image)?;
    Ok(path)
}

/// The tree of a virt board with `more`, whose console is its second UART.
fn tree_with_second_console(stage: &Stage, more: &[String]) -> Result<PathBuf> {
    const SECOND: &str = "/pl011@9040000";
    let path = stage.file("second.dtb");
    let mut command = Machine::Virt(Virt::default()).command();
    command.args(more).arg("-machine");
    files::run(command.arg(format!("dumpdtb={}", path.display())))?;
    let blob = std::fs::read(&path)?;
    let blob = Fdt::new(&blob).map_err(|error| anyhow!("not a device tree: {error}"))?;
    let mut tree = DeviceTree::from_fdt(&blob);
    ensure!(tree.find_node_mut(SECOND).is_some(), "QEMU has no second UART");
    let chosen = tree.find_node_mut("/chosen").context("no /chosen")?;
    let name = format!("{SECOND}\0").into_bytes();
    match chosen.property_mut("stdout-path") {
        Some(property) => property.set_value(name),
        None => chosen.add_property(DeviceTreeProperty::new_unchecked("stdout-path", name)),
    }
    std::fs::write(&path, tree.to_dtb())?;
    Ok(path)
}

/// What the kernel refuses is said on the UART that the tree names, which nobody would guess, and the board is turned off.
fn refused_processor(stage: &mut Stage) -> Result<()> {
    const REFUSAL: &str = "no 16-bit ASIDs";
    let said = stage.file("second.txt");
    let second = ["-serial".to_owned(), format!("file:{}", said.display())];
    let tree = tree_with_second_console(stage, &second)?;
    let mut load = Load {
        kernel: Some(with_short_asids(stage)?),
        ..Load::default()
    };
    load.arguments.extend(second);
    load.arguments.extend(["-dtb".into(), tree.display().to_string()]);
    let mut board = stage.boot_virt(&load)?;
    board.expect_end()?;
    let said = std::fs::read_to_string(&said)?;
    ensure!(said.contains(REFUSAL), "on the tree's UART: {said:?}");
    let guessed = stage.transcript();
    ensure!(!guessed.contains(REFUSAL), "on the likely UART: {guessed:?}");
    Ok(())
}
