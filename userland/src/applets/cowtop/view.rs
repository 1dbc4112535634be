//! The screen: rates, legend, the processes side by side, and what is known of the page under the cursor.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use super::canvas::{Canvas, Style};
use super::cells::{Cell, Page};
use super::layout::{GUTTER, Layout};
use super::look::{Kinds, Process, is_own};
use crate::pages;

/// Rows above the map: rates, legend, names, counts.
const HEAD: usize = 4;
/// Rows below it: the page under the cursor, the tables on the way to it, a message.
const FOOT: usize = 3;

const LEGEND: [(&str, Style, &str); 9] = [
    ("o", Style::Own, "own"),
    ("2", Style::Shared, "shared by 2"),
    ("+", Style::Shared, "by more"),
    ("z", Style::Zero, "zero"),
    ("f", Style::File, "file"),
    ("s", Style::Swapped, "swap"),
    (".", Style::Dim, "absent"),
    ("T", Style::TableOwn, ""),
    ("t", Style::TableShared, "table"),
];

const HELP: &str = "\
A cell is a page (or more, zoomed out), a row the same pages of all processes.
The number at its left is an address without its last three digits.

o  its own: stores go through     2 +  shared by 2, by 10 or more: a store copies
1  mapped here alone, but swap space or a swapped sibling has it as well
z  the frame of zeros             f    of a file or of shared memory
s  in swap space                  .    not there: the first touch fills it
T  its table is its own           t    shared as well: a store copies it first
Underlined: some pages of the cell are something else.

arrows PgUp PgDn  move     Tab  the next process     + -  zoom in, zoom out
a  all processes or the demo      s  sort by pid, pages, faults
d  start a demo process; it takes these steps:
f fork  w write to the page under the cursor  r read it  o swap it out  x exit
q  quit     ^Z  stop, `fg` goes on                    any key leaves this page";

const KEYS: &str = "? help  q quit  arrows Tab + - move zoom  demo: f fork w write r read x exit";

/// What is to be seen.
pub struct View<'a> {
    pub processes: &'a [Process],
    /// Which of them the cursor is in.
    pub selected: usize,
    /// The page under it.
    pub cursor: usize,
    pub zoom: usize,
    /// The first line: what happens.
    pub rates: String,
    pub message: &'a str,
    pub is_help: bool,
}

/// The map of some rows: all pages of all processes that stand there, as pagemap has them.
type Found = Vec<Vec<Vec<Option<pages::Page>>>>;

impl View<'_> {
    /// How they are laid out on so many columns.
    pub fn layout(&self, columns: usize) -> Layout {
        let areas = self.processes.iter().flat_map(Process::ranges);
        Layout::new(columns, self.processes.len(), self.zoom, areas)
    }

    /// The processes that there is room for, with the selected one among them.
    fn window(&self, layout: &Layout) -> &[Process] {
        let last = (self.selected + 1).max(layout.processes);
        let end = last.min(self.processes.len());
        &self.processes[end.saturating_sub(layout.processes)..end]
    }

    /// A screen of a terminal. `top` is the first row of the map that is shown; it moves with the cursor.
    pub fn screen(&self, kinds: &mut Kinds, top: &mut usize, rows: usize, columns: usize) -> Canvas {
        let mut canvas = Canvas::new(rows, columns);
        canvas.put(0, 0, &self.rates, Style::Title);
        legend(&mut canvas);
        if self.is_help {
            for (row, line) in HELP.lines().enumerate() {
                canvas.put(HEAD - 1 + row, 0, line, Style::Plain);
            }
            return canvas;
        }
        let layout = self.layout(columns);
        let room = rows.saturating_sub(HEAD + FOOT).max(1);
        let at = layout.row_of(self.cursor);
        *top = (*top).clamp((at + 1).saturating_sub(room), at);
        let shown = *top..layout.rows().min(*top + room);
        self.map(&mut canvas, kinds, &layout, shown);
        self.cursor(&mut canvas, kinds, &layout, at - *top);
        let message = if self.message.is_empty() {
            KEYS
        } else {
            self.message
        };
        canvas.put(rows.saturating_sub(1), 0, message, Style::Title);
        canvas
    }

    /// All of it, for who has no screen.
    pub fn text(&self, kinds: &mut Kinds, columns: usize) -> String {
        let mut canvas = Canvas::new(HEAD, columns);
        let layout = self.layout(columns);
        (0..layout.rows()).for_each(|_| canvas.add_row());
        canvas.put(0, 0, &self.rates, Style::Title);
        legend(&mut canvas);
        self.map(&mut canvas, kinds, &layout, 0..layout.rows());
        canvas.text()
    }

    fn map(&self, canvas: &mut Canvas, kinds: &mut Kinds, layout: &Layout, rows: Range<usize>) {
        let window = self.window(layout);
        canvas.put(2, 0, "   page", Style::Dim);
        for (place, process) in window.iter().enumerate() {
            self.title(canvas, layout, place, process);
        }
        let firsts: Vec<usize> = rows.filter_map(|row| layout.first_page(row)).collect();
        let pages_of = |process: &Process| -> Vec<_> {
            let rows = firsts.iter();
            rows.map(|&first| process.pages(first..first + layout.pages_of_row()))
                .collect()
        };
        let found: Found = window.iter().map(pages_of).collect();
        kinds.count(found.iter().flatten().flatten().copied());
        for (row, &first) in firsts.iter().enumerate() {
            canvas.put(HEAD + row, 0, &format!("{first:>7x}"), Style::Dim);
        }
        for (place, (process, rows)) in window.iter().zip(&found).enumerate() {
            for (row, pages) in rows.iter().enumerate() {
                let at = (HEAD + row, layout.column(place));
                table(canvas, at, process, firsts[row]..firsts[row] + pages.len());
                for (nth, group) in pages.chunks(layout.zoom).enumerate() {
                    let group: Vec<Page> = group.iter().map(|&page| kinds.of(page)).collect();
                    cell(canvas, (at.0, at.1 + nth), Cell::of(&group));
                }
            }
        }
    }

    fn title(&self, canvas: &mut Canvas, layout: &Layout, place: usize, process: &Process) {
        let column = layout.column(place) - 1;
        let width = layout.cells + 1;
        let cut = |text: String| -> String { text.chars().take(width).collect() };
        let end = canvas.put(
            2,
            column,
            &cut(format!("{} {}", process.pid, process.name)),
            Style::Title,
        );
        if self
            .processes
            .get(self.selected)
            .is_some_and(|selected| selected.pid == process.pid)
        {
            canvas.mark(2, column..end);
        }
        let tables = match process.tables_counted() {
            Some((all, own)) if width > 32 => format!(", {all} tables, {own} its own"),
            Some((all, own)) => format!(" {own}/{all}T"),
            None => String::new(),
        };
        let unit = if width > 32 { " pages" } else { "p" };
        canvas.put(
            3,
            column,
            &cut(format!("{}{unit}{tables}", process.resident)),
            Style::Plain,
        );
    }

    /// The cursor, and what is known of the page under it.
    fn cursor(&self, canvas: &mut Canvas, kinds: &Kinds, layout: &Layout, row: usize) {
        let Some(process) = self.processes.get(self.selected) else {
            return;
        };
        let window = self.window(layout);
        let place = window
            .iter()
            .position(|shown| shown.pid == process.pid)
            .unwrap_or(0);
        let column = layout.column(place) + self.cursor % layout.pages_of_row() / layout.zoom;
        canvas.mark(HEAD + row, column..column + 1);
        canvas.mark(HEAD + row, 0..GUTTER);
        let foot = canvas.rows().saturating_sub(FOOT);
        canvas.put(foot, 0, &self.page_told(process, kinds), Style::Plain);
        canvas.put(foot + 1, 0, &self.tables_told(process), Style::Plain);
    }

    fn page_told(&self, process: &Process, kinds: &Kinds) -> String {
        let page = process.pages(self.cursor..self.cursor + 1)[0];
        let Some(area) = process.area_of(self.cursor) else {
            return format!("{:x}000: {} has nothing there", self.cursor, process.name);
        };
        let frame = page.and_then(pages::Page::frame).unwrap_or(0);
        let what = match kinds.of(page) {
            Page::Outside | Page::Absent => String::from("not there: the first touch fills it"),
            Page::Swapped => String::from("in swap space: the first touch reads it"),
            Page::Zero => format!("frame {frame:x} of zeros: a store takes a new one"),
            Page::File => format!("frame {frame:x} of a file or of shared memory"),
            Page::Own => format!("frame {frame:x}, its own: stores go through"),
            Page::Shared(0) => format!("frame {frame:x}, shared: a store copies it"),
            Page::Shared(times) => format!("frame {frame:x}, mapped {times} times: a store copies it"),
        };
        let name = if area.name.is_empty() {
            "no name"
        } else {
            &area.name
        };
        format!("{:x}000 {} {name}: {what}", self.cursor, area.rights)
    }

    fn tables_told(&self, process: &Process) -> String {
        let Some(tables) = &process.tables else {
            return String::from("tables: not shown by this kernel");
        };
        let mut text = format!("tables: root {:x}", tables.root);
        for entry in process.tables_to(self.cursor) {
            text += &match entry.references {
                1 => format!(", {:x} one reference", entry.frame),
                more => format!(", {:x} shared, {more} references", entry.frame),
            };
        }
        text
    }
}

fn legend(canvas: &mut Canvas) {
    let mut column = 0;
    for (letter, style, meaning) in LEGEND {
        column = canvas.put(1, column, letter, style);
        if !meaning.is_empty() {
            column = canvas.put(1, column + 1, meaning, Style::Plain) + 2;
        }
    }
}

fn cell(canvas: &mut Canvas, (row, column): (usize, usize), cell: Cell) {
    let style = match cell.page {
        Page::Outside => return,
        Page::Absent => Style::Dim,
        Page::Swapped => Style::Swapped,
        Page::File => Style::File,
        Page::Zero => Style::Zero,
        Page::Own => Style::Own,
        Page::Shared(_) => Style::Shared,
    };
    let mut text = [0; 4];
    canvas.put(row, column, cell.page.letter().encode_utf8(&mut text), style);
    if cell.is_mixed {
        canvas.underline(row, column);
    }
}

/// The tables of a row's pages: the letter before its cells.
fn table(canvas: &mut Canvas, (row, column): (usize, usize), process: &Process, pages: Range<usize>) {
    const PAGES_OF_TABLE: usize = 512;
    let ways = pages
        .step_by(PAGES_OF_TABLE)
        .map(|page| process.tables_to(page))
        .filter(|way| way.len() == 2);
    let (mut own, mut shared) = (0, 0);
    for way in ways {
        *(if is_own(&way) { &mut own } else { &mut shared }) += 1;
    }
    let (letter, style) = match (own, shared) {
        (0, 0) => return,
        (own, shared) if own >= shared => ("T", Style::TableOwn),
        _ => ("t", Style::TableShared),
    };
    canvas.put(row, column - 1, letter, style);
    if own > 0 && shared > 0 {
        canvas.underline(row, column - 1);
    }
}
