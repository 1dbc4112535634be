//! A disk in memory, and the tools of the host.

use abi::Errno;
use block::BlockDevice;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

/// A generator of numbers that can be repeated (splitmix64).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }
}

/// A disk in memory.
pub struct Disk(Mutex<Vec<u8>>);

impl Disk {
    pub fn new(image: Vec<u8>) -> Arc<Disk> {
        Arc::new(Disk(Mutex::new(image)))
    }

    pub fn image(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }
}

impl BlockDevice for Disk {
    fn sectors(&self) -> u64 {
        self.0.lock().unwrap().len() as u64 / 512
    }

    fn read(&self, sector: u64, into: &mut [u8]) -> Result<(), Errno> {
        let bytes = self.0.lock().unwrap();
        let at = usize::try_from(sector)
            .unwrap()
            .checked_mul(512)
            .ok_or(Errno::EIO)?;
        into.copy_from_slice(bytes.get(at..at + into.len()).ok_or(Errno::EIO)?);
        Ok(())
    }

    fn write(&self, sector: u64, from: &[u8]) -> Result<(), Errno> {
        let mut bytes = self.0.lock().unwrap();
        let at = sector as usize * 512;
        bytes
            .get_mut(at..at + from.len())
            .ok_or(Errno::EIO)?
            .copy_from_slice(from);
        Ok(())
    }

    fn flush(&self) -> Result<(), Errno> {
        Ok(())
    }
}

/// A folder that goes away with the value.
pub struct Folder(pub PathBuf);

impl Folder {
    fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("fat-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn run(name: &str, arguments: &[&str]) -> Result<(), String> {
    let folders = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];
    let path = folders
        .iter()
        .map(|folder| Path::new(folder).join(name))
        .find(|path| path.exists());
    let path = path.unwrap_or_else(|| panic!("{name} is not installed (.ci/setup test)"));
    let done = Command::new(path)
        .args(arguments)
        .env("LC_ALL", "C.UTF-8")
        .output()
        .unwrap();
    if done.status.success() {
        return Ok(());
    }
    Err(format!(
        "{name}: {}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    ))
}

/// An empty file system with clusters of so many sectors, as small as FAT32 may be.
pub fn make(per_cluster: u64) -> Vec<u8> {
    let folder = Folder::new();
    let path = folder.0.join("image");
    std::fs::File::create(&path)
        .unwrap()
        .set_len(per_cluster * (36 << 20))
        .unwrap();
    run(
        "mkfs.fat",
        &["-F", "32", "-s", &per_cluster.to_string(), path.to_str().unwrap()],
    )
    .unwrap();
    std::fs::read(path).unwrap()
}

/// What fsck.fat finds wrong.
pub fn check(image: &[u8]) -> Result<(), String> {
    let folder = Folder::new();
    let path = folder.0.join("image");
    std::fs::write(&path, image).unwrap();
    run("fsck.fat", &["-n", path.to_str().unwrap()])
}

/// All files, as mtools read them.
pub fn copy_out(image: &[u8]) -> Folder {
    let (folder, out) = (Folder::new(), Folder::new());
    let path = folder.0.join("image");
    std::fs::write(&path, image).unwrap();
    run(
        "mcopy",
        &[
            "-s",
            "-n",
            "-i",
            path.to_str().unwrap(),
            "::/",
            out.0.to_str().unwrap(),
        ],
    )
    .unwrap();
    out
}

/// An image with some files that mtools wrote, and these.
pub fn copy_in(image: &[u8]) -> (Vec<u8>, Folder) {
    let (folder, from) = (Folder::new(), Folder::new());
    let path = folder.0.join("image");
    std::fs::write(&path, image).unwrap();
    for (name, size) in [
        ("CONFIG.TXT", 100),
        ("kernel8.img", 300_000),
        ("a long name of a file.text", 5),
        ("empty", 0),
    ] {
        let file = from.0.join(name);
        std::fs::write(&file, vec![size as u8; size]).unwrap();
        run(
            "mcopy",
            &["-i", path.to_str().unwrap(), file.to_str().unwrap(), "::/"],
        )
        .unwrap();
    }
    (std::fs::read(path).unwrap(), from)
}
