//! Lines, translations and cycles of each row, by the model of crate `misses`: both kernels run the same program on it.

use crate::machine::{self, Clock, Machine, end, lines};
use crate::missed_lines;
use crate::profile::{Marks, announced};
use crate::table::number;
use ::tests::files;
use ::tests::ram_file::RamFile;
use anyhow::{Context, Result, ensure};
use misses::counts::{Counts, assumed};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// Of the virt board.
const RAM_BASE: u64 = 0x4000_0000;
const RAM_MEBIBYTES: u64 = 1024;
/// MiB of the parent in the rows that have several.
const SIZES: &str = "sizes=0,16,64";

/// A row that was announced, and what was counted.
struct Row {
    name: String,
    operations: f64,
    cold: Vec<Deed>,
    warm: Vec<Deed>,
}

struct Deed {
    parts: u64,
    longest: f64,
    counts: Counts,
}

/// Runs all rows on both kernels, or lists the lines that one row of ours misses.
pub fn run(machine: &Machine, words: &[String], is_update: bool) -> Result<()> {
    let machine = Machine {
        memory: format!("{RAM_MEBIBYTES}M"),
        clock: Clock::Instructions,
        ..machine.clone()
    };
    let mut arguments = vec!["lines".to_owned(), SIZES.to_owned()];
    let Some((row, options)) = words.split_first() else {
        return compare(&machine, &arguments, is_update);
    };
    let (row, size) = row.split_once('/').unwrap_or((row, "0"));
    arguments.extend(options.iter().cloned());
    arguments.extend([row.to_owned(), format!("sizes={size}")]);
    let (rows, log) = measure(&machine, &arguments, true)?;
    let first = rows
        .first()
        .with_context(|| format!("no row {row}: without a name all are run"))?;
    let operations = first.operations;
    print!("{}", table(&rows, &[]));
    print!("{}", missed_lines::render(&log, operations, &machine)?);
    Ok(())
}

fn compare(machine: &Machine, arguments: &[String], is_update: bool) -> Result<()> {
    let (ours, _) = measure(machine, arguments, false)?;
    let linux = Machine {
        name: "Linux",
        kernel: machine::linux()?,
        append: "transparent_hugepage=madvise".to_owned(),
        ..machine.clone()
    };
    let (theirs, _) = measure(&linux, arguments, false)?;
    let text = table(&ours, &theirs) + &legend();
    print!("{text}");
    let folder = if is_update {
        files::root().join("tests/bench")
    } else {
        machine.built.join("bench")
    };
    Ok(std::fs::write(folder.join("misses.md"), text)?)
}

/// Boots under the plugin; what it counted, and its whole log.
fn measure(machine: &Machine, arguments: &[String], has_lines: bool) -> Result<(Vec<Row>, String)> {
    let marks = Marks::of(&machine::programs(&machine.built).join("bench"))?;
    let ram = RamFile::new(RAM_BASE, RAM_MEBIBYTES << 20)?;
    let log = machine.built.join("bench/misses.log");
    let plugin = files::existing(machine.built.join("libchecker.so"))?;
    let mut command = machine.command(arguments)?;
    command.args(ram.arguments());
    command.args(["-plugin", &options(&plugin, &ram, &log, &marks, has_lines)]);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("qemu-system-aarch64")?;
    let mut rows = Vec::new();
    for line in lines(child.stdout.take().context("no standard output")?) {
        if let Some((name, operations)) = announced(&line) {
            eprintln!("{:<10}{name}", machine.name);
            rows.push(Row {
                name,
                operations: operations as f64,
                cold: Vec::new(),
                warm: Vec::new(),
            });
        } else if line.starts_with("bench-failed") {
            eprintln!("{line}");
        }
    }
    // The log is written when QEMU ends by itself.
    child.wait()?;
    end(&mut child)?;
    let log = std::fs::read_to_string(&log).with_context(|| log.display().to_string())?;
    sort_out(&log, &mut rows)?;
    Ok((rows, log))
}

fn options(plugin: &Path, ram: &RamFile, log: &PathBuf, marks: &Marks, has_lines: bool) -> String {
    // A log of a run before must not be taken for this one's; that there is none is as well.
    let _ = std::fs::remove_file(log);
    let Marks { begin, end, deed } = marks;
    let lines = if has_lines { "on" } else { "off" };
    format!(
        "{},misses={},{},begin={begin:#x},end={end:#x},deed={deed:#x},lines={lines},zva={}",
        plugin.display(),
        log.display(),
        ram.options(),
        std::env::var("ZVA").unwrap_or_default()
    )
}

/// Gives each row its repeats: `deed ROW cold|warm PARTS LONGEST COUNT...`.
fn sort_out(log: &str, rows: &mut [Row]) -> Result<()> {
    for line in log.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let ["deed", row, state, parts, longest, counts @ ..] = words.as_slice() else {
            continue;
        };
        let numbers = counts
            .iter()
            .map(|count| count.parse::<u64>())
            .collect::<std::result::Result<Vec<u64>, _>>()
            .with_context(|| line.to_owned())?;
        let fields = <[u64; Counts::NAMES.len()]>::try_from(numbers);
        let counts = Counts::of(fields.ok().with_context(|| line.to_owned())?);
        let index: usize = row.parse()?;
        let row = rows
            .get_mut(index.wrapping_sub(1))
            .context("a row that was not announced")?;
        let deed = Deed {
            parts: parts.parse()?,
            longest: longest.parse()?,
            counts,
        };
        let deeds = if *state == "cold" {
            &mut row.cold
        } else {
            &mut row.warm
        };
        deeds.push(deed);
    }
    ensure!(
        rows.iter()
            .all(|row| !row.cold.is_empty() && !row.warm.is_empty()),
        "a row passed no marks"
    );
    Ok(())
}

/// The repeat that took least.
fn best(deeds: &[Deed]) -> Option<&Deed> {
    deeds
        .iter()
        .min_by(|one, other| one.counts.cycles().total_cmp(&other.counts.cycles()))
}

fn table(ours: &[Row], theirs: &[Row]) -> String {
    let mut text = "| row | | instructions | L1I | L1D | from memory | in a row | made | back | TLB1 | walks | their loads | cycles | longest |\n\
                    |---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n"
        .to_owned();
    for row in ours {
        let other = theirs.iter().find(|other| other.name == row.name);
        for (kernel, row) in [("Holstein", Some(row)), ("Linux", other)] {
            let Some(row) = row else { continue };
            for (state, deeds) in [("cold", &row.cold), ("warm", &row.warm)] {
                if let Some(deed) = best(deeds) {
                    let what = format!("{kernel}, {state}");
                    text += &line(&row.name, &what, row.operations, deed);
                }
            }
        }
    }
    text
}

fn line(row: &str, what: &str, operations: f64, deed: &Deed) -> String {
    let counts = &deed.counts;
    let mut text = format!("| {row} | {what} |");
    for count in [
        counts.instructions,
        counts.l1i,
        counts.l1d,
        counts.l2 + counts.ahead,
        counts.in_a_row,
        counts.claimed,
        counts.written_back,
        counts.tlb1,
        counts.walks,
        counts.walk_loads,
    ] {
        write!(text, " {} |", number(count as f64 / operations)).expect("writing to a string");
    }
    let cycles = number((counts.cycles() / operations).round());
    let longest = if deed.parts > 1 {
        number(deed.longest)
    } else {
        "-".to_owned()
    };
    text + &format!(" {cycles} | {longest} |\n")
}

fn legend() -> String {
    format!(
        "\nFor each operation; cold: nothing in caches and TLBs when it begins, warm: the best of four. L1I, L1D: lines that were not there; \
         from memory: not in L2 either, those asked for ahead among them; in a row: of these next to one just missed; made: by DC ZVA, unread; \
         back: written to memory. TLB1: translations not in the first TLB; walks: nor in the second. Longest: cycles of the longest of several measured parts.\n\n\
         cycles = {} an instruction + {} a line from L2 + {} one from memory, {} if in a row + {} a line made, back or ahead + {} a TLB1 miss + {} a walk + \
         {} each of its loads + {} an exception + {} a DSB + {} an ISB + {} a TLBI (tests/misses/src/counts.rs): an estimate of a Cortex-A72, not a measurement.\n",
        assumed::INSTRUCTION,
        assumed::FROM_L2,
        assumed::FROM_MEMORY,
        assumed::IN_A_ROW,
        assumed::BUS,
        assumed::TLB2,
        assumed::WALK,
        assumed::WALK_LOAD,
        assumed::EXCEPTION,
        assumed::DSB,
        assumed::ISB,
        assumed::TLBI
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_come_to_their_rows_and_the_best_counts() {
        let mut rows = [Row {
            name: "fork/0".to_owned(),
            operations: 2.0,
            cold: Vec::new(),
            warm: Vec::new(),
        }];
        let log = "deed 1 cold 1 9 1000 1 2 3 0 0 0 0 4 5 6 0 0 0 0\n\
                   deed 1 warm 1 8 600 0 9 0 0 0 0 0 0 0 0 0 0 0 0\n\
                   deed 1 warm 2 7 600 0 2 0 0 0 0 0 0 0 0 0 0 0 0\n\
                   line 1 Data l2 0x40 0x80 1\n";
        sort_out(log, &mut rows).expect("a log");
        let text = table(&rows, &[]);
        // 600 instructions at 0.9 and two lines of 10 cycles, for two operations.
        assert!(
            text.contains("| fork/0 | Holstein, warm | 300 | 0 | 1 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 280 | 7 |"),
            "{text}"
        );
        assert!(sort_out("deed 2 cold 1 9 1", &mut rows).is_err());
    }
}
