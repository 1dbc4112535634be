//! Which lines a row misses: by the function that asks, and by what lies there.

use crate::machine::Machine;
use crate::profile::{function, is_kernel, plain};
use crate::table::number;
use anyhow::{Context, Result, anyhow};
use object::{Object, ObjectSymbol};
use std::collections::HashMap;
use std::fmt::Write;

/// The kernel's half of the address space by the upper end of each zone: `platform/src/layout.rs`.
const ZONES: [(u64, &str); 4] = [
    (0xffff_ffc0_0000_0000, "linear map"),
    (0xffff_ffd0_0000_0000, "kernel stack"),
    (0xffff_ffff_8000_0000, "device"),
    (u64::MAX, "image"),
];
/// How many of each list are shown.
const LISTED: usize = 45;

/// What lies at an address.
struct Names {
    /// First address, length, name of each symbol of data.
    symbols: Vec<(u64, u64, String)>,
}

impl Names {
    fn of(elf: &object::File) -> Names {
        let named = |symbol: &object::Symbol| {
            let name = rustc_demangle::demangle(symbol.name().ok()?).to_string();
            (symbol.size() > 0).then(|| (symbol.address(), symbol.size(), name))
        };
        let mut symbols: Vec<_> = elf.symbols().filter_map(|symbol| named(&symbol)).collect();
        symbols.sort();
        Names { symbols }
    }

    /// The symbol of a line, or the zone; of the linear map and stacks the page too, for what is near is laid together.
    fn name(&self, line: u64) -> String {
        if !is_kernel(line) {
            return "program".to_owned();
        }
        let after = self.symbols.partition_point(|(start, ..)| *start < line + 64);
        let found = self.symbols[..after]
            .iter()
            .rev()
            .take(4)
            .find(|(start, length, _)| line < start + length);
        if let Some((_, _, name)) = found {
            return format!("static {}", plain(name));
        }
        let zone = ZONES.iter().find(|(end, _)| line < *end);
        zone.map_or("?", |(_, zone)| *zone).to_owned()
    }
}

/// The lists of the log's `line ROW KIND memory|l2 ADDRESS PC TIMES`, for each of so many operations of one repeat. Four warm repeats
/// are in it.
pub fn render(log: &str, operations: f64, machine: &Machine) -> Result<String> {
    const REPEATS: f64 = 4.0;
    let kernel = machine.built.join("kernel.elf");
    let bytes = std::fs::read(&kernel).with_context(|| kernel.display().to_string())?;
    let names = Names::of(&object::File::parse(bytes.as_slice())?);
    let loader = addr2line::Loader::new(&kernel).map_err(|error| anyhow!("{}: {error}", kernel.display()))?;
    let mut by_function: HashMap<String, f64> = HashMap::new();
    let mut by_place: HashMap<String, f64> = HashMap::new();
    for line in log.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let ["line", _row, kind, from, address, pc, times] = words.as_slice() else {
            continue;
        };
        let hexadecimal = |word: &str| u64::from_str_radix(word.trim_start_matches("0x"), 16);
        let (address, pc) = (hexadecimal(address)?, hexadecimal(pc)?);
        let times = times.parse::<f64>()? / operations / REPEATS;
        let whose = if is_kernel(pc) {
            function(&loader, pc)
        } else {
            "program".to_owned()
        };
        *by_function
            .entry(format!("{kind:<12}{from:<8}{whose}"))
            .or_default() += times;
        let place = match *kind {
            "Data" => format!("{} {:#x}", names.name(address), address),
            "Walk" => format!("table {address:#x}"),
            _ => continue,
        };
        *by_place.entry(format!("{kind:<12}{from:<8}{place}")).or_default() += times;
    }
    let mut text = list("lines missed, by who asks", by_function);
    text += &list("lines of data, by what lies there", by_place);
    Ok(text)
}

fn list(title: &str, counts: HashMap<String, f64>) -> String {
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|one, other| other.1.total_cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    let mut text = format!("\n{title}\n");
    for (name, count) in counts.iter().take(LISTED) {
        writeln!(text, "{:>10}  {name}", number(*count)).expect("writing to a string");
    }
    match counts.get(LISTED..) {
        Some(others) => {
            let rest: f64 = others.iter().map(|(_, count)| count).sum();
            writeln!(text, "{:>10}  in {} others", number(rest), others.len()).expect("writing to a string");
        }
        None if counts.is_empty() => text.push_str("         0\n"),
        None => {}
    }
    text
}
