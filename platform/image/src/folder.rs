//! An archive of a folder of the host, for whoever boots a root of his own. What is in it belongs to root, but for what a list says: nobody
//! but root could give files away on the host.

use crate::cpio::{self, Entry, file_type};
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fs::{self, FileType};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;

/// The cpio archive of what is in a folder, in the order of names. Sockets, pipes and devices are left out: the kernel's /dev has its own.
/// Each line of `owners` gives a file away: path, numbers of user and group, and permissions in octal.
///
/// # Errors
/// Something cannot be read; a name is not UTF-8; a line of `owners` is none, or names a file that is not there.
pub fn archive(folder: &Path, owners: &str) -> Result<Vec<u8>> {
    let mut entries = Vec::new();
    add(folder, "", &mut entries)?;
    give_away(&mut entries, owners)?;
    cpio::archive(&entries)
}

fn give_away(entries: &mut [Entry], owners: &str) -> Result<()> {
    let mut by_path: BTreeMap<String, &mut Entry> = BTreeMap::new();
    by_path.extend(entries.iter_mut().map(|entry| (entry.path.clone(), entry)));
    for line in owners.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [path, user, group, permissions] = words[..] else {
            bail!("{line:?} is not a path, a user, a group and permissions");
        };
        let entry = by_path
            .get_mut(path)
            .with_context(|| format!("{path} is not there"))?;
        entry.owner = (user.parse()?, group.parse()?);
        entry.mode = entry.mode & !0o7777 | u32::from_str_radix(permissions, 8)?;
    }
    Ok(())
}

fn add(folder: &Path, prefix: &str, entries: &mut Vec<Entry>) -> Result<()> {
    let about = || folder.display().to_string();
    let listed: std::io::Result<Vec<_>> = fs::read_dir(folder).with_context(about)?.collect();
    let mut listed = listed.with_context(about)?;
    listed.sort_by_key(fs::DirEntry::file_name);
    for file in listed {
        let at = file.path();
        let name = file.file_name();
        let name = name
            .to_str()
            .with_context(|| format!("{} is not UTF-8", at.display()))?;
        let path = format!("{prefix}{name}");
        let kind = file.file_type()?;
        let Some((file_type, data)) = contents(&at, kind).with_context(|| at.display().to_string())? else {
            continue;
        };
        let permissions = match kind.is_symlink() {
            true => 0o777,
            false => file.metadata()?.permissions().mode() & 0o7777,
        };
        entries.push(Entry {
            path: path.clone(),
            mode: file_type | permissions,
            data,
            ..Entry::default()
        });
        if kind.is_dir() {
            add(&at, &format!("{path}/"), entries)?;
        }
    }
    Ok(())
}

fn contents(at: &Path, kind: FileType) -> Result<Option<(u32, Vec<u8>)>> {
    Ok(if kind.is_symlink() {
        let target = fs::read_link(at)?;
        Some((file_type::LINK, target.as_os_str().as_bytes().to_vec()))
    } else if kind.is_dir() {
        Some((file_type::DIRECTORY, Vec::new()))
    } else if kind.is_fifo() || kind.is_socket() || kind.is_char_device() || kind.is_block_device() {
        None
    } else {
        Some((file_type::REGULAR, fs::read(at)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_becomes_an_archive_of_roots() {
        let folder = std::env::temp_dir().join(format!("image-folder-{}", std::process::id()));
        fs::create_dir_all(folder.join("sbin")).unwrap();
        fs::write(folder.join("sbin/init"), "text").unwrap();
        fs::set_permissions(folder.join("sbin/init"), fs::Permissions::from_mode(0o755)).unwrap();
        std::os::unix::fs::symlink("sbin/init", folder.join("init")).unwrap();
        let packed = archive(&folder, "sbin 8 42 2775\n");
        let none = archive(&folder, "sbin/halt 0 0 755").unwrap_err();
        let torn = archive(&folder, "sbin 0").unwrap_err();
        assert!(none.to_string().contains("not there") && torn.to_string().contains("sbin 0"));
        fs::remove_dir_all(&folder).unwrap();
        let entry = |path: &str, mode, data: &str| Entry {
            path: path.into(),
            mode,
            data: data.into(),
            ..Entry::default()
        };
        let wanted = [
            entry("init", file_type::LINK | 0o777, "sbin/init"),
            Entry {
                owner: (8, 42),
                ..entry("sbin", file_type::DIRECTORY | 0o2775, "")
            },
            entry("sbin/init", file_type::REGULAR | 0o755, "text"),
        ];
        assert_eq!(packed.unwrap(), cpio::archive(&wanted).unwrap());
    }
}
