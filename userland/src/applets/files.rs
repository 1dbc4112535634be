//! cp, mv, rm, mkdir, rmdir, ln, touch.

use alloc::string::String;

use super::arguments::{Parsed, parse};
use crate::runtime::file::{self, File};
use crate::runtime::{Errno, Result, directory, path};
use abi::file::{AtFlags, OpenFlags};
use abi::file::{S_IFDIR, S_IFLNK, S_IFMT};

/// mkdir [-p] folders
pub fn make_directories(arguments: &[&str]) -> i32 {
    let parsed = match parse(arguments, "pm:") {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    if parsed.operands.is_empty() {
        return parsed.usage("[-p] [-m mode] folder...");
    }
    let Ok(mode) = u32::from_str_radix(parsed.value('m').unwrap_or("777"), 8) else {
        return parsed.fail("invalid mode");
    };
    let mut status = 0;
    for name in &parsed.operands {
        let made = if parsed.has('p') {
            make_path(name, mode)
        } else {
            file::make_directory(name, mode)
        };
        if let Err(error) = made {
            status = parsed.fail(format_args!("cannot create directory '{name}': {error}"));
        }
    }
    status
}

/// Makes a directory and those above it.
fn make_path(name: &str, mode: u32) -> Result<()> {
    match file::make_directory(name, mode) {
        Err(Errno::EEXIST) if file::is_directory(name) => Ok(()),
        Err(Errno::ENOENT) if !name.is_empty() && path::directory_name(name) != name => {
            make_path(path::directory_name(name), 0o777)?;
            file::make_directory(name, mode)
        }
        result => result,
    }
}

/// rmdir folders
pub fn remove_directories(arguments: &[&str]) -> i32 {
    let parsed = match parse(arguments, "") {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    if parsed.operands.is_empty() {
        return parsed.usage("folder...");
    }
    let mut status = 0;
    for name in &parsed.operands {
        if let Err(error) = file::unlink(name, AtFlags::AT_REMOVEDIR) {
            status = parsed.fail(format_args!("failed to remove '{name}': {error}"));
        }
    }
    status
}

fn is_real_directory(name: &str) -> Result<bool> {
    Ok(file::status(name, AtFlags::AT_SYMLINK_NOFOLLOW)?.mode & S_IFMT == S_IFDIR)
}

/// rm [-rf] names
pub fn remove(arguments: &[&str]) -> i32 {
    let parsed = match parse(arguments, "rRf") {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    if parsed.operands.is_empty() && !parsed.has('f') {
        return parsed.usage("[-rf] name...");
    }
    let mut status = 0;
    for name in &parsed.operands {
        if matches!(path::base_name(name), "." | ".." | "/") {
            status = parsed.fail(format_args!("refusing to remove '{name}'"));
            continue;
        }
        match remove_one(&parsed, name) {
            Err(Errno::ENOENT) if parsed.has('f') => {}
            Err(error) => status = parsed.fail(format_args!("cannot remove '{name}': {error}")),
            Ok(()) => {}
        }
    }
    status
}

fn remove_one(parsed: &Parsed, name: &str) -> Result<()> {
    if !is_real_directory(name)? {
        return file::unlink(name, AtFlags::empty());
    }
    if !parsed.has('r') && !parsed.has('R') {
        return Err(Errno::EISDIR);
    }
    for entry in directory::names(name)? {
        remove_one(parsed, &path::join(name, &entry))?;
    }
    file::unlink(name, AtFlags::AT_REMOVEDIR)
}

/// The operands as sources and the place for each: a directory takes them under their own names.
fn with_targets(parsed: &Parsed, mut each: impl FnMut(&str, &str) -> Result<()>) -> i32 {
    let Some((target, sources)) = parsed
        .operands
        .split_last()
        .filter(|(_, sources)| !sources.is_empty())
    else {
        return parsed.usage("source... target");
    };
    let is_into = file::is_directory(target);
    if sources.len() > 1 && !is_into {
        return parsed.fail(format_args!("target '{target}' is not a directory"));
    }
    let mut status = 0;
    for source in sources {
        let place = if is_into {
            path::join(target, path::base_name(source))
        } else {
            String::from(*target)
        };
        if let Err(error) = each(source, &place) {
            status = parsed.fail(format_args!("'{source}' to '{place}': {error}"));
        }
    }
    status
}

/// cp [-r] sources target
pub fn copy(arguments: &[&str]) -> i32 {
    let parsed = match parse(arguments, "rRapf") {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let is_recursive = "rRa".chars().any(|letter| parsed.has(letter));
    with_targets(&parsed, |source, target| copy_one(source, target, is_recursive))
}

fn copy_one(source: &str, target: &str, is_recursive: bool) -> Result<()> {
    let stat = file::status(
        source,
        if is_recursive {
            AtFlags::AT_SYMLINK_NOFOLLOW
        } else {
            AtFlags::empty()
        },
    )?;
    match stat.mode & S_IFMT {
        S_IFDIR if !is_recursive => Err(Errno::EISDIR),
        S_IFDIR => copy_directory(source, target, stat.mode & 0o7777),
        S_IFLNK => file::symbolic_link(&file::read_link(source)?, target),
        _ => copy_content(source, target, stat.mode & 0o777),
    }
}

fn copy_directory(source: &str, target: &str, mode: u32) -> Result<()> {
    // The names are read first: a copy into the directory itself must end.
    let names = directory::names(source)?;
    match file::make_directory(target, mode | 0o700) {
        Err(Errno::EEXIST) if file::is_directory(target) => {}
        result => result?,
    }
    for name in names {
        copy_one(&path::join(source, &name), &path::join(target, &name), true)?;
    }
    Ok(())
}

fn copy_content(source: &str, target: &str, mode: u32) -> Result<()> {
    let input = File::read_only(source)?;
    if let (Ok(a), Ok(b)) = (input.status(), file::status(target, AtFlags::empty()))
        && (a.dev, a.ino) == (b.dev, b.ino)
    {
        return Err(Errno::EEXIST);
    }
    let output = File::open(
        target,
        OpenFlags::O_WRONLY | OpenFlags::O_CREAT | OpenFlags::O_TRUNC | OpenFlags::O_CLOEXEC,
        mode,
    )?;
    let mut buffer = alloc::vec![0; 64 * 1024];
    loop {
        match input.read(&mut buffer)? {
            0 => return Ok(()),
            count => output.write(&buffer[..count])?,
        }
    }
}

/// mv sources target
pub fn rename(arguments: &[&str]) -> i32 {
    let parsed = match parse(arguments, "f") {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    with_targets(&parsed, |source, target| match file::rename(source, target) {
        Err(Errno::EXDEV) if !is_real_directory(source)? => {
            copy_one(source, target, true)?;
            file::unlink(source, AtFlags::empty())
        }
        result => result,
    })
}

/// ln [-sf] target name
pub fn link(arguments: &[&str]) -> i32 {
    let parsed = match parse(arguments, "sf") {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let (target, name) = match parsed.operands.as_slice() {
        [target] => (*target, String::from(path::base_name(target))),
        [target, name] if file::is_directory(name) => (*target, path::join(name, path::base_name(target))),
        [target, name] => (*target, String::from(*name)),
        _ => return parsed.usage("[-sf] target [name]"),
    };
    if parsed.has('f')
        && let Err(error) = file::unlink(&name, AtFlags::empty())
        && error != Errno::ENOENT
    {
        return parsed.fail(format_args!("cannot remove '{name}': {error}"));
    }
    let made = if parsed.has('s') {
        file::symbolic_link(target, &name)
    } else {
        file::link(target, &name)
    };
    match made {
        Ok(()) => 0,
        Err(error) => parsed.fail(format_args!("'{name}': {error}")),
    }
}

/// touch [-c] files
pub fn touch(arguments: &[&str]) -> i32 {
    let parsed = match parse(arguments, "c") {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    if parsed.operands.is_empty() {
        return parsed.usage("file...");
    }
    let mut status = 0;
    for name in &parsed.operands {
        let touched = match file::touch(name) {
            Err(Errno::ENOENT) if parsed.has('c') => Ok(()),
            Err(Errno::ENOENT) => File::open(
                name,
                OpenFlags::O_WRONLY | OpenFlags::O_CREAT | OpenFlags::O_NONBLOCK | OpenFlags::O_CLOEXEC,
                0o666,
            )
            .map(drop),
            result => result,
        };
        if let Err(error) = touched {
            status = parsed.fail(format_args!("cannot touch '{name}': {error}"));
        }
    }
    status
}
