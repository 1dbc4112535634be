//! How differences are shown: as commands of ed, or as a unified patch.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ops::Range;

use super::compare::Difference;

/// Lines of the old file that are replaced by lines of the new one; one of the two may be none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub old: Range<usize>,
    pub new: Range<usize>,
    /// It is not worth being shown by itself.
    pub is_ignored: bool,
}

/// The lines of a file, each with its newline.
pub type Lines<'a> = Vec<&'a [u8]>;

/// The changes, in order. `is_ignored` is asked for each line that has changed: if it says so for all of a change, that is
/// ignored.
pub fn changes(difference: &Difference, is_ignored: impl Fn(bool, usize) -> bool) -> Vec<Change> {
    let mut all = Vec::new();
    let (mut one, mut other) = (0, 0);
    loop {
        let (old, new) = (run(&difference.old, one), run(&difference.new, other));
        (one, other) = (old.end + 1, new.end + 1);
        if !old.is_empty() || !new.is_empty() {
            let of_old = old.clone().all(|line| is_ignored(true, line));
            let of_new = new.clone().all(|line| is_ignored(false, line));
            all.push(Change {
                old: old.clone(),
                new: new.clone(),
                is_ignored: of_old && of_new,
            });
        }
        if old.end >= difference.old.len() && new.end >= difference.new.len() {
            return all;
        }
    }
}

/// The lines that differ from `start` on.
fn run(differs: &[bool], start: usize) -> Range<usize> {
    let rest = differs.get(start..).unwrap_or_default();
    let len = rest.iter().take_while(|differs| **differs).count();
    start..start + len
}

fn add_line(out: &mut Vec<u8>, mark: &str, line: &[u8]) {
    out.extend_from_slice(mark.as_bytes());
    out.extend_from_slice(line);
    if line.last() != Some(&b'\n') {
        out.extend_from_slice(b"\n\\ No newline at end of file\n");
    }
}

/// `3` or `3,5`; of an empty range the line before it.
fn lines_of(range: &Range<usize>) -> String {
    match range.len() {
        0 => range.start.to_string(),
        1 => (range.start + 1).to_string(),
        _ => format!("{},{}", range.start + 1, range.end),
    }
}

/// As POSIX has it: `2,3c2`, then the lines.
pub fn normal(old: &Lines, new: &Lines, changes: &[Change]) -> Vec<u8> {
    let mut out = Vec::new();
    for change in changes.iter().filter(|change| !change.is_ignored) {
        let letter = match (change.old.is_empty(), change.new.is_empty()) {
            (true, _) => 'a',
            (_, true) => 'd',
            _ => 'c',
        };
        let head = format!("{}{letter}{}\n", lines_of(&change.old), lines_of(&change.new));
        out.extend_from_slice(head.as_bytes());
        let old_lines = &old[change.old.clone()];
        old_lines.iter().for_each(|line| add_line(&mut out, "< ", line));
        if letter == 'c' {
            out.extend_from_slice(b"---\n");
        }
        let new_lines = &new[change.new.clone()];
        new_lines.iter().for_each(|line| add_line(&mut out, "> ", line));
    }
    out
}

/// `3`, `3,5`: first line and number of lines, as unified patches have it.
fn span(range: &Range<usize>) -> String {
    match range.len() {
        0 => format!("{},0", range.start),
        1 => (range.start + 1).to_string(),
        len => format!("{},{len}", range.start + 1),
    }
}

/// Hunks with so many lines of context; changes whose contexts touch are of one hunk.
pub fn unified(old: &Lines, new: &Lines, changes: &[Change], context: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = changes;
    while let Some(first) = rest.first() {
        let gap = |pair: &[Change]| {
            let is_ignored = pair[0].is_ignored || pair[1].is_ignored;
            let most = if is_ignored { context } else { 2 * context + 1 };
            pair[1].old.start - pair[0].old.end < most
        };
        let len = 1 + rest.windows(2).take_while(|pair| gap(pair)).count();
        let (hunk, behind) = rest.split_at(len);
        rest = behind;
        if hunk.iter().all(|change| change.is_ignored) {
            continue;
        }
        let last = hunk.last().unwrap_or(first);
        let before = context.min(first.old.start).min(first.new.start);
        let after = context
            .min(old.len() - last.old.end)
            .min(new.len() - last.new.end);
        let old_span = first.old.start - before..last.old.end + after;
        let new_span = first.new.start - before..last.new.end + after;
        let head = format!("@@ -{} +{} @@\n", span(&old_span), span(&new_span));
        out.extend_from_slice(head.as_bytes());
        let mut at = old_span.start;
        for change in hunk {
            old[at..change.old.start]
                .iter()
                .for_each(|line| add_line(&mut out, " ", line));
            old[change.old.clone()]
                .iter()
                .for_each(|line| add_line(&mut out, "-", line));
            new[change.new.clone()]
                .iter()
                .for_each(|line| add_line(&mut out, "+", line));
            at = change.old.end;
        }
        old[at..old_span.end]
            .iter()
            .for_each(|line| add_line(&mut out, " ", line));
    }
    out
}
