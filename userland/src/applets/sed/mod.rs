//! sed: edits lines as they pass. GNU's, without `e`, `F`, `R` and `v`.

mod machine;
mod parse;
mod script;
mod select;
mod substitute;
#[cfg(test)]
mod tests;

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::arguments::{Parsed, parse as parse_options};
use super::text::{Lines, open};
use crate::regex::Syntax;
use crate::runtime::file::{self, File};
use crate::runtime::{Errno, Result, output};
use abi::file::{AtFlags, OpenFlags, S_IFMT, S_IFREG};
use machine::{Machine, Outcome, World};
use script::Script;

const OPTIONS: &str = "nsuErl:e:f:i::";

/// Width of the lines that `l` prints.
const WIDTH: usize = 70;

/// Files in, standard output or a file out.
struct Files<'a> {
    parsed: &'a Parsed<'a>,
    names: VecDeque<&'a str>,
    input: Option<Lines>,
    /// Where output goes instead of standard output: the new content of a file.
    target: Option<File>,
    outputs: Vec<Target>,
    status: i32,
}

/// A file that the script writes to.
enum Target {
    Output,
    Error,
    File(File),
}

impl World for Files<'_> {
    fn line(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(input) = &mut self.input {
                match input.next() {
                    Ok(Some(line)) => return Some(line),
                    Ok(None) => {}
                    Err(error) => self.failed("read error on input", error),
                }
            }
            self.input = None;
            let name = self.names.pop_front()?;
            match open_input(name) {
                Ok(file) => self.input = Some(Lines::new(file)),
                Err(error) => self.failed(&format!("can't read {name}"), error),
            }
        }
    }

    fn print(&mut self, bytes: &[u8]) {
        match &self.target {
            None => output::write_bytes(bytes),
            Some(file) => {
                if let Err(error) = file.write(bytes) {
                    self.failed("couldn't write", error);
                    self.status = 4;
                }
            }
        }
    }

    fn write(&mut self, file: usize, bytes: &[u8]) {
        let written = match &self.outputs[file] {
            Target::Output => {
                output::write_bytes(bytes);
                Ok(())
            }
            Target::Error => file::write_all(2, bytes),
            Target::File(file) => file.write(bytes),
        };
        if let Err(error) = written {
            self.failed("couldn't write", error);
            self.status = 4;
        }
    }

    fn content(&mut self, name: &str) -> Vec<u8> {
        let name = if name == "/dev/stdin" { "-" } else { name };
        // As sed has it: a file that cannot be read is empty.
        open(name).and_then(|file| file.read_all()).unwrap_or_default()
    }

    fn complain(&mut self, message: &str) {
        self.parsed.fail(message);
        self.status = 1;
    }
}

fn open_input(name: &str) -> Result<File> {
    if name != "-" && file::is_directory(name) {
        return Err(Errno::EISDIR);
    }
    open(name)
}

impl Files<'_> {
    fn failed(&mut self, what: &str, error: Errno) {
        self.parsed.fail(format_args!("{what}: {error}"));
        self.status = 2;
    }
}

/// The script's text: all of -e and -f in the order given, or the first operand.
fn script_text(parsed: &mut Parsed) -> core::result::Result<String, i32> {
    let mut parts = Vec::new();
    for (letter, value) in parsed.in_order("ef") {
        if letter == 'e' {
            parts.push(value.to_string());
            continue;
        }
        let bytes = open(value)
            .and_then(|file| file.read_all())
            .map_err(|error| parsed.fail(format_args!("couldn't open file {value}: {error}")))?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        parts.push(text.strip_suffix('\n').unwrap_or(&text).to_string());
    }
    if parts.is_empty() {
        if parsed.operands.is_empty() {
            parsed.usage("[-nsEr] [-i[suffix]] [-l width] script | -e script... | -f file... [file...]");
            return Err(1);
        }
        parts.push(parsed.operands.remove(0).to_string());
    }
    Ok(parts.join("\n"))
}

fn open_outputs(script: &Script) -> core::result::Result<Vec<Target>, String> {
    let open = |name: &String| match name.as_str() {
        "/dev/stdout" => Ok(Target::Output),
        "/dev/stderr" => Ok(Target::Error),
        _ => File::open(
            name,
            OpenFlags::O_WRONLY | OpenFlags::O_CREAT | OpenFlags::O_TRUNC | OpenFlags::O_CLOEXEC,
            0o666,
        )
        .map(Target::File)
        .map_err(|error| format!("couldn't open file {name}: {error}")),
    };
    script.files.iter().map(open).collect()
}

/// `sed [-nsEr] [-i[suffix]] script files`
pub fn sed(arguments: &[&str]) -> i32 {
    let Ok(mut parsed) = parse_options(arguments, OPTIONS) else {
        return 1;
    };
    let text = match script_text(&mut parsed) {
        Ok(text) => text,
        Err(status) => return status,
    };
    let is_extended = parsed.has('E') || parsed.has('r');
    let syntax = if is_extended {
        Syntax::Extended
    } else {
        Syntax::Basic
    };
    let script = match parse::parse(&text, syntax) {
        Ok(script) => script,
        Err(message) => return parsed.fail(message),
    };
    let width = match parsed
        .value('l')
        .map_or(Ok(WIDTH as u64), |text| parsed.number(text))
    {
        Ok(width) => usize::try_from(width).unwrap_or(WIDTH),
        Err(status) => return status,
    };
    let outputs = match open_outputs(&script) {
        Ok(outputs) => outputs,
        Err(message) => {
            parsed.fail(message);
            return 4;
        }
    };
    let mut files = Files {
        parsed: &parsed,
        names: VecDeque::new(),
        input: None,
        target: None,
        outputs,
        status: 0,
    };
    let mut machine = Machine::new(&script, parsed.has('n'), width);
    match work(&mut machine, &mut files) {
        Outcome::Quit(status) if status != 0 => status,
        _ => files.status,
    }
}

/// All files as one, or with -s and -i one after the other.
fn work(machine: &mut Machine, files: &mut Files) -> Outcome {
    let names = files.parsed.files();
    if !files.parsed.has('s') && !files.parsed.has('i') {
        files.names = names.into();
        return machine.run(files);
    }
    for name in names {
        machine.begin_file();
        let outcome = match files.parsed.has('i') {
            true => edit_in_place(machine, files, name),
            false => {
                files.names = VecDeque::from([name]);
                machine.run(files)
            }
        };
        if outcome != Outcome::InputEnded {
            return outcome;
        }
    }
    Outcome::InputEnded
}

/// Writes the new content beside the file, and renames it when it is complete: nobody sees half of it. After a `q` the rest is lost, as with GNU's.
fn edit_in_place<'a>(machine: &mut Machine, files: &mut Files<'a>, name: &'a str) -> Outcome {
    let mode = match file::status(name, AtFlags::empty()) {
        Ok(status) if status.mode & S_IFMT == S_IFREG => status.mode & 0o7777,
        Ok(_) => {
            files
                .parsed
                .fail(format_args!("couldn't edit {name}: not a regular file"));
            files.status = 4;
            return Outcome::InputEnded;
        }
        Err(error) => {
            files.failed(&format!("can't read {name}"), error);
            return Outcome::InputEnded;
        }
    };
    let beside = format!("{name}.sed{}", crate::runtime::process::id());
    match File::open(
        &beside,
        OpenFlags::O_WRONLY | OpenFlags::O_CREAT | OpenFlags::O_EXCL | OpenFlags::O_CLOEXEC,
        0o600,
    ) {
        Ok(file) => files.target = Some(file),
        Err(error) => {
            files.failed(&format!("couldn't open temporary file {beside}"), error);
            files.status = 4;
            return Outcome::InputEnded;
        }
    }
    files.names = VecDeque::from([name]);
    let outcome = machine.run(files);
    files.target = None;
    if let Err(error) = put_in_place(files.parsed, name, &beside, mode) {
        files.failed(&format!("cannot rename {beside}"), error);
        files.status = 4;
    }
    outcome
}

fn put_in_place(parsed: &Parsed, name: &str, beside: &str, mode: u32) -> Result<()> {
    file::change_mode(beside, mode)?;
    let suffix = parsed.value('i').unwrap_or("");
    if !suffix.is_empty() {
        file::rename(name, &format!("{name}{suffix}"))?;
    }
    file::rename(beside, name)
}
