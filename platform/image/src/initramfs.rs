//! The initramfs from its list file. One entry stands on a line, `#` begins a comment:
//!
//! ```text
//! dir  PATH MODE                     directory
//! file PATH PROGRAM MODE             regular file, its bytes from PROGRAM in one of the program folders
//! link PATH TARGET                   symbolic link
//! nod  PATH c|b MAJOR MINOR MODE     device
//! ```
//! Modes are octal. A folder that is named by no `dir` line is made with mode 755 where it is first needed.

use crate::cpio::{self, Entry, file_type};
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeSet;
use std::path::Path;

/// The cpio archive that a list file describes. `dirs` are searched in order for the programs it names.
pub fn archive(list: &str, dirs: &[&Path]) -> Result<Vec<u8>> {
    let mut entries = Vec::new();
    for (number, line) in list.lines().enumerate() {
        let words = line.split('#').next().unwrap_or_default();
        let words: Vec<&str> = words.split_whitespace().collect();
        if !words.is_empty() {
            entries.push(entry(&words, dirs).with_context(|| format!("line {}: {line}", number + 1))?);
        }
    }
    cpio::archive(&with_folders(entries)?)
}

fn entry(words: &[&str], dirs: &[&Path]) -> Result<Entry> {
    match *words {
        ["dir", path, mode] => new(path, file_type::DIRECTORY, mode),
        ["file", path, program, mode] => Ok(Entry {
            data: find(program, dirs)?,
            ..new(path, file_type::REGULAR, mode)?
        }),
        ["link", path, target] => Ok(Entry {
            data: target.as_bytes().to_vec(),
            ..new(path, file_type::LINK, "777")?
        }),
        ["nod", path, kind, major, minor, mode] => {
            let device = (major.parse().context("major")?, minor.parse().context("minor")?);
            Ok(Entry {
                device,
                ..new(path, device_type(kind)?, mode)?
            })
        }
        _ => bail!(
            "expected dir PATH MODE, file PATH PROGRAM MODE, link PATH TARGET or nod PATH c|b MAJOR MINOR MODE"
        ),
    }
}

fn new(path: &str, kind: u32, mode: &str) -> Result<Entry> {
    let permissions = u32::from_str_radix(mode, 8).context("mode is not octal")?;
    ensure!(permissions <= 0o7777, "mode {mode} has more than permission bits");
    let path = path.strip_prefix('/').context("path does not begin with /")?;
    Ok(Entry {
        path: path.to_owned(),
        mode: kind | permissions,
        ..Entry::default()
    })
}

fn device_type(kind: &str) -> Result<u32> {
    match kind {
        "c" => Ok(file_type::CHARACTER),
        "b" => Ok(file_type::BLOCK),
        _ => bail!("device type {kind} is neither c nor b"),
    }
}

fn find(program: &str, dirs: &[&Path]) -> Result<Vec<u8>> {
    let found = dirs
        .iter()
        .map(|dir| dir.join(program))
        .find(|path| path.is_file());
    let path = found.with_context(|| format!("{program} is in none of {dirs:?}"))?;
    std::fs::read(&path).with_context(|| path.display().to_string())
}

/// Puts a folder before the first entry that needs it, and refuses a path that is named twice.
fn with_folders(entries: Vec<Entry>) -> Result<Vec<Entry>> {
    let mut seen = BTreeSet::new();
    let mut complete = Vec::new();
    for entry in entries {
        for (end, _) in entry.path.match_indices('/') {
            let folder = entry.path[..end].to_owned();
            if seen.insert(folder.clone()) {
                complete.push(Entry {
                    path: folder,
                    mode: file_type::DIRECTORY | 0o755,
                    ..Entry::default()
                });
            }
        }
        ensure!(
            seen.insert(entry.path.clone()),
            "/{} stands twice in the list, or after a path in it",
            entry.path
        );
        complete.push(entry);
    }
    Ok(complete)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: &[&Path] = &[];

    fn names(archive: &[u8]) -> Vec<String> {
        let text = String::from_utf8_lossy(archive);
        let members = text.split("070701").skip(1);
        members
            .map(|member| member[104..].split('\0').next().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn folders_come_before_what_is_in_them() {
        let archive = archive("link /a/b/c x\ndir /tmp 1777 # sticky\n\nlink /a/d y", NONE).unwrap();
        assert_eq!(names(&archive), ["a", "a/b", "a/b/c", "tmp", "a/d", "TRAILER!!!"]);
        assert_eq!(archive.len() % 512, 0);
    }

    #[test]
    fn the_header_is_that_of_the_newc_form() {
        let archive = archive("nod /console c 5 1 600", NONE).unwrap();
        let header = "070701\
            00000001000021800000000000000000000000010000000000000000\
            0000000000000000000000050000000100000008\
            00000000console\0";
        assert_eq!(String::from_utf8_lossy(&archive[..header.len()]), header);
    }

    #[test]
    fn mistakes_in_the_list_name_their_line() {
        let cases = [
            ("dir tmp 755", "does not begin"),
            ("dir /tmp 9", "not octal"),
            ("dir /tmp 100755", "more than permission bits"),
            ("file /sh no-such-program 755", "is in none of"),
            ("nod /x p 1 1 600", "neither c nor b"),
            ("what /x", "expected dir"),
        ];
        for (line, message) in cases {
            let error = format!("{:#}", archive(&format!("# list\n{line}"), NONE).unwrap_err());
            assert!(
                error.contains("line 2") && error.contains(message),
                "{line}: {error}"
            );
        }
        let error = archive("dir /a 755\ndir /a 700", NONE).unwrap_err().to_string();
        assert!(error.contains("/a stands twice"), "{error}");
    }
}
