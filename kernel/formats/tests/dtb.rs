//! Device trees: hand-made ones by dtc, QEMU's own for several machines, damaged ones.

mod here;

use formats::dtb::{
    Conduit, DeviceTree, DtbError, EnableMethod, Gic, InitrdRange, Machine, PhysRange, Reserved, ReservedBy,
    SdController, SdKind,
};
use proptest::prelude::*;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const fn range(start: u64, size: u64) -> PhysRange {
    PhysRange { start, size }
}

/// A source of `tests/trees`, where the checkout is now.
fn tree(name: &str) -> PathBuf {
    let folder = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR for tests");
    Path::new(&folder).join(format!("tests/trees/{name}.dts"))
}

/// Compiles a tree of `tests/trees`.
fn compile(name: &str) -> Vec<u8> {
    let path = tree(name);
    let output = Command::new("dtc")
        .args(["-q", "-I", "dts", "-O", "dtb"])
        .arg(path)
        .output();
    let output = output.expect("dtc (package device-tree-compiler) is needed");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// The tree that QEMU would hand to a kernel.
fn qemu(machine: &str, more: &[&str]) -> Vec<u8> {
    let file = format!(
        "{}/{}.dtb",
        here::scratch().display(),
        machine.replace([',', '='], "-")
    );
    let output = Command::new("qemu-system-aarch64")
        .args([
            "-M",
            &format!("{machine},dumpdtb={file}"),
            "-cpu",
            "cortex-a72",
            "-display",
            "none",
            "-nic",
            "none",
        ])
        .args(more)
        .output()
        .expect("qemu-system-aarch64 (package qemu-system-arm) is needed");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    std::fs::read(file).unwrap()
}

fn board() -> &'static [u8] {
    static BLOB: OnceLock<Vec<u8>> = OnceLock::new();
    BLOB.get_or_init(|| compile("board"))
}

#[test]
fn a_board_like_the_raspberry_pi() {
    let machine = Machine::from_device_tree(board()).unwrap();
    assert_eq!(machine.model.as_str(), "Board B");
    assert!(machine.is_compatible("brcm,bcm2711") && machine.is_compatible("maker,board-b"));
    let ram = [
        range(0, 0x3b40_0000),
        range(0x4000_0000, 0xbc00_0000),
        range(1 << 32, 0x8000_0000),
    ];
    assert_eq!(machine.ram[..], ram);
    let reserved = [
        Reserved {
            range: range(0, 0x1000),
            by: ReservedBy::Block,
        },
        Reserved {
            range: range(0x100_0000, 0x1_0000),
            by: ReservedBy::NodeNoMap,
        },
        Reserved {
            range: range(0x300_0000, 0x8000),
            by: ReservedBy::Node,
        },
    ];
    assert_eq!(machine.reserved[..], reserved);
    assert_eq!(
        machine.chosen.bootargs.as_str(),
        "console=ttyAMA0,115200 rdinit=/init"
    );
    assert_eq!(
        machine.chosen.initrd,
        InitrdRange::At(range(0x800_0000, 0x1_2345))
    );
    let stdout = machine.chosen.stdout.as_ref().unwrap();
    assert_eq!(
        (stdout.path.as_str(), stdout.options.as_str()),
        ("/soc/serial@7e201000", "115200n8")
    );
    let uart = machine.uart.unwrap();
    assert_eq!(
        uart.registers,
        range(0xfe20_1000, 0x200),
        "not the first, but the one of stdout-path"
    );
    assert_eq!(
        (uart.interrupt, uart.clock_hz, uart.is_stdout),
        (Some(153), None, true)
    );
    let gic = Gic::V2 {
        distributor: range(0xff84_1000, 0x1000),
        cpu_interface: range(0xff84_2000, 0x2000),
    };
    assert_eq!(machine.gic, Some(gic));
    assert_eq!(
        (machine.timer.physical_interrupt, machine.timer.virtual_interrupt),
        (Some(30), Some(27))
    );
    assert_eq!((machine.psci, machine.wall_clock), (None, None));
    let cpus: Vec<_> = machine.cpus.iter().map(|cpu| (cpu.mpidr, cpu.enable)).collect();
    let spin = |release_address| EnableMethod::SpinTable { release_address };
    assert_eq!(
        cpus,
        [(0, spin(0xd8)), (1, spin(0xe0)), (2, EnableMethod::Unknown)]
    );
    assert_eq!(machine.mailbox, Some(range(0xfe00_b880, 0x40)));
    assert_eq!(machine.gpio, Some(range(0xfe20_0000, 0xb4)));
    assert_eq!(machine.generator, Some(range(0xfe10_4000, 0x28)));
    assert_eq!(machine.watchdog, Some(range(0xfe10_0000, 0x114)));
    let controller = |kind, start, sees_card| SdController {
        registers: range(start, 0x100),
        interrupt: 158,
        kind,
        sees_card,
    };
    let expected = [
        controller(SdKind::Emmc1, 0xfe30_0000, false),
        controller(SdKind::Emmc2, 0xfe34_0000, true),
    ];
    assert_eq!(machine.sd[..], expected);
}

#[test]
fn one_cell_addresses_nested_buses_and_gic_v3() {
    let machine = Machine::from_device_tree(&compile("narrow")).unwrap();
    assert_eq!(
        machine.ram[..],
        [range(0x4000_0000, 0x100_0000), range(0x5000_0000, 0x200_0000)]
    );
    let uart = machine.uart.unwrap();
    assert_eq!(uart.registers, range(0x0900_0020, 0x1000), "through both buses");
    assert_eq!(
        (uart.interrupt, uart.clock_hz, uart.is_stdout),
        (Some(33), Some(24_000_000), true)
    );
    let Some(Gic::V3 {
        distributor,
        redistributors,
        stride,
    }) = machine.gic
    else {
        panic!("GICv3 expected")
    };
    assert_eq!(
        (distributor, stride),
        (range(0x800_0000, 0x1_0000), Some(0x2_0000))
    );
    assert_eq!(
        redistributors[..],
        [range(0x80a_0000, 0xf6_0000), range(0x90a_0000, 0x6_0000)]
    );
    assert_eq!(
        (machine.timer.physical_interrupt, machine.timer.virtual_interrupt),
        (Some(30), Some(27))
    );
    assert_eq!(machine.psci, Some(Conduit::Smc));
    assert_eq!(
        (machine.cpus[0].mpidr, machine.cpus[0].enable),
        (1 << 32 | 1, EnableMethod::Psci)
    );
    assert_eq!(
        machine.chosen.initrd,
        InitrdRange::Malformed,
        "its end is before its start"
    );
    assert_eq!(machine.chosen.rng_seed[..], [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(machine.chosen.kaslr_seed, Some(0x0123_4567_89ab_cdef));
    assert_eq!(machine.mailbox, None, "a bus without ranges cannot be reached");
}

#[test]
fn qemus_machines() {
    // Without a kernel QEMU takes no command line; any file is one.
    let kernel = tree("narrow").display().to_string();
    let more = [
        "-smp",
        "2",
        "-m",
        "512",
        "-append",
        "quiet panic=1",
        "-kernel",
        &kernel,
    ];
    let blob = qemu("virt,gic-version=2", &more);
    let machine = Machine::from_device_tree(&blob).unwrap();
    assert_eq!(machine.model.as_str(), "linux,dummy-virt");
    assert_eq!(machine.virtio.len(), 32);
    let first = machine.virtio.iter().min_by_key(|place| place.interrupt).unwrap();
    assert_eq!(
        (first.registers, first.interrupt, first.is_coherent),
        (range(0xa00_0000, 0x200), 48, true)
    );
    let pci = machine.pci.unwrap();
    assert_eq!(
        (pci.configuration, pci.is_coherent),
        (range(0x40_1000_0000, 256 << 20), true)
    );
    assert_eq!(
        (pci.window, pci.window_on_bus),
        (range(0x1000_0000, 0x2eff_0000), 0x1000_0000)
    );
    // Four interrupts, which turn with the device and with the pin.
    let interrupts = [(0, 1), (1, 1), (1, 2), (5, 1), (7, 4)].map(|(device, pin)| pci.interrupt(device, pin));
    assert_eq!(interrupts, [35, 36, 37, 36, 37].map(Some));
    assert_eq!((pci.interrupts.len(), pci.interrupt(1, 0)), (16, None));
    assert_eq!(machine.ram[..], [range(0x4000_0000, 512 << 20)]);
    let uart = machine.uart.unwrap();
    assert_eq!(
        (uart.registers, uart.interrupt),
        (range(0x900_0000, 0x1000), Some(33))
    );
    assert_eq!((uart.clock_hz, uart.is_stdout), (Some(24_000_000), true));
    let gic = Gic::V2 {
        distributor: range(0x800_0000, 0x1_0000),
        cpu_interface: range(0x801_0000, 0x1_0000),
    };
    assert_eq!(machine.gic, Some(gic));
    assert_eq!(
        (machine.timer.physical_interrupt, machine.timer.virtual_interrupt),
        (Some(30), Some(27))
    );
    assert_eq!(machine.wall_clock, Some(range(0x901_0000, 0x1000)));
    assert_eq!((machine.psci, machine.cpus.len()), (Some(Conduit::Hvc), 2));
    assert_eq!(machine.chosen.rng_seed.len(), 32);
    assert!(machine.chosen.kaslr_seed.is_some());
    assert_eq!(machine.chosen.bootargs.as_str(), "quiet panic=1");

    let blob = qemu("virt,gic-version=3,virtualization=on", &["-smp", "4", "-m", "8G"]);
    let machine = Machine::from_device_tree(&blob).unwrap();
    assert_eq!(machine.ram[..], [range(0x4000_0000, 8 << 30)]);
    let Some(Gic::V3 {
        distributor,
        redistributors,
        stride: None,
    }) = machine.gic
    else {
        panic!("GICv3 expected")
    };
    assert_eq!(
        (distributor.start, redistributors[0].start),
        (0x800_0000, 0x80a_0000)
    );
    assert_eq!((machine.psci, machine.cpus.len()), (Some(Conduit::Smc), 4));
    assert_eq!(machine.cpus[3].mpidr, 3);
}

#[test]
fn memory_that_cannot_be_trusted_is_an_error() {
    let mut blob = board().to_vec();
    let ram = [0x3bu8, 0x40, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 0xbc, 0, 0, 0];
    let at = blob.windows(16).position(|window| window == ram).unwrap();
    // The property's length word lies before its value of 48 bytes: one entry shorter by a byte.
    let len = at - 8 - 8;
    assert_eq!(blob[len..len + 4], [0, 0, 0, 48]);
    blob[len + 3] = 47;
    assert_eq!(
        Machine::from_device_tree(&blob).unwrap_err(),
        DtbError::BadProperty("memory", "reg")
    );
}

#[test]
fn what_is_no_blob() {
    assert_eq!(DeviceTree::new(&[]).unwrap_err(), DtbError::NoMagic);
    assert_eq!(DeviceTree::new(&[0; 64]).unwrap_err(), DtbError::NoMagic);
    assert_eq!(DeviceTree::claimed_len(&board()[..8]), Ok(board().len()));
    assert!(matches!(
        DeviceTree::new(&board()[..100]),
        Err(DtbError::BadLength(_))
    ));
    let longer = [board(), &[0xaa; 100]].concat();
    assert!(DeviceTree::new(&longer).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let _ = Machine::from_device_tree(&bytes);
    }

    #[test]
    fn damaged_blobs_never_panic(damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut blob = board().to_vec();
        for (index, byte) in damage {
            *index.get_mut(&mut blob) = byte;
        }
        let _ = Machine::from_device_tree(&blob);
    }

    #[test]
    fn damaged_cells_never_panic(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), prop::sample::select(vec![
            0u32, 1, 2, 3, 4, 5, 9, 12, 0xff, 0x7fff_ffff, 0x8000_0000, 0xffff_fffc, u32::MAX,
        ])), 1..4),
    ) {
        let mut blob = board().to_vec();
        for (index, cell) in damage {
            let at = index.index(blob.len() / 4) * 4;
            blob[at..at + 4].copy_from_slice(&cell.to_be_bytes());
        }
        let _ = Machine::from_device_tree(&blob);
    }

    #[test]
    fn cut_blobs_never_panic(len in any::<prop::sample::Index>()) {
        let mut blob = board().to_vec();
        blob.truncate(len.index(blob.len()));
        prop_assert!(Machine::from_device_tree(&blob).is_err());
        let claimed = (blob.len() as u32).to_be_bytes();
        if let Some(word) = blob.get_mut(4..8) {
            word.copy_from_slice(&claimed);
        }
        let _ = Machine::from_device_tree(&blob);
    }
}
