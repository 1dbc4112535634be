//! `pack ARCHIVE IMAGE`: puts the files of a cpio archive (newc) into an empty ext4 that mke2fs made. The same archive and the same image
//! give the same bytes: no clock is asked, and no number is random. `make sdcard` makes the root of the card by it.

use abi::Errno;
use block::BlockDevice;
use ext4::{Change, Ext4, Ext4Options, Moment, New, ROOT, Surroundings};
use formats::cpio::{Archive, Entry};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

const S_IFMT: u32 = 0o170_000;
const S_IFDIR: u32 = 0o040_000;
const S_IFREG: u32 = 0o100_000;
const S_IFLNK: u32 = 0o120_000;

/// Bytes that are written at a time.
const PART: usize = 1 << 20;

struct ImageFile {
    file: File,
    sectors: u64,
}

fn failed(error: std::io::Error) -> Errno {
    eprintln!("pack: {error}");
    Errno::EIO
}

impl BlockDevice for ImageFile {
    fn sectors(&self) -> u64 {
        self.sectors
    }

    fn read(&self, sector: u64, into: &mut [u8]) -> Result<(), Errno> {
        self.file.read_exact_at(into, sector * 512).map_err(failed)
    }

    fn write(&self, sector: u64, from: &[u8]) -> Result<(), Errno> {
        self.file.write_all_at(from, sector * 512).map_err(failed)
    }

    fn flush(&self) -> Result<(), Errno> {
        Ok(())
    }
}

/// It is always the same moment.
struct Stillness {
    now: Moment,
    numbers: AtomicU32,
}

impl Surroundings for Stillness {
    fn now(&self) -> Moment {
        self.now
    }

    fn random(&self) -> u32 {
        self.numbers.fetch_add(0x9e37_79b9, Ordering::Relaxed)
    }
}

struct Packer {
    disk: Ext4,
    now: Moment,
    /// Directories by their paths.
    directories: HashMap<Vec<u8>, u32>,
    /// Files with several names, as the archive counts them.
    several: HashMap<((u32, u32), u32), u32>,
}

impl Packer {
    /// The directory of a path, which is made if the archive does not name it first; and what the path is called there.
    fn parent<'a>(&mut self, path: &'a [u8]) -> Result<(u32, &'a [u8]), Errno> {
        let Some(slash) = path.iter().rposition(|byte| *byte == b'/') else {
            return Ok((ROOT, path));
        };
        let (above, name) = (&path[..slash], &path[slash + 1..]);
        if let Some(number) = self.directories.get(above) {
            return Ok((*number, name));
        }
        let (parent, own) = self.parent(above)?;
        let number = self
            .disk
            .create(parent, own, &new(S_IFDIR | 0o755, &[], (0, 0), (0, 0)))?;
        self.directories.insert(above.to_vec(), number);
        Ok((number, name))
    }

    fn put(&mut self, entry: &Entry<'_>) -> Result<(), Errno> {
        let path = entry.name.strip_prefix(b"./").unwrap_or(entry.name);
        let path = path.strip_prefix(b"/").unwrap_or(path);
        let kind = entry.mode & S_IFMT;
        let number = if path.is_empty() || path == b"." {
            ROOT
        } else {
            self.make(entry, path, kind)?
        };
        if kind == S_IFREG {
            for (part, at) in entry.data.chunks(PART).zip((0..).step_by(PART)) {
                self.disk.write(number, at, part)?;
            }
        }
        self.disk.change_status(
            number,
            &Change {
                permissions: Some((entry.mode & 0o7777) as u16),
                user: Some(entry.uid),
                group: Some(entry.gid),
                accessed: Some(self.now),
                modified: Some(self.now),
                changed: Some(self.now),
            },
        )
    }

    fn make(&mut self, entry: &Entry<'_>, path: &[u8], kind: u32) -> Result<u32, Errno> {
        let (parent, name) = self.parent(path)?;
        match self.disk.lookup(parent, name) {
            Err(Errno::ENOENT) => {}
            // An archive behind another may name a directory again, and a file in the place of an earlier one.
            Ok(known) if kind == S_IFDIR => return Ok(known),
            Ok(known) => {
                self.disk.unlink(parent, name)?;
                self.disk.release(known)?;
            }
            Err(error) => return Err(error),
        }
        let key = (entry.dev, entry.ino);
        let is_several = entry.nlink > 1 && kind != S_IFDIR;
        if is_several && let Some(&known) = self.several.get(&key) {
            self.disk.link(parent, name, known)?;
            return Ok(known);
        }
        let target = if kind == S_IFLNK { entry.data } else { &[] };
        let owner = (entry.uid, entry.gid);
        let number = self
            .disk
            .create(parent, name, &new(entry.mode, target, entry.rdev, owner))?;
        if kind == S_IFDIR {
            self.directories.insert(path.to_vec(), number);
        }
        if is_several {
            self.several.insert(key, number);
        }
        Ok(number)
    }
}

fn new(mode: u32, target: &[u8], device: (u32, u32), (user, group): (u32, u32)) -> New<'_> {
    New {
        mode: mode as u16,
        user,
        group,
        target,
        device,
    }
}

fn pack(archive: &str, image: &str) -> Result<(), String> {
    let bytes = std::fs::read(archive).map_err(|error| format!("{archive}: {error}"))?;
    let opened = OpenOptions::new().read(true).write(true).open(image);
    let file = opened.map_err(|error| format!("{image}: {error}"))?;
    let len = file
        .metadata()
        .map_err(|error| format!("{image}: {error}"))?
        .len();
    let epoch = std::env::var("SOURCE_DATE_EPOCH").ok();
    let seconds = epoch.and_then(|text| text.parse().ok()).unwrap_or(0);
    let now = Moment {
        seconds,
        nanoseconds: 0,
    };
    let world = Arc::new(Stillness {
        now,
        numbers: AtomicU32::new(1),
    });
    let disk = Arc::new(ImageFile {
        file,
        sectors: len / 512,
    });
    let disk = Ext4::mount(disk, world, Ext4Options::default())
        .map_err(|error| format!("{image}: {}", error.message()))?;
    let mut packer = Packer {
        disk,
        now,
        directories: HashMap::new(),
        several: HashMap::new(),
    };
    for entry in Archive::new(&bytes) {
        let entry = entry.map_err(|error| format!("{archive}: {error}"))?;
        let name = String::from_utf8_lossy(entry.name).into_owned();
        packer
            .put(&entry)
            .map_err(|error| format!("{name}: {}", error.message()))?;
    }
    packer
        .disk
        .unmount()
        .map_err(|error| format!("{image}: {}", error.message()))
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [archive, image] = &arguments[..] else {
        eprintln!("usage: pack ARCHIVE IMAGE");
        return ExitCode::FAILURE;
    };
    match pack(archive, image) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("pack: {reason}");
            ExitCode::FAILURE
        }
    }
}
