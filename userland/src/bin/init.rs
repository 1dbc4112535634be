//! The first process: opens the console, runs the shell on it, reaps orphans, and powers the machine off at the end.
//!
//! * `init`: a shell on the console; when it exits, the machine powers off.
//! * `init demo`: runs `cow all`, then powers off. The last line is `demo: N passed, N failed`.
//! * `init [--] command arguments`: runs the command, prints `init: exit status N`, then powers off.

#![cfg_attr(target_os = "none", no_std, no_main)]
#![deny(unsafe_code)]

extern crate alloc;

use abi::file::{AccessFlags, OpenFlags};
use abi::mount::MountFlags;
use abi::reboot::{LINUX_REBOOT_CMD_POWER_OFF, LINUX_REBOOT_CMD_RESTART};
use abi::terminal::WinSize;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use userland::runtime::file::{self, File};
use userland::runtime::process::{self, Fork};
use userland::runtime::signal::{self, Disposition, Signal};
use userland::runtime::time::TimeSpec;
use userland::runtime::{Errno, environment, mounts, output, system, terminal};
use userland::{disks, eprintln, println};

userland::entry!(program);

/// What the first programs find in their environment, beside what the kernel's command line gave.
const ENVIRONMENT: [&str; 3] = ["PATH=/bin:/sbin:/usr/bin:/usr/sbin", "HOME=/root", "TERM=vt102"];

/// Where the shell keeps the lines typed (`HISTFILE`), if the root is on a disk.
const HISTORY: &str = "HISTFILE=/root/.sh_history";

/// What the kernel gives the first process when nobody said otherwise (Linux's init/main.c): as good as nothing.
const KERNELS: [&str; 2] = ["HOME=/", "TERM=linux"];

/// How large the terminal is (`make run` gives them). Programs do not get to know: they would not see it change.
const SIZE: [&str; 2] = ["LINES=", "COLUMNS="];

fn program(arguments: &[&str]) -> i32 {
    if process::id() != 1 {
        eprintln!("init: is the first process and no other");
        return 1;
    }
    open_console();
    set_size();
    mount_proc();
    mount_pts();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGUSR1, Signal::SIGUSR2] {
        if let Err(error) = signal::set(signal, Disposition::Note) {
            eprintln!("init: {signal:?}: {error}");
        }
    }
    // A boot loader may leave an empty word at the end of the kernel's command line.
    let words: Vec<&str> = arguments
        .iter()
        .skip(1)
        .copied()
        .filter(|word| !word.is_empty())
        .collect();
    let rest = words.strip_prefix(&["--"]).unwrap_or(&words);
    let status = match rest {
        [] => {
            println!("Welcome to Holstein. `help` lists the commands, `cow` answers questions.");
            println!("{}", disks::advice());
            let status = run(&["/bin/sh", "-l"]);
            println!("init: the first shell has ended: powering off.");
            status
        }
        ["demo"] => run(&["/bin/cow", "all"]),
        command => {
            let status = run(command);
            println!("init: exit status {status}");
            status
        }
    };
    leave(status)
}

/// Descriptors 0, 1, 2 on the console, which becomes the controlling terminal of our session.
fn open_console() {
    if process::new_session().is_err() {
        // We lead a session already.
    }
    let is_open = (0..3).all(|descriptor| file::descriptor_flags(descriptor).is_ok());
    if !is_open {
        match File::open("/dev/console", OpenFlags::O_RDWR | OpenFlags::O_NOCTTY, 0)
            .map(File::into_descriptor)
        {
            Ok(console) => {
                for descriptor in (0..3).filter(|descriptor| *descriptor != console) {
                    if let Err(error) = file::duplicate(console, descriptor) {
                        eprintln!("init: descriptor {descriptor}: {error}");
                    }
                }
            }
            Err(error) => eprintln!("init: /dev/console: {error}"),
        }
    }
    output::redirected();
}

/// The size that whoever starts the machine gave on the kernel's command line ([`SIZE`]).
fn set_size() {
    let [row, col] = SIZE.map(|name| environment().find_map(|entry| entry.strip_prefix(name)?.parse().ok()));
    let (Some(row), Some(col), Ok(known)) = (row, col, terminal::size(0)) else {
        return;
    };
    if let Err(error) = terminal::set_size(0, WinSize { row, col, ..known }) {
        eprintln!("init: the console's size: {error}");
    }
}

/// Holstein mounts /proc itself; Linux leaves that to the first process.
fn mount_proc() {
    if file::access("/proc/self", AccessFlags::F_OK).is_err()
        && let Err(error) = mounts::mount("proc", "/proc", "proc", MountFlags::empty(), "")
    {
        eprintln!("init: /proc: {error}");
    }
}

/// The slaves of pseudo-terminals, whose group may write to them (`tty` has number 5).
fn mount_pts() {
    const SLAVES: &str = "gid=5,mode=620,ptmxmode=666";
    let made = match file::make_directory("/dev/pts", 0o755) {
        Err(Errno::EEXIST) => Ok(()),
        other => other,
    };
    let mounted =
        made.and_then(|()| mounts::mount("devpts", "/dev/pts", "devpts", MountFlags::empty(), SLAVES));
    if let Err(error) = mounted {
        eprintln!("init: /dev/pts: {error}");
    }
}

/// Runs a program on the console, in a session of its own, and waits for it; meanwhile reaps whatever ends. Its
/// status.
fn run(command: &[&str]) -> i32 {
    let child = match process::fork() {
        Ok(Fork::Parent(pid)) => pid,
        Ok(Fork::Child) => process::exit_now(become_program(command)),
        Err(error) => {
            eprintln!("init: cannot fork: {error}");
            return 126;
        }
    };
    loop {
        match process::wait(-1, process::WaitOptions::empty()) {
            Ok(Some(change)) if change.pid == child => return process::shell_status(change.status),
            Ok(_) => {}
            Err(Errno::EINTR) => obey_signals(),
            Err(error) => {
                eprintln!("init: {error}");
                return 126;
            }
        }
    }
}

/// Returns only if the program cannot be run.
fn become_program(command: &[&str]) -> i32 {
    let taken = process::new_session().and_then(|()| terminal::take_control(0));
    if let Err(error) = taken {
        eprintln!("init: no controlling terminal: {error}");
    }
    let arguments: Vec<String> = command.iter().map(|word| word.to_string()).collect();
    let inherited: Vec<&str> = environment().filter(|entry| is_inherited(entry)).collect();
    let is_missing = |entry: &&str| {
        let name = entry.split_inclusive('=').next().unwrap_or(entry);
        !inherited.iter().any(|found| found.starts_with(name))
    };
    let history = disks::is_root_kept().then_some(HISTORY);
    let standard = ENVIRONMENT.into_iter().chain(history).filter(is_missing);
    let variables: Vec<String> = inherited
        .iter()
        .copied()
        .chain(standard)
        .map(String::from)
        .collect();
    let path = if command[0].contains('/') {
        command[0].to_string()
    } else {
        alloc::format!("/bin/{}", command[0])
    };
    let error = process::execute(&path, &arguments, &variables);
    eprintln!("init: {path}: {error}");
    if error == Errno::ENOENT { 127 } else { 126 }
}

/// Whether a variable that the kernel gave is the programs', too.
fn is_inherited(entry: &str) -> bool {
    !KERNELS.contains(&entry) && !SIZE.iter().any(|name| entry.starts_with(name))
}

/// SIGTERM, SIGUSR1, SIGUSR2: power off; SIGINT, which the kernel sends for Ctrl-Alt-Del: restart.
fn obey_signals() {
    if signal::take(Signal::SIGTERM) | signal::take(Signal::SIGUSR2) | signal::take(Signal::SIGUSR1) {
        leave(0);
    }
    if signal::take(Signal::SIGINT) {
        end_all();
        report(system::reboot(LINUX_REBOOT_CMD_RESTART));
    }
}

/// Asks all processes to end, and then makes them.
fn end_all() {
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        // ESRCH: there is nobody left.
        if signal::send(-1, signal).is_err() {
            return;
        }
        // Half a second to say goodbye; an interruption only makes it shorter.
        let _ = userland::runtime::time::sleep(TimeSpec::from_nanoseconds(500_000_000));
        while let Ok(Some(_)) = process::wait(-1, process::WaitOptions::WNOHANG) {}
    }
}

fn report(result: userland::runtime::Result<()>) {
    if let Err(error) = result {
        eprintln!("init: reboot: {error}");
    }
}

/// Powers off. Should the machine not be able to, init ends with the status, and the kernel says what that means.
fn leave(status: i32) -> ! {
    end_all();
    if output::flush().is_err() {
        eprintln!("init: the console is gone");
    }
    report(system::reboot(LINUX_REBOOT_CMD_POWER_OFF));
    process::exit_now(status)
}
