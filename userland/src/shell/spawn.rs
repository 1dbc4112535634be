//! Processes for the shell: fork, process groups, pipes, exec.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::executor::{Leave, Run};
use super::jobs::Job;
use super::state::Shell;
use super::syntax::{Item, Pipeline};
use crate::runtime::file::{self, File};
use crate::runtime::process::{self, Fork};
use crate::runtime::signal::{self, Disposition, Signal};
use crate::runtime::{Errno, Result, directory, output, path, terminal};
use abi::file::{AccessFlags, OpenFlags};

/// Where a new process belongs.
pub struct Place {
    /// The process group to join; 0: a new one of its own; `None`: the shell's.
    group: Option<i32>,
    role: Role,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Foreground,
    Background,
    Substitution,
}

impl Place {
    /// A command substitution: always in the shell's group.
    pub const SUBSTITUTION: Place = Place {
        group: None,
        role: Role::Substitution,
    };

    fn new(shell: &Shell, job: &Job, role: Role) -> Place {
        Place {
            group: shell.is_interactive.then(|| job.group.unwrap_or(0)),
            role,
        }
    }
}

/// The signals that an interactive shell does not take as its programs do.
const TERMINAL_SIGNALS: [Signal; 5] = [
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTSTP,
    Signal::SIGTTIN,
    Signal::SIGTTOU,
];

/// What an interactive shell does with them.
pub fn ignore_terminal_signals() -> Result<()> {
    for signal in TERMINAL_SIGNALS {
        signal::set(
            signal,
            if signal == Signal::SIGINT {
                Disposition::Note
            } else {
                Disposition::Ignore
            },
        )?;
    }
    Ok(())
}

/// Starts a process that runs `run` and ends with `$?`; its id.
pub fn child(shell: &mut Shell, place: &Place, run: &mut dyn FnMut(&mut Shell) -> Run) -> Result<i32> {
    match process::fork()? {
        Fork::Parent(pid) => {
            if let Some(group) = place.group {
                // The child does the same: whoever comes first. It may even have ended.
                let _ = process::set_group(pid, group);
            }
            Ok(pid)
        }
        Fork::Child => {
            enter_child(shell, place);
            let left = run(shell);
            if shell.traps.contains_key(&0) && left != Run::Break(Leave::Interrupted) {
                shell.run_exit_trap();
            }
            output::finish(&shell.name, shell.status)
        }
    }
}

/// The new process takes its place; nothing here can fail in a way that it could mend.
fn enter_child(shell: &mut Shell, place: &Place) {
    if let Some(group) = place.group {
        let _ = process::set_group(0, group);
        if place.role == Role::Foreground {
            let group = if group == 0 { process::id() } else { group };
            let _ = terminal::set_foreground(0, group);
        }
    }
    if shell.is_interactive {
        for signal in TERMINAL_SIGNALS {
            let _ = signal::set(signal, Disposition::Default);
        }
    }
    let is_caught = |number: &u8| Signal::new(u64::from(*number));
    for signal in shell
        .traps
        .iter()
        .filter(|(_, command)| !command.is_empty())
        .filter_map(|(n, _)| is_caught(n))
    {
        let _ = signal::set(signal, Disposition::Default);
    }
    if place.group.is_none() && place.role == Role::Background {
        let _ = signal::set(Signal::SIGINT, Disposition::Ignore);
        let _ = signal::set(Signal::SIGQUIT, Disposition::Ignore);
        if let Ok(null) = File::open("/dev/null", OpenFlags::O_RDONLY, 0) {
            let _ = file::duplicate(null.descriptor(), 0);
        }
    }
    shell.traps.clear();
    shell.jobs.clear();
    shell.jobs.settings = None;
    shell.is_interactive = false;
    shell.is_disposable = false;
}

/// Runs something in a process of its own and waits for it. `run` is called at most once, in the child.
pub fn foreground(shell: &mut Shell, text: &str, run: &mut dyn FnMut(&mut Shell) -> Run) -> Run {
    let mut job = Job::new(text);
    let place = Place::new(shell, &job, Role::Foreground);
    match child(shell, &place, run) {
        Ok(pid) => {
            job.group = place.group.map(|_| pid);
            job.add(pid);
            shell.finish_foreground(job)
        }
        Err(error) => shell.fail(&format!("cannot fork: {error}")),
    }
}

/// `item &`
pub fn background(shell: &mut Shell, item: &Item) {
    let mut job = Job::new(&item.text);
    let place = Place::new(shell, &job, Role::Background);
    let started = child(shell, &place, &mut |shell| match (
        item.first.commands.as_slice(),
        item.rest.as_slice(),
    ) {
        ([command], []) if !item.first.is_negated && !item.first.is_measured => {
            shell.run_in_place(command, &item.text)
        }
        _ => shell.run_and_or(item),
    });
    match started {
        Ok(pid) => {
            job.group = place.group.map(|_| pid);
            job.add(pid);
            let number = shell.jobs.insert(job);
            shell.last_background = Some(pid);
            shell.status = 0;
            if shell.is_interactive {
                eprintln!("[{number}] {pid}");
            }
        }
        Err(error) => {
            let _ = shell.fail(&format!("cannot fork: {error}"));
        }
    }
}

/// `a | b | c`, and `faults a`: every command in a process of its own.
pub fn pipeline(shell: &mut Shell, pipeline: &Pipeline, text: &str) -> Run {
    let copied_before = copied_pages();
    let mut job = Job::new(text);
    let mut input: Option<File> = None;
    for (index, command) in pipeline.commands.iter().enumerate() {
        let is_last = index + 1 == pipeline.commands.len();
        let (next_input, output) = match if is_last { Ok(None) } else { file::pipe().map(Some) } {
            Ok(pipe) => pipe.unzip(),
            Err(error) => return shell.fail(&format!("pipe: {error}")),
        };
        let place = Place::new(shell, &job, Role::Foreground);
        let started = child(shell, &place, &mut |shell| {
            for (end, descriptor) in [(&input, 0), (&output, 1)] {
                let moved = end
                    .as_ref()
                    .map(|end| file::duplicate(end.descriptor(), descriptor));
                if let Some(Err(error)) = moved {
                    return shell.fail(&format!("pipe: {error}"));
                }
            }
            output::redirected();
            shell.run_in_place(command, text)
        });
        match started {
            Ok(pid) => {
                job.group = place.group.map(|_| job.group.unwrap_or(pid));
                job.add(pid);
            }
            Err(error) => {
                // What was started sees the end of its pipe and is waited for below.
                shell.complain(&format!("cannot fork: {error}"));
                break;
            }
        }
        input = next_input;
    }
    drop(input);
    let run = shell.finish_foreground(job);
    if pipeline.is_measured {
        report_faults(shell, copied_before);
    }
    run
}

/// What `faults` prints.
fn report_faults(shell: &Shell, copied_before: Option<u64>) {
    let faults = shell.last_faults;
    let copied = copied_pages()
        .zip(copied_before)
        .map(|(after, before)| after.saturating_sub(before));
    let copied = copied.map_or(String::new(), |pages| format!(", {pages} pages copied"));
    eprintln!("faults: {} minor, {} major{copied}", faults.minor, faults.major);
}

/// How many pages the kernel has copied on write since it started, where it counts them (`cow_copied` in /proc/vmstat).
fn copied_pages() -> Option<u64> {
    let text = file::read_text("/proc/vmstat").ok()?;
    text.lines()
        .find_map(|line| line.strip_prefix("cow_copied "))?
        .trim()
        .parse()
        .ok()
}

/// The path of a program: as it stands if it holds a slash, else searched for in PATH.
pub fn find_program(shell: &Shell, name: &str) -> core::result::Result<String, Errno> {
    if name.contains('/') {
        return Ok(name.to_string());
    }
    let mut error = Errno::ENOENT;
    for folder in shell.text("PATH").split(':') {
        let candidate = path::join(if folder.is_empty() { "." } else { folder }, name);
        if file::access(&candidate, AccessFlags::F_OK).is_err() || file::is_directory(&candidate) {
            continue;
        }
        match file::access(&candidate, AccessFlags::X_OK) {
            Ok(()) => return Ok(candidate),
            Err(found) => error = found,
        }
    }
    Err(error)
}

/// Becomes a program. If it cannot, complains and sets `$?` to 127 (not found) or 126.
pub fn execute(shell: &mut Shell, arguments: &[String]) -> Run {
    let name = arguments[0].as_str();
    let error = match find_program(shell, name) {
        Ok(path) => match process::execute(&path, arguments, &shell.environment()) {
            Errno::ENOEXEC => return run_as_script(shell, &path, arguments),
            Errno::EACCES if file::is_directory(&path) => Errno::EISDIR,
            error => error,
        },
        Err(error) => error,
    };
    shell.status = if error == Errno::ENOENT { 127 } else { 126 };
    if error == Errno::ENOENT && !name.contains('/') {
        let advice = if shell.is_of_prompt {
            "; help and Tab say what is here"
        } else {
            ""
        };
        shell.complain(&format!("{name}: not found{advice}"));
    } else {
        shell.complain(&format!("{name}: {error}"));
    }
    Run::Break(Leave::Exit)
}

/// A text file without `#!` is a script of this shell (POSIX 2.9.1.1).
fn run_as_script(shell: &mut Shell, path: &str, arguments: &[String]) -> Run {
    let text = match file::read_file(path).map(String::from_utf8) {
        Ok(Ok(text)) if !text.contains('\0') => text,
        Ok(_) => {
            shell.status = 126;
            shell.complain(&format!("{path}: {}", Errno::ENOEXEC));
            return Run::Break(Leave::Exit);
        }
        Err(error) => return shell.fail(&format!("{path}: {error}")),
    };
    shell.name = path.to_string();
    shell.is_of_prompt = false;
    shell.positional = arguments[1..].to_vec();
    shell.functions.clear();
    shell.run_text(&text)
}

/// The names of all programs in PATH that begin so, for completion.
pub fn programs(shell: &Shell, beginning: &str) -> Vec<String> {
    let folders = shell.text("PATH").split(':');
    let mut names: Vec<String> = folders
        .flat_map(|folder| directory::names(folder).unwrap_or_default())
        .collect();
    names.retain(|name| name.starts_with(beginning));
    names
}
