//! The two parts of a Raspberry Pi 4 card that no common tool makes: the partition table in front of the boot partition,
//! and the board's device tree with its console moved to the PL011.

use anyhow::{Context, Result, anyhow, ensure};
use dtoolkit::fdt::Fdt;
use dtoolkit::model::{DeviceTree, DeviceTreeProperty};

const SECTOR: usize = 512;
/// The boot partition begins at 1 MiB, where partitioning tools put it.
const PARTITION_START: usize = 2048 * SECTOR;
const DISK_ID: u32 = 0x484f_4c53;
const CONSOLE: &str = "serial0:115200n8";

/// The card: an MBR that names one active FAT32 partition, then the partition's bytes from 1 MiB on. Both together must
/// be a power of two, as QEMU asks of a card.
pub fn card(partition: &[u8]) -> Result<Vec<u8>> {
    let length = PARTITION_START + partition.len();
    ensure!(
        length.is_power_of_two(),
        "a card of {length} bytes: the partition must fill it to a power of two"
    );
    let mut card = mbr(partition.len())?.to_vec();
    card.resize(PARTITION_START, 0);
    card.extend(partition);
    Ok(card)
}

/// A master boot record with one active primary partition of type 0x0c (FAT32, LBA).
fn mbr(partition_length: usize) -> Result<[u8; SECTOR]> {
    // Cylinder, head and sector of an address that only LBA can express.
    const BEYOND_CHS: [u8; 3] = [0xfe, 0xff, 0xff];
    let start = u32::try_from(PARTITION_START / SECTOR)?;
    let sectors = u32::try_from(partition_length / SECTOR).context("the card is too large for an MBR")?;
    let mut mbr = [0; SECTOR];
    mbr[440..444].copy_from_slice(&DISK_ID.to_le_bytes());
    mbr[446] = 0x80;
    mbr[447..450].copy_from_slice(&BEYOND_CHS);
    mbr[450] = 0x0c;
    mbr[451..454].copy_from_slice(&BEYOND_CHS);
    mbr[454..458].copy_from_slice(&start.to_le_bytes());
    mbr[458..462].copy_from_slice(&sectors.to_le_bytes());
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
    fn the_partition_table_names_one_active_fat32_partition() {
        let partition = vec![0xfa; (8 << 20) - PARTITION_START];
        let card = card(&partition).unwrap();
        assert_eq!(card[510..512], [0x55, 0xaa]);
        assert_eq!((card[446], card[450]), (0x80, 0x0c));
        assert_eq!(card[454..458], 2048u32.to_le_bytes());
        let sectors = u32::from_le_bytes(card[458..462].try_into().unwrap());
        assert_eq!((2048 + sectors as usize) * SECTOR, card.len());
        assert!(
            card[462..510].iter().all(|&byte| byte == 0),
            "the other three entries are empty"
        );
        assert!(card[PARTITION_START..] == partition);
    }

    #[test]
    fn a_card_that_qemu_would_refuse_is_refused() {
        assert!(card(&[0; 4096]).unwrap_err().to_string().contains("power of two"));
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
