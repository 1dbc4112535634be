//! find: walks directories.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::runtime::{directory, file, path};
use crate::shell::pattern;
use abi::file::{AtFlags, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG};

/// What is asked of a path.
enum Condition<'a> {
    Name(&'a str),
    Kind(u32),
    MaxDepth(usize),
}

/// `find [paths] [-name pattern] [-type bcdflp] [-maxdepth n] [-print]`
pub fn find(arguments: &[&str]) -> i32 {
    let first_option = arguments
        .iter()
        .skip(1)
        .position(|word| word.starts_with('-'))
        .map_or(arguments.len(), |at| at + 1);
    let conditions = match conditions(&arguments[first_option..]) {
        Ok(conditions) => conditions,
        Err(message) => {
            eprintln!("find: {message}");
            return 1;
        }
    };
    let mut starts = arguments[1..first_option].to_vec();
    if starts.is_empty() {
        starts.push(".");
    }
    let mut status = 0;
    for start in starts {
        if let Err(error) = file::status(start, AtFlags::AT_SYMLINK_NOFOLLOW) {
            eprintln!("find: '{start}': {error}");
            status = 1;
            continue;
        }
        status |= walk(start, &conditions);
    }
    status
}

fn conditions<'a>(words: &[&'a str]) -> Result<Vec<Condition<'a>>, String> {
    let mut conditions = Vec::new();
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        if *word == "-print" {
            continue;
        }
        let value = rest
            .next()
            .ok_or_else(|| alloc::format!("missing argument to '{word}'"))?;
        conditions.push(match *word {
            "-name" => Condition::Name(value),
            "-type" => Condition::Kind(match *value {
                "b" => S_IFBLK,
                "c" => S_IFCHR,
                "d" => S_IFDIR,
                "f" => S_IFREG,
                "l" => S_IFLNK,
                "p" => S_IFIFO,
                value => return Err(alloc::format!("unknown type '{value}'")),
            }),
            "-maxdepth" => Condition::MaxDepth(
                value
                    .parse()
                    .map_err(|_| alloc::format!("invalid depth '{value}'"))?,
            ),
            word => return Err(alloc::format!("unknown predicate '{word}'")),
        });
    }
    Ok(conditions)
}

/// Depth first, each directory before what is in it.
fn walk(start: &str, conditions: &[Condition]) -> i32 {
    let mut status = 0;
    let mut pending = Vec::from([(start.to_string(), 0)]);
    while let Some((name, depth)) = pending.pop() {
        // What was removed meanwhile is passed over.
        let Ok(stat) = file::status(&name, AtFlags::AT_SYMLINK_NOFOLLOW) else {
            continue;
        };
        let kind = stat.mode & S_IFMT;
        let is_wanted = conditions.iter().all(|condition| match condition {
            Condition::Name(wanted) => pattern::matches(wanted, path::base_name(&name)),
            Condition::Kind(wanted) => kind == *wanted,
            Condition::MaxDepth(_) => true,
        });
        if is_wanted {
            println!("{name}");
        }
        let is_deep_enough =
            |condition: &Condition| matches!(condition, Condition::MaxDepth(most) if depth >= *most);
        if kind != S_IFDIR || conditions.iter().any(is_deep_enough) {
            continue;
        }
        match directory::names(&name) {
            Ok(names) => pending.extend(
                names
                    .iter()
                    .rev()
                    .map(|entry| (path::join(&name, entry), depth + 1)),
            ),
            Err(error) => {
                eprintln!("find: '{name}': {error}");
                status = 1;
            }
        }
    }
    status
}
