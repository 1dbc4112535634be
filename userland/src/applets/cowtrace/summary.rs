//! Records counted: a row for each kind, those that took longest first.

use super::line::Line;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

/// A kind of record.
#[derive(Default)]
struct Row<'a> {
    event: &'a str,
    title: &'a str,
    count: u64,
    nanoseconds: u64,
    copied: u64,
    zeroed: u64,
    files: u64,
    tables: u64,
    invalidations: u64,
}

impl<'a> Row<'a> {
    fn add(&mut self, line: &Line<'a>) {
        let sum = |names: &[&str]| names.iter().map(|name| line.count(name)).sum::<u64>();
        self.count += 1;
        self.nanoseconds += line.count("ns");
        self.copied += sum(&["cow_copied"]);
        self.zeroed += sum(&["zero_filled", "zero_shared"]);
        self.files += sum(&["file_mapped", "file_mapped_around"]);
        self.tables += sum(&["cow_tables_copied"]);
        self.invalidations += sum(&[
            "tlbi_asid",
            "tlbi_address",
            "tlbi_everywhere",
            "tlbi_own_address",
            "tlbi_own_all",
        ]);
    }
}

/// The table.
pub fn of<'a>(lines: impl Iterator<Item = Line<'a>>) -> String {
    let mut rows: Vec<Row<'a>> = Vec::new();
    for line in lines {
        let kind = (line.event, line.title());
        let at = rows.iter().position(|row| (row.event, row.title) == kind);
        let at = at.unwrap_or_else(|| {
            rows.push(Row {
                event: kind.0,
                title: kind.1,
                ..Row::default()
            });
            rows.len() - 1
        });
        rows[at].add(&line);
    }
    rows.sort_by_key(|row| core::cmp::Reverse(row.nanoseconds));
    let mut text = String::new();
    // A String takes all that is written to it.
    let _ = writeln!(
        text,
        "{:<20} {:>7} {:>9} {:>7} {:>7} {:>7} {:>7} {:>7}",
        "WHAT", "COUNT", "MICROS", "COPIED", "ZEROED", "FILE", "TABLES", "TLBI"
    );
    for row in rows {
        let _ = writeln!(
            text,
            "{:<20} {:>7} {:>9} {:>7} {:>7} {:>7} {:>7} {:>7}",
            alloc::format!(
                "{} {}",
                row.event,
                if row.event == row.title { "" } else { row.title }
            ),
            row.count,
            row.nanoseconds / 1000,
            row.copied,
            row.zeroed,
            row.files,
            row.tables,
            row.invalidations
        );
    }
    text
}
