//! The command line while it is typed: keys in, text for the terminal out (which makes CR NL of a newline). Knows no
//! files and makes no system calls. `search` is ^R.
//! A character is a Unicode scalar; one that joins the letter before it takes no column, East Asian ones take two.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

mod search;

use search::Search;

/// What the program must do after a key.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Go on reading keys.
    Continue,
    /// The line is complete ([`Editor::line`]).
    Accept,
    /// ^C: forget the line.
    Cancel,
    /// ^D on an empty line.
    End,
    /// Tab: complete the word before the cursor, then call [`Editor::insert`].
    Complete,
}

/// Where the decoder of escape sequences stands.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Escape {
    None,
    Started,
    /// After `ESC [` or `ESC O`: the number so far.
    Sequence(u32),
}

/// A line being edited.
pub struct Editor {
    prompt: String,
    columns: usize,
    line: Vec<char>,
    cursor: usize,
    /// The first character in view: a line longer than the row is scrolled sideways.
    first: usize,
    history: Vec<String>,
    /// Which line of the history is shown; `history.len()` is the new one.
    shown: usize,
    /// The new line, kept while others are shown.
    draft: Vec<char>,
    escape: Escape,
    /// What ^R looks for, while it does.
    search: Option<Search>,
    /// Bytes of a character that is not complete.
    partial: Vec<u8>,
    output: String,
}

/// How many lines are remembered.
pub const HISTORY: usize = 500;

impl Editor {
    /// An editor with an empty history.
    pub fn new() -> Self {
        Editor {
            prompt: String::new(),
            columns: 80,
            line: Vec::new(),
            cursor: 0,
            first: 0,
            history: Vec::new(),
            shown: 0,
            draft: Vec::new(),
            escape: Escape::None,
            search: None,
            partial: Vec::new(),
            output: String::new(),
        }
    }

    /// Begins a new line on a terminal of that width.
    pub fn start(&mut self, prompt: &str, columns: usize) {
        self.prompt = prompt.into();
        self.columns = columns.max(20);
        self.line.clear();
        self.draft.clear();
        self.cursor = 0;
        self.first = 0;
        self.shown = self.history.len();
        self.escape = Escape::None;
        self.search = None;
        self.partial.clear();
        self.output.push_str(prompt);
    }

    /// The text typed so far.
    pub fn line(&self) -> String {
        self.line.iter().collect()
    }

    /// The text before the cursor.
    pub fn before_cursor(&self) -> String {
        self.line[..self.cursor].iter().collect()
    }

    /// What must be written to the terminal now.
    pub fn take_output(&mut self) -> String {
        core::mem::take(&mut self.output)
    }

    /// Remembers a line, unless it is blank or the same as the last; whether it does.
    pub fn remember(&mut self, line: &str) -> bool {
        let line = line.trim_end();
        if line.trim_start().is_empty() || self.history.last().is_some_and(|last| last == line) {
            return false;
        }
        if self.history.len() == HISTORY {
            self.history.remove(0);
        }
        self.history.push(line.into());
        true
    }

    /// The lines remembered, oldest first.
    pub fn history(&self) -> &[String] {
        &self.history
    }

    /// One byte from the terminal.
    pub fn feed(&mut self, byte: u8) -> Action {
        if self.escape != Escape::None {
            self.feed_escape(byte);
            return Action::Continue;
        }
        if self.search.is_some() && self.feed_search(byte) {
            return Action::Continue;
        }
        match byte {
            b'\r' | b'\n' => {
                self.move_to(self.line.len());
                self.output.push('\n');
                return Action::Accept;
            }
            0x03 => {
                self.output.push_str("^C\n");
                return Action::Cancel;
            }
            0x04 if self.line.is_empty() => return Action::End,
            b'\t' => return Action::Complete,
            0x1b => self.escape = Escape::Started,
            0x00..=0x1f | 0x7f => self.control(byte),
            _ => self.character_byte(byte),
        }
        Action::Continue
    }

    fn control(&mut self, byte: u8) {
        match byte {
            0x01 => self.move_to(0),
            0x02 => self.move_to(self.cursor.saturating_sub(1)),
            0x04 => self.delete(self.cursor, self.cursor + 1),
            0x05 => self.move_to(self.line.len()),
            0x06 => self.move_to(self.cursor + 1),
            0x08 | 0x7f => self.delete(self.cursor.saturating_sub(1), self.cursor),
            0x0b => self.delete(self.cursor, self.line.len()),
            0x0c => {
                self.output.push_str("\x1b[H\x1b[2J");
                self.redraw();
            }
            0x12 => self.begin_search(),
            0x0e => self.show(self.shown + 1),
            0x10 => self.show(self.shown.wrapping_sub(1)),
            0x15 => self.delete(0, self.cursor),
            0x17 => self.delete(self.word_start(), self.cursor),
            _ => {}
        }
    }

    /// Escape sequences of VT100 and its heirs: `ESC [ A`, `ESC O A`, `ESC [ 3 ~`.
    fn feed_escape(&mut self, byte: u8) {
        self.escape = match (self.escape, byte) {
            (Escape::Started, b'[' | b'O') => Escape::Sequence(0),
            (Escape::Started, _) => {
                self.meta(byte);
                Escape::None
            }
            (Escape::Sequence(number), b'0'..=b'9') => {
                Escape::Sequence(number.saturating_mul(10).saturating_add(u32::from(byte - b'0')))
            }
            (Escape::Sequence(_), b';') => Escape::Sequence(0),
            (Escape::Sequence(number), _) => {
                self.sequence(number, byte);
                Escape::None
            }
            _ => Escape::None,
        };
    }

    /// A key with Alt: words.
    fn meta(&mut self, byte: u8) {
        match byte {
            b'b' => self.move_to(self.word_start()),
            b'f' => self.move_to(self.word_end()),
            b'd' => self.delete(self.cursor, self.word_end()),
            0x08 | 0x7f => self.delete(self.word_start(), self.cursor),
            _ => {}
        }
    }

    fn sequence(&mut self, number: u32, last: u8) {
        match (last, number) {
            // With Ctrl (5) or Alt (3).
            (b'C', 3 | 5) => self.move_to(self.word_end()),
            (b'D', 3 | 5) => self.move_to(self.word_start()),
            (b'A', _) => self.show(self.shown.wrapping_sub(1)),
            (b'B', _) => self.show(self.shown + 1),
            (b'C', _) => self.move_to(self.cursor + 1),
            (b'D', _) => self.move_to(self.cursor.saturating_sub(1)),
            (b'H', _) | (b'~', 1 | 7) => self.move_to(0),
            (b'F', _) | (b'~', 4 | 8) => self.move_to(self.line.len()),
            (b'~', 3) => self.delete(self.cursor, self.cursor + 1),
            _ => {}
        }
    }

    /// Gathers the bytes of a UTF-8 character; what cannot become one is dropped.
    fn character_byte(&mut self, byte: u8) {
        self.partial.push(byte);
        match core::str::from_utf8(&self.partial) {
            Ok(text) => {
                let text = String::from(text);
                self.partial.clear();
                self.insert(&text);
            }
            Err(error) if error.error_len().is_some() => self.partial.clear(),
            Err(_) => {}
        }
    }

    /// Inserts text before the cursor. At the end of a line that fits, only the text itself is written.
    pub fn insert(&mut self, text: &str) {
        let is_at_end = self.cursor == self.line.len();
        let tail = self.line.split_off(self.cursor);
        self.line.extend(text.chars().filter(|c| !c.is_control()));
        self.cursor = self.line.len();
        self.line.extend(tail);
        let is_in_view = width(self.line[self.first..].iter().copied()) <= self.room();
        if is_at_end && is_in_view {
            self.output.extend(text.chars().filter(|c| !c.is_control()));
        } else {
            self.redraw();
        }
    }

    fn delete(&mut self, start: usize, end: usize) {
        let end = end.min(self.line.len());
        if start >= end {
            return;
        }
        self.line.drain(start..end);
        self.cursor = if self.cursor > start { start } else { self.cursor };
        self.redraw();
    }

    fn move_to(&mut self, cursor: usize) {
        let cursor = cursor.min(self.line.len());
        if cursor != self.cursor {
            self.cursor = cursor;
            self.redraw();
        }
    }

    /// Where the word before the cursor begins.
    fn word_start(&self) -> usize {
        let before = &self.line[..self.cursor];
        let end = before.iter().rposition(|&c| c != ' ').map_or(0, |at| at + 1);
        before[..end]
            .iter()
            .rposition(|&c| c == ' ')
            .map_or(0, |at| at + 1)
    }

    /// Where the word at or behind the cursor ends.
    fn word_end(&self) -> usize {
        let behind = &self.line[self.cursor..];
        let start = behind.iter().position(|&c| c != ' ').unwrap_or(behind.len());
        let length = behind[start..].iter().position(|&c| c == ' ');
        self.cursor + start + length.unwrap_or(behind.len() - start)
    }

    /// Shows a line of the history, or the new line; out of range does nothing.
    fn show(&mut self, index: usize) {
        if index > self.history.len() {
            return;
        }
        if self.shown == self.history.len() {
            self.draft = core::mem::take(&mut self.line);
        }
        self.shown = index;
        self.line = match self.history.get(index) {
            Some(line) => line.chars().collect(),
            None => core::mem::take(&mut self.draft),
        };
        self.cursor = self.line.len();
        self.redraw();
    }

    /// How many columns the line has beside the prompt; the last one stays free, where terminals wrap.
    fn room(&self) -> usize {
        self.columns.saturating_sub(width(self.prompt.chars()) + 1).max(8)
    }

    /// Scrolls the line sideways by half a row when the cursor leaves the view.
    fn scroll(&mut self) {
        let shown = |first: usize| width(self.line[first..self.cursor].iter().copied());
        let mut first = self.first;
        if first > self.cursor || (first > 0 && self.cursor == first) {
            first = 0;
        }
        if shown(first) > self.room() {
            while shown(first) > self.room() / 2 {
                first += 1;
            }
        }
        self.first = first;
    }

    /// Writes prompt and line anew.
    pub fn redraw(&mut self) {
        self.scroll();
        let (first, room) = (self.first, self.room());
        let mut last = first;
        while last < self.line.len() && width(self.line[first..=last].iter().copied()) <= room {
            last += 1;
        }
        let column = width(self.prompt.chars()) + width(self.line[first..self.cursor].iter().copied());
        self.output.push('\r');
        self.output.push_str(&self.prompt);
        self.output.extend(&self.line[first..last]);
        self.output.push_str("\x1b[K\r");
        if column > 0 {
            self.output.push_str(&format!("\x1b[{column}C"));
        }
    }
}

impl Default for Editor {
    fn default() -> Self {
        Editor::new()
    }
}

/// How many columns characters take (a short form of Unicode's East Asian Width and combining classes).
pub fn width(characters: impl Iterator<Item = char>) -> usize {
    characters.map(character_width).sum()
}

fn character_width(c: char) -> usize {
    match u32::from(c) {
        0x300..=0x36f | 0x200b..=0x200f | 0x20d0..=0x20ff | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff => 2,
        0xfe30..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x1f300..=0x1faff | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}
