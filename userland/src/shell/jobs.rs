//! Jobs: pipelines in processes of their own. POSIX 2.11 (signals), the glibc manual's chapter on job control.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::state::Shell;
use crate::runtime::process::{self, Change, WaitOptions, WaitStatus};
use crate::runtime::signal::{self, Signal};
use crate::runtime::terminal::{self, Termios};
use abi::Errno;

/// One process of a job.
#[derive(Debug, Clone, Copy)]
struct Process {
    pid: i32,
    /// `None` while it runs.
    status: Option<WaitStatus>,
}

/// What became of a job as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Running,
    Stopped,
    Done,
}

/// Page faults, from wait4(2).
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// Served from memory.
    pub minor: i64,
    /// Served from a file.
    pub major: i64,
}

/// A pipeline.
#[derive(Debug, Clone)]
pub struct Job {
    /// As `jobs` names it.
    number: usize,
    /// Its process group; `None` without job control: its processes are in the shell's.
    pub group: Option<i32>,
    processes: Vec<Process>,
    text: String,
    /// The terminal as it was when the job stopped.
    settings: Option<Termios>,
    /// The faults of its processes that ended.
    pub faults: Faults,
}

impl Job {
    /// A job whose processes are yet to be started.
    pub fn new(text: &str) -> Job {
        let faults = Faults::default();
        Job {
            number: 0,
            group: None,
            processes: Vec::new(),
            text: text.to_string(),
            settings: None,
            faults,
        }
    }

    /// Adds a process that was started.
    pub fn add(&mut self, pid: i32) {
        self.processes.push(Process { pid, status: None });
    }

    /// The last process of the pipeline.
    pub fn last_pid(&self) -> Option<i32> {
        self.processes.last().map(|process| process.pid)
    }

    fn state(&self) -> State {
        let is = |wanted: fn(&Option<WaitStatus>) -> bool| {
            self.processes.iter().any(|process| wanted(&process.status))
        };
        if is(|status| status.is_none()) {
            State::Running
        } else if is(|status| matches!(status, Some(WaitStatus::Stopped(_)))) {
            State::Stopped
        } else {
            State::Done
        }
    }

    /// Takes note of a change; false if it is no process of this job.
    fn note(&mut self, change: &Change) -> bool {
        let Some(process) = self
            .processes
            .iter_mut()
            .find(|process| process.pid == change.pid)
        else {
            return false;
        };
        process.status = Some(change.status);
        if matches!(change.status, WaitStatus::Exited(_) | WaitStatus::Signaled { .. }) {
            self.faults.minor += change.usage.minflt;
            self.faults.major += change.usage.majflt;
        }
        true
    }

    /// The status of the last process.
    fn last_status(&self) -> Option<WaitStatus> {
        self.processes.last().and_then(|process| process.status)
    }

    /// The status of the last process that failed, for `set -o pipefail`.
    fn last_failure(&self) -> Option<WaitStatus> {
        let failed = |status: &WaitStatus| process::shell_status(*status) != 0;
        self.processes
            .iter()
            .rev()
            .filter_map(|process| process.status)
            .find(failed)
    }

    fn describe(&self) -> String {
        match (self.state(), self.last_status()) {
            (State::Running, _) => "Running".to_string(),
            (State::Stopped, _) => "Stopped".to_string(),
            (State::Done, Some(WaitStatus::Exited(0)) | None) => "Done".to_string(),
            (State::Done, Some(WaitStatus::Signaled { signal, .. })) => signal_message(signal).to_string(),
            (State::Done, Some(status)) => format!("Done({})", process::shell_status(status)),
        }
    }

    fn mark_running(&mut self) {
        for process in &mut self.processes {
            if matches!(process.status, Some(WaitStatus::Stopped(_))) {
                process.status = None;
            }
        }
    }
}

fn signal_message(number: u8) -> &'static str {
    Signal::new(u64::from(number)).map_or("Unknown signal", Signal::message)
}

/// The jobs in the background.
#[derive(Debug, Default)]
pub struct Jobs {
    list: Vec<Job>,
    /// The terminal as the shell wants it while programs run, and the shell's process group.
    pub own_group: i32,
    /// The settings to go back to after a program.
    pub settings: Option<Termios>,
}

impl Jobs {
    /// Forgets all jobs: a new process has no children.
    pub fn clear(&mut self) {
        self.list.clear();
    }

    /// Takes a job over; its number.
    pub fn insert(&mut self, mut job: Job) -> usize {
        job.number = self.list.iter().map(|job| job.number).max().unwrap_or(0) + 1;
        self.list.push(job);
        self.list.len()
    }

    /// Takes a job out: the current one, `%n`, or by the pid of one of its processes.
    pub fn remove(&mut self, name: Option<&str>) -> Result<Job, String> {
        let found = match name {
            None | Some("%" | "%%" | "%+") => {
                let stopped = self.list.iter().rposition(|job| job.state() == State::Stopped);
                stopped.or(self.list.len().checked_sub(1))
            }
            Some(name) => self.position(name),
        };
        found
            .map(|index| self.list.remove(index))
            .ok_or_else(|| format!("{}: no such job", name.unwrap_or("current")))
    }

    fn position(&self, name: &str) -> Option<usize> {
        let number = name.strip_prefix('%').unwrap_or(name).parse::<usize>().ok()?;
        let is_it = |job: &Job| match name.starts_with('%') {
            true => job.number == number,
            false => job.processes.iter().any(|process| process.pid as usize == number),
        };
        self.list.iter().position(is_it)
    }

    /// The process group (negative) or process that `kill %n` means.
    pub fn target(&self, name: &str) -> Option<i32> {
        let job = &self.list[self.position(name)?];
        job.group.map(|group| -group).or(job.last_pid())
    }

    /// The same, if that job is stopped.
    pub fn stopped(&self, name: &str) -> Option<i32> {
        let index = name.starts_with('%').then(|| self.position(name))??;
        (self.list[index].state() == State::Stopped).then(|| self.target(name))?
    }

    fn note(&mut self, change: &Change) {
        self.list.iter_mut().any(|job| job.note(change));
    }

    /// Waits for one process to end; its status as `$?`.
    pub fn wait_for(&mut self, pid: i32) -> i32 {
        loop {
            match process::wait(pid, WaitOptions::empty()) {
                Ok(Some(change)) => return process::shell_status(change.status),
                Ok(None) | Err(Errno::EINTR) => {}
                Err(_) => return 127,
            }
        }
    }

    /// Notes what children did meanwhile, without waiting.
    pub fn poll(&mut self) {
        while let Ok(Some(change)) = process::wait(-1, WaitOptions::WNOHANG | WaitOptions::WUNTRACED) {
            self.note(&change);
        }
    }

    /// Waits until a job, or every job, is done. Stops early at a signal for the shell. The last status.
    pub fn wait_done(&mut self, name: Option<&str>) -> Result<i32, String> {
        if let Some(name) = name
            && self.position(name).is_none()
        {
            return Err(format!("{name}: no such job"));
        }
        loop {
            let mut waited = self
                .list
                .iter()
                .filter(|job| name.is_none_or(|name| self.names(job, name)));
            if !waited.any(|job| job.state() == State::Running) {
                break;
            }
            match process::wait(-1, WaitOptions::WUNTRACED) {
                Ok(Some(change)) => self.note(&change),
                Ok(None) => {}
                Err(Errno::EINTR) => return Ok(130),
                Err(_) => break,
            }
        }
        let Some(name) = name else {
            self.list.retain(|job| job.state() != State::Done);
            return Ok(0);
        };
        let job = self.remove(Some(name))?;
        Ok(job.last_status().map_or(0, process::shell_status))
    }

    fn names(&self, job: &Job, name: &str) -> bool {
        self.position(name)
            .is_some_and(|index| self.list[index].number == job.number)
    }

    /// Prints the jobs; those that are done are printed once and forgotten.
    pub fn print(&mut self, is_all: All) {
        self.poll();
        let count = self.list.len();
        for (index, job) in self.list.iter().enumerate() {
            let mark = if index + 1 == count {
                '+'
            } else if index + 2 == count {
                '-'
            } else {
                ' '
            };
            if is_all == All::Yes || job.state() == State::Done {
                let end = if job.state() == State::Running { " &" } else { "" };
                println!("[{}]{mark}  {:<24}{}{end}", job.number, job.describe(), job.text);
            }
        }
        self.list.retain(|job| job.state() != State::Done);
    }
}

/// Which jobs are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum All {
    /// Every job: `jobs`.
    Yes,
    /// Those that ended since the last prompt.
    DoneOnly,
}

impl Shell {
    /// Waits until a job ends or stops and sets `$?`. A stopped one is kept among the jobs. True if ^C ended it.
    pub fn wait_foreground(&mut self, mut job: Job) -> bool {
        while job.state() == State::Running {
            match process::wait(-1, WaitOptions::WUNTRACED) {
                Ok(Some(change)) => {
                    if !job.note(&change) {
                        self.jobs.note(&change);
                    }
                }
                Ok(None) | Err(Errno::EINTR) => {}
                Err(_) => break,
            }
        }
        self.take_terminal_back(&mut job);
        self.last_faults = job.faults;
        let mut status = job.last_status().unwrap_or(WaitStatus::Exited(127));
        if self.options.pipe_fail {
            status = job.last_failure().unwrap_or(status);
        }
        self.status = process::shell_status(status);
        let is_interrupted = self.report_end(status);
        if job.state() == State::Stopped {
            let text = job.text.clone();
            self.jobs.insert(job);
            let number = self.jobs.list.last().map_or(0, |job| job.number);
            eprintln!("\n[{number}]+  Stopped                 {text}");
        }
        is_interrupted
    }

    /// Says what signal ended a program, as shells do: not for SIGPIPE, and for ^C only a new line.
    fn report_end(&self, status: WaitStatus) -> bool {
        let WaitStatus::Signaled { signal, core } = status else {
            return false;
        };
        let dumped = if core { " (core dumped)" } else { "" };
        match Signal::new(u64::from(signal)) {
            Some(Signal::SIGINT) if self.is_interactive => eprintln!(),
            Some(Signal::SIGINT | Signal::SIGPIPE) => {}
            _ => eprintln!("{}{dumped}", signal_message(signal)),
        }
        signal == Signal::SIGINT.number()
    }

    fn take_terminal_back(&mut self, job: &mut Job) {
        let Some(settings) = self.jobs.settings else {
            return;
        };
        if job.group.is_none() {
            return;
        }
        let now = terminal::settings(0).ok();
        // If the terminal is gone, the next read ends the shell.
        let _ = terminal::set_foreground(0, self.jobs.own_group);
        // Who ended well, as stty(1) does, left the terminal as it is to be; who did not may have left it raw.
        if matches!(job.last_status(), Some(WaitStatus::Exited(0))) {
            self.jobs.settings = now.or(Some(settings));
            return;
        }
        if job.state() == State::Stopped {
            job.settings = now;
        }
        let _ = terminal::set(0, &settings);
    }

    /// `fg`: a job goes on with the terminal.
    pub fn continue_in_foreground(&mut self, name: Option<&str>) -> Result<bool, String> {
        let mut job = self.jobs.remove(name)?;
        let group = job.group.ok_or("no job control")?;
        eprintln!("{}", job.text);
        terminal::set_foreground(0, group).map_err(|error| format!("terminal: {error}"))?;
        if let Some(settings) = &job.settings {
            // A program that cares sets its modes again at SIGCONT.
            let _ = terminal::set(0, settings);
        }
        job.mark_running();
        signal::send(-group, Signal::SIGCONT).map_err(|error| error.to_string())?;
        Ok(self.wait_foreground(job))
    }

    /// `bg`: a stopped job goes on in the background.
    pub fn continue_in_background(&mut self, name: Option<&str>) -> Result<(), String> {
        let mut job = self.jobs.remove(name)?;
        let group = job.group.ok_or("no job control")?;
        job.mark_running();
        signal::send(-group, Signal::SIGCONT).map_err(|error| error.to_string())?;
        println!("{} &", job.text);
        self.jobs.insert(job);
        Ok(())
    }
}
