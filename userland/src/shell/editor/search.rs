//! ^R: the newest line of the history that holds what is typed.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::Editor;

/// A search that goes on.
#[derive(Debug)]
pub(super) struct Search {
    text: String,
    /// Which line of the history was found last.
    found: usize,
    /// The line before the search began.
    before: Vec<char>,
}

impl Editor {
    pub(super) fn begin_search(&mut self) {
        self.search = Some(Search {
            text: String::new(),
            found: self.history.len(),
            before: self.line.clone(),
        });
        self.show_search(true);
    }

    /// One byte while a search goes on; false if it ended the search and means what it always means.
    pub(super) fn feed_search(&mut self, byte: u8) -> bool {
        let Some(search) = &mut self.search else {
            return false;
        };
        match byte {
            // Further back.
            0x12 => {
                let end = search.found;
                self.find(end);
            }
            0x08 | 0x7f => {
                search.text.pop();
                self.find(self.history.len());
            }
            // ^G: as it was before.
            0x07 => {
                self.line = core::mem::take(&mut search.before);
                self.end_search();
            }
            0x20..=0x7e => {
                search.text.push(char::from(byte));
                let end = search.found.saturating_add(1);
                self.find(end);
            }
            // ^C forgets the line; all else works on the line found.
            _ => {
                self.end_search();
                return false;
            }
        }
        true
    }

    /// The newest line before `end` that holds the text.
    fn find(&mut self, end: usize) {
        let Some(search) = &mut self.search else { return };
        let lines = &self.history[..end.min(self.history.len())];
        let found = lines.iter().rposition(|line| line.contains(search.text.as_str()));
        if let Some(found) = found {
            search.found = found;
            self.line = lines[found].chars().collect();
            self.cursor = self.line.len();
        }
        self.show_search(found.is_some());
    }

    fn end_search(&mut self) {
        self.search = None;
        self.cursor = self.line.len();
        self.redraw();
    }

    fn show_search(&mut self, is_found: bool) {
        let Some(search) = &self.search else { return };
        let word = if is_found { "" } else { "failed " };
        let line: String = self.line.iter().collect();
        let shown = format!("({word}reverse-i-search)`{}': {line}", search.text);
        let shown: String = shown.chars().take(self.columns - 1).collect();
        self.output.push_str(&format!("\r{shown}\x1b[K"));
    }
}
