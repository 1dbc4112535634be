//! Writer for the newc form of cpio, the archive that Linux's initramfs is made of
//! (Linux, Documentation/driver-api/early-userspace/buffer-format.rst).

use anyhow::{Context, Result, ensure};

/// File types, the upper bits of a mode (inode(7)).
pub mod file_type {
    /// Named pipe.
    pub const FIFO: u32 = 0o010_000;
    /// Character device.
    pub const CHARACTER: u32 = 0o020_000;
    /// Directory.
    pub const DIRECTORY: u32 = 0o040_000;
    /// Block device.
    pub const BLOCK: u32 = 0o060_000;
    /// Regular file.
    pub const REGULAR: u32 = 0o100_000;
    /// Symbolic link; the data is the target.
    pub const LINK: u32 = 0o120_000;
}

/// One member of an archive. Its modification time is 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Path without a leading slash.
    pub path: String,
    /// File type and permissions.
    pub mode: u32,
    /// Contents of a file, target of a link, empty otherwise.
    pub data: Vec<u8>,
    /// Major and minor number of a device.
    pub device: (u32, u32),
    /// Numbers of its user and its group.
    pub owner: (u32, u32),
}

const TRAILER: &str = "TRAILER!!!";

/// The archive of the entries, in the order given, with its trailer and padded to 512 bytes as cpio does.
pub fn archive(entries: &[Entry]) -> Result<Vec<u8>> {
    let mut archive = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let inode = u32::try_from(index + 1).context("too many files")?;
        append(&mut archive, inode, entry)?;
    }
    append(
        &mut archive,
        0,
        &Entry {
            path: TRAILER.into(),
            ..Entry::default()
        },
    )?;
    pad(&mut archive, 512);
    Ok(archive)
}

fn append(archive: &mut Vec<u8>, inode: u32, entry: &Entry) -> Result<()> {
    ensure!(
        !entry.path.starts_with('/') && !entry.path.is_empty(),
        "bad path {:?}",
        entry.path
    );
    let size = u32::try_from(entry.data.len()).with_context(|| format!("{} is too long", entry.path))?;
    let name_size = u32::try_from(entry.path.len() + 1)?;
    let links = if entry.mode & file_type::DIRECTORY == file_type::DIRECTORY {
        2
    } else {
        1
    };
    let (major, minor) = entry.device;
    let (user, group) = entry.owner;
    archive.extend(b"070701");
    for field in [
        inode, entry.mode, user, group, links, 0, size, 0, 0, major, minor, name_size, 0,
    ] {
        archive.extend(format!("{field:08x}").bytes());
    }
    archive.extend(entry.path.bytes().chain([0]));
    pad(archive, 4);
    archive.extend(&entry.data);
    pad(archive, 4);
    Ok(())
}

fn pad(archive: &mut Vec<u8>, unit: usize) {
    archive.resize(crate::align_up(archive.len(), unit), 0);
}
