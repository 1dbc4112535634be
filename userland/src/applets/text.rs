//! cat, head, tail, tee, hexdump.

use alloc::string::String;
use alloc::vec::Vec;

use super::arguments::{Parsed, parse};
use crate::runtime::file::{self, File};
use crate::runtime::{Errno, Result, output};
use abi::file::OpenFlags;

/// Opens a file for reading; `-` is standard input.
pub fn open(name: &str) -> Result<File> {
    if name == "-" {
        file::duplicate_above(0, 3).map(File::from_descriptor)
    } else {
        File::read_only(name)
    }
}

/// A file that is read line by line.
pub struct Lines {
    file: File,
    buffer: Vec<u8>,
    at: usize,
}

impl Lines {
    /// From where the file stands.
    pub fn new(file: File) -> Lines {
        Lines {
            file,
            buffer: Vec::new(),
            at: 0,
        }
    }

    /// The next line with its newline; only the last may have none.
    pub fn next(&mut self) -> Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        loop {
            let rest = &self.buffer[self.at..];
            if let Some(len) = rest.iter().position(|byte| *byte == b'\n') {
                line.extend_from_slice(&rest[..=len]);
                self.at += len + 1;
                return Ok(Some(line));
            }
            line.extend_from_slice(rest);
            self.buffer.resize(32 * 1024, 0);
            self.at = 0;
            let read = self.file.read(&mut self.buffer);
            self.buffer.truncate(*read.as_ref().unwrap_or(&0));
            match read {
                Ok(0) => return Ok(Some(line).filter(|line| !line.is_empty())),
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Reads until the end, giving each piece to `take`; stops when `take` says false.
fn each_piece(file: &File, mut take: impl FnMut(&[u8]) -> Result<bool>) -> Result<()> {
    let mut buffer = alloc::vec![0; 32 * 1024];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) if !take(&buffer[..count])? => return Ok(()),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Calls `run` for each file; complains about those that fail. The exit status.
pub fn for_files(parsed: &Parsed, mut run: impl FnMut(&str, &File) -> Result<()>) -> i32 {
    let mut status = 0;
    for name in parsed.files() {
        if let Err(error) = open(name).and_then(|file| run(name, &file)) {
            status = parsed.fail(format_args!("{name}: {error}"));
        }
    }
    status
}

/// The whole text of the files, line by line, without the newlines.
pub fn lines_of(parsed: &Parsed) -> core::result::Result<Vec<String>, i32> {
    let mut all = Vec::new();
    for name in parsed.files() {
        let bytes = open(name)
            .and_then(|file| file.read_all())
            .map_err(|error| parsed.fail(format_args!("{name}: {error}")))?;
        all.extend(String::from_utf8_lossy(&bytes).lines().map(String::from));
    }
    Ok(all)
}

/// cat [-n] files
pub fn cat(arguments: &[&str]) -> i32 {
    let parsed = match parse(arguments, "nu") {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let mut line = 0;
    let mut is_line_start = true;
    for_files(&parsed, |_, file| {
        each_piece(file, |piece| {
            if !parsed.has('n') {
                file::write_all(1, piece)?;
                return Ok(true);
            }
            for text in piece.split_inclusive(|&byte| byte == b'\n') {
                if is_line_start {
                    line += 1;
                    print!("{line:6}\t");
                }
                output::write_bytes(text);
                is_line_start = text.ends_with(b"\n");
            }
            Ok(true)
        })
    })
}

/// `-n 5`, `-5`: how many lines; the arguments without the short form.
fn line_count<'a>(arguments: &[&'a str]) -> (Vec<&'a str>, Option<&'a str>) {
    let is_short = |word: &&&str| {
        word.strip_prefix('-')
            .is_some_and(|digits| digits.parse::<u64>().is_ok())
    };
    let short = arguments.iter().find(is_short).map(|word| &word[1..]);
    (
        arguments.iter().filter(|word| !is_short(word)).copied().collect(),
        short,
    )
}

fn print_title(parsed: &Parsed, name: &str, is_first: bool) {
    if parsed.operands.len() > 1 && !parsed.has('q') {
        println!("{}==> {name} <==", if is_first { "" } else { "\n" });
    }
}

/// head [-n lines | -c bytes] files
pub fn head(arguments: &[&str]) -> i32 {
    let (rest, short) = line_count(arguments);
    let parsed = match parse(&rest, "n:c:q") {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let text = short.or(parsed.value('n')).or(parsed.value('c')).unwrap_or("10");
    let count = match parsed.number(text) {
        Ok(count) => count,
        Err(status) => return status,
    };
    let is_bytes = parsed.has('c');
    let mut is_first = true;
    for_files(&parsed, |name, file| {
        print_title(&parsed, name, is_first);
        is_first = false;
        let mut left = count;
        if left == 0 {
            return Ok(());
        }
        each_piece(file, |piece| {
            for unit in piece.split_inclusive(|&byte| is_bytes || byte == b'\n') {
                output::write_bytes(unit);
                left -= u64::from(is_bytes || unit.ends_with(b"\n"));
                if left == 0 {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    })
}

/// tail [-n [+]lines | -c bytes] files
pub fn tail(arguments: &[&str]) -> i32 {
    let (rest, short) = line_count(arguments);
    let parsed = match parse(&rest, "n:c:q") {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let text = short.or(parsed.value('n')).or(parsed.value('c')).unwrap_or("10");
    let (is_from_start, digits) = text
        .strip_prefix('+')
        .map_or((false, text), |digits| (true, digits));
    let count = match parsed.number(digits) {
        Ok(count) => usize::try_from(count).unwrap_or(usize::MAX),
        Err(status) => return status,
    };
    let is_bytes = parsed.has('c');
    let mut is_first = true;
    for_files(&parsed, |name, file| {
        print_title(&parsed, name, is_first);
        is_first = false;
        let all = file.read_all()?;
        let units: Vec<&[u8]> = all.split_inclusive(|&byte| is_bytes || byte == b'\n').collect();
        let first = if is_from_start {
            count.saturating_sub(1).min(units.len())
        } else {
            units.len().saturating_sub(count)
        };
        units[first..].iter().for_each(|unit| output::write_bytes(unit));
        Ok(())
    })
}

/// tee [-a] files
pub fn tee(arguments: &[&str]) -> i32 {
    let parsed = match parse(arguments, "a") {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let mut status = 0;
    let mode = if parsed.has('a') {
        OpenFlags::O_APPEND
    } else {
        OpenFlags::O_TRUNC
    };
    let mut outputs = Vec::new();
    for name in &parsed.operands {
        match File::open(
            name,
            OpenFlags::O_WRONLY | OpenFlags::O_CREAT | OpenFlags::O_CLOEXEC | mode,
            0o666,
        ) {
            Ok(file) => outputs.push((*name, file)),
            Err(error) => status = parsed.fail(format_args!("{name}: {error}")),
        }
    }
    let copied = open("-").and_then(|input| {
        each_piece(&input, |piece| {
            file::write_all(1, piece)?;
            for (name, file) in &outputs {
                if let Err(error) = file.write(piece) {
                    status = parsed.fail(format_args!("{name}: {error}"));
                }
            }
            Ok(true)
        })
    });
    match copied {
        Ok(()) => status,
        Err(error) => parsed.fail(error),
    }
}

/// hexdump [-C] [-n bytes] files: always in the form of `hexdump -C`.
pub fn hexdump(arguments: &[&str]) -> i32 {
    let parsed = match parse(arguments, "Cn:") {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let mut left = match parsed.value('n').map(|text| parsed.number(text)) {
        Some(Ok(count)) => count as usize,
        Some(Err(status)) => return status,
        None => usize::MAX,
    };
    let mut offset = 0usize;
    let mut row: Vec<u8> = Vec::new();
    let mut last: Vec<u8> = Vec::new();
    let mut is_starred = false;
    let mut end_row = |row: &mut Vec<u8>, offset: usize| {
        if row.len() == 16 && *row == last {
            if !core::mem::replace(&mut is_starred, true) {
                println!("*");
            }
        } else {
            is_starred = false;
            print_row(offset, row);
        }
        last = core::mem::take(row);
    };
    let status = for_files(&parsed, |_, file| {
        each_piece(file, |piece| {
            for &byte in &piece[..piece.len().min(left)] {
                row.push(byte);
                if row.len() == 16 {
                    end_row(&mut row, offset);
                    offset += 16;
                }
            }
            left -= piece.len().min(left);
            Ok(left > 0)
        })
    });
    let rest = row.len();
    if rest > 0 {
        end_row(&mut row, offset);
    }
    println!("{:08x}", offset + rest);
    status
}

fn print_row(offset: usize, row: &[u8]) {
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| alloc::format!(" {byte:02x}"))
            .collect::<String>()
    };
    let shown: String = row
        .iter()
        .map(|&byte| {
            if (b' '..=b'~').contains(&byte) {
                byte as char
            } else {
                '.'
            }
        })
        .collect();
    let (left, right) = row.split_at(row.len().min(8));
    println!("{offset:08x} {:<24} {:<24}  |{shown}|", hex(left), hex(right));
}
