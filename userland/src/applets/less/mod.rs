//! less: shows text page by page.

mod source;
#[cfg(test)]
mod tests;
mod view;

use alloc::format;
use alloc::string::{String, ToString};

use super::arguments::{Parsed, parse};
use super::keyboard::{Key, Keyboard};
use super::text::open;
use crate::regex::{Expression, Reading, Syntax};
use crate::runtime::file::{self, File};
use crate::runtime::signal::{self, Disposition, Signal};
use crate::runtime::terminal;
use crate::runtime::{Errno, Result, output};
use abi::file::{AtFlags, S_IFMT, S_IFREG};
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
            match letter(self.keyboard.key()?) {
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
                None => self.view.go_to_end()?,
            },
            '/' | '?' => self.ask(key)?,
            'n' => self.search(self.is_back)?,
            'N' => self.search(!self.is_back)?,
            '=' | '\x07' => self.tell(),
            ':' => match letter(self.keyboard.key()?) {
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

/// The letter that does the same as a key.
fn letter(key: Key) -> char {
    match key {
        Key::Letter(letter) => letter,
        Key::Up => 'k',
        Key::Down => 'j',
        Key::Home => 'g',
        Key::End => 'G',
        Key::PageUp => 'b',
        Key::PageDown => 'f',
        Key::Left | Key::Right | Key::Escape => '\x1b',
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
    let missing = |name: &&&str| {
        file::status(name, AtFlags::empty())
            .err()
            .filter(|_| **name != "-")
    };
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
