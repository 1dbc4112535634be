//! The two parts of a Raspberry Pi 4 card that no common tool makes: the partition table in front of the boot partition,
//! and the board's device tree with its console moved to the PL011.

use anyhow::{Context, Result, anyhow, ensure};
use dtoolkit::fdt::Fdt;
use dtoolkit::model::{DeviceTree, DeviceTreeProperty};
use std::borrow::Cow;

const SECTOR: usize = 512;
/// The boot partition begins at 1 MiB, where partitioning tools put it.
const PARTITION_START: usize = 2048 * SECTOR;
const DISK_ID: u32 = 0x484f_4c53;
/// Types of partitions.
const FAT32_LBA: u8 = 0x0c;
const LINUX: u8 = 0x83;
const CONSOLE: &str = "serial0:115200n8";

/// The parts of a card, with the byte where each begins: an MBR that names an active FAT32 partition at 1 MiB and a Linux partition behind
/// it, then the bytes of both. Together they must be a power of two, as QEMU asks of a card.
pub fn card<'a>(boot: &'a [u8], root: &'a [u8]) -> Result<Vec<(usize, Cow<'a, [u8]>)>> {
    let root_start = PARTITION_START + boot.len();
    let length = root_start + root.len();
    ensure!(
        length.is_power_of_two(),
        "a card of {length} bytes: the partitions must fill it to a power of two"
    );
    let table = mbr(&[
        (FAT32_LBA, PARTITION_START, boot.len()),
        (LINUX, root_start, root.len()),
    ])?;
    Ok(vec![
        (0, table.to_vec().into()),
        (PARTITION_START, boot.into()),
        (root_start, root.into()),
    ])
}

/// A master boot record with primary partitions, each with type, first byte and length; the first is active.
fn mbr(partitions: &[(u8, usize, usize)]) -> Result<[u8; SECTOR]> {
    // Cylinder, head and sector of an address that only LBA can express.
    const BEYOND_CHS: [u8; 3] = [0xfe, 0xff, 0xff];
    let mut mbr = [0; SECTOR];
    mbr[440..444].copy_from_slice(&DISK_ID.to_le_bytes());
    mbr[446] = 0x80;
    for (entry, (kind, start, length)) in mbr[446..510].chunks_exact_mut(16).zip(partitions) {
        let start = u32::try_from(start / SECTOR).context("the card is too large for an MBR")?;
        let sectors = u32::try_from(length / SECTOR).context("the card is too large for an MBR")?;
        entry[1..4].copy_from_slice(&BEYOND_CHS);
        entry[4] = *kind;
        entry[5..8].copy_from_slice(&BEYOND_CHS);
        entry[8..12].copy_from_slice(&start.to_le_bytes());
        entry[12..].copy_from_slice(&sectors.to_le_bytes());
    }
    mbr[510..].copy_from_slice(&[0x55, 0xaa]);
    Ok(mbr)
}

/// A copy of the board's device tree whose console is serial0, the PL011, in place of the mini UART.
pub fn with_console_on_serial0(blob: &[u8]) -> Result<Vec<u8>> {
    let blob = Fdt::new(blob).map_err(|error| anyhow!("not a device tree: {error}"))?;
    let mut tree = DeviceTree::from_fdt(&blob);
    let chosen = tree
        .find_node_mut("/chosen")
        .context("the device tree has no /chosen")?;
    match chosen.property_mut("stdout-path") {
        Some(property) => property.set_value(CONSOLE),
        None => chosen.add_property(DeviceTreeProperty::new_unchecked("stdout-path", CONSOLE)),
    }
    Ok(tree.to_dtb())
}

#[cfg(test)]
mod tests {
    use super::*;
    use dtoolkit::model::DeviceTreeNode;

    #[test]
    fn the_partition_table_names_both_partitions() {
        let (boot, root) = (vec![0xfa; (4 << 20) - PARTITION_START], vec![0xfb; 4 << 20]);
        let parts = card(&boot, &root).unwrap();
        let table = &parts[0].1;
        assert_eq!(table[510..512], [0x55, 0xaa]);
        let entry = |at: usize| {
            let number = |at: usize| u32::from_le_bytes(table[at..at + 4].try_into().unwrap());
            (table[at], table[at + 4], number(at + 8), number(at + 12))
        };
        assert_eq!(entry(446), (0x80, 0x0c, 2048, 6144));
        assert_eq!(entry(462), (0, 0x83, 8192, 8192));
        assert!(table[478..510].iter().all(|&byte| byte == 0));
        assert!(parts[1] == (PARTITION_START, boot.as_slice().into()));
        assert!(parts[2] == (4 << 20, root.as_slice().into()));
    }

    #[test]
    fn a_card_that_qemu_would_refuse_is_refused() {
        let refused = card(&[0; 4096], &[0; 4096]).unwrap_err();
        assert!(refused.to_string().contains("power of two"));
    }

    #[test]
    fn the_console_moves_to_serial0() {
        for stdout in [None, Some("serial1:115200n8")] {
            let mut tree = DeviceTree::new();
            let mut chosen = DeviceTreeNode::new("chosen").unwrap();
            if let Some(path) = stdout {
                chosen.add_property(DeviceTreeProperty::new("stdout-path", path).unwrap());
            }
            tree.root.add_child(chosen);
            let patched = with_console_on_serial0(&tree.to_dtb()).unwrap();
            let text = String::from_utf8_lossy(&patched).into_owned();
            assert!(
                text.contains("serial0:115200n8\0") && !text.contains("serial1"),
                "{stdout:?}"
            );
        }
        assert!(with_console_on_serial0(b"no device tree").is_err());
    }
}
