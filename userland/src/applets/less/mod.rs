//! less: shows text page by page.

mod source;
#[cfg(test)]
mod tests;
mod view;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::arguments::{Parsed, parse};
use super::screen;
use super::text::open;
use crate::regex::{Expression, Reading, Syntax};
use crate::runtime::file::{self, File};
use crate::runtime::signal::{self, Disposition, Signal};
use crate::runtime::terminal::{self, Termios, WinSize};
use crate::runtime::{Errno, Result, output};
use abi::file::{O_CLOEXEC, O_RDWR, S_IFMT, S_IFREG};
use abi::terminal::ECHO;
use source::{Bytes, Source};
use view::{Place, Style, View};

/// A file, or a stream.
struct Input {
    file: File,
    is_file: bool,
}

impl Bytes for Input {
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        if signal::take(Signal::SIGINT) {
            return Err(Errno::EINTR);
        }
        match self.is_file {
            true => self.file.read_at(offset, buffer),
            false => self.file.read(buffer),
        }
    }

    fn is_file(&self) -> bool {
        self.is_file
    }
}

/// The terminal that keys come from, changed for the time that this lives.
struct Keyboard {
    file: File,
    before: Termios,
    has_screen: bool,
}

impl Keyboard {
    fn open(has_screen: bool) -> Result<Keyboard> {
        let file = File::open("/dev/tty", O_RDWR | O_CLOEXEC, 0)?;
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
    fn take(&self) -> Result<()> {
        let mut settings = terminal::by_key(&self.before);
        settings.lflag &= !ECHO;
        terminal::set(self.file.descriptor(), &settings)?;
        let begin: &[u8] = if self.has_screen { b"\x1b[?1049h" } else { b"" };
        self.file.write(begin)
    }

    /// The size as it is known, as the terminal answers, or that of old.
    fn size(&self) -> (usize, usize) {
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
    fn key(&self) -> Result<char> {
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

    fn show(&self, text: &str) -> Result<()> {
        self.file.write(text.as_bytes())
    }

    /// A line that is typed behind a prompt; `None` if it was given up.
    fn line(&self, row: usize, prompt: char) -> Result<Option<String>> {
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

/// What goes on after a key.
#[derive(PartialEq)]
enum Next {
    More,
    File(isize),
    Quit,
}

struct Pager<'a> {
    keyboard: &'a Keyboard,
    view: View<'a>,
    name: String,
    message: String,
    ignores_case: bool,
    /// The last search went backwards.
    is_back: bool,
    /// Whether there are files before and behind this one.
    others: (bool, bool),
}

impl Pager<'_> {
    fn draw(&mut self) -> Result<()> {
        let screen = self.view.screen()?;
        let mut text = String::from("\x1b[H");
        for row in &screen {
            text += row;
            text += "\x1b[K\r\n";
        }
        for _ in screen.len()..self.view.rows {
            text += "~\x1b[K\r\n";
        }
        let prompt = match core::mem::take(&mut self.message) {
            message if !message.is_empty() => format!("\x1b[7m{message}\x1b[27m"),
            _ if self.view.is_at_end().unwrap_or(false) => "\x1b[7m(END)\x1b[27m".to_string(),
            _ if self.view.top == Place::default() && self.name != "-" => {
                format!("\x1b[7m{}\x1b[27m", self.name)
            }
            _ => ":".to_string(),
        };
        self.keyboard.show(&(text + &prompt + "\x1b[K"))
    }

    fn resize(&mut self) {
        let (rows, columns) = self.keyboard.size();
        (self.view.rows, self.view.columns) = (rows - 1, columns);
        self.view.top.row = 0;
    }

    fn run(&mut self) -> Result<Next> {
        loop {
            self.draw()?;
            let next = match self.command() {
                Err(Errno::EINTR) => self.interrupted()?,
                next => next?,
            };
            if next != Next::More {
                return Ok(next);
            }
        }
    }

    fn interrupted(&mut self) -> Result<Next> {
        if signal::take(Signal::SIGTERM) {
            return Ok(Next::Quit);
        }
        self.message = "Interrupted".to_string();
        if signal::take(Signal::SIGCONT) {
            self.keyboard.take()?;
            self.message.clear();
        }
        if signal::take(Signal::SIGWINCH) {
            self.resize();
            self.message.clear();
        }
        signal::take(Signal::SIGINT);
        Ok(Next::More)
    }

    fn command(&mut self) -> Result<Next> {
        let mut number: Option<usize> = None;
        let key = loop {
            match self.keyboard.key()? {
                digit @ '0'..='9' => {
                    let digit = digit as usize - '0' as usize;
                    number = Some(number.unwrap_or(0).saturating_mul(10).saturating_add(digit));
                }
                key => break key,
            }
        };
        let page = self.view.rows;
        match key {
            'q' | 'Q' => return Ok(Next::Quit),
            'j' | '\r' | '\n' | 'e' | '\x05' | '\x0e' => self.view.down(number.unwrap_or(1))?,
            'k' | 'y' | '\x19' | '\x10' => self.view.up(number.unwrap_or(1))?,
            ' ' | 'f' | '\x06' | '\x16' => self.view.down(number.unwrap_or(page))?,
            'b' | '\x02' => self.view.up(number.unwrap_or(page))?,
            'd' | '\x04' => self.view.down(number.unwrap_or(page / 2))?,
            'u' | '\x15' => self.view.up(number.unwrap_or(page / 2))?,
            'g' | '<' => self.view.go(number.unwrap_or(1).saturating_sub(1))?,
            'G' | '>' => match number {
                Some(number) => self.view.go(number.saturating_sub(1))?,
                None => self.view.to_end()?,
            },
            '/' | '?' => self.ask(key)?,
            'n' => self.search(self.is_back)?,
            'N' => self.search(!self.is_back)?,
            '=' | '\x07' => self.tell(),
            ':' => match self.keyboard.key()? {
                'n' if self.others.1 => return Ok(Next::File(1)),
                'p' if self.others.0 => return Ok(Next::File(-1)),
                'n' | 'p' => self.message = "No such file".to_string(),
                'q' => return Ok(Next::Quit),
                _ => {}
            },
            'h' | 'H' => {
                self.message =
                    "j k line, space b page, d u half, g G ends, / ? n N search, :n :p files, q quit".into();
            }
            _ => {}
        }
        Ok(Next::More)
    }

    fn tell(&mut self) {
        let lines = self.view.source.known_lines();
        let more = if self.view.source.is_complete() {
            ""
        } else {
            " or more"
        };
        self.message = format!("{} line {} of {lines}{more}", self.name, self.view.top.line + 1);
    }

    fn ask(&mut self, key: char) -> Result<()> {
        let Some(text) = self.keyboard.line(self.view.rows + 1, key)? else {
            return Ok(());
        };
        self.is_back = key == '?';
        if !text.is_empty() {
            let reading = Reading {
                syntax: Syntax::Extended,
                ignores_case: self.ignores_case,
                has_lines: false,
                has_escapes: false,
            };
            match Expression::new(&text, reading) {
                Ok(wanted) => self.view.wanted = Some(wanted),
                Err(message) => {
                    self.message = message;
                    return Ok(());
                }
            }
        }
        self.search(self.is_back)
    }

    fn search(&mut self, is_back: bool) -> Result<()> {
        if self.view.wanted.is_none() {
            self.message = "No previous search pattern".to_string();
        } else if !self.view.find(is_back)? {
            self.message = "Pattern not found".to_string();
        }
        Ok(())
    }
}

/// Shows one file.
fn show(parsed: &Parsed, keyboard: &Keyboard, name: &str, file: File, others: (bool, bool)) -> Result<Next> {
    let is_file = file.status()?.mode & S_IFMT == S_IFREG;
    let mut input = Input { file, is_file };
    let (rows, columns) = keyboard.size();
    let view = View {
        source: Source::new(&mut input),
        top: Place::default(),
        rows: rows - 1,
        columns,
        style: Style {
            has_numbers: parsed.has('N'),
            is_cut: parsed.has('S'),
            is_raw: parsed.has('R'),
        },
        wanted: None,
    };
    let mut pager = Pager {
        keyboard,
        view,
        name: name.to_string(),
        message: String::new(),
        ignores_case: parsed.has('i') || parsed.has('I'),
        is_back: false,
        others,
    };
    if parsed.has('F') && pager.view.is_at_end()? {
        let screen = pager.view.screen()?;
        return leave(pager.keyboard, &screen);
    }
    pager.run()
}

/// What fits on one screen stays there, and the pager ends.
fn leave(keyboard: &Keyboard, screen: &[String]) -> Result<Next> {
    if keyboard.has_screen {
        keyboard.show("\x1b[?1049l")?;
    }
    screen
        .iter()
        .try_for_each(|row| keyboard.show(&format!("{row}\r\n")))?;
    if keyboard.has_screen {
        keyboard.show("\x1b[?1049h")?;
    }
    Ok(Next::File(1))
}

/// Where there is no terminal, files are copied.
fn copy(parsed: &Parsed, files: &[&str]) -> i32 {
    let mut status = 0;
    for name in files {
        let copied = open(name).and_then(|file| {
            let mut piece = alloc::vec![0; 32 << 10];
            loop {
                match file.read(&mut piece)? {
                    0 => return Ok(()),
                    count => output::write_bytes(&piece[..count]),
                }
            }
        });
        if let Err(error) = copied {
            status = parsed.fail(format_args!("{name}: {error}"));
        }
    }
    status
}

/// less [-FINRSX] files
pub fn less(arguments: &[&str]) -> i32 {
    let parsed = match parse(arguments, "FIiNRSX") {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let files = parsed.files();
    if files == ["-"] && terminal::is_terminal(0) {
        return parsed.usage("[-FINRSX] file...");
    }
    if !terminal::is_terminal(1) {
        return copy(&parsed, &files);
    }
    match page(&parsed, &files) {
        Ok(status) => status,
        Err(error) => parsed.fail(error),
    }
}

/// One file after the other, forwards and backwards.
fn page(parsed: &Parsed, files: &[&str]) -> Result<i32> {
    for noted in [Signal::SIGINT, Signal::SIGWINCH, Signal::SIGTERM, Signal::SIGCONT] {
        signal::set(noted, Disposition::Note)?;
    }
    let (mut at, mut status) = (0, 0);
    // A file that cannot be opened is complained about before the terminal changes.
    let missing = |name: &&&str| file::status(name, 0).err().filter(|_| **name != &"-"[..]);
    if let Some(error) = files
        .first()
        .as_ref()
        .and_then(missing)
        .filter(|_| files.len() == 1)
    {
        return Ok(parsed.fail(format_args!("{}: {error}", files[0])));
    }
    let keyboard = Keyboard::open(!parsed.has('X') && !parsed.has('F'))?;
    while let Some(name) = files.get(at) {
        let opened = match file::is_directory(name) {
            true => Err(Errno::EISDIR),
            false => open(name),
        };
        let next = match opened {
            Ok(file) => show(parsed, &keyboard, name, file, (at > 0, at + 1 < files.len()))?,
            Err(error) => {
                status = parsed.fail(format_args!("{name}: {error}"));
                Next::File(1)
            }
        };
        match next {
            Next::File(step) => at = at.wrapping_add_signed(step),
            _ => break,
        }
    }
    Ok(status)
}
