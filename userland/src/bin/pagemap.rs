//! `pagemap [pid | self] [address | start-end]`: the pages of a process: which frame each has, how often that is mapped
//! (MAPPED, over all processes), and what a store would do. Pages of one kind with neighbouring frames are one row.

#![cfg_attr(target_os = "none", no_std, no_main)]
#![deny(unsafe_code)]

extern crate alloc;

use alloc::format;
use alloc::string::String;
use userland::pages::{self, Area, FrameFlags, PageMap};
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
    first_frame: u64,
    kind: Kind,
    times: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Zero,
    Own,
    Shared,
    File,
}

impl Kind {
    fn text(self) -> &'static str {
        match self {
            Kind::Zero => "zero frame    first store copies",
            Kind::Own => "own           stores go through",
            Kind::Shared => "shared        first store copies",
            Kind::File => "file or shared memory",
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
        let page = map.page(address)?;
        let Some(frame) = page.frame() else {
            absent += 1;
            flush(&mut row);
            continue;
        };
        let kind = match () {
            _ if FrameFlags::of(frame)?.is_zero_frame() => Kind::Zero,
            _ if page.is_file() => Kind::File,
            _ if page.is_exclusive() => Kind::Own,
            _ => Kind::Shared,
        };
        let times = if kind == Kind::Zero {
            0
        } else {
            pages::times_mapped(frame)?
        };
        let next_frame = |row: &Row| row.first_frame + if kind == Kind::Zero { 0 } else { row.pages as u64 };
        match &mut row {
            Some(row) if row.kind == kind && row.times == times && next_frame(row) == frame => row.pages += 1,
            _ => {
                flush(&mut row);
                row = Some(Row {
                    start: address,
                    pages: 1,
                    first_frame: frame,
                    kind,
                    times,
                });
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
        _ if row.pages > 1 => format!("{:x}-{last:x}", row.first_frame),
        _ => format!("{:x}", row.first_frame),
    };
    let times = if row.kind == Kind::Zero {
        String::from("-")
    } else {
        format!("{}", row.times)
    };
    println!(
        "  {:<25x} {:>5} {frames:<17} {times:>6}  {}",
        row.start,
        row.pages,
        row.kind.text()
    );
}
