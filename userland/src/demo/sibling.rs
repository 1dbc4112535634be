//! A child process that does as its parent says, one step at a time, so that both can be looked at in between.

use abi::time::TimeSpec;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::runtime::file::{self, File};
use crate::runtime::process::{self, Change, Fork};
use crate::runtime::{Errno, Result, environment, program_path, signal, time};

/// What a child can do: called with the number of the step, gives a number back.
pub type Steps<'a> = &'a mut dyn FnMut(u64) -> Result<u64>;

/// A child between its steps.
pub struct Sibling {
    pid: i32,
    orders: Option<File>,
    answers: File,
}

impl Sibling {
    /// Forks a child that waits for orders.
    pub fn start(steps: Steps) -> Result<Sibling> {
        let (order_reader, orders) = file::pipe()?;
        let (answers, answer_writer) = file::pipe()?;
        match process::fork()? {
            Fork::Parent(pid) => Ok(Sibling {
                pid,
                orders: Some(orders),
                answers,
            }),
            Fork::Child => {
                drop((orders, answers));
                process::exit_now(obey(&order_reader, &answer_writer, steps))
            }
        }
    }

    /// The child's process id.
    pub fn id(&self) -> i32 {
        self.pid
    }

    /// The child's id as a name in /proc.
    pub fn name(&self) -> String {
        self.pid.to_string()
    }

    /// Lets the child take a step; what it gave back. EPIPE if it ended instead.
    pub fn step(&self, number: u64) -> Result<u64> {
        self.orders
            .as_ref()
            .ok_or(Errno::EPIPE)?
            .write(&number.to_le_bytes())?;
        read_word(&self.answers)?.ok_or(Errno::EPIPE)
    }

    /// Lets the child take a step that replaces its program: waits until exec has closed its pipe.
    pub fn step_into_exec(&self, number: u64) -> Result<()> {
        self.orders
            .as_ref()
            .ok_or(Errno::EPIPE)?
            .write(&number.to_le_bytes())?;
        match read_word(&self.answers)? {
            None => Ok(()),
            Some(error) => Err(Errno::from_number(error as u16).unwrap_or(Errno::EIO)),
        }
    }

    /// Waits until the program that the child has become sleeps: it has run up to its first wait. ETIME after a second.
    pub fn wait_until_asleep(&self) -> Result<()> {
        const MILLISECOND: TimeSpec = TimeSpec::from_nanoseconds(1_000_000);
        for _ in 0..1000 {
            let line = file::read_text(&format!("/proc/{}/stat", self.pid))?;
            if line.rsplit(") ").next().is_some_and(|rest| rest.starts_with('S')) {
                return Ok(());
            }
            time::sleep(MILLISECOND)?;
        }
        Err(Errno::ETIME)
    }

    /// Lets the child end, and waits for it.
    pub fn end(mut self) -> Result<Change> {
        self.orders = None;
        process::wait_for_end(self.pid)
    }
}

fn obey(orders: &File, answers: &File, steps: Steps) -> i32 {
    loop {
        let answer = match read_word(orders) {
            Ok(Some(number)) => steps(number),
            Ok(None) => return 0,
            Err(_) => return 1,
        };
        let word = answer.unwrap_or_else(|error| u64::from(error.number()));
        if answers.write(&word.to_le_bytes()).is_err() {
            return 1;
        }
    }
}

/// One word from a pipe; `None` at its end.
fn read_word(file: &File) -> Result<Option<u64>> {
    let mut bytes = [0; 8];
    match file.read(&mut bytes)? {
        8 => Ok(Some(u64::from_le_bytes(bytes))),
        0 => Ok(None),
        _ => Err(Errno::EIO),
    }
}

/// What the kernel told about a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Its signal.
    pub signal: u64,
    /// `SEGV_MAPERR`, `SEGV_ACCERR`, `BUS_ADRERR`, ...
    pub code: i32,
    /// The address.
    pub address: u64,
}

/// Does something in a child; the fault that ended it, or `None` if it did it unharmed.
pub fn fault_of(deed: impl FnOnce()) -> Result<Option<Fault>> {
    let (reader, writer) = file::pipe()?;
    match process::fork()? {
        Fork::Child => {
            if signal::report_faults_to(writer.descriptor()).is_err() {
                process::exit_now(1);
            }
            deed();
            process::exit_now(0)
        }
        Fork::Parent(pid) => {
            drop(writer);
            let told = reader.read_all()?;
            process::wait_for_end(pid)?;
            let word = |index: usize| {
                told.get(index * 8..)?
                    .first_chunk()
                    .map(|bytes| u64::from_le_bytes(*bytes))
            };
            let fault = || {
                Some(Fault {
                    signal: word(0)?,
                    code: word(1)? as i32,
                    address: word(2)?,
                })
            };
            Ok(fault())
        }
    }
}

/// Becomes `cow pause`, which reads `input` until its end. Returns only if that fails.
pub fn become_pause(input: &File) -> Errno {
    if let Err(error) = file::duplicate(input.descriptor(), 0) {
        return error;
    }
    let (path, arguments, variables) = pause_command();
    process::execute(&path, &arguments, &variables)
}

/// Path, arguments and environment of `cow pause`.
pub fn pause_command() -> (String, Vec<String>, Vec<String>) {
    let path = program_path().unwrap_or("/bin/cow").to_string();
    (
        path,
        ["cow", "pause"].map(String::from).to_vec(),
        environment().map(String::from).collect(),
    )
}

/// The program `cow pause`: waits until standard input ends.
pub fn pause() -> i32 {
    let mut byte = [0];
    loop {
        match file::read(0, &mut byte) {
            Ok(1) | Err(Errno::EINTR) => {}
            Ok(_) => return 0,
            Err(_) => return 1,
        }
    }
}
