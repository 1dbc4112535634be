//! Memory as a device tree describes it: several ranges, holes, reservations, none at all, or no device tree. QEMU's
//! own loader always writes what it knows, so a small stub stands in for the firmware and hands over a tree made here.

use crate::boot::{memory_total, power_off};
use anyhow::{Context, Result, anyhow, ensure};
use dtoolkit::fdt::Fdt;
use dtoolkit::model::{DeviceTree, DeviceTreeNode, DeviceTreeProperty};
use tests::qemu::Load;
use tests::{Kernel, Machine, Scene, Session, Stage, Virt, files};

pub const SCENES: &[Scene] = &[
    Scene::holstein("ram.ranges_with_a_hole", ranges_with_a_hole),
    Scene::holstein("ram.reserved_memory", reserved_memory),
    Scene::holstein("ram.none", |stage| {
        no_start(stage, Some(tree_with_ranges(stage, &[])?), "(?i)memory|RAM")
    }),
    Scene::holstein("ram.no_device_tree", |stage| {
        no_start(stage, None, "(?i)device tree")
    }),
    Scene::holstein("ram.no_device_tree_on_raspi4b", no_device_tree_on_raspi4b),
];

const RAM: u64 = 0x4000_0000;
const STUB: u64 = 0x4010_0000;
const KERNEL: u64 = 0x4020_0000;
const TREE: u64 = 0x4800_0000;
const MIB: u64 = 1 << 20;

/// The tree that QEMU makes for the virt board with 1 GiB.
fn virt_tree(stage: &Stage) -> Result<DeviceTree> {
    let path = stage.file("virt.dtb");
    let mut command = Machine::Virt(Virt::default()).command();
    files::run(command.arg("-machine").arg(format!("dumpdtb={}", path.display())))?;
    let blob = std::fs::read(path)?;
    let tree = Fdt::new(&blob).map_err(|error| anyhow!("{error}"))?;
    Ok(DeviceTree::from_fdt(&tree))
}

fn cells(ranges: &[(u64, u64)]) -> Vec<u8> {
    ranges
        .iter()
        .flat_map(|(start, length)| [start.to_be_bytes(), length.to_be_bytes()].concat())
        .collect()
}

/// QEMU's tree with these memory ranges in place of its own.
fn tree_with_ranges(stage: &Stage, ranges: &[(u64, u64)]) -> Result<DeviceTree> {
    let mut tree = virt_tree(stage)?;
    let name = format!("memory@{RAM:x}");
    tree.root
        .remove_child(&name)
        .with_context(|| format!("QEMU's tree has no {name}"))?;
    if !ranges.is_empty() {
        let mut memory = DeviceTreeNode::new_unchecked(name);
        memory.add_property(DeviceTreeProperty::new_unchecked("device_type", "memory"));
        memory.add_property(DeviceTreeProperty::new_unchecked("reg", cells(ranges).as_slice()));
        tree.root.add_child(memory);
    }
    Ok(tree)
}

/// The first instructions: x0 = device tree, jump to the kernel.
fn stub(tree: u64) -> Vec<u8> {
    const LDR_X0_AT_16: u32 = 0x5800_0080;
    const LDR_X4_AT_24: u32 = 0x5800_00a4;
    const BR_X4: u32 = 0xd61f_0080;
    const NOP: u32 = 0xd503_201f;
    let code = [LDR_X0_AT_16, LDR_X4_AT_24, BR_X4, NOP]
        .into_iter()
        .flat_map(u32::to_le_bytes);
    code.chain(tree.to_le_bytes())
        .chain(KERNEL.to_le_bytes())
        .collect()
}

/// Boots the kernel with this device tree, or with none.
fn boot(stage: &mut Stage, tree: Option<DeviceTree>) -> Result<Session> {
    let Kernel::Holstein(kernel) = stage.kernel.clone() else {
        anyhow::bail!("only for Holstein")
    };
    let (stub_file, tree_file) = (stage.file("stub"), stage.file("made.dtb"));
    let mut load = Load::default();
    let mut place = |file: &std::path::Path, address: u64| {
        load.arguments.push("-device".into());
        load.arguments.push(format!(
            "loader,force-raw=on,addr={address:#x},file={}",
            file.display()
        ));
    };
    std::fs::write(&stub_file, stub(if tree.is_some() { TREE } else { 0 }))?;
    place(&stub_file, STUB);
    place(&kernel, KERNEL);
    if let Some(tree) = tree {
        std::fs::write(&tree_file, tree.to_dtb())?;
        place(&tree_file, TREE);
    }
    load.arguments
        .extend(["-device".into(), format!("loader,addr={STUB:#x},cpu-num=0")]);
    stage.boot_virt(&load)
}

fn ranges_with_a_hole(stage: &mut Stage) -> Result<()> {
    let tree = tree_with_ranges(
        stage,
        &[
            (RAM, 300 * MIB),
            (RAM + 700 * MIB, 200 * MIB),
            (RAM + 1000 * MIB, 7 * MIB),
        ],
    )?;
    let mut shell = boot(stage, Some(tree))?;
    shell.expect_prompt()?;
    let found = memory_total(&mut shell)?;
    ensure!((450..=507).contains(&found), "{found} MiB found of 507");
    power_off(&mut shell)
}

fn reserved_memory(stage: &mut Stage) -> Result<()> {
    let mut tree = tree_with_ranges(stage, &[(RAM, 512 * MIB)])?;
    let mut reserved = DeviceTreeNode::new_unchecked("reserved-memory");
    reserved.add_property(DeviceTreeProperty::new_unchecked("#address-cells", 2u32));
    reserved.add_property(DeviceTreeProperty::new_unchecked("#size-cells", 2u32));
    reserved.add_property(DeviceTreeProperty::new_unchecked("ranges", [0u8; 0].as_slice()));
    let start = RAM + 256 * MIB;
    let mut range = DeviceTreeNode::new_unchecked(format!("firmware@{start:x}"));
    range.add_property(DeviceTreeProperty::new_unchecked(
        "reg",
        cells(&[(start, 200 * MIB)]).as_slice(),
    ));
    range.add_property(DeviceTreeProperty::new_unchecked("no-map", [0u8; 0].as_slice()));
    reserved.add_child(range);
    tree.root.add_child(reserved);
    let mut shell = boot(stage, Some(tree))?;
    shell.expect_prompt()?;
    let found = memory_total(&mut shell)?;
    ensure!((270..=312).contains(&found), "{found} MiB found of 312");
    power_off(&mut shell)
}

/// The kernel must say what is missing, and power off.
fn no_start(stage: &mut Stage, tree: Option<DeviceTree>, message: &str) -> Result<()> {
    let mut board = boot(stage, tree)?;
    board.expect(message)?;
    board.expect_end()
}

fn no_device_tree_on_raspi4b(stage: &mut Stage) -> Result<()> {
    let load = stage.load();
    let mut board = stage.boot(&Machine::Raspi4b { device_tree: None }, &load)?;
    board.expect("(?i)device tree")?;
    board.expect_end()
}
