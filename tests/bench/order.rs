//! The order of the kernel's functions in memory: those of the hot paths come first, one behind the other as a run first comes by them, so
//! that they share pages, and where one ends the next one's line is beside it. `linker/kernel.ld` takes the list that is written here.

use crate::machine::Machine;
use crate::profile::first_executed;
use ::tests::files;
use anyhow::{Context, Result};
use object::{Object, ObjectSymbol, SymbolKind};
use regex::Regex;
use std::fmt::Write;

/// The rows whose functions are listed, what is to be near each other first.
const ROWS: [&str; 7] = [
    "life",
    "fault",
    "copy",
    "null_call",
    "pipe_round_trip",
    "brk",
    "exec",
];

const HEAD: &str = "\
/* Functions of the hot paths in the order in which they are first come by: a process's life, faults, calls, a pipe, exec. Written by
 * `.ci/bench run order`. A line that matches nothing does no harm. `*` stands for what another compiler or another folder would name
 * otherwise: the hash of a crate, and references back into the name. */
";

/// Traces the rows and writes the list.
pub fn run(machine: &Machine) -> Result<()> {
    let kernel = machine.built.join("kernel.elf");
    let bytes = std::fs::read(&kernel).with_context(|| kernel.display().to_string())?;
    let functions = functions(&object::File::parse(bytes.as_slice())?);
    let mut lines: Vec<String> = Vec::new();
    for row in ROWS {
        for address in first_executed(machine, row)? {
            let behind = functions.partition_point(|(start, _)| *start <= address);
            let Some((_, name)) = functions[..behind].last() else {
                continue;
            };
            let line = format!("*(.text.{})", pattern(name));
            if name.starts_with("_R") && !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    let mut list = HEAD.to_owned();
    lines
        .iter()
        .try_for_each(|line| writeln!(list, "{line}"))
        .context("writing to a string")?;
    let place = files::root().join("linker/hot.ld");
    std::fs::write(&place, list).with_context(|| place.display().to_string())?;
    println!("{}: {} functions", place.display(), lines.len());
    Ok(())
}

/// First address and name of each function.
fn functions(elf: &object::File) -> Vec<(u64, String)> {
    let named = |symbol: object::Symbol| {
        let name = symbol.name().ok()?.to_owned();
        (symbol.kind() == SymbolKind::Text).then_some((symbol.address(), name))
    };
    let mut functions: Vec<_> = elf.symbols().filter_map(named).collect();
    functions.sort();
    functions
}

/// A mangled name (RFC 2603) without what differs from build to build.
fn pattern(name: &str) -> String {
    let crates = Regex::new("Cs[0-9A-Za-z]+_").expect("an expression");
    let back = Regex::new("B[0-9A-Za-z]{0,3}_").expect("an expression");
    back.replace_all(&crates.replace_all(name, "Cs*_"), "B*_")
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_names_no_build() {
        let name = "_RINvMs_NtNtCsgV44eu3ky4t_6memory8fallible3mapINtB5_3MapmjE7get_mutmECs2U0xZzB7lla_4task";
        let named = "_RINvMs_NtNtCs*_6memory8fallible3mapINtB*_3MapmjE7get_mutmECs*_4task";
        assert_eq!(pattern(name), named);
        assert_eq!(
            pattern("_RNvNtCsAb_5sched9scheduler5begin"),
            "_RNvNtCs*_5sched9scheduler5begin"
        );
    }

    #[test]
    fn the_list_names_no_build() {
        let list = std::fs::read_to_string(files::root().join("linker/hot.ld")).unwrap();
        let lines: Vec<&str> = list.lines().filter(|line| line.starts_with("*(")).collect();
        for line in &lines {
            let name = line
                .strip_prefix("*(.text.")
                .and_then(|rest| rest.strip_suffix(')'));
            assert_eq!(name.map(pattern).as_deref(), name, "{line}");
        }
        for function in ["13build_process", "12handle_fault", "14wait_for_child"] {
            assert!(lines.iter().any(|line| line.contains(function)), "{function}");
        }
    }
}
