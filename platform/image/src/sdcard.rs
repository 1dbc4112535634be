//! The card image that a Raspberry Pi 4 boots: an MBR, and from sector 2048 one FAT32 partition.

use anyhow::{Context, Result};
use dtoolkit::fdt::Fdt;
use dtoolkit::model::{DeviceTree, DeviceTreeProperty};
use fatfs::{Dir, FatType, FileSystem, FormatVolumeOptions, FsOptions};
use std::io::{Cursor, Write};

const SECTOR: usize = 512;
/// The boot partition begins at 1 MiB, where partitioning tools put it.
const PARTITION_START: usize = 2048 * SECTOR;
/// The smallest card: FAT32 needs 65,525 clusters, and QEMU a power of two.
const SMALLEST: usize = 64 << 20;
/// Room for the FATs, folders and cluster ends, beyond the files' bytes.
const SPARE: usize = 8 << 20;
const VOLUME_ID: u32 = 0x484f_4c53;
const VOLUME_LABEL: [u8; 11] = *b"HOLSTEIN   ";

/// The card image with the given files, each by its path on the card.
pub fn card(files: &[(String, Vec<u8>)]) -> Result<Vec<u8>> {
    let needed = PARTITION_START + SPARE + files.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
    let mut card = vec![0; needed.next_power_of_two().max(SMALLEST)];
    let (start, partition) = card.split_at_mut(PARTITION_START);
    write_mbr(start, partition.len())?;
    write_fat(partition, files)?;
    Ok(card)
}

/// One active primary partition of type 0x0c (FAT32, LBA) behind the MBR.
fn write_mbr(mbr: &mut [u8], partition_length: usize) -> Result<()> {
    let start = u32::try_from(PARTITION_START / SECTOR)?;
    let sectors = u32::try_from(partition_length / SECTOR)?;
    // Cylinder, head and sector of an address that only LBA can express.
    let beyond_chs = [0xfe, 0xff, 0xff];
    mbr[440..444].copy_from_slice(&VOLUME_ID.to_le_bytes());
    let entry = &mut mbr[446..462];
    entry[0] = 0x80;
    entry[1..4].copy_from_slice(&beyond_chs);
    entry[4] = 0x0c;
    entry[5..8].copy_from_slice(&beyond_chs);
    entry[8..12].copy_from_slice(&start.to_le_bytes());
    entry[12..16].copy_from_slice(&sectors.to_le_bytes());
    mbr[510..512].copy_from_slice(&[0x55, 0xaa]);
    Ok(())
}

fn write_fat(partition: &mut [u8], files: &[(String, Vec<u8>)]) -> Result<()> {
    let options = FormatVolumeOptions::new()
        .fat_type(FatType::Fat32)
        .volume_id(VOLUME_ID)
        .volume_label(VOLUME_LABEL);
    fatfs::format_volume(Cursor::new(&mut *partition), options).context("formatting FAT32")?;
    let volume = FileSystem::new(Cursor::new(partition), FsOptions::new())?;
    for (path, bytes) in files {
        write_file(volume.root_dir(), path, bytes).with_context(|| path.clone())?;
    }
    volume.unmount()?;
    Ok(())
}

fn write_file(folder: Dir<Cursor<&mut [u8]>>, path: &str, bytes: &[u8]) -> Result<()> {
    match path.split_once('/') {
        Some((first, rest)) => write_file(folder.create_dir(first)?, rest, bytes),
        None => Ok(folder.create_file(path)?.write_all(bytes)?),
    }
}

/// A copy of the board's device tree whose console is serial0, the PL011, in place of the mini UART.
pub fn with_console_on_serial0(blob: &[u8]) -> Result<Vec<u8>> {
    let blob = Fdt::new(blob).map_err(|error| anyhow::anyhow!("not a device tree: {error}"))?;
    let mut tree = DeviceTree::from_fdt(&blob);
    let chosen = tree
        .find_node_mut("/chosen")
        .context("the device tree has no /chosen")?;
    let path = "serial0:115200n8";
    match chosen.property_mut("stdout-path") {
        Some(property) => property.set_value(path),
        None => chosen.add_property(DeviceTreeProperty::new_unchecked("stdout-path", path)),
    }
    Ok(tree.to_dtb())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn read(card: &mut [u8], path: &str) -> Vec<u8> {
        let partition = &mut card[PARTITION_START..];
        let volume = FileSystem::new(Cursor::new(partition), FsOptions::new()).unwrap();
        assert_eq!(volume.fat_type(), FatType::Fat32);
        let mut bytes = Vec::new();
        volume
            .root_dir()
            .open_file(path)
            .unwrap()
            .read_to_end(&mut bytes)
            .unwrap();
        bytes
    }

    #[test]
    fn a_card_gives_back_what_was_put_on_it() {
        let kernel: Vec<u8> = (0..3_000_000u32).map(|n| (n / 7) as u8).collect();
        let files = [
            ("kernel8.img".to_owned(), kernel),
            ("extlinux/extlinux.conf".to_owned(), b"label x\n".to_vec()),
        ];
        let mut made = card(&files).unwrap();
        assert_eq!(
            made,
            card(&files).unwrap(),
            "the same files must give the same card"
        );
        assert!(made.len().is_power_of_two());
        for (path, bytes) in &files {
            assert_eq!(&read(&mut made, path), bytes, "{path}");
        }
    }

    #[test]
    fn the_partition_table_names_one_active_fat32_partition() {
        let made = card(&[]).unwrap();
        assert_eq!(made[510..512], [0x55, 0xaa]);
        assert_eq!((made[446], made[450]), (0x80, 0x0c));
        assert_eq!(made[454..458], 2048u32.to_le_bytes());
        let sectors = u32::from_le_bytes(made[458..462].try_into().unwrap());
        assert_eq!((2048 + sectors as usize) * SECTOR, made.len());
        assert!(
            made[462..510].iter().all(|&byte| byte == 0),
            "three empty entries"
        );
    }

    #[test]
    fn the_console_moves_to_serial0() {
        for stdout in [None, Some("serial1:115200n8")] {
            let mut tree = DeviceTree::new();
            let mut chosen = dtoolkit::model::DeviceTreeNode::new("chosen").unwrap();
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
