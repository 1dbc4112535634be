//! What the tests stand on: a disk in memory that can lose power, images made by mke2fs, and e2fsck's opinion.

use abi::Errno;
use block::BlockDevice;
use ext4::{Access, Ext4, Ext4Options, Moment, Surroundings};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
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

/// A disk that keeps what was written since the last flush in a cache of its own.
pub struct Disk {
    inner: Mutex<Inner>,
}

struct Inner {
    /// As programs see it.
    now: Vec<u8>,
    /// As a loss of power leaves it, but for some of `unflushed`.
    stable: Vec<u8>,
    unflushed: Vec<(usize, Vec<u8>)>,
    /// Writes and flushes until the power goes; everything fails then.
    left: Option<u64>,
    keeps_history: bool,
}

impl Disk {
    pub fn new(image: Vec<u8>) -> Arc<Disk> {
        let inner = Inner {
            stable: Vec::new(),
            now: image,
            unflushed: Vec::new(),
            left: None,
            keeps_history: false,
        };
        Arc::new(Disk {
            inner: Mutex::new(inner),
        })
    }

    /// One whose power goes after so many writes and flushes.
    pub fn dying(image: Vec<u8>, left: u64) -> Arc<Disk> {
        let inner = Inner {
            stable: image.clone(),
            now: image,
            unflushed: Vec::new(),
            left: Some(left),
            keeps_history: true,
        };
        Arc::new(Disk {
            inner: Mutex::new(inner),
        })
    }

    pub fn image(&self) -> Vec<u8> {
        self.inner.lock().unwrap().now.clone()
    }

    /// What is left after the power went: of what was not flushed any sectors, in any order.
    pub fn after_loss(&self, random: &mut Random) -> Vec<u8> {
        let mut inner = self.inner.lock().unwrap();
        let mut image = inner.stable.clone();
        let mut unflushed = std::mem::take(&mut inner.unflushed);
        let how = random.below(4);
        if how == 0 {
            // Nothing of it was written.
            return image;
        }
        if how == 1 {
            // Another order.
            for at in (1..unflushed.len()).rev() {
                unflushed.swap(at, random.below(at as u64 + 1) as usize);
            }
        }
        for (offset, bytes) in &unflushed {
            for (index, sector) in bytes.chunks(512).enumerate() {
                if random.below(3) != 0 {
                    let at = offset + 512 * index;
                    image[at..at + sector.len()].copy_from_slice(sector);
                }
            }
        }
        image
    }

    fn spend(inner: &mut Inner) -> Result<(), Errno> {
        match &mut inner.left {
            Some(0) => Err(Errno::EIO),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl BlockDevice for Disk {
    fn sectors(&self) -> u64 {
        self.inner.lock().unwrap().now.len() as u64 / 512
    }

    fn read(&self, sector: u64, into: &mut [u8]) -> Result<(), Errno> {
        let inner = self.inner.lock().unwrap();
        assert!(into.len().is_multiple_of(512));
        let at = usize::try_from(sector)
            .unwrap()
            .checked_mul(512)
            .ok_or(Errno::EIO)?;
        let from = inner.now.get(at..at + into.len()).ok_or(Errno::EIO)?;
        into.copy_from_slice(from);
        Ok(())
    }

    fn write(&self, sector: u64, from: &[u8]) -> Result<(), Errno> {
        let mut inner = self.inner.lock().unwrap();
        assert!(from.len().is_multiple_of(512));
        Disk::spend(&mut inner)?;
        let at = sector as usize * 512;
        inner
            .now
            .get_mut(at..at + from.len())
            .ok_or(Errno::EIO)?
            .copy_from_slice(from);
        if inner.keeps_history {
            inner.unflushed.push((at, from.to_vec()));
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), Errno> {
        let mut inner = self.inner.lock().unwrap();
        Disk::spend(&mut inner)?;
        let unflushed = std::mem::take(&mut inner.unflushed);
        for (at, bytes) in unflushed {
            inner.stable[at..at + bytes.len()].copy_from_slice(&bytes);
        }
        Ok(())
    }
}

/// A clock that goes on by a second each time, and numbers that come again.
pub struct World {
    clock: AtomicU64,
    numbers: AtomicU32,
}

impl World {
    pub fn new() -> Arc<World> {
        Arc::new(World {
            clock: AtomicU64::new(1_900_000_000),
            numbers: AtomicU32::new(7),
        })
    }
}

impl Surroundings for World {
    fn now(&self) -> Moment {
        let seconds = self.clock.fetch_add(1, Ordering::Relaxed) as i64;
        Moment {
            seconds,
            nanoseconds: 123_456_789,
        }
    }

    fn random(&self) -> u32 {
        self.numbers.fetch_add(0x9e37_79b9, Ordering::Relaxed)
    }
}

pub fn mount(disk: &Arc<Disk>) -> Result<Ext4, Errno> {
    mount_with(disk, Ext4Options::default())
}

pub fn mount_read_only(disk: &Arc<Disk>) -> Result<Ext4, Errno> {
    mount_with(
        disk,
        Ext4Options {
            access: Access::ReadOnly,
            ..Ext4Options::default()
        },
    )
}

pub fn mount_with(disk: &Arc<Disk>, options: Ext4Options) -> Result<Ext4, Errno> {
    Ext4::mount(disk.clone(), World::new(), options)
}

/// A folder that goes away with the value.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("ext4-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn tool(name: &str) -> Command {
    for folder in ["/usr/sbin", "/sbin", "/usr/bin", "/bin"] {
        let path = Path::new(folder).join(name);
        if path.exists() {
            return Command::new(path);
        }
    }
    Command::new(name)
}

/// An image that mke2fs makes, of `size` KiB.
pub fn make(size: u64, options: &[&str]) -> Vec<u8> {
    let folder = Folder::new();
    let path = folder.path("image");
    let file = std::fs::File::create(&path).unwrap();
    file.set_len(size << 10).unwrap();
    let made = tool("mke2fs")
        .arg("-q")
        .arg("-F")
        .args(options)
        .arg(&path)
        .output();
    let made = made.expect("e2fsprogs is installed (.ci/setup test)");
    assert!(
        made.status.success(),
        "mke2fs: {}",
        String::from_utf8_lossy(&made.stderr)
    );
    std::fs::read(&path).unwrap()
}

/// What debugfs does to an image.
pub fn debugfs(image: &[u8], commands: &str) -> (Vec<u8>, String) {
    let folder = Folder::new();
    let (path, script) = (folder.path("image"), folder.path("script"));
    std::fs::write(&path, image).unwrap();
    std::fs::write(&script, commands).unwrap();
    let done = tool("debugfs")
        .arg("-w")
        .arg("-f")
        .arg(&script)
        .arg(&path)
        .output()
        .unwrap();
    (
        std::fs::read(&path).unwrap(),
        String::from_utf8_lossy(&done.stdout).into_owned(),
    )
}

/// What e2fsck finds wrong; nothing is repaired.
pub fn check(image: &[u8]) -> Result<(), String> {
    let folder = Folder::new();
    let path = folder.path("image");
    std::fs::write(&path, image).unwrap();
    let done = tool("e2fsck").arg("-fn").arg(&path).output().unwrap();
    if done.status.success() {
        return Ok(());
    }
    if std::env::var_os("KEEP_IMAGE").is_some() {
        std::fs::copy(&path, std::env::temp_dir().join("bad.img")).unwrap();
    }
    Err(format!(
        "{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    ))
}

/// The image after e2fsck has replayed the journal and done all that it would at boot (`-p`), or whatever it asks for (`-y`).
pub fn repair(image: &[u8], how: &str) -> Result<Vec<u8>, String> {
    let folder = Folder::new();
    let path = folder.path("image");
    std::fs::write(&path, image).unwrap();
    let done = tool("e2fsck").arg(how).arg(&path).output().unwrap();
    match done.status.code() {
        Some(0 | 1) => Ok(std::fs::read(&path).unwrap()),
        _ => Err(format!(
            "{}{}",
            String::from_utf8_lossy(&done.stdout),
            String::from_utf8_lossy(&done.stderr)
        )),
    }
}

/// The disk, whose superblock says that there is a journal to be replayed.
pub fn with_needs_recovery(image: &[u8]) -> Vec<u8> {
    let folder = Folder::new();
    let path = folder.path("image");
    std::fs::write(&path, image).unwrap();
    let feature = ["-w", "-R", "feature needs_recovery"];
    let done = tool("debugfs").args(feature).arg(&path).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    std::fs::read(&path).unwrap()
}
