//! The terminal of a program that takes the whole screen: keys in, text out.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::screen;
use crate::runtime::file::{self, File};
use crate::runtime::terminal::{self, Termios, WinSize};
use crate::runtime::{Errno, Result};
use abi::file::{OpenFlags, POLLIN, PollFd};
use abi::terminal::ECHO;
use abi::time::TimeSpec;

/// How long the rest of what one key sends may take, on a slow line.
const ONE_KEY: TimeSpec = TimeSpec::from_nanoseconds(50_000_000);

/// A key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Key {
    Letter(char),
    Up,
    Down,
    Left,
    Right,
    Home,
    End,
    PageUp,
    PageDown,
    /// That key alone, or one that is not known.
    Escape,
}

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

    /// The terminal as it was before, until it is taken again.
    pub fn leave(&self) {
        // The terminal may be gone: there is nobody to tell.
        let end: &[u8] = if self.has_screen {
            b"\x1b[?25h\x1b[?1049l"
        } else {
            b"\r\x1b[K"
        };
        let _ = self.file.write(end);
        let _ = terminal::set(self.file.descriptor(), &self.before);
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

    /// Whether a key is pressed within that time. `EINTR` at a signal.
    pub fn has_key(&self, within: TimeSpec) -> Result<bool> {
        let mut waiting = [PollFd {
            fd: self.file.descriptor(),
            events: POLLIN,
            revents: 0,
        }];
        Ok(file::poll(&mut waiting, Some(within))? > 0)
    }

    /// The next key.
    pub fn key(&self) -> Result<Key> {
        let byte = self.byte()?;
        if byte != 0x1b {
            return Ok(Key::Letter(char::from(byte)));
        }
        if !self.has_key(ONE_KEY)? || !matches!(self.byte()?, b'[' | b'O') {
            return Ok(Key::Escape);
        }
        Ok(match self.byte()? {
            b'A' => Key::Up,
            b'B' => Key::Down,
            b'C' => Key::Right,
            b'D' => Key::Left,
            b'H' => Key::Home,
            b'F' => Key::End,
            digit @ b'0'..=b'9' => {
                while self.byte()? != b'~' {}
                match digit {
                    b'1' | b'7' => Key::Home,
                    b'4' | b'8' => Key::End,
                    b'5' => Key::PageUp,
                    b'6' => Key::PageDown,
                    _ => Key::Escape,
                }
            }
            _ => Key::Escape,
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
        self.leave();
    }
}
