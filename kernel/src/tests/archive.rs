//! An initramfs made by tests: programs are ELF files without code, of which only the entry counts.

/// An archive in cpio's newc form of files, folders and nothing else: path, mode, contents.
pub fn cpio(entries: &[(&str, u32, Vec<u8>)]) -> Vec<u8> {
    let mut archive = Vec::new();
    let trailer = [("TRAILER!!!", 0, Vec::new())];
    for (number, (path, mode, data)) in entries.iter().chain(&trailer).enumerate() {
        let fields = [
            number as u32 + 1,
            *mode,
            0,
            0,
            1,
            0,
            data.len() as u32,
            0,
            0,
            0,
            0,
            path.len() as u32 + 1,
            0,
        ];
        archive.extend(b"070701");
        fields
            .iter()
            .for_each(|field| archive.extend(format!("{field:08X}").bytes()));
        archive.extend(path.bytes().chain([0]));
        archive.resize(archive.len().next_multiple_of(4), 0);
        archive.extend(data);
        archive.resize(archive.len().next_multiple_of(4), 0);
    }
    archive
}

/// A static program for AArch64 (elf(5)) with one segment that is code, at `entry`, and one page of data behind it.
pub fn elf(entry: u64) -> Vec<u8> {
    let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    file.extend(2_u16.to_le_bytes());
    file.extend(183_u16.to_le_bytes());
    file.extend(1_u32.to_le_bytes());
    for word in [entry, 64, 0] {
        file.extend(word.to_le_bytes());
    }
    file.extend(0_u32.to_le_bytes());
    for half in [64_u16, 56, 2, 0, 0, 0] {
        file.extend(half.to_le_bytes());
    }
    for (flags, at) in [(5_u32, entry), (6, entry + 0x1000)] {
        file.extend(1_u32.to_le_bytes());
        file.extend(flags.to_le_bytes());
        for word in [0_u64, at, at, 0x1000, 0x1000, 0x1000] {
            file.extend(word.to_le_bytes());
        }
    }
    file.resize(0x1000, 0);
    file
}
