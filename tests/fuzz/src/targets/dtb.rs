//! The device tree, which the firmware hands over.

use crate::seeds;
use formats::dtb::{DeviceTree, InitrdRange, Machine};

pub const WORDS: &[&[u8]] = &[
    b"\xd0\x0d\xfe\xed",
    b"\0\0\0\x01",
    b"\0\0\0\x02",
    b"\0\0\0\x03",
    b"\0\0\0\x04",
    b"\0\0\0\x09",
    b"reg\0",
    b"ranges\0",
    b"compatible\0",
    b"arm,pl011\0",
    b"#address-cells\0",
    b"memory\0",
    b"no-map\0",
];

pub fn run(bytes: &[u8]) -> bool {
    let claimed = DeviceTree::claimed_len(bytes);
    let machine = match Machine::from_device_tree(bytes) {
        Ok(machine) => machine,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return false;
        }
    };
    assert!(claimed.is_ok_and(|len| len <= bytes.len()));
    assert!(machine.ram.iter().all(|range| range.size > 0), "an empty range");
    for range in machine
        .ram
        .iter()
        .chain(machine.reserved.iter().map(|reserved| &reserved.range))
    {
        assert!(range.end() >= range.start);
    }
    for name in &machine.compatible {
        assert!(machine.is_compatible(name));
    }
    if let InitrdRange::At(range) = machine.chosen.initrd {
        assert!(range.size > 0 && range.end() > range.start);
    }
    true
}

/// What QEMU hands to a kernel, with both interrupt controllers, and a tree like that of a board.
pub fn seeds() -> Vec<Vec<u8>> {
    const BOARD: &[u8] = include_bytes!("../../../../kernel/formats/tests/trees/board.dts");
    vec![
        seeds::device_tree("virt,gic-version=2"),
        seeds::device_tree("virt,gic-version=3,virtualization=on"),
        seeds::filter("dtc", &["-q", "-I", "dts", "-O", "dtb"], BOARD),
    ]
}
