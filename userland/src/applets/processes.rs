//! ps, kill, sleep, time, env, which.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::arguments::parse;
use crate::runtime::process::{self, Fork, RUSAGE_CHILDREN};
use crate::runtime::signal::{self, Signal};
use crate::runtime::time::{self, TimeSpec};
use crate::runtime::{Errno, directory, environment, file, path};
use abi::file::AccessFlags;
use abi::time::USER_HZ;

/// What /proc/pid/stat says of a process (proc(5)).
struct Process {
    pid: i32,
    name: String,
    state: String,
    parent: i32,
    ticks: u64,
    virtual_kib: u64,
    resident_kib: u64,
    minor_faults: u64,
    command: String,
}

fn inspect(pid: i32) -> Option<Process> {
    let stat = file::read_text(&format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may hold anything, also parentheses.
    let (head, tail) = stat.rsplit_once(')')?;
    let name = head.split_once('(')?.1.to_string();
    let fields: Vec<&str> = tail.split_whitespace().collect();
    let number = |index: usize| {
        fields
            .get(index)
            .and_then(|field| field.parse::<u64>().ok())
            .unwrap_or(0)
    };
    let words = file::read_text(&format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = words.trim_end_matches('\0').replace('\0', " ");
    Some(Process {
        pid,
        state: fields.first()?.to_string(),
        parent: number(1) as i32,
        ticks: number(11) + number(12),
        virtual_kib: number(20) / 1024,
        resident_kib: number(21) * 4,
        minor_faults: number(7),
        command: if words.is_empty() {
            format!("[{name}]")
        } else {
            words
        },
        name,
    })
}

/// ps: every process, with memory and faults; options are accepted for habit's sake.
pub fn list(arguments: &[&str]) -> i32 {
    let parsed = match parse(arguments, "aefluxw") {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let names = match directory::names("/proc") {
        Ok(names) => names,
        Err(error) => return parsed.fail(format_args!("/proc: {error}")),
    };
    let mut pids: Vec<i32> = names.iter().filter_map(|name| name.parse().ok()).collect();
    pids.sort_unstable();
    println!(
        "{:>5} {:>5} S {:>8} {:>7} {:>7} {:>8} COMMAND",
        "PID", "PPID", "TIME", "VSZ", "RSS", "MINFLT"
    );
    for process in pids.into_iter().filter_map(inspect) {
        let seconds = process.ticks / USER_HZ;
        let time = format!(
            "{}:{:02}.{:02}",
            seconds / 60,
            seconds % 60,
            process.ticks % USER_HZ
        );
        let command = if process.state == "Z" {
            format!("[{}] <defunct>", process.name)
        } else {
            process.command
        };
        println!(
            "{:>5} {:>5} {} {time:>8} {:>7} {:>7} {:>8} {command}",
            process.pid,
            process.parent,
            process.state,
            process.virtual_kib,
            process.resident_kib,
            process.minor_faults
        );
    }
    0
}

/// kill [-signal | -s signal] pid..., kill -l
pub fn kill(arguments: &[&str]) -> i32 {
    let name = path::base_name(arguments[0]);
    let mut rest = &arguments[1..];
    let mut signal = Some(Signal::SIGTERM);
    match rest.first().copied() {
        Some("-l") => {
            let names: Vec<&str> = (1..32)
                .filter_map(Signal::new)
                .map(|signal| &signal.name()[3..])
                .collect();
            println!("{}", names.join(" "));
            return 0;
        }
        Some("-s") if rest.len() > 1 => {
            signal = signal::by_name(rest[1]);
            rest = &rest[2..];
        }
        Some(option) if option.starts_with('-') && option != "--" => {
            signal = if option == "-0" {
                None
            } else {
                signal::by_name(&option[1..])
            };
            if signal.is_none() && option != "-0" {
                eprintln!("{name}: {}: no such signal", &option[1..]);
                return 1;
            }
            rest = &rest[1..];
        }
        _ => {}
    }
    rest = rest.strip_prefix(&["--"]).unwrap_or(rest);
    if rest.is_empty() {
        eprintln!("usage: {name} [-signal] pid...");
        return 2;
    }
    let mut status = 0;
    for target in rest {
        let sent = match (target.parse::<i32>(), signal) {
            (Err(_), _) => Err(Errno::EINVAL),
            (Ok(pid), Some(signal)) => signal::send(pid, signal),
            (Ok(pid), None) => signal::probe(pid),
        };
        if let Err(error) = sent {
            eprintln!("{name}: {target}: {error}");
            status = 1;
        }
    }
    status
}

/// A duration such as `1`, `0.25`, `2m`.
fn duration(text: &str) -> Option<TimeSpec> {
    let units = [('s', 1), ('m', 60), ('h', 3600), ('d', 86400)];
    let (number, unit) = match units.iter().find(|(letter, _)| text.ends_with(*letter)) {
        Some((letter, unit)) => (text.strip_suffix(*letter)?, *unit),
        None => (text, 1),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let seconds: u64 = if whole.is_empty() && !fraction.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let nanoseconds: u64 = digits.parse().ok()?;
    let total = seconds
        .checked_mul(1_000_000_000)?
        .checked_add(nanoseconds)?
        .checked_mul(unit)?;
    Some(TimeSpec::from_nanoseconds(total))
}

/// sleep time...
pub fn sleep(arguments: &[&str]) -> i32 {
    let name = path::base_name(arguments[0]);
    if arguments.len() < 2 {
        eprintln!("usage: {name} time[smhd]...");
        return 2;
    }
    for text in &arguments[1..] {
        let Some(time) = duration(text) else {
            eprintln!("{name}: invalid time interval '{text}'");
            return 1;
        };
        if let Err(error) = time::sleep(time) {
            eprintln!("{name}: {error}");
            return 1;
        }
    }
    0
}

/// Runs a program found in PATH; returns only if it cannot be run, with the exit status.
pub fn run(name: &str, arguments: &[&str], environment: &[&str]) -> i32 {
    let Some(path) = search(arguments[0]) else {
        eprintln!("{name}: {}: {}", arguments[0], Errno::ENOENT);
        return 127;
    };
    let error = process::execute(
        path.as_str(),
        arguments_of(arguments).as_slice(),
        arguments_of(environment).as_slice(),
    );
    eprintln!("{name}: {}: {error}", arguments[0]);
    126
}

fn arguments_of(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| word.to_string()).collect()
}

/// time command: its time and its page faults, on standard error.
pub fn time(arguments: &[&str]) -> i32 {
    if arguments.len() < 2 {
        eprintln!("usage: time command [arguments]");
        return 2;
    }
    let start = time::monotonic().unwrap_or(0);
    let pid = match process::fork() {
        Ok(Fork::Parent(pid)) => pid,
        Ok(Fork::Child) => {
            let inherited: Vec<&str> = environment().collect();
            process::exit_now(run("time", &arguments[1..], &inherited))
        }
        Err(error) => {
            eprintln!("time: cannot fork: {error}");
            return 126;
        }
    };
    let change = match process::wait_for_end(pid) {
        Ok(change) => change,
        Err(error) => {
            eprintln!("time: {error}");
            return 126;
        }
    };
    let real = time::monotonic().unwrap_or(0).saturating_sub(start);
    let usage = process::usage(RUSAGE_CHILDREN).unwrap_or(change.usage);
    let in_seconds = |nanoseconds: u64| {
        format!(
            "{}.{:03}",
            nanoseconds / 1_000_000_000,
            nanoseconds / 1_000_000 % 1000
        )
    };
    eprintln!("real {}", in_seconds(real));
    eprintln!("user {}", in_seconds(usage.utime.to_nanoseconds().unwrap_or(0)));
    eprintln!("sys  {}", in_seconds(usage.stime.to_nanoseconds().unwrap_or(0)));
    eprintln!(
        "{} minor faults, {} major faults, {} KiB at most",
        usage.minflt, usage.majflt, usage.maxrss
    );
    process::shell_status(change.status)
}

/// `env [-i] [name=value]... [command]`
pub fn env(arguments: &[&str]) -> i32 {
    let mut rest = &arguments[1..];
    let is_empty = rest.first() == Some(&"-i");
    rest = &rest[usize::from(is_empty)..];
    let mut variables: Vec<&str> = if is_empty {
        Vec::new()
    } else {
        environment().collect()
    };
    while let Some((name, _)) = rest.first().and_then(|word| word.split_once('=')) {
        variables.retain(|variable| variable.split_once('=').is_none_or(|(found, _)| found != name));
        variables.push(rest[0]);
        rest = &rest[1..];
    }
    if !rest.is_empty() {
        return run("env", rest, &variables);
    }
    variables.iter().for_each(|variable| println!("{variable}"));
    0
}

/// The path of a program: as it stands if it holds a slash, else by PATH.
pub fn search(name: &str) -> Option<String> {
    if name.contains('/') {
        return Some(name.to_string());
    }
    let path = environment()
        .find_map(|variable| variable.strip_prefix("PATH="))
        .unwrap_or("/bin:/sbin:/usr/bin");
    let candidates = path
        .split(':')
        .map(|folder| path::join(if folder.is_empty() { "." } else { folder }, name));
    candidates
        .into_iter()
        .find(|path| file::access(path, AccessFlags::X_OK).is_ok() && !file::is_directory(path))
}

/// which names...
pub fn which(arguments: &[&str]) -> i32 {
    let mut status = i32::from(arguments.len() < 2);
    for name in &arguments[1..] {
        match search(name).filter(|path| file::access(path, AccessFlags::X_OK).is_ok()) {
            Some(path) => println!("{path}"),
            None => status = 1,
        }
    }
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units_and_fractions() {
        let nanoseconds = |text| duration(text).and_then(TimeSpec::to_nanoseconds);
        assert_eq!(nanoseconds("1.5"), Some(1_500_000_000));
        assert_eq!(nanoseconds(".1"), Some(100_000_000));
        assert_eq!(nanoseconds("2m"), Some(120_000_000_000));
        assert_eq!(nanoseconds("0.0000000019"), Some(1));
        assert!(
            ["", "s", ".", "-1", "1x", "99999999999999999999"]
                .into_iter()
                .all(|text| duration(text).is_none())
        );
    }
}
