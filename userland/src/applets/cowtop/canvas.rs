//! A screen in memory. Only what differs from what the terminal shows is sent to it.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

/// How a character is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    Plain,
    Dim,
    Title,
    Own,
    Shared,
    Zero,
    File,
    Swapped,
    TableOwn,
    TableShared,
}

impl Style {
    /// The numbers of "select graphic rendition" (ECMA-48) that it is.
    fn rendition(self) -> &'static str {
        match self {
            Style::Plain => "0",
            Style::Dim => "0;2",
            Style::Title => "0;1",
            Style::Own => "0;30;42",
            Style::Shared => "0;30;43",
            Style::Zero => "0;30;46",
            Style::File => "0;37;44",
            Style::Swapped => "0;37;45",
            Style::TableOwn => "0;1;32",
            Style::TableShared => "0;1;33",
        }
    }
}

/// One place of the screen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Glyph {
    character: char,
    style: Style,
    /// Underlined: not all of what it stands for is like that.
    is_mixed: bool,
    /// In reverse: the cursor.
    is_marked: bool,
}

const BLANK: Glyph = Glyph {
    character: ' ',
    style: Style::Plain,
    is_mixed: false,
    is_marked: false,
};

impl Glyph {
    /// All but the character.
    fn look(&self) -> (Style, bool, bool) {
        (self.style, self.is_mixed, self.is_marked)
    }

    /// Says how what follows is shown.
    fn select(&self, text: &mut String) {
        let underline = if self.is_mixed { ";4" } else { "" };
        let reverse = if self.is_marked { ";7" } else { "" };
        // A String takes all that is written to it.
        let _ = write!(text, "\x1b[{}{underline}{reverse}m", self.style.rendition());
    }
}

/// A screen.
#[derive(Clone, PartialEq, Eq)]
pub struct Canvas {
    columns: usize,
    glyphs: Vec<Glyph>,
}

impl Canvas {
    /// An empty one.
    pub fn new(rows: usize, columns: usize) -> Canvas {
        Canvas {
            columns,
            glyphs: alloc::vec![BLANK; rows * columns],
        }
    }

    pub fn rows(&self) -> usize {
        self.glyphs.len().checked_div(self.columns).unwrap_or(0)
    }

    /// One more row.
    pub fn add_row(&mut self) {
        let len = self.glyphs.len() + self.columns;
        self.glyphs.resize(len, BLANK);
    }

    fn at(&mut self, row: usize, column: usize) -> Option<&mut Glyph> {
        let is_inside = column < self.columns;
        self.glyphs
            .get_mut(row * self.columns + column)
            .filter(|_| is_inside)
    }

    /// Writes a text; what lies beyond the edge is not seen. Where it ends.
    pub fn put(&mut self, row: usize, column: usize, text: &str, style: Style) -> usize {
        let mut at = column;
        for character in text.chars() {
            if let Some(glyph) = self.at(row, at) {
                *glyph = Glyph {
                    character,
                    style,
                    ..BLANK
                };
            }
            at += 1;
        }
        at
    }

    /// Underlines one place.
    pub fn underline(&mut self, row: usize, column: usize) {
        if let Some(glyph) = self.at(row, column) {
            glyph.is_mixed = true;
        }
    }

    /// Shows some places in reverse.
    pub fn mark(&mut self, row: usize, columns: core::ops::Range<usize>) {
        for column in columns {
            if let Some(glyph) = self.at(row, column) {
                glyph.is_marked = true;
            }
        }
    }

    /// The characters, without what is behind the last of each row.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for row in self.glyphs.chunks(self.columns.max(1)) {
            let line: String = row.iter().map(|glyph| glyph.character).collect();
            text += line.trim_end();
            text.push('\n');
        }
        text
    }

    /// What a terminal is sent that shows `shown`, so that it shows this; nothing where they are equal.
    pub fn difference(&self, shown: &Canvas) -> String {
        let mut text = String::new();
        let mut before = shown.glyphs.clone();
        if (shown.columns, shown.glyphs.len()) != (self.columns, self.glyphs.len()) {
            text += "\x1b[0m\x1b[2J";
            before = alloc::vec![BLANK; self.glyphs.len()];
        }
        // How the terminal writes, and where next; at the edge terminals differ.
        let (mut look, mut cursor) = (None, usize::MAX);
        for (place, (glyph, before)) in self.glyphs.iter().zip(&before).enumerate() {
            if glyph == before {
                continue;
            }
            match self.bridge(cursor, place) {
                Some(between) if between.iter().all(|glyph| Some(glyph.look()) == look) => {
                    text.extend(between.iter().map(|glyph| glyph.character));
                }
                _ => {
                    let (row, column) = (place / self.columns, place % self.columns);
                    // A String takes all that is written to it.
                    let _ = write!(text, "\x1b[{};{}H", row + 1, column + 1);
                }
            }
            if look != Some(glyph.look()) {
                look = Some(glyph.look());
                glyph.select(&mut text);
            }
            text.push(glyph.character);
            cursor = place + 1;
        }
        if look.is_some() {
            text += "\x1b[0m";
        }
        text
    }

    /// What stands between the cursor and a place behind it in the same row, if it is shorter than a move.
    fn bridge(&self, cursor: usize, place: usize) -> Option<&[Glyph]> {
        const MOVE: usize = 7;
        let is_near = cursor <= place && place - cursor < MOVE;
        let is_same_row = is_near && cursor > 0 && (cursor - 1) / self.columns == place / self.columns;
        is_same_row.then(|| &self.glyphs[cursor..place])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_sent() {
        let mut old = Canvas::new(2, 10);
        old.put(0, 0, "one two", Style::Plain);
        assert_eq!(old.difference(&old), "");
        let mut new = old.clone();
        new.put(0, 4, "toe", Style::Plain);
        new.put(1, 8, "end", Style::Own);
        assert_eq!(
            new.difference(&old),
            "\x1b[1;6H\x1b[0moe\x1b[2;9H\x1b[0;30;42men\x1b[0m"
        );
        assert_eq!(new.text(), "one toe\n        en\n");
        new.mark(0, 0..1);
        assert!(
            new.difference(&old)
                .starts_with("\x1b[1;1H\x1b[0;7mo\x1b[1;6H\x1b[0mo")
        );
        // Another size: everything.
        assert!(Canvas::new(3, 10).difference(&old).contains("\x1b[2J"));
    }
}
