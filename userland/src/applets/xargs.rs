//! xargs: runs a command with the words of its input as arguments.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::arguments::{Parsed, options_end, parse};
use super::processes::search;
use crate::runtime::file::{self, File};
use crate::runtime::process::{self, Fork, WaitStatus};
use crate::runtime::{Errno, Result, environment};

const OPTIONS: &str = "0rtn:I:";

/// How many bytes of arguments one call of the command gets, as with GNU's.
const MOST_BYTES: usize = 128 << 10;

/// How the input is taken apart.
#[derive(Clone, Copy, PartialEq)]
enum Unit {
    /// At blanks and newlines; quotes and backslashes keep them.
    Word,
    /// At newlines; blanks at the beginning are dropped. Quotes as above.
    Line,
    /// At NUL bytes, and nothing is special.
    Nul,
}

/// Input that is taken apart piece by piece, as it comes.
struct Words<'a> {
    more: &'a mut dyn FnMut() -> Result<Option<u8>>,
    unit: Unit,
}

/// Why there is no next word.
#[derive(Debug, PartialEq)]
enum Stop {
    End,
    Quote(&'static str),
    Failed(Errno),
}

impl Words<'_> {
    fn byte(&mut self) -> core::result::Result<Option<u8>, Stop> {
        (self.more)().map_err(Stop::Failed)
    }

    fn next(&mut self) -> core::result::Result<String, Stop> {
        let mut word = Vec::new();
        let mut has_begun = false;
        loop {
            let Some(byte) = self.byte()? else {
                return if has_begun { Ok(text(word)) } else { Err(Stop::End) };
            };
            match (self.unit, byte) {
                (Unit::Nul, 0) => return Ok(text(word)),
                (Unit::Nul, _) => word.push(byte),
                (_, b'\n') if has_begun => return Ok(text(word)),
                (Unit::Word, b' ' | b'\t') if has_begun => return Ok(text(word)),
                (_, b' ' | b'\t' | b'\n') if !has_begun => continue,
                (_, b'\'' | b'"') => self.quoted(byte, &mut word)?,
                (_, b'\\') => word.extend(self.byte()?),
                _ => word.push(byte),
            }
            has_begun = true;
        }
    }

    /// What follows a quote, to its end, which must come in the same line.
    fn quoted(&mut self, quote: u8, word: &mut Vec<u8>) -> core::result::Result<(), Stop> {
        loop {
            match self.byte()? {
                Some(byte) if byte == quote => return Ok(()),
                Some(b'\n') | None => {
                    let name = if quote == b'"' { "double" } else { "single" };
                    return Err(Stop::Quote(name));
                }
                Some(byte) => word.push(byte),
            }
        }
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// What is run, and how.
struct Call<'a> {
    parsed: &'a Parsed<'a>,
    command: Vec<&'a str>,
    /// The exit status so far: 123 when one of the calls failed.
    status: i32,
}

impl Call<'_> {
    /// Runs the command with these arguments; false if that was the last time.
    fn run(&mut self, arguments: &[String]) -> bool {
        if self.parsed.has('t') {
            eprintln!("{}", arguments.join(" "));
        }
        match run(arguments) {
            Ok(WaitStatus::Exited(0)) => true,
            Ok(WaitStatus::Exited(255)) => {
                self.parsed
                    .fail(format_args!("{}: exited with status 255; aborting", arguments[0]));
                self.end(124)
            }
            Ok(WaitStatus::Exited(_)) => {
                self.status = 123;
                true
            }
            Ok(WaitStatus::Signaled { signal, .. }) => {
                self.parsed
                    .fail(format_args!("{}: terminated by signal {signal}", arguments[0]));
                self.end(125)
            }
            Ok(_) => true,
            Err(error) => {
                self.parsed.fail(format_args!("{}: {error}", arguments[0]));
                self.end(if error == Errno::ENOENT { 127 } else { 126 })
            }
        }
    }

    fn end(&mut self, status: i32) -> bool {
        self.status = status;
        false
    }

    /// The command with its own arguments, each `replaced` in them by the word.
    fn with(&self, replaced: &str, word: &str) -> Vec<String> {
        let mut arguments = Vec::from([self.command[0].to_string()]);
        arguments.extend(self.command[1..].iter().map(|own| own.replace(replaced, word)));
        arguments
    }

    /// The command with its own arguments, unchanged.
    fn plain(&self) -> Vec<String> {
        self.command.iter().map(|own| own.to_string()).collect()
    }
}

/// Runs a program found by PATH, with an empty standard input, and waits for its end; an error if it could not be run.
fn run(arguments: &[String]) -> Result<WaitStatus> {
    let path = search(&arguments[0]).ok_or(Errno::ENOENT)?;
    let (told, tell) = file::pipe()?;
    match process::fork()? {
        Fork::Child => {
            let inherited: Vec<String> = environment().map(str::to_string).collect();
            let error = File::read_only("/dev/null")
                .and_then(|null| file::duplicate(null.descriptor(), 0))
                .err()
                .unwrap_or_else(|| process::execute(path.as_str(), arguments, inherited.as_slice()));
            // The parent reads it; there is nobody else to tell.
            let _ = tell.write(&[error.number() as u8]);
            process::exit_now(126)
        }
        Fork::Parent(pid) => {
            drop(tell);
            let mut number = [0];
            let failed = told.read(&mut number)?;
            let change = process::wait_for_end(pid)?;
            match failed {
                0 => Ok(change.status),
                _ => Err(Errno::from_number(number[0].into()).unwrap_or(Errno::EIO)),
            }
        }
    }
}

/// `xargs [-0rt] [-n arguments | -I text] [command [arguments]]`
pub fn xargs(arguments: &[&str]) -> i32 {
    let end = options_end(arguments, OPTIONS);
    let parsed = match parse(&arguments[..end], OPTIONS) {
        Ok(parsed) => parsed,
        // As GNU's: 1 to 125 are for what the commands did.
        Err(_) => return 1,
    };
    let most = match parsed.value('n').map_or(Ok(u64::MAX), |text| parsed.number(text)) {
        Ok(0) => return parsed.fail("value 0 for -n option should be >= 1"),
        Ok(most) => usize::try_from(most).unwrap_or(usize::MAX),
        Err(status) => return status,
    };
    let command = match &arguments[end..] {
        [] => Vec::from(["echo"]),
        words => words.to_vec(),
    };
    let unit = match (parsed.has('0'), parsed.has('I')) {
        (true, _) => Unit::Nul,
        (false, true) => Unit::Line,
        _ => Unit::Word,
    };
    let mut call = Call {
        parsed: &parsed,
        command,
        status: 0,
    };
    let mut input = Input::default();
    let words = Words {
        more: &mut || input.byte(),
        unit,
    };
    match work(&mut call, words, most) {
        Stop::End => {}
        Stop::Failed(error) => return parsed.fail(format_args!("standard input: {error}")),
        Stop::Quote(name) => {
            return parsed.fail(format_args!(
                "unmatched {name} quote; by default quotes are special to xargs unless you use the -0 option"
            ));
        }
    }
    call.status
}

/// Runs the command as often as the words want it.
fn work(call: &mut Call, mut words: Words, most: usize) -> Stop {
    if let Some(replaced) = call.parsed.value('I') {
        loop {
            match words.next() {
                Err(stop) => return stop,
                Ok(word) if call.run(&call.with(replaced, &word)) => {}
                Ok(_) => return Stop::End,
            }
        }
    }
    let mut batch = call.plain();
    let (own, mut is_first) = (batch.len(), true);
    let mut bytes: usize = 0;
    loop {
        let next = words.next();
        let added = next.as_ref().map_or(0, |word| word.len() + 1);
        let is_full = batch.len() - own == most || bytes + added > MOST_BYTES;
        let is_last = next.is_err() && (batch.len() > own || is_first && !call.parsed.has('r'));
        if (is_full && batch.len() > own) || (is_last && next == Err(Stop::End)) {
            if !call.run(&batch) {
                return Stop::End;
            }
            batch.truncate(own);
            (bytes, is_first) = (0, false);
        }
        match next {
            Ok(word) => batch.push(word),
            Err(stop) => return stop,
        }
        bytes += added;
    }
}

/// Standard input, byte by byte.
#[derive(Default)]
struct Input {
    buffer: Vec<u8>,
    at: usize,
}

impl Input {
    fn byte(&mut self) -> Result<Option<u8>> {
        if self.at == self.buffer.len() {
            self.buffer.resize(4096, 0);
            let len = file::read(0, &mut self.buffer)?;
            self.buffer.truncate(len);
            self.at = 0;
        }
        let byte = self.buffer.get(self.at).copied();
        self.at += usize::from(byte.is_some());
        Ok(byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of a text, and how they end.
    fn words(text: &str, unit: Unit) -> (Vec<String>, Stop) {
        let mut bytes = text.bytes();
        let mut words = Words {
            more: &mut || Ok(bytes.next()),
            unit,
        };
        let mut all = Vec::new();
        loop {
            match words.next() {
                Ok(word) => all.push(word),
                Err(stop) => return (all, stop),
            }
        }
    }

    /// What the host's xargs makes of the same text, if it has one.
    fn of_the_host(text: &str, options: &[&str]) -> Option<Vec<String>> {
        use std::io::Write;
        use std::process::{Command, Stdio};
        let mut child = Command::new("xargs")
            .args(options)
            .args(["sh", "-c", "[ $# = 0 ] || printf '%s\\0' \"$@\"", "sh"])
            .args(options.contains(&"-I").then_some("{}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        child.stdin.take()?.write_all(text.as_bytes()).ok()?;
        let output = child.wait_with_output().ok()?.stdout;
        let mut words: Vec<String> = output
            .split(|byte| *byte == 0)
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect();
        words.pop();
        Some(words)
    }

    #[test]
    fn input_is_taken_apart_as_the_hosts_xargs_does() {
        let texts = [
            "",
            "\n",
            " a  b\tc\n\nd",
            "'a b' \"c d\"e\\ f\n",
            "a'b'\"\" '' x\n",
            "\\\\ \\'q\\\"\n",
            "  one two  \n three\n",
            "a\\\nb c\n",
            "it\\'s \"so'so\" \n",
            "last",
        ];
        for text in texts {
            for (unit, options) in [
                (Unit::Word, &[][..]),
                (Unit::Line, &["-I", "{}"]),
                (Unit::Nul, &["-0"]),
            ] {
                if let Some(wanted) = of_the_host(text, options) {
                    assert_eq!(words(text, unit), (wanted, Stop::End), "{text:?} {options:?}");
                }
            }
        }
    }

    #[test]
    fn a_quote_must_end_in_its_line() {
        assert_eq!(words("a 'b\nc'", Unit::Word).1, Stop::Quote("single"));
        assert_eq!(words("\"b", Unit::Line).1, Stop::Quote("double"));
        assert_eq!(
            words("'b\0", Unit::Nul),
            (Vec::from(["'b".to_string()]), Stop::End)
        );
    }
}
