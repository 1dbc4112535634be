//! /dev/zram0, a disk in memory, for as long as somebody wants one, and swap space on it.

use abi::file::OpenFlags;
use alloc::format;
use alloc::vec;

use crate::runtime::file::{self, File};
use crate::runtime::memory::PAGE;
use crate::runtime::{Result, swap};

/// Its node.
const NODE: &str = "/dev/zram0";
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

/// Swap space on that disk. When it ends, all that is in it comes back.
pub struct SwapArea {
    disk: CompressedDisk,
}

impl SwapArea {
    /// Of so many pages, with its header; `None` as [`CompressedDisk::take`].
    pub fn begin(pages: usize) -> Result<Option<SwapArea>> {
        let Some(disk) = CompressedDisk::take(pages * PAGE) else {
            return Ok(None);
        };
        write_header(&disk, pages)?;
        swap::begin(NODE)?;
        Ok(Some(SwapArea { disk }))
    }

    /// swapoff(2).
    pub fn end(self) -> Result<()> {
        let ended = swap::end(NODE);
        drop(self.disk);
        ended
    }
}

/// What mkswap(8) writes.
fn write_header(disk: &CompressedDisk, pages: usize) -> Result<()> {
    const INFO: usize = 1024;
    let mut page = vec![0; PAGE];
    let (version, last_page) = (1u32, pages as u32 - 1);
    page[INFO..INFO + 4].copy_from_slice(&version.to_le_bytes());
    page[INFO + 4..INFO + 8].copy_from_slice(&last_page.to_le_bytes());
    page[PAGE - 10..].copy_from_slice(b"SWAPSPACE2");
    disk.open()?.write(&page)
}
