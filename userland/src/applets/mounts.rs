//! mount, umount, df, lsblk.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::arguments::{Parsed, human_size, parse};
use crate::disks;
use crate::runtime::{file, mounts};
use abi::mount::{MountFlags, UmountFlags};

const FLAGS: [(&str, MountFlags); 9] = [
    ("bind", MountFlags::MS_BIND),
    ("noatime", MountFlags::MS_NOATIME),
    ("nodev", MountFlags::MS_NODEV),
    ("noexec", MountFlags::MS_NOEXEC),
    ("nosuid", MountFlags::MS_NOSUID),
    ("relatime", MountFlags::MS_RELATIME),
    ("remount", MountFlags::MS_REMOUNT),
    ("ro", MountFlags::MS_RDONLY),
    ("sync", MountFlags::MS_SYNCHRONOUS),
];

/// The options that the kernel knows as flags, and the others, which the file system reads.
fn options(text: &str) -> (MountFlags, String) {
    let mut flags = MountFlags::empty();
    let mut rest = Vec::new();
    for option in text
        .split(',')
        .filter(|option| !["", "rw", "defaults"].contains(option))
    {
        match FLAGS.iter().find(|(name, _)| *name == option) {
            Some((_, flag)) => flags |= *flag,
            None => rest.push(option),
        }
    }
    (flags, rest.join(","))
}

/// A mounted file system, from /proc/mounts: source, folder, kind, options.
fn mounted() -> Result<Vec<[String; 4]>, crate::runtime::Errno> {
    let text = file::read_text("/proc/mounts")?;
    let line = |line: &str| {
        let mut words = line.split(' ').map(plain);
        Some([words.next()?, words.next()?, words.next()?, words.next()?])
    };
    Ok(text.lines().filter_map(line).collect())
}

/// A word of /proc/mounts, in which blanks and backslashes stand as octal numbers.
fn plain(word: &str) -> String {
    let mut text = Vec::new();
    let mut rest = word.as_bytes();
    while let [first, after @ ..] = rest {
        let number = after
            .get(..3)
            .and_then(|digits| core::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match number.filter(|_| *first == b'\\') {
            Some(byte) => {
                text.push(byte);
                rest = &after[3..];
            }
            None => {
                text.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// mount [-t type] [-o options] [source folder]: without a type, the one that the disk says.
pub fn mount(arguments: &[&str]) -> i32 {
    let parsed = match parse(arguments, "t:o:") {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let (flags, data) = options(parsed.value('o').unwrap_or(""));
    let (source, folder) = match parsed.operands.as_slice() {
        [] if flags.is_empty() => return list(&parsed),
        [folder] if flags.contains(MountFlags::MS_REMOUNT) => ("none", *folder),
        [source, folder] => (*source, *folder),
        _ => return parsed.usage("[-t type] [-o options] [source folder]"),
    };
    let Some(source) = disks::find(source) else {
        return parsed.fail(format!("{source}: no disk has that"));
    };
    let kind = match parsed.value('t') {
        Some(kind) if kind != "auto" => kind,
        _ if flags.intersects(MountFlags::MS_BIND | MountFlags::MS_REMOUNT) => "",
        _ => match disks::contents_of(&source).kind {
            "" => {
                return parsed.fail(format!(
                    "{source}: no file system that is known; -t tells its type"
                ));
            }
            found => found,
        },
    };
    match mounts::mount(&source, folder, kind, flags, &data) {
        Ok(()) => 0,
        Err(error) => parsed.fail(format!("{folder}: {error}")),
    }
}

fn list(parsed: &Parsed) -> i32 {
    match mounted() {
        Ok(all) => {
            for [source, folder, kind, options] in all {
                println!("{source} on {folder} type {kind} ({options})");
            }
            0
        }
        Err(error) => parsed.fail(format!("/proc/mounts: {error}")),
    }
}

/// lsblk: disks and partitions.
pub fn disks(arguments: &[&str]) -> i32 {
    if let Err(status) = parse(arguments, "") {
        return status;
    }
    println!(
        "{:<12} {:>8} {:>6} {:<6} {:<16} mounted on",
        "name", "number", "size", "kind", "label"
    );
    for disk in disks::all() {
        let (size, contents) = (human_size(disk.kibibytes * 1024), disk.contents);
        let line = format!(
            "{:<12} {:>8} {size:>6} {:<6} {:<16} {}",
            disk.name,
            disk.number,
            contents.kind,
            contents.label,
            disk.place.unwrap_or_default()
        );
        println!("{}", line.trim_end());
    }
    0
}

/// umount [-l] folders
pub fn unmount(arguments: &[&str]) -> i32 {
    let parsed = match parse(arguments, "l") {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    if parsed.operands.is_empty() {
        return parsed.usage("[-l] folders");
    }
    let flags = if parsed.has('l') {
        UmountFlags::MNT_DETACH
    } else {
        UmountFlags::empty()
    };
    let mut status = 0;
    for folder in &parsed.operands {
        if let Err(error) = mounts::unmount(folder, flags) {
            status = parsed.fail(format!("{folder}: {error}"));
        }
    }
    status
}

/// `df [-k] [folders]`: in KiB.
pub fn space(arguments: &[&str]) -> i32 {
    let parsed = match parse(arguments, "k") {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let all = match mounted() {
        Ok(all) => all,
        Err(error) => return parsed.fail(format!("/proc/mounts: {error}")),
    };
    let mut status = 0;
    println!(
        "{:<20} {:>10} {:>10} {:>10} {:>4} Mounted on",
        "Filesystem", "1K-blocks", "Used", "Available", "Use%"
    );
    if parsed.operands.is_empty() {
        for [source, folder, ..] in &all {
            // Those that hold no blocks are left out, as elsewhere.
            if mounts::space(folder).is_ok_and(|space| space.blocks > 0) {
                status = status.max(row(&parsed, source, folder, folder));
            }
        }
    }
    for path in &parsed.operands {
        // The mount whose folder is the longest beginning of the path.
        let mut holds: Vec<_> = all
            .iter()
            .filter(|[_, folder, ..]| is_below(path, folder))
            .collect();
        holds.sort_by_key(|[_, folder, ..]| folder.len());
        let (source, folder) = holds.last().map_or(("-", "-"), |[source, folder, ..]| {
            (source.as_str(), folder.as_str())
        });
        status = status.max(row(&parsed, source, folder, path));
    }
    status
}

fn is_below(path: &str, folder: &str) -> bool {
    let absolute = if path.starts_with('/') {
        String::from(path)
    } else {
        format!("{}/{path}", file::current_directory().unwrap_or_default())
    };
    folder == "/"
        || absolute == folder
        || absolute
            .strip_prefix(folder)
            .is_some_and(|rest| rest.starts_with('/'))
}

fn row(parsed: &Parsed, source: &str, folder: &str, path: &str) -> i32 {
    let space = match mounts::space(path) {
        Ok(space) => space,
        Err(error) => return parsed.fail(format!("{path}: {error}")),
    };
    let kib = |blocks: u64| blocks.saturating_mul(space.frsize.max(1) as u64) / 1024;
    let used = space.blocks - space.bfree;
    let whole = (used + space.bavail).max(1);
    let percent = (used * 100).div_ceil(whole);
    println!(
        "{source:<20} {:>10} {:>10} {:>10} {percent:>3}% {folder}",
        kib(space.blocks),
        kib(used),
        kib(space.bavail)
    );
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_flags_or_the_file_system_s() {
        assert_eq!(
            options("ro,size=1m,nosuid,mode=700"),
            (
                MountFlags::MS_RDONLY | MountFlags::MS_NOSUID,
                "size=1m,mode=700".into()
            )
        );
        assert_eq!(options("defaults"), (MountFlags::empty(), String::new()));
        assert_eq!(plain("/a\\040b\\134c\\0"), "/a b\\c\\0");
        assert!(is_below("/tmp/x", "/tmp") && !is_below("/tmpx", "/tmp") && is_below("/tmpx", "/"));
    }
}
