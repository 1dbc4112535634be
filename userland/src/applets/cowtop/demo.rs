//! Processes that do as they are told, one step at a time: what a fork shares and a store copies is seen between the steps.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::runtime::file::{self, File};
use crate::runtime::memory::{Mapping, PAGE, Sharing};
use crate::runtime::process::{self, Fork};
use crate::runtime::signal::{self, Disposition, Signal};
use crate::runtime::{Errno, Result};
use abi::file::{OpenFlags, POLLIN, PollFd};
use abi::time::TimeSpec;

/// As many as there are at once: one pipe of orders for each.
const MOST: usize = 6;
/// Pages of their memory: stored to, only read, and not touched before the first step.
const STORED: usize = 32;
const READ: usize = 8;
const PAGES: usize = 64;
/// How long a step may take.
const PATIENCE: TimeSpec = TimeSpec::from_nanoseconds(2_000_000_000);

/// A step, and who takes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Order {
    pub place: usize,
    pub step: Step,
}

impl Order {
    /// Reads `A:w3`: the first process stores to page 3. `f` forks into the next place that is free, `r` loads, `o` swaps it
    /// out, `x` ends.
    pub fn parse(text: &str, free: Option<usize>) -> Option<Order> {
        let (who, what) = text.split_once(':')?;
        let [letter] = who.as_bytes() else { return None };
        let place = letter
            .checked_sub(b'A')
            .map(usize::from)
            .filter(|place| *place < MOST)?;
        let page = || what.get(1..)?.parse().ok().filter(|page| *page < PAGES);
        let step = match what.as_bytes().first()? {
            b'f' if what.len() == 1 => Step::Fork(free?),
            b'x' if what.len() == 1 => Step::Exit,
            b'w' => Step::Write(page()?),
            b'r' => Step::Read(page()?),
            b'o' => Step::Out(page()?),
            _ => return None,
        };
        Some(Order { place, step })
    }
}

/// A step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// A child that waits for orders too, in that place.
    Fork(usize),
    /// A store to, or a load from a page of its memory.
    Write(usize),
    Read(usize),
    /// It says that it does not need a page: that goes out to swap space.
    Out(usize),
    Exit,
}

impl Step {
    fn word(self) -> u64 {
        let (kind, number) = match self {
            Step::Fork(place) => (0, place),
            Step::Write(page) => (1, page),
            Step::Read(page) => (2, page),
            Step::Exit => (3, 0),
            Step::Out(page) => (4, page),
        };
        kind << 32 | number as u64
    }

    fn of(word: u64) -> Option<Step> {
        let number = word as u32 as usize;
        match word >> 32 {
            0 if number < MOST => Some(Step::Fork(number)),
            1 if number < PAGES => Some(Step::Write(number)),
            2 if number < PAGES => Some(Step::Read(number)),
            3 => Some(Step::Exit),
            4 if number < PAGES => Some(Step::Out(number)),
            _ => None,
        }
    }
}

/// The processes, and the pipes to them.
pub struct Demo {
    /// Where orders for each place are written; only here: when this ends, all of them do.
    orders: Vec<File>,
    answers: File,
    pids: [Option<i32>; MOST],
    memory: usize,
}

impl Demo {
    /// Starts the first one.
    pub fn start() -> Result<Demo> {
        // Nobody waits for those that end.
        signal::set(Signal::SIGCHLD, Disposition::Ignore)?;
        let memory = Mapping::anonymous(PAGES * PAGE, Sharing::Private)?;
        let pipes = (0..MOST).map(|_| file::pipe()).collect::<Result<Vec<_>>>()?;
        let (answers, answer) = file::pipe()?;
        let (readers, orders): (Vec<File>, Vec<File>) = pipes.into_iter().unzip();
        let mut demo = Demo {
            orders,
            answers,
            pids: [None; MOST],
            memory: memory.address(),
        };
        match process::fork()? {
            Fork::Parent(pid) => demo.pids[0] = Some(pid),
            Fork::Child => {
                drop(demo);
                process::exit_now(live(&readers, &answer, &memory))
            }
        }
        drop(answer);
        // Its memory is as it is to be.
        demo.answer()?;
        Ok(demo)
    }

    /// Starts the first one as a program of its own, which shares nothing with this one.
    pub fn start_apart() -> Result<Demo> {
        signal::set(Signal::SIGCHLD, Disposition::Ignore)?;
        let pipes = (0..MOST).map(|_| file::pipe()).collect::<Result<Vec<_>>>()?;
        let (answers, answer) = file::pipe()?;
        let (readers, orders): (Vec<File>, Vec<File>) = pipes.into_iter().unzip();
        let mut demo = Demo {
            orders,
            answers,
            pids: [None; MOST],
            memory: 0,
        };
        match process::fork()? {
            Fork::Parent(pid) => demo.pids[0] = Some(pid),
            Fork::Child => process::exit_now(begin_apart(&readers, &answer)),
        }
        drop(answer);
        demo.memory = demo.answer()? as usize * PAGE;
        Ok(demo)
    }

    /// The processes that have not ended.
    pub fn pids(&self) -> impl Iterator<Item = i32> {
        self.pids.iter().flatten().copied()
    }

    /// The page of the address space where their memory begins.
    pub fn first_page(&self) -> usize {
        self.memory / PAGE
    }

    /// Which page of their memory that one is.
    pub fn page(&self, page: usize) -> Option<usize> {
        page.checked_sub(self.first_page()).filter(|page| *page < PAGES)
    }

    /// A place for one more.
    pub fn free_place(&self) -> Option<usize> {
        self.pids.iter().position(Option::is_none)
    }

    /// Which one that process is.
    pub fn place(&self, pid: i32) -> Option<usize> {
        self.pids.iter().position(|found| *found == Some(pid))
    }

    /// Lets one take a step, and waits until it has.
    ///
    /// `EPIPE`, `ETIMEDOUT`: it has ended, or was stopped. What it was told itself.
    pub fn step(&mut self, place: usize, step: Step) -> Result<()> {
        let told = self.orders[place].write(&step.word().to_le_bytes());
        match told.and_then(|()| self.answer()) {
            Ok(answer) => {
                match step {
                    // Both sides say that they are there; the number is what the parent says.
                    Step::Fork(child) => self.pids[child] = Some(answer.max(self.answer()?) as i32),
                    Step::Exit => self.pids[place] = None,
                    Step::Write(_) | Step::Read(_) | Step::Out(_) => {}
                }
                Ok(())
            }
            Err(error @ (Errno::EPIPE | Errno::ETIMEDOUT)) => {
                self.pids[place] = None;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    fn answer(&self) -> Result<u64> {
        let mut waiting = [PollFd {
            fd: self.answers.descriptor(),
            events: POLLIN,
            revents: 0,
        }];
        if file::poll(&mut waiting, Some(PATIENCE))? == 0 {
            return Err(Errno::ETIMEDOUT);
        }
        let mut word = [0; 8];
        match self.answers.read(&mut word)? {
            8 => answered(u64::from_le_bytes(word)),
            _ => Err(Errno::EPIPE),
        }
    }
}

/// What a process of the demo is called.
pub fn name(place: usize) -> String {
    format!("demo-{}", char::from(b'A' + place as u8))
}

/// An answer as a word: what failed is the number of the error above all process ids.
const FAILED: u64 = 1 << 32;

fn answered(word: u64) -> Result<u64> {
    match word.checked_sub(FAILED) {
        None => Ok(word),
        Some(number) => Err(Errno::from_number(number as u16).unwrap_or(Errno::EIO)),
    }
}

/// The descriptors that a program of its own is given: one for the orders of each place, then that of the answers.
const FIRST_GIVEN: i32 = 64;

/// Becomes that program.
fn begin_apart(orders: &[File], answers: &File) -> i32 {
    for (given, file) in (FIRST_GIVEN..).zip(orders.iter().chain([answers])) {
        if file::duplicate(file.descriptor(), given).is_err() {
            return 1;
        }
    }
    let _error = process::execute("/proc/self/exe", &["cowtrace", APART], &["PATH=/bin"]);
    127
}

/// What such a program is called with.
pub const APART: &str = "--demo";

/// Its life.
pub fn live_apart() -> i32 {
    let given = |nth: usize| File::from_descriptor(FIRST_GIVEN + nth as i32);
    let orders: Vec<File> = (0..MOST).map(given).collect();
    match Mapping::anonymous(PAGES * PAGE, Sharing::Private) {
        Ok(memory) => live(&orders, &given(MOST), &memory),
        Err(_) => 1,
    }
}

/// The life of the first one, and of all that it forks.
fn live(orders: &[File], answers: &File, memory: &Mapping) -> i32 {
    for noted in super::NOTED {
        if signal::set(noted, Disposition::Default).is_err() {
            return 1;
        }
    }
    (0..STORED).for_each(|page| memory.store(page * PAGE, 1));
    (STORED..STORED + READ).for_each(|page| memory.touch(page * PAGE));
    let mut place = 0;
    call_oneself(&name(place));
    let mut answer = Ok((memory.address() / PAGE) as u64);
    loop {
        let word = answer.unwrap_or_else(|error: Errno| FAILED + u64::from(error.number()));
        if answers.write(&word.to_le_bytes()).is_err() {
            return 1;
        }
        let mut word = [0; 8];
        let Ok(8) = orders[place].read(&mut word) else {
            return 0;
        };
        answer = match Step::of(u64::from_le_bytes(word)) {
            Some(Step::Exit) => {
                // Who is gone is not told.
                let _ = answers.write(&[0; 8]);
                return 0;
            }
            Some(step) => take(step, memory, &mut place),
            None => Err(Errno::EINVAL),
        };
    }
}

/// Takes a step. The child of a fork comes out of it in its own place.
fn take(step: Step, memory: &Mapping, place: &mut usize) -> Result<u64> {
    match step {
        Step::Write(page) => memory.store(page * PAGE, *place as u64 + 2),
        Step::Read(page) => memory.touch(page * PAGE),
        Step::Out(page) => memory.page_out_one(page)?,
        Step::Exit => {}
        Step::Fork(child) => match process::fork()? {
            Fork::Parent(pid) => return Ok(pid as u64),
            Fork::Child => {
                *place = child;
                call_oneself(&name(child));
            }
        },
    }
    Ok(0)
}

/// The name in /proc/PID/comm. A process without it takes its steps as well.
fn call_oneself(name: &str) {
    let _ =
        File::open("/proc/self/comm", OpenFlags::O_WRONLY, 0).and_then(|file| file.write(name.as_bytes()));
}
