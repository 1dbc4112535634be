//! grep: prints the lines that match.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::arguments::{Parsed, parse};
use super::text::open;
use crate::regex::{Expression, Reading, Syntax};
use crate::runtime::{directory, file, output, path};
use abi::file::{AtFlags, S_IFDIR, S_IFMT, S_IFREG};

/// The files to look into: what is named, and with -r what lies below. Links below are not followed, and what is neither file
/// nor folder there is left out.
fn targets(parsed: &Parsed) -> Vec<String> {
    if !parsed.has('r') {
        return parsed.files().iter().map(|name| name.to_string()).collect();
    }
    let mut all = Vec::new();
    if parsed.operands.is_empty() {
        below(".", &mut |name| all.push(name[2..].to_string()));
    }
    for name in &parsed.operands {
        if file::is_directory(name) {
            below(name, &mut |found| all.push(found.to_string()));
        } else {
            all.push(name.to_string());
        }
    }
    all
}

/// Calls `found` with the path of each file below a folder.
fn below(folder: &str, found: &mut dyn FnMut(&str)) {
    for name in directory::names(folder).unwrap_or_default() {
        let path = path::join(folder, &name);
        match file::status(&path, AtFlags::AT_SYMLINK_NOFOLLOW).map(|status| status.mode & S_IFMT) {
            Ok(S_IFREG) => found(&path),
            Ok(S_IFDIR) => below(&path, found),
            _ => {}
        }
    }
}

fn reading(parsed: &Parsed) -> Reading {
    Reading {
        syntax: match (parsed.has('F'), parsed.has('E')) {
            (true, _) => Syntax::Fixed,
            (_, true) => Syntax::Extended,
            _ => Syntax::Basic,
        },
        ignores_case: parsed.has('i'),
        has_lines: false,
        has_escapes: false,
    }
}

/// grep [-EFGHchilnqrsv] pattern files, or -e pattern as often as there are patterns
pub fn grep(arguments: &[&str]) -> i32 {
    let mut parsed = match parse(arguments, "EFGHchilnqrvse:") {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let mut patterns: Vec<&str> = parsed.values('e').collect();
    if patterns.is_empty() {
        if parsed.operands.is_empty() {
            return parsed.usage("[-EFGHchilnqrsv] pattern | -e pattern... [file...]");
        }
        patterns.push(parsed.operands.remove(0));
    }
    let expressions = patterns
        .iter()
        .map(|pattern| Expression::new(pattern, reading(&parsed)));
    let expressions = match expressions.collect::<Result<Vec<_>, _>>() {
        Ok(expressions) => expressions,
        Err(message) => {
            parsed.fail(message);
            return 2;
        }
    };
    let (mut is_found, mut status) = (false, 0);
    let has_many = parsed.operands.len() > 1 || parsed.has('r');
    let is_named = (has_many || parsed.has('H')) && !parsed.has('h');
    for name in &targets(&parsed) {
        let shown = if name == "-" { "(standard input)" } else { name };
        let title = if is_named {
            alloc::format!("{shown}:")
        } else {
            String::new()
        };
        let bytes = match open(name).and_then(|file| file.read_all()) {
            Ok(bytes) => bytes,
            Err(error) => {
                status = 2;
                if !parsed.has('s') {
                    parsed.fail(format_args!("{name}: {error}"));
                }
                continue;
            }
        };
        let is_match = |line: &[u8]| expressions.iter().any(|expression| expression.is_match(line));
        let is_wanted = |line: &[u8]| is_match(line) != parsed.has('v');
        let count = print_matches(&parsed, &title, shown, &bytes, is_wanted);
        is_found |= count > 0;
        if parsed.has('c') && !parsed.has('l') && !parsed.has('q') {
            println!("{title}{count}");
        }
    }
    match (status, is_found) {
        _ if is_found && parsed.has('q') => 0,
        (0, true) => 0,
        (0, false) => 1,
        _ => 2,
    }
}

fn print_matches(
    parsed: &Parsed,
    title: &str,
    name: &str,
    text: &[u8],
    is_wanted: impl Fn(&[u8]) -> bool,
) -> usize {
    let mut count = 0;
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    let lines = lines.map(|line| line.strip_suffix(b"\n").unwrap_or(line));
    for (number, line) in lines.enumerate().filter(|(_, line)| is_wanted(line)) {
        count += 1;
        if parsed.has('l') && !parsed.has('q') {
            println!("{name}");
        }
        if parsed.has('q') || parsed.has('l') {
            break;
        }
        if !parsed.has('c') {
            let number = if parsed.has('n') {
                alloc::format!("{}:", number + 1)
            } else {
                String::new()
            };
            print!("{title}{number}");
            output::write_bytes(line);
            println!();
        }
    }
    count
}
