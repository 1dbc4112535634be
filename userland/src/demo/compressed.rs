//! /dev/zram0, a disk in memory, for as long as a story wants one.

use abi::file::OpenFlags;
use alloc::format;

use crate::runtime::Result;
use crate::runtime::file::{self, File};

/// Its node.
pub const NODE: &str = "/dev/zram0";
/// Its settings.
const SETTINGS: &str = "/sys/block/zram0";

/// The disk. It is gone, with all that is on it, when this is dropped.
pub struct CompressedDisk;

impl CompressedDisk {
    /// Makes it of so many bytes; `None` where there is none, somebody has it already, or the caller may not.
    pub fn take(bytes: usize) -> Option<CompressedDisk> {
        let state = file::read_text(&format!("{SETTINGS}/initstate")).ok()?;
        if state.trim() != "0" {
            return None;
        }
        set("disksize", &format!("{bytes}")).ok()?;
        Some(CompressedDisk)
    }

    /// The disk as a file.
    pub fn open(&self) -> Result<File> {
        File::open(NODE, OpenFlags::O_RDWR | OpenFlags::O_CLOEXEC, 0)
    }
}

impl Drop for CompressedDisk {
    fn drop(&mut self) {
        // Where somebody began to use it meanwhile it stays.
        let _ = set("reset", "1");
    }
}

fn set(name: &str, value: &str) -> Result<()> {
    let setting = File::open(
        &format!("{SETTINGS}/{name}"),
        OpenFlags::O_WRONLY | OpenFlags::O_CLOEXEC,
        0,
    )?;
    setting.write(value.as_bytes())
}
