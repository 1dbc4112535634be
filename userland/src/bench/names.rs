//! Names: the path of the current directory, and directories of many entries.

use super::report::Report;
use super::settings::Settings;
use super::{Random, Row};
use crate::runtime::crowd::{Path, current_directory_into};
use crate::runtime::file::{File, change_directory, make_directory, unlink};
use crate::runtime::{Errno, Result};
use abi::file::{AtFlags, OpenFlags};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// The rows of this file.
pub const ROWS: &[Row] = &[
    Row {
        name: "getcwd",
        run: current_directory,
    },
    Row {
        name: "directory",
        run: directory,
    },
];

/// Calls in one repeat.
const CALLS: u64 = 256;

/// getcwd(2) in a directory so deep.
fn current_directory(settings: &Settings, report: &mut Report) -> Result<()> {
    let mut buffer = alloc::vec![0; 4096];
    for depth in settings.crowds(&[10, 50], &[1, 100]) {
        let mut path = String::new();
        for level in 0..depth {
            path += &format!("/level{level}");
            make_directory(&path, 0o755)?;
        }
        change_directory(&path)?;
        report.measure(&format!("getcwd/{depth}"), CALLS, settings.repeats, |meter| {
            meter.time(|| (0..CALLS).try_for_each(|_| current_directory_into(&mut buffer).map(drop)))
        })?;
        change_directory("/")?;
        while let Some(end) = path.rfind('/') {
            unlink(&path, AtFlags::AT_REMOVEDIR)?;
            path.truncate(end);
        }
    }
    Ok(())
}

const MANY: &str = "/many";

/// In a directory of so many files: reading it, for each entry; stat(2) of one of them; and making another and removing it.
fn directory(settings: &Settings, report: &mut Report) -> Result<()> {
    for count in settings.crowds(&[10, 1000], &[100, 10_000, 100_000]) {
        make_directory(MANY, 0o755)?;
        let create = OpenFlags::O_WRONLY | OpenFlags::O_CREAT | OpenFlags::O_CLOEXEC;
        for file in 0..count {
            entry(file)?.open(create)?;
        }
        let mut buffer = alloc::vec![0; 32 * 1024];
        report.measure(
            &format!("directory_read/{count}"),
            count as u64,
            settings.repeats,
            |meter| meter.time(|| read_all(count, &mut buffer)),
        )?;
        let mut random = Random::new();
        let some: Vec<Path> = (0..CALLS)
            .map(|_| entry(random.below(count)))
            .collect::<Result<_>>()?;
        report.measure(
            &format!("directory_stat/{count}"),
            CALLS,
            settings.repeats,
            |meter| meter.time(|| some.iter().try_for_each(|path| path.status().map(drop))),
        )?;
        let another = Path::new(&format!("{MANY}/another"))?;
        report.measure(
            &format!("directory_create/{count}"),
            CALLS,
            settings.repeats,
            |meter| {
                meter.time(|| {
                    (0..CALLS).try_for_each(|_| {
                        drop(another.open(create)?);
                        another.unlink()
                    })
                })
            },
        )?;
        (0..count).try_for_each(|file| entry(file)?.unlink())?;
        unlink(MANY, AtFlags::AT_REMOVEDIR)?;
    }
    Ok(())
}

fn entry(number: usize) -> Result<Path> {
    Path::new(&format!("{MANY}/file{number}"))
}

/// All of it, with the open and the close.
fn read_all(count: usize, buffer: &mut [u8]) -> Result<()> {
    let directory = File::read_only(MANY)?;
    let mut length = 0;
    loop {
        match directory.read_entries(buffer)? {
            0 => break,
            some => length += some,
        }
    }
    // An entry has at least 24 bytes.
    if length >= 24 * count {
        Ok(())
    } else {
        Err(Errno::EIO)
    }
}
