//! What of a text stands on the screen.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::source::Source;
use crate::regex::{Expression, letter_at};
use crate::runtime::{Errno, Result};

/// How lines are shown.
#[derive(Clone, Copy, Default)]
pub struct Style {
    /// -N
    pub has_numbers: bool,
    /// -S: long lines are cut instead of going on in the next row.
    pub is_cut: bool,
    /// -R: colours are sent to the terminal.
    pub is_raw: bool,
}

/// What takes one place, or none, of a row.
struct Cell {
    text: String,
    width: usize,
    is_marked: bool,
}

/// A place in the text: a line, and one of its rows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Place {
    pub line: usize,
    pub row: usize,
}

/// The screen, without its last row, which is for the prompt.
pub struct View<'a> {
    pub source: Source<'a>,
    pub top: Place,
    pub rows: usize,
    pub columns: usize,
    pub style: Style,
    /// What is marked, and looked for by `n`.
    pub wanted: Option<Expression>,
}

/// The length of `ESC [ ... m` at the beginning of the text.
fn colour(text: &[u8]) -> Option<usize> {
    let rest = text.strip_prefix(b"\x1b[")?;
    let len = rest
        .iter()
        .position(|byte| !matches!(byte, b'0'..=b'9' | b';' | b':'))?;
    (rest[len] == b'm').then_some(len + 3)
}

impl View<'_> {
    /// A line as cells. Control characters are shown as `^X`, bytes that are no text as `<XX>`.
    fn cells(&self, line: &[u8]) -> Vec<Cell> {
        let marks = self.marks(line);
        let (mut cells, mut column, mut at) = (Vec::new(), 0, 0);
        while at < line.len() {
            let is_marked = marks.iter().any(|mark| mark.contains(&at));
            if let Some(len) = colour(&line[at..]).filter(|_| self.style.is_raw) {
                let text = String::from_utf8_lossy(&line[at..at + len]).into_owned();
                cells.push(Cell {
                    text,
                    width: 0,
                    is_marked: false,
                });
                at += len;
                continue;
            }
            let (letter, len) = letter_at(line, at);
            let text = shown(letter, column);
            let width = text.chars().count();
            cells.push(Cell {
                text,
                width,
                is_marked,
            });
            column += width;
            at += len;
        }
        cells
    }

    fn marks(&self, line: &[u8]) -> Vec<core::ops::Range<usize>> {
        let (mut all, mut at) = (Vec::new(), 0);
        let Some(wanted) = &self.wanted else {
            return all;
        };
        while let Some(place) = wanted.find(line, at, 0).and_then(|places| places[0].clone()) {
            at = place.end + usize::from(place.is_empty());
            all.push(place);
            if at > line.len() {
                break;
            }
        }
        all
    }

    /// The rows of a line, ready for the terminal; one at least.
    fn rows_of(&self, number: usize, line: &[u8]) -> Vec<String> {
        let title = if self.style.has_numbers {
            format!("{:>7} ", number + 1)
        } else {
            String::new()
        };
        let width = self.columns.saturating_sub(title.len()).max(1);
        let mut rows = Vec::from([title.clone()]);
        let (mut column, mut is_marked) = (0, false);
        for cell in self.cells(line) {
            if column + cell.width > width && column > 0 {
                if self.style.is_cut {
                    break;
                }
                end_row(&mut rows, &mut is_marked);
                rows.push(" ".repeat(title.len()));
                column = 0;
            }
            let row = rows.last_mut().expect("there is one");
            if cell.is_marked != is_marked {
                row.push_str(if cell.is_marked { "\x1b[7m" } else { "\x1b[27m" });
                is_marked = cell.is_marked;
            }
            row.push_str(&cell.text);
            column += cell.width;
        }
        end_row(&mut rows, &mut is_marked);
        if self.style.is_raw {
            rows.iter_mut().for_each(|row| row.push_str("\x1b[0m"));
        }
        rows
    }

    fn height_of(&mut self, line: usize) -> Result<Option<usize>> {
        let text = self.source.line(line)?;
        Ok(text.map(|text| self.rows_of(line, &text).len()))
    }

    /// What stands on the screen; less than that at the end.
    pub fn screen(&mut self) -> Result<Vec<String>> {
        let mut all = Vec::new();
        let mut place = self.top;
        while all.len() < self.rows {
            // After a ^C what has come is shown.
            let text = match self.source.line(place.line) {
                Err(Errno::EINTR) => break,
                text => text?,
            };
            let Some(text) = text else {
                break;
            };
            let rows = self.rows_of(place.line, &text);
            let left = self.rows - all.len();
            all.extend(rows.into_iter().skip(place.row).take(left));
            place = Place {
                line: place.line + 1,
                row: 0,
            };
        }
        Ok(all)
    }

    /// Whether the last row of the text is on the screen.
    pub fn is_at_end(&mut self) -> Result<bool> {
        Ok(!self.has_more_below()? && self.source.is_complete())
    }

    /// Goes down by rows; not further than that the last page is full.
    pub fn down(&mut self, rows: usize) -> Result<()> {
        for _ in 0..rows {
            if !self.has_more_below()? {
                return Ok(());
            }
            let height = self.height_of(self.top.line)?.unwrap_or(1);
            self.top = match self.top.row + 1 < height {
                true => Place {
                    row: self.top.row + 1,
                    ..self.top
                },
                false => Place {
                    line: self.top.line + 1,
                    row: 0,
                },
            };
        }
        Ok(())
    }

    /// Whether there is a row below the screen.
    fn has_more_below(&mut self) -> Result<bool> {
        let (mut rows, mut place) = (0, self.top);
        while let Some(height) = self.height_of(place.line)? {
            rows += height - place.row.min(height);
            if rows > self.rows {
                return Ok(true);
            }
            place = Place {
                line: place.line + 1,
                row: 0,
            };
        }
        Ok(false)
    }

    /// Goes up by rows.
    pub fn up(&mut self, rows: usize) -> Result<()> {
        for _ in 0..rows {
            if self.top.row > 0 {
                self.top.row -= 1;
            } else if self.top.line > 0 {
                self.top.line -= 1;
                self.top.row = self.height_of(self.top.line)?.unwrap_or(1) - 1;
            }
        }
        Ok(())
    }

    /// To a line, counted from 0; the last page if it is behind that.
    pub fn go(&mut self, line: usize) -> Result<()> {
        self.top = Place { line, row: 0 };
        if self.source.line(line)?.is_none() || !self.has_more_below()? {
            self.go_to_end()?;
        }
        Ok(())
    }

    /// To the last page.
    pub fn go_to_end(&mut self) -> Result<()> {
        let lines = self.source.count()?;
        self.top = Place { line: lines, row: 0 };
        self.up(self.rows)
    }

    /// The next line, or the one before if `is_back`, that holds what is wanted, from the line behind the top on; false if none does.
    pub fn find(&mut self, is_back: bool) -> Result<bool> {
        let mut line = self.top.line;
        loop {
            line = match is_back {
                false => line + 1,
                true if line == 0 => return Ok(false),
                true => line - 1,
            };
            let Some(text) = self.source.line(line)? else {
                return Ok(false);
            };
            if self.wanted.as_ref().is_some_and(|wanted| wanted.is_match(&text)) {
                self.top = Place { line, row: 0 };
                return Ok(true);
            }
        }
    }
}

/// How a letter is shown at a column.
fn shown(letter: u32, column: usize) -> String {
    match (letter, char::from_u32(letter)) {
        (9, _) => " ".repeat(8 - column % 8),
        (0..32, _) => format!("^{}", char::from(letter as u8 + 64)),
        (127, _) => "^?".to_string(),
        (_, Some(letter)) if !letter.is_control() => letter.to_string(),
        (_, Some(letter)) => format!("<{:02X}>", u32::from(letter)),
        (_, None) => format!("<{:02X}>", letter & 0xff),
    }
}

fn end_row(rows: &mut [String], is_marked: &mut bool) {
    if let Some(row) = rows.last_mut().filter(|_| core::mem::take(is_marked)) {
        row.push_str("\x1b[27m");
    }
}
