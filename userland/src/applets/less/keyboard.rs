//! The terminal of a pager: keys in, text out.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::super::screen;
use crate::runtime::file::File;
use crate::runtime::terminal::{self, Termios, WinSize};
use crate::runtime::{Errno, Result};
use abi::file::OpenFlags;
use abi::terminal::ECHO;

/// The terminal that keys come from, changed for the time that this lives.
pub struct Keyboard {
    file: File,
    before: Termios,
    pub has_screen: bool,
}

impl Keyboard {
    /// Takes the controlling terminal; its other screen too, if `has_screen`.
    pub fn open(has_screen: bool) -> Result<Keyboard> {
        let file = File::open("/dev/tty", OpenFlags::O_RDWR | OpenFlags::O_CLOEXEC, 0)?;
        let before = terminal::settings(file.descriptor())?;
        let keyboard = Keyboard {
            file,
            before,
            has_screen,
        };
        keyboard.take()?;
        Ok(keyboard)
    }

    /// Keys one by one; ^C is still a signal, which ends what takes long.
    pub fn take(&self) -> Result<()> {
        let mut settings = terminal::by_key(&self.before);
        settings.lflag &= !ECHO;
        terminal::set(self.file.descriptor(), &settings)?;
        let begin: &[u8] = if self.has_screen { b"\x1b[?1049h" } else { b"" };
        self.file.write(begin)
    }

    /// The size as it is known, as the terminal answers, or that of old.
    pub fn size(&self) -> (usize, usize) {
        let descriptor = self.file.descriptor();
        let known = terminal::size(descriptor)
            .ok()
            .filter(|size| size.row > 0 && size.col > 0);
        let size = known.or_else(|| screen::ask(descriptor, descriptor).ok());
        let WinSize { row, col, .. } = size.unwrap_or(WinSize {
            row: 24,
            col: 80,
            ..WinSize::default()
        });
        (usize::from(row.max(2)), usize::from(col.max(1)))
    }

    fn byte(&self) -> Result<u8> {
        let mut byte = [0];
        match self.file.read(&mut byte)? {
            0 => Err(Errno::EIO),
            _ => Ok(byte[0]),
        }
    }

    /// The next key, as the letter that does the same.
    pub fn key(&self) -> Result<char> {
        let byte = self.byte()?;
        if byte != 0x1b {
            return Ok(char::from(byte));
        }
        if !matches!(self.byte()?, b'[' | b'O') {
            return Ok('\x1b');
        }
        Ok(match self.byte()? {
            b'A' => 'k',
            b'B' => 'j',
            b'H' => 'g',
            b'F' => 'G',
            digit @ b'0'..=b'9' => {
                while self.byte()? != b'~' {}
                match digit {
                    b'1' | b'7' => 'g',
                    b'4' | b'8' => 'G',
                    b'5' => 'b',
                    b'6' => 'f',
                    _ => '\x1b',
                }
            }
            _ => '\x1b',
        })
    }

    /// Writes to the terminal.
    pub fn show(&self, text: &str) -> Result<()> {
        self.file.write(text.as_bytes())
    }

    /// A line that is typed behind a prompt; `None` if it was given up.
    pub fn line(&self, row: usize, prompt: char) -> Result<Option<String>> {
        let mut typed = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&typed).into_owned();
            self.show(&format!("\x1b[{row};1H\x1b[K{prompt}{text}"))?;
            match self.byte()? {
                b'\r' | b'\n' => return Ok(Some(text)),
                0x1b => return Ok(None),
                0x7f | 0x08 => {
                    if text.is_empty() {
                        return Ok(None);
                    }
                    let len = text.len() - text.chars().next_back().map_or(0, char::len_utf8);
                    typed.truncate(len.min(typed.len()));
                }
                0x15 => typed.clear(),
                byte => typed.push(byte),
            }
        }
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        // The terminal may be gone: there is nobody to tell.
        let end: &[u8] = if self.has_screen {
            b"\x1b[?1049l"
        } else {
            b"\r\x1b[K"
        };
        let _ = self.file.write(end);
        let _ = terminal::set(self.file.descriptor(), &self.before);
    }
}
