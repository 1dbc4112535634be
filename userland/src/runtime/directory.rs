//! Names in a directory: getdents64(2).

use alloc::string::String;
use alloc::vec::Vec;

use super::file::File;
use super::{Errno, Result};
use abi::dirent::Dirent;
use abi::file::OpenFlags;

/// One entry.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name; bytes that are not UTF-8 become U+FFFD.
    pub name: String,
    /// Its inode.
    pub inode: u64,
    /// `DT_*`.
    pub kind: u8,
}

/// All entries with `.` and `..`, in the order the kernel gives them.
pub fn entries(path: &str) -> Result<Vec<Entry>> {
    let directory = File::open(
        path,
        OpenFlags::O_RDONLY | OpenFlags::O_DIRECTORY | OpenFlags::O_CLOEXEC,
        0,
    )?;
    let mut entries = Vec::new();
    let mut buffer = alloc::vec![0u8; 16384];
    loop {
        let length = directory.read_entries(&mut buffer)?;
        let mut records = buffer.get(..length).ok_or(Errno::EIO)?;
        if records.is_empty() {
            return Ok(entries);
        }
        while !records.is_empty() {
            let (record, rest) = Dirent::read_from(records).ok_or(Errno::EIO)?;
            let name = String::from_utf8_lossy(record.name).into_owned();
            entries.push(Entry {
                name,
                inode: record.ino,
                kind: record.kind,
            });
            records = rest;
        }
    }
}

/// The names without `.` and `..`, sorted.
pub fn names(path: &str) -> Result<Vec<String>> {
    let mut names: Vec<String> = entries(path)?.into_iter().map(|entry| entry.name).collect();
    names.retain(|name| name != "." && name != "..");
    names.sort();
    Ok(names)
}
