//! A guest's RAM in a file, which QEMU's plugins read: `tests/checker`.

use anyhow::{Context, Result};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// The file, which goes when this does.
pub struct RamFile {
    path: PathBuf,
    base: u64,
    size: u64,
}

/// Where it lies: in memory where the host has such a place.
fn folder() -> PathBuf {
    let shared = Path::new("/dev/shm");
    if shared.is_dir() {
        shared.to_owned()
    } else {
        std::env::temp_dir()
    }
}

impl RamFile {
    /// For so many bytes from physical address `base` on.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn new(base: u64, size: u64) -> Result<RamFile> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = folder().join(format!("holstein-{}-{number}.ram", std::process::id()));
        File::create(&path)
            .and_then(|file| file.set_len(size))
            .with_context(|| path.display().to_string())?;
        Ok(RamFile { path, base, size })
    }

    /// What a plugin must be told.
    pub fn options(&self) -> String {
        let (ram, base, size) = (self.path.display(), self.base, self.size);
        format!("ram={ram},base={base:#x},size={size}")
    }

    /// What QEMU must be told.
    pub fn arguments(&self) -> [String; 4] {
        let (ram, size) = (self.path.display(), self.size);
        let memory = format!("memory-backend-file,id=ram,size={size},mem-path={ram},share=on");
        [
            "-machine".to_owned(),
            "memory-backend=ram".to_owned(),
            "-object".to_owned(),
            memory,
        ]
    }
}

impl Drop for RamFile {
    fn drop(&mut self) {
        // It may be gone already, and in the way of nobody if it is not.
        let _ = std::fs::remove_file(&self.path);
    }
}
