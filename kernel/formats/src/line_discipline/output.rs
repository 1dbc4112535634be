//! What a terminal does to bytes on their way out: termios(3), `c_oflag`. Keeps track of the column, for tabs and for
//! erasing them.

use alloc::collections::VecDeque;

use abi::terminal::{OCRNL, OLCUC, ONLCR, ONLRET, ONOCR, OPOST, Termios, XTABS};

/// Puts one more at the end of a queue that was made with room for all that it may ever hold. Nothing is allocated: what has no room
/// is lost.
pub fn push_within_capacity<T>(queue: &mut VecDeque<T>, element: T) {
    if queue.len() < queue.capacity() {
        queue.push_back(element);
    }
}

/// The output side of a terminal.
#[derive(Default)]
pub struct Output {
    /// Column of the next character, from 0.
    pub column: usize,
}

/// Columns between two tab stops.
const TAB: usize = 8;

impl Output {
    /// Sends bytes to `screen` as the settings say.
    pub fn write(&mut self, termios: &Termios, mut bytes: &[u8], screen: &mut dyn FnMut(&[u8])) {
        if termios.oflag & OPOST == 0 {
            screen(bytes);
            return;
        }
        while let Some((&first, rest)) = bytes.split_first() {
            let plain = if termios.oflag & OLCUC != 0 {
                0
            } else {
                plain_length(bytes)
            };
            if plain > 0 {
                let (run, behind) = bytes.split_at(plain);
                screen(run);
                self.column += run.iter().filter(|byte| !is_continuation(**byte)).count();
                bytes = behind;
            } else {
                self.write_one(termios, first, screen);
                bytes = rest;
            }
        }
    }

    fn write_one(&mut self, termios: &Termios, byte: u8, screen: &mut dyn FnMut(&[u8])) {
        let has = |flag: u32| termios.oflag & flag != 0;
        match byte {
            b'\n' => {
                if has(ONLCR) || has(ONLRET) {
                    self.column = 0;
                }
                screen(if has(ONLCR) { b"\r\n" } else { b"\n" });
            }
            b'\r' if has(ONOCR) && self.column == 0 => {}
            b'\r' if has(OCRNL) => {
                if has(ONLRET) {
                    self.column = 0;
                }
                screen(b"\n");
            }
            b'\r' => {
                self.column = 0;
                screen(b"\r");
            }
            b'\t' => {
                let spaces = TAB - self.column % TAB;
                self.column += spaces;
                if termios.oflag & XTABS == XTABS {
                    screen(&[b' '; TAB][..spaces])
                } else {
                    screen(b"\t")
                }
            }
            0x08 => {
                self.column = self.column.saturating_sub(1);
                screen(&[byte]);
            }
            _ => {
                let byte = if has(OLCUC) {
                    byte.to_ascii_uppercase()
                } else {
                    byte
                };
                if !byte.is_ascii_control() && !is_continuation(byte) {
                    self.column += 1;
                }
                screen(&[byte]);
            }
        }
    }
}

/// How many bytes at the start are printed as they are and take a column each, UTF-8 apart.
fn plain_length(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .position(|byte| byte.is_ascii_control())
        .unwrap_or(bytes.len())
}

/// Whether the byte continues a UTF-8 character.
pub fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}
