//! `pagemap [pid | self] [address | start-end]`: the pages of a process: which frame each has, how often that is mapped
//! (MAPPED, over all processes), and what a store would do. Pages of one kind with neighbouring frames are one row.

#![cfg_attr(target_os = "none", no_std, no_main)]
#![deny(unsafe_code)]

extern crate alloc;

use alloc::format;
use alloc::string::String;
use userland::pages::{self, Area, FrameFlags, Page, PageMap};
use userland::runtime::Result;
use userland::runtime::memory::PAGE;
use userland::{eprintln, println};

userland::entry!(program);

const USAGE: &str = "usage: pagemap [pid | self] [address | start-end] (hexadecimal)";

const HELP: &str = "A row for pages of one kind whose frames lie side by side. MAPPED: how often each frame is mapped, over all
processes (/proc/kpagecount). STATE: whose it is, and what a store does.";

fn program(arguments: &[&str]) -> i32 {
    let process = arguments.get(1).copied().unwrap_or("self");
    if process == "--help" {
        println!("{USAGE}\n{HELP}");
        return 0;
    }
    let range = match arguments.get(2).map(|text| parse_range(text)) {
        None => 0..usize::MAX,
        Some(Some(range)) => range,
        Some(None) => {
            eprintln!("{USAGE}");
            return 2;
        }
    };
    match show(process, &range) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("pagemap: {process}: {error}");
            1
        }
    }
}

fn parse_range(text: &str) -> Option<core::ops::Range<usize>> {
    let number = |text: &str| usize::from_str_radix(text.trim_start_matches("0x"), 16).ok();
    match text.split_once('-') {
        Some((start, end)) => Some(number(start)?..number(end)?),
        None => number(text).map(|address| address..address.saturating_add(1)),
    }
}

/// Neighbouring pages of one kind.
struct Row {
    start: usize,
    pages: usize,
    /// Or the first slot of swap space.
    first_frame: u64,
    kind: Kind,
    times: u64,
}

impl Row {
    /// Of one page, if it is anywhere.
    fn of(page: Page, start: usize) -> Result<Option<Row>> {
        let (first_frame, kind) = match (page.frame(), page.slot()) {
            (Some(frame), _) => (frame, Kind::of(page, frame)?),
            (None, Some(slot)) => (slot, Kind::Swapped),
            (None, None) => return Ok(None),
        };
        let times = match kind {
            Kind::Zero | Kind::Swapped => 0,
            _ => pages::times_mapped(first_frame)?,
        };
        Ok(Some(Row {
            start,
            pages: 1,
            first_frame,
            kind,
            times,
        }))
    }

    /// Whether the next one's pages are of the same kind and lie behind these.
    fn goes_on_with(&self, next: &Row) -> bool {
        let passed = if self.kind == Kind::Zero {
            0
        } else {
            self.pages as u64
        };
        (self.kind, self.times, self.first_frame + passed) == (next.kind, next.times, next.first_frame)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Zero,
    Own,
    Shared,
    File,
    Swapped,
}

impl Kind {
    fn of(page: Page, frame: u64) -> Result<Kind> {
        Ok(match () {
            () if FrameFlags::of(frame)?.is_zero_frame() => Kind::Zero,
            () if page.is_file() => Kind::File,
            () if page.is_exclusive() => Kind::Own,
            () => Kind::Shared,
        })
    }

    fn text(self) -> &'static str {
        match self {
            Kind::Zero => "zero frame    first store copies",
            Kind::Own => "own           stores go through",
            Kind::Shared => "shared        first store copies",
            Kind::File => "file or shared memory",
            Kind::Swapped => "swapped out   first touch reads",
        }
    }
}

fn show(process: &str, range: &core::ops::Range<usize>) -> Result<()> {
    let map = PageMap::open(process)?;
    println!(
        "{:<27} {:>5} {:<17} {:>6}  STATE",
        "PAGES", "", "FRAMES", "MAPPED"
    );
    for area in pages::areas(process)?
        .iter()
        .filter(|area| area.start < range.end && range.start < area.end)
    {
        println!("{:x}-{:x} {} {}", area.start, area.end, area.rights, area.name);
        show_area(&map, area, range)?;
    }
    Ok(())
}

fn show_area(map: &PageMap, area: &Area, range: &core::ops::Range<usize>) -> Result<()> {
    let start = area.start.max(range.start / PAGE * PAGE);
    let end = area.end.min(range.end);
    let mut row: Option<Row> = None;
    let mut absent = 0;
    for address in (start..end).step_by(PAGE) {
        match (Row::of(map.page(address)?, address)?, &mut row) {
            (None, _) => {
                absent += 1;
                flush(&mut row);
            }
            (Some(next), Some(row)) if row.goes_on_with(&next) => row.pages += 1,
            (next, _) => {
                flush(&mut row);
                row = next;
            }
        }
    }
    flush(&mut row);
    if absent > 0 {
        println!(
            "{:<27} {absent:>5} {:<17} {:>6}  not there     first touch fills",
            "", "-", "-"
        );
    }
    Ok(())
}

fn flush(row: &mut Option<Row>) {
    let Some(row) = row.take() else { return };
    let last = row.first_frame + row.pages as u64 - 1;
    let frames = match row.kind {
        Kind::Zero => format!("{:x}", row.first_frame),
        Kind::Swapped if row.pages > 1 => format!("slots {}-{last}", row.first_frame),
        Kind::Swapped => format!("slot {}", row.first_frame),
        _ if row.pages > 1 => format!("{:x}-{last:x}", row.first_frame),
        _ => format!("{:x}", row.first_frame),
    };
    let times = match row.kind {
        Kind::Zero | Kind::Swapped => String::from("-"),
        _ => format!("{}", row.times),
    };
    println!(
        "  {:<25x} {:>5} {frames:<17} {times:>6}  {}",
        row.start,
        row.pages,
        row.kind.text()
    );
}
