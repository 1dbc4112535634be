//! diff: what differs between two files or folders.

mod compare;
mod print;
#[cfg(test)]
mod tests;

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::arguments::{Parsed, parse};
use super::system::format_date;
use super::text::open;
use crate::runtime::{Errno, Result, directory, file, output, path};
use abi::file::Stat;
use print::Lines;

const OPTIONS: &str = "uU:qsrNiwbBa";

/// Lines of context of -u.
const CONTEXT: usize = 3;

/// How lines are compared.
#[derive(Clone, Copy, Default)]
struct Likeness {
    ignores_case: bool,
    /// -w: all blanks.
    ignores_blanks: bool,
    /// -b: how many there are, and those at the end.
    ignores_amount: bool,
    /// -B: changes of empty lines only.
    ignores_empty_lines: bool,
}

impl Likeness {
    fn of(parsed: &Parsed) -> Likeness {
        Likeness {
            ignores_case: parsed.has('i'),
            ignores_blanks: parsed.has('w'),
            ignores_amount: parsed.has('b'),
            ignores_empty_lines: parsed.has('B'),
        }
    }

    /// What is equal for lines that count as equal.
    fn key(self, line: &[u8]) -> Vec<u8> {
        let mut key = line.to_vec();
        if self.ignores_blanks || self.ignores_amount {
            key = self.without_blanks(line);
        }
        if self.ignores_case {
            key.make_ascii_lowercase();
        }
        key
    }

    fn without_blanks(self, line: &[u8]) -> Vec<u8> {
        let mut key = Vec::new();
        for word in line.split_inclusive(u8::is_ascii_whitespace) {
            let text = word.trim_ascii_end();
            key.extend_from_slice(text);
            let has_blank = text.len() < word.len();
            if has_blank && !self.ignores_blanks && key.last() != Some(&b' ') {
                key.push(b' ');
            }
        }
        key.truncate(key.trim_ascii_end().len());
        key
    }
}

/// The differences of two texts, as they are printed without their names; nothing if there are none.
fn differences(old: &[u8], new: &[u8], likeness: Likeness, context: Option<usize>) -> Vec<u8> {
    let split = |text| -> Lines { <[u8]>::split_inclusive(text, |byte| *byte == b'\n').collect() };
    let (old, new) = (split(old), split(new));
    let keys = |lines: &Lines| -> Vec<Vec<u8>> { lines.iter().map(|line| likeness.key(line)).collect() };
    let difference = compare::compare(&keys(&old), &keys(&new));
    let is_ignored = |is_old: bool, line: usize| {
        let line = if is_old { old[line] } else { new[line] };
        likeness.ignores_empty_lines && line == b"\n"
    };
    let changes = print::changes(&difference, is_ignored);
    match context {
        Some(context) => print::unified(&old, &new, &changes, context),
        None => print::normal(&old, &new, &changes),
    }
}

/// What all comparisons share.
struct Run<'a> {
    parsed: &'a Parsed<'a>,
    context: Option<usize>,
    status: i32,
}

/// One side: its name, and what it holds. A file that is not there is empty with -N.
struct Side {
    name: String,
    content: Vec<u8>,
    modified: Option<Stat>,
}

impl Run<'_> {
    fn side(&self, name: &str) -> Result<Side> {
        let read = open(name).and_then(|file| Ok((file.status()?, file.read_all()?)));
        let (modified, content) = match read {
            Ok((stat, content)) => (Some(stat), content),
            Err(Errno::ENOENT) if self.parsed.has('N') => (None, Vec::new()),
            Err(error) => return Err(error),
        };
        Ok(Side {
            name: name.to_string(),
            content,
            modified,
        })
    }

    fn failed(&mut self, name: &str, error: Errno) {
        self.parsed.fail(format_args!("{name}: {error}"));
        self.status = 2;
    }

    /// Compares two files or two folders; `is_below`: found in folders that are compared.
    fn compare(&mut self, old: &str, new: &str, is_below: bool) {
        match (file::is_directory(old), file::is_directory(new)) {
            (true, true) if !is_below || self.parsed.has('r') => self.folders(old, new),
            (true, true) => println!("Common subdirectories: {old} and {new}"),
            (true, false) if !is_below => self.files(&path::join(old, path::base_name(new)), new, false),
            (false, true) if !is_below => self.files(old, &path::join(new, path::base_name(old)), false),
            (false, false) => self.files(old, new, is_below),
            (is_folder, _) => {
                let kind = |is_folder| if is_folder { "directory" } else { "regular file" };
                println!(
                    "File {old} is a {} while file {new} is a {}",
                    kind(is_folder),
                    kind(!is_folder)
                );
                self.status = self.status.max(1);
            }
        }
    }

    fn folders(&mut self, old: &str, new: &str) {
        let mut names = BTreeSet::new();
        let mut sides = Vec::new();
        for folder in [old, new] {
            match directory::names(folder) {
                Ok(found) => {
                    names.extend(found.iter().cloned());
                    sides.push(found.into_iter().collect::<BTreeSet<_>>());
                }
                Err(error) => return self.failed(folder, error),
            }
        }
        for name in names {
            let missing = (0..2).find(|side| !sides[*side].contains(&name));
            match missing {
                Some(side) if !self.parsed.has('N') => {
                    println!("Only in {}: {name}", [new, old][side]);
                    self.status = self.status.max(1);
                }
                _ => self.compare(&path::join(old, &name), &path::join(new, &name), true),
            }
        }
    }

    fn files(&mut self, old: &str, new: &str, is_below: bool) {
        let (old, new) = match (self.side(old), self.side(new)) {
            (Ok(old), Ok(new)) => (old, new),
            (one, other) => {
                for (name, side) in [(old, one), (new, other)] {
                    if let Err(error) = side {
                        self.failed(name, error);
                    }
                }
                return;
            }
        };
        if old.modified.is_none() && new.modified.is_none() {
            return self.failed(&old.name, Errno::ENOENT);
        }
        let is_binary = |side: &Side| side.content.iter().take(32 << 10).any(|byte| *byte == 0);
        let is_text = self.parsed.has('a') || !is_binary(&old) && !is_binary(&new);
        let differs = old.content != new.content;
        let text = match (differs, is_text) {
            (true, true) => differences(
                &old.content,
                &new.content,
                Likeness::of(self.parsed),
                self.context,
            ),
            (true, false) => format!("Binary files {} and {} differ\n", old.name, new.name).into_bytes(),
            _ => Vec::new(),
        };
        self.tell(&old, &new, &text, is_text, is_below);
    }

    fn tell(&mut self, old: &Side, new: &Side, text: &[u8], is_text: bool, is_below: bool) {
        let names = format!("{} and {}", old.name, new.name);
        if text.is_empty() {
            if self.parsed.has('s') {
                println!("Files {names} are identical");
            }
            return;
        }
        self.status = self.status.max(1);
        if self.parsed.has('q') {
            println!("Files {names} differ");
            return;
        }
        if is_below && is_text {
            println!("diff {}{} {}", self.options(), old.name, new.name);
        }
        if self.context.is_some() && is_text {
            println!("--- {}\n+++ {}", title(old), title(new));
        }
        output::write_bytes(text);
    }

    /// The options, as they are repeated above each file of a folder.
    fn options(&self) -> String {
        let all = self.parsed.in_order(OPTIONS);
        all.map(|(letter, value)| match value {
            "" => format!("-{letter} "),
            value => format!("-{letter} {value} "),
        })
        .collect()
    }
}

/// A file's name and when it was modified.
fn title(side: &Side) -> String {
    let (seconds, nanos) = match &side.modified {
        Some(stat) => (stat.mtime.sec, stat.mtime.nsec),
        None => (0, 0),
    };
    let time = format_date("%Y-%m-%d %H:%M:%S", seconds);
    format!("{}\t{time}.{nanos:09} +0000", side.name)
}

/// diff [-u | -U lines] [-qsrNiwbBa] old new
pub fn diff(arguments: &[&str]) -> i32 {
    let parsed = match parse(arguments, OPTIONS) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let [old, new] = parsed.operands[..] else {
        return parsed.usage("[-u | -U lines] [-qsrNiwbBa] old new");
    };
    let wanted = match parsed.value('U').map(|text| parsed.number(text)) {
        Some(Ok(lines)) => Some(
            usize::try_from(lines)
                .unwrap_or(usize::MAX / 4)
                .min(usize::MAX / 4),
        ),
        Some(Err(_)) => return 2,
        None => parsed.has('u').then_some(CONTEXT),
    };
    let mut run = Run {
        parsed: &parsed,
        context: wanted,
        status: 0,
    };
    run.compare(old, new, false);
    run.status
}
