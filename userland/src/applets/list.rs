//! ls, stat.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::arguments::{Parsed, human_size, parse};
use super::system::date_text;
use crate::runtime::{Result, directory, file, path, terminal};
use crate::shell::editor::width;
use abi::file::{AtFlags, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFSOCK, S_ISGID, S_ISUID};
use abi::file::{S_ISVTX, Stat, device_major, device_minor};

/// `drwxr-xr-x`
fn mode_text(mode: u32) -> String {
    let kind = match mode & S_IFMT {
        S_IFDIR => 'd',
        S_IFLNK => 'l',
        S_IFCHR => 'c',
        S_IFBLK => 'b',
        S_IFIFO => 'p',
        S_IFSOCK => 's',
        _ => '-',
    };
    let mut text = String::from(kind);
    for (shift, special, letters) in [(6, S_ISUID, "sS"), (3, S_ISGID, "sS"), (0, S_ISVTX, "tT")] {
        let bits = mode >> shift;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        let (with_x, without_x) = if mode & special != 0 {
            letters.split_at(1)
        } else {
            ("x", "-")
        };
        text.push_str(if bits & 1 != 0 { with_x } else { without_x });
    }
    text
}

/// One thing to be listed.
struct Listed {
    name: String,
    path: String,
    stat: Stat,
}

fn examine(name: &str, path: &str, at_flags: AtFlags) -> Result<Listed> {
    Ok(Listed {
        name: name.to_string(),
        path: path.to_string(),
        stat: file::status(path, at_flags)?,
    })
}

/// ls [-1aAdFhilrStR] names
pub fn list(arguments: &[&str]) -> i32 {
    let parsed = match parse(arguments, "1aAdFhilrStR") {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let names = if parsed.operands.is_empty() {
        Vec::from(["."])
    } else {
        parsed.operands.clone()
    };
    let mut status = 0;
    let mut folders = Vec::new();
    let mut others = Vec::new();
    for name in &names {
        // A link to a directory on the command line is followed unless -l shows links.
        let flags = if parsed.has('l') || parsed.has('d') {
            AtFlags::AT_SYMLINK_NOFOLLOW
        } else {
            AtFlags::empty()
        };
        match examine(name, name, flags).or_else(|_| examine(name, name, AtFlags::AT_SYMLINK_NOFOLLOW)) {
            Ok(found) if found.stat.mode & S_IFMT == S_IFDIR && !parsed.has('d') => {
                folders.push(name.to_string())
            }
            Ok(found) => others.push(found),
            Err(error) => {
                parsed.fail(format_args!("cannot access '{name}': {error}"));
                status = 2;
            }
        }
    }
    let mut is_first = others.is_empty();
    print_all(&parsed, others);
    let is_titled = names.len() > 1 || parsed.has('R');
    folders.reverse();
    while let Some(folder) = folders.pop() {
        if is_titled {
            println!("{}{folder}:", if is_first { "" } else { "\n" });
        }
        is_first = false;
        match print_folder(&parsed, &folder) {
            Ok(inner) if parsed.has('R') => folders.extend(inner.into_iter().rev()),
            Ok(_) => {}
            Err(error) => {
                parsed.fail(format_args!("cannot open directory '{folder}': {error}"));
                status = 2;
            }
        }
    }
    status
}

/// Prints the entries of a directory; the paths of the directories in it.
fn print_folder(parsed: &Parsed, folder: &str) -> Result<Vec<String>> {
    let mut listed = Vec::new();
    for entry in directory::entries(folder)? {
        let is_hidden = entry.name.starts_with('.');
        let is_self = matches!(entry.name.as_str(), "." | "..");
        if is_hidden && !parsed.has('a') && (is_self || !parsed.has('A')) {
            continue;
        }
        // What was removed meanwhile is not listed.
        listed.extend(examine(
            &entry.name,
            &path::join(folder, &entry.name),
            AtFlags::AT_SYMLINK_NOFOLLOW,
        ));
    }
    let is_folder =
        |found: &&Listed| found.stat.mode & S_IFMT == S_IFDIR && !matches!(found.name.as_str(), "." | "..");
    let mut inner: Vec<String> = listed
        .iter()
        .filter(is_folder)
        .map(|found| found.path.clone())
        .collect();
    inner.sort();
    if parsed.has('l') {
        println!(
            "total {}",
            listed.iter().map(|found| found.stat.blocks).sum::<i64>() / 2
        );
    }
    print_all(parsed, listed);
    Ok(inner)
}

fn print_all(parsed: &Parsed, mut listed: Vec<Listed>) {
    listed.sort_by(|a, b| match (parsed.has('S'), parsed.has('t')) {
        (true, _) => b.stat.size.cmp(&a.stat.size),
        (_, true) => b.stat.mtime.cmp(&a.stat.mtime),
        _ => a.name.cmp(&b.name),
    });
    if parsed.has('r') {
        listed.reverse();
    }
    if parsed.has('l') {
        print_long(parsed, &listed);
        return;
    }
    let inode = |found: &Listed| {
        if parsed.has('i') {
            alloc::format!("{} ", found.stat.ino)
        } else {
            String::new()
        }
    };
    let names: Vec<String> = listed
        .iter()
        .map(|found| inode(found) + &found.name + mark(parsed, found))
        .collect();
    if parsed.has('1') || !terminal::is_terminal(1) {
        names.iter().for_each(|name| println!("{name}"));
    } else {
        print!("{}", in_columns(&names, terminal::columns(1)));
    }
}

/// What -F adds: `/`, `@`, `*`, `|`.
fn mark(parsed: &Parsed, found: &Listed) -> &'static str {
    match found.stat.mode & S_IFMT {
        _ if !parsed.has('F') => "",
        S_IFDIR => "/",
        S_IFLNK => "@",
        S_IFIFO => "|",
        S_IFCHR | S_IFBLK | S_IFSOCK => "",
        _ if found.stat.mode & 0o111 != 0 => "*",
        _ => "",
    }
}

/// Names in columns of one width, filled downwards.
pub fn in_columns(names: &[String], screen: usize) -> String {
    let mut text = String::new();
    let widest = names.iter().map(|name| width(name.chars())).max().unwrap_or(0) + 2;
    let columns = (screen / widest).max(1);
    let rows = names.len().div_ceil(columns);
    for row in 0..rows {
        let mut line = String::new();
        for name in names.iter().skip(row).step_by(rows.max(1)) {
            line.push_str(name);
            line.push_str(&" ".repeat(widest - width(name.chars())));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn print_long(parsed: &Parsed, listed: &[Listed]) {
    let size_text = |found: &Listed| match found.stat.mode & S_IFMT {
        S_IFCHR | S_IFBLK => {
            alloc::format!(
                "{}, {:>3}",
                device_major(found.stat.rdev),
                device_minor(found.stat.rdev)
            )
        }
        _ if parsed.has('h') => human_size(found.stat.size as u64),
        _ => found.stat.size.to_string(),
    };
    let links = listed
        .iter()
        .map(|found| found.stat.nlink.to_string().len())
        .max()
        .unwrap_or(1);
    let size = listed
        .iter()
        .map(|found| size_text(found).len())
        .max()
        .unwrap_or(1);
    for found in listed {
        let stat = &found.stat;
        let target = match stat.mode & S_IFMT {
            S_IFLNK => file::read_link(&found.path)
                .map(|target| alloc::format!(" -> {target}"))
                .unwrap_or_default(),
            _ => mark(parsed, found).to_string(),
        };
        let inode = if parsed.has('i') {
            alloc::format!("{:>6} ", stat.ino)
        } else {
            String::new()
        };
        println!(
            "{inode}{} {:>links$} {:<4} {:<4} {:>size$} {} {}{target}",
            mode_text(stat.mode),
            stat.nlink,
            owner(stat.uid),
            owner(stat.gid),
            size_text(found),
            &date_text(stat.mtime.sec)[..16],
            found.name,
        );
    }
}

/// The one name that every system knows; others are numbers.
fn owner(id: u32) -> String {
    if id == 0 {
        "root".to_string()
    } else {
        id.to_string()
    }
}

/// stat files
pub fn status(arguments: &[&str]) -> i32 {
    let parsed = match parse(arguments, "L") {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    if parsed.operands.is_empty() {
        return parsed.usage("[-L] file...");
    }
    let mut status = 0;
    for name in &parsed.operands {
        let stat = match file::status(
            name,
            if parsed.has('L') {
                AtFlags::empty()
            } else {
                AtFlags::AT_SYMLINK_NOFOLLOW
            },
        ) {
            Ok(stat) => stat,
            Err(error) => {
                status = parsed.fail(format_args!("cannot stat '{name}': {error}"));
                continue;
            }
        };
        println!("  File: {name}");
        println!(
            "  Size: {:<12} Blocks: {:<8} IO Block: {}",
            stat.size, stat.blocks, stat.blksize
        );
        println!(
            "Device: {:<12x} Inode: {:<9} Links: {}",
            stat.dev, stat.ino, stat.nlink
        );
        println!(
            "Access: ({:04o}/{})  Uid: {}  Gid: {}",
            stat.mode & 0o7777,
            mode_text(stat.mode),
            stat.uid,
            stat.gid
        );
        for (title, time) in [
            ("Access", stat.atime),
            ("Modify", stat.mtime),
            ("Change", stat.ctime),
        ] {
            println!("{title}: {}.{:09}", date_text(time.sec), time.nsec);
        }
    }
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_written_as_ls_writes_them() {
        assert_eq!(mode_text(S_IFDIR | 0o1777), "drwxrwxrwt");
        assert_eq!(mode_text(0o104755), "-rwsr-xr-x");
        assert_eq!(mode_text(S_IFLNK | 0o2644), "lrw-r-Sr--");
    }
}
