//! `cowtrace`: what a program comes to the kernel for, and what copy-on-write did for it, from the kernel's tracefs.

mod json;
mod line;
mod pipe;
mod recording;
mod summary;

use super::cowtop::demo;
use super::processes::{run, search};
use crate::runtime::file::{self, File};
use crate::runtime::process::{self, Fork};
use crate::runtime::{Errno, Result, environment, mounts};
use abi::file::OpenFlags;
use abi::mount::MountFlags;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use line::Line;
use pipe::Records;

/// Where tracefs is mounted, as on Linux.
const FOLDER: &str = "/sys/kernel/tracing";
/// What stands in a line.
const HEAD: &str = "#           TASK-TID     (   PID) [CPU]   SECONDS: EVENT";

const USAGE: &str = "usage: cowtrace [-c | -j] [-e event[,event]...] [-o file] command [arguments]
       cowtrace -r file [step...]    records a demo for the playground; a step is A:f (A forks), A:w3, A:r3 (page 3), A:x (ends)
events: fault, call, access, exec, exit, switch, swap (all but switch if none is named)";

/// The events that there are.
const EVENTS: [&str; 7] = ["fault", "call", "access", "exec", "exit", "switch", "swap"];

/// What is traced if nothing is named. Each processor that a thread gets and gives back would hide the rest.
const USUAL: &str = "fault call access exec exit swap";

/// How the records are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As the kernel writes them.
    Text,
    /// What Perfetto and chrome://tracing open.
    Json,
    /// A row for each kind.
    Summary,
}

struct Options<'a> {
    form: Form,
    events: String,
    output: Option<&'a str>,
    command: &'a [&'a str],
}

/// `cowtrace [-c | -j] [-e events] [-o file] command [arguments]`
pub fn cowtrace(arguments: &[&str]) -> i32 {
    match arguments {
        [_, demo::APART] => return demo::live_apart(),
        [_, "-r", file, steps @ ..] => return recorded(file, steps),
        _ => {}
    }
    let Some(options) = options(arguments) else {
        eprintln!("{USAGE}");
        return 2;
    };
    let mut names = options.events.split_whitespace();
    if let Some(unknown) = names.find(|name| !EVENTS.contains(name)) {
        eprintln!(
            "cowtrace: {unknown}: no such event; there are {}",
            EVENTS.join(", ")
        );
        return 2;
    }
    if search(options.command[0]).is_none() {
        eprintln!("cowtrace: {}: not found", options.command[0]);
        return 127;
    }
    match trace(&options) {
        Ok(status) => status,
        Err(error) => {
            eprintln!("cowtrace: {FOLDER}: {error}");
            125
        }
    }
}

/// `cowtrace -r file [step...]`
fn recorded(file: &str, steps: &[&str]) -> i32 {
    match mount().and_then(|()| recording::record(file, steps)) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("cowtrace: {file}: {error}");
            125
        }
    }
}

/// tracefs is there from now on.
fn mount() -> Result<()> {
    if file::access(&format!("{FOLDER}/trace"), abi::file::AccessFlags::R_OK).is_err() {
        mounts::mount("tracefs", FOLDER, "tracefs", MountFlags::empty(), "")?;
    }
    Ok(())
}

fn options<'a>(arguments: &'a [&'a str]) -> Option<Options<'a>> {
    let mut options = Options {
        form: Form::Text,
        events: String::from(USUAL),
        output: None,
        command: &[],
    };
    let mut rest = arguments.get(1..)?;
    while let Some(option) = rest.first().filter(|word| word.starts_with('-')) {
        rest = &rest[1..];
        match *option {
            "-c" => options.form = Form::Summary,
            "-j" => options.form = Form::Json,
            "-e" => options.events = rest.first()?.replace(',', " "),
            "-o" => options.output = Some(rest.first()?),
            "--" => break,
            _ => return None,
        }
        rest = &rest[usize::from(matches!(*option, "-e" | "-o"))..];
    }
    options.command = rest;
    (!rest.is_empty()).then_some(options)
}

/// Runs the command under the trace, and shows the records. The command's status.
fn trace(options: &Options<'_>) -> Result<i32> {
    mount()?;
    let (wait_end, go_end) = file::pipe()?;
    let pid = match process::fork()? {
        Fork::Parent(pid) => pid,
        Fork::Child => {
            drop(go_end);
            // Its parent says when it is traced, or is gone.
            let may_run = matches!(wait_end.read(&mut [0]), Ok(1));
            drop(wait_end);
            if !may_run {
                process::exit_now(125);
            }
            let inherited: Vec<&str> = environment().collect();
            process::exit_now(run("cowtrace", options.command, &inherited))
        }
    };
    drop(wait_end);
    let begun = Records::open().and_then(|records| {
        begin(options, pid)?;
        go_end.write(b"1")?;
        Ok(records)
    });
    drop(go_end);
    let read = begun.and_then(|mut records| {
        records.read_until_end_of(pid)?;
        Ok(records)
    });
    let ended = process::wait_for_end(pid);
    let left = [
        set("tracing_on", "0"),
        set("set_event", "\n"),
        set("set_event_pid", "\n"),
    ];
    let mut records = read?;
    let change = ended?;
    left.into_iter().collect::<Result<()>>()?;
    records.read_what_is_there()?;
    set("tracing_on", "1")?;
    show(options, &records.text(), records.lost())?;
    Ok(process::shell_status(change.status))
}

/// The process, and what it forks, is traced from now on.
fn begin(options: &Options<'_>, pid: i32) -> Result<()> {
    set("tracing_on", "0")?;
    set("trace", "\n")?;
    set("set_event_pid", &format!("{pid}\n"))?;
    set("set_event", &options.events)?;
    set("tracing_on", "1")
}

fn set(name: &str, text: &str) -> Result<()> {
    File::open(&format!("{FOLDER}/{name}"), OpenFlags::O_WRONLY, 0)?.write(text.as_bytes())
}

fn show(options: &Options<'_>, text: &str, lost: u64) -> Result<()> {
    let shown = match options.form {
        Form::Text => format!("# records lost: {lost}\n#\n{HEAD}\n{text}"),
        Form::Json => json::of(text.lines().filter_map(Line::parse)),
        Form::Summary => summary::of(text.lines().filter_map(Line::parse)),
    };
    if lost > 0 {
        eprintln!("cowtrace: {lost} records were lost; {FOLDER}/buffer_size_kb makes room");
    }
    match options.output {
        Some(path) => {
            let flags = OpenFlags::O_WRONLY | OpenFlags::O_CREAT | OpenFlags::O_TRUNC;
            File::open(path, flags, 0o644)
                .and_then(|file| file.write(shown.as_bytes()))
                .map_err(|error| told(path, error))
        }
        None => {
            for line in shown.lines() {
                println!("{line}");
            }
            Ok(())
        }
    }
}

fn told(path: &str, error: Errno) -> Errno {
    eprintln!("cowtrace: {path}: {error}");
    error
}
