//! The keys that edit the line being typed, and what they show on the screen.

use abi::terminal::{
    ECHO, ECHOCTL, ECHOE, ECHOK, ECHOKE, ECHOPRT, IEXTEN, IUTF8, VERASE, VKILL, VLNEXT, VREPRINT, VWERASE,
};

use super::output::is_continuation;
use super::{Discipline, Screen};

const ERASE_ONE: &[u8] = b"\x08 \x08";

impl Discipline {
    /// The keys that change or show the line being typed; whether the byte was one.
    pub(super) fn edit(&mut self, byte: u8, screen: Screen<'_>) -> bool {
        let is_extended = self.has_local(IEXTEN);
        if self.is_control(VERASE, byte) {
            self.erase(screen);
        } else if self.is_control(VKILL, byte) {
            self.kill(screen);
        } else if is_extended && self.is_control(VWERASE, byte) {
            self.erase_word(screen);
        } else if is_extended && self.is_control(VLNEXT, byte) {
            self.is_literal_next = true;
            if self.has_local(ECHO) && self.has_local(ECHOCTL) {
                screen(b"^\x08");
            }
        } else if is_extended && self.has_local(ECHO) && self.is_control(VREPRINT, byte) {
            self.reprint(byte, screen);
        } else {
            return false;
        }
        true
    }

    /// VERASE: the last character.
    fn erase(&mut self, screen: Screen<'_>) {
        match self.remove_character() {
            Some(character) if self.has_local(ECHO) && self.has_local(ECHOE | ECHOPRT) => {
                self.show_erased(character, screen);
            }
            Some(_) if self.has_local(ECHO) => self.echo(self.termios.cc[VERASE], screen),
            _ => {}
        }
        self.finish_erasing_if_empty(screen);
    }

    /// VKILL: the whole line.
    fn kill(&mut self, screen: Screen<'_>) {
        if self.pending() == 0 {
            return;
        }
        let erases_visibly = self.has_local(ECHO) && self.has_all_local(ECHOK | ECHOKE | ECHOE);
        if erases_visibly {
            while let Some(character) = self.remove_character() {
                self.show_erased(character, screen);
            }
            self.finish_erasing_if_empty(screen);
            return;
        }
        self.cells.truncate(self.complete);
        if self.has_local(ECHO) {
            self.finish_erasing(screen);
            self.echo(self.termios.cc[VKILL], screen);
            if self.has_local(ECHOK) {
                self.write(b"\n", screen);
            }
        }
    }

    /// VWERASE: back over what is no word, then over the word.
    fn erase_word(&mut self, screen: Screen<'_>) {
        let mut is_in_word = false;
        while let Some(last) = self.last_character_start() {
            let is_word = last.is_ascii_alphanumeric() || last == b'_' || !last.is_ascii();
            if is_in_word && !is_word {
                break;
            }
            is_in_word |= is_word;
            if let Some(character) = self.remove_character()
                && self.has_local(ECHO)
            {
                self.show_erased(character, screen);
            }
        }
        self.finish_erasing_if_empty(screen);
    }

    /// The first byte of the last character of the line being typed.
    fn last_character_start(&self) -> Option<u8> {
        let is_utf8 = self.has_input(IUTF8);
        let pending = self.cells.iter().skip(self.complete).rev();
        pending
            .map(|cell| cell.byte)
            .find(|byte| !is_utf8 || !is_continuation(*byte))
    }

    /// Takes the last character off the line being typed; returns its first byte. Continuation bytes without a first
    /// byte stay.
    fn remove_character(&mut self) -> Option<u8> {
        let first = self.last_character_start()?;
        let is_utf8 = self.has_input(IUTF8);
        while let Some(cell) = self.cells.pop_back() {
            if !is_utf8 || !is_continuation(cell.byte) {
                break;
            }
        }
        Some(first)
    }

    /// Shows that a character, already removed, is gone.
    fn show_erased(&mut self, character: u8, screen: Screen<'_>) {
        if self.has_local(ECHOPRT) {
            if !core::mem::replace(&mut self.is_erasing, true) {
                self.write(b"\\", screen);
            }
            self.echo(character, screen);
            return;
        }
        if character == b'\t' {
            let before = self.pending_column();
            while self.output.column > before {
                self.write(b"\x08", screen);
            }
            return;
        }
        let is_control = character.is_ascii_control();
        let shows_caret = self.has_local(ECHOCTL);
        let columns = if is_control {
            if shows_caret { 2 } else { 0 }
        } else {
            1
        };
        for _ in 0..columns {
            screen(ERASE_ONE);
            self.output.column = self.output.column.saturating_sub(1);
        }
    }

    /// The column behind the line being typed.
    fn pending_column(&self) -> usize {
        let mut column = self.line_column;
        for cell in self.cells.iter().skip(self.complete) {
            column += match cell.byte {
                b'\t' => 8 - column % 8,
                byte if byte.is_ascii_control() => {
                    if self.has_local(ECHOCTL) {
                        2
                    } else {
                        0
                    }
                }
                byte if is_continuation(byte) => 0,
                _ => 1,
            };
        }
        column
    }

    pub(super) fn finish_erasing(&mut self, screen: Screen<'_>) {
        if core::mem::take(&mut self.is_erasing) {
            self.write(b"/", screen);
        }
    }

    fn finish_erasing_if_empty(&mut self, screen: Screen<'_>) {
        if self.pending() == 0 && self.has_local(ECHO) {
            self.finish_erasing(screen);
        }
    }

    /// VREPRINT: the line being typed again, on a new line.
    fn reprint(&mut self, byte: u8, screen: Screen<'_>) {
        self.finish_erasing(screen);
        self.echo(byte, screen);
        self.write(b"\n", screen);
        self.line_column = self.output.column;
        for index in self.complete..self.cells.len() {
            let byte = self.cells[index].byte;
            self.echo(byte, screen);
        }
    }
}
