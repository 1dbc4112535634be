//! Children that rows need.

use super::meter::Meter;
use crate::runtime::file::{File, pipe};
use crate::runtime::memory::{Mapping, PAGE, Sharing};
use crate::runtime::process::{self, Change, Fork, WaitStatus};
use crate::runtime::{Errno, Result};

/// A child that waits, until it is told to end. While it waits it runs no instruction, so that nothing of its life is
/// counted in.
pub struct Waiting {
    pid: i32,
    ready: File,
    go: File,
}

impl Waiting {
    /// Forks; the meter takes the time of the call alone.
    pub fn fork(meter: &mut Meter) -> Result<Waiting> {
        Waiting::fork_after(meter, || {})
    }

    /// As [`Waiting::fork`], and both do something when they return from the call, the parent timed.
    pub fn fork_with(meter: &mut Meter, deed: impl Fn()) -> Result<Waiting> {
        let call = || {
            let fork = process::fork_keeping_output();
            deed();
            fork
        };
        Waiting::fork_by(meter, call, || {})
    }

    /// The child does something first. It has done so when [`Waiting::settle`] returns.
    pub fn fork_after(meter: &mut Meter, deed: impl FnOnce()) -> Result<Waiting> {
        Waiting::fork_by(meter, process::fork_keeping_output, deed)
    }

    fn fork_by(
        meter: &mut Meter,
        call: impl FnOnce() -> Result<Fork>,
        deed: impl FnOnce(),
    ) -> Result<Waiting> {
        let (ready, is_ready) = pipe()?;
        let (wait, go) = pipe()?;
        match meter.time(call)? {
            Fork::Parent(pid) => Ok(Waiting { pid, ready, go }),
            Fork::Child => {
                drop(go);
                deed();
                let status = is_ready.write(&[0]).and_then(|()| wait.read(&mut [0]));
                process::exit_now(i32::from(status.is_err()))
            }
        }
    }

    /// Forks, and times what the child does first of all.
    pub fn time_deed(meter: &mut Meter, deed: impl FnOnce() -> Result<()>) -> Result<()> {
        let board = Board::new()?;
        let mut own = meter.of_child();
        let child = Waiting::fork_after(&mut Meter::timing(), || {
            if own.time(deed).is_ok() {
                board.write(0, own.ticks());
                board.write(1, 1);
            }
        })?;
        child.settle()?;
        child.end()?;
        meter.add(board.read(0));
        if board.read(1) == 1 {
            Ok(())
        } else {
            Err(Errno::ECHILD)
        }
    }

    /// Lets the child run until it waits.
    pub fn settle(&self) -> Result<()> {
        match self.ready.read(&mut [0])? {
            1 => Ok(()),
            _ => Err(Errno::ECHILD),
        }
    }

    /// Ends it.
    pub fn end(self) -> Result<()> {
        drop(self.go);
        expect_success(process::wait_for_end(self.pid)?)
    }
}

/// Forks a child that does something and ends; waits for it.
pub fn run(deed: impl FnOnce() -> Result<()>) -> Result<()> {
    match process::fork_keeping_output()? {
        Fork::Child => process::exit_now(i32::from(deed().is_err())),
        Fork::Parent(pid) => expect_success(process::wait_for_end(pid)?),
    }
}

/// A child that failed makes the row fail.
pub fn expect_success(change: Change) -> Result<()> {
    match change.status {
        WaitStatus::Exited(0) => Ok(()),
        _ => Err(Errno::ECHILD),
    }
}

/// A page that parent and children write numbers to for each other.
pub struct Board(Mapping);

impl Board {
    /// Already touched, so that no fault comes of using it.
    pub fn new() -> Result<Board> {
        let board = Mapping::anonymous(PAGE, Sharing::Shared)?;
        board.store(0, 0);
        Ok(Board(board))
    }

    /// The number at a place.
    pub fn read(&self, place: usize) -> u64 {
        self.0.load(place * 8)
    }

    /// Sets the number at a place.
    pub fn write(&self, place: usize, value: u64) {
        self.0.store(place * 8, value);
    }
}
