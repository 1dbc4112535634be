//! One record, and its line in the text of tracefs.

use abi::nr;
use abi::process::TASK_COMM_LEN;
use core::fmt;
use mm::{Access, Event, Mmu};
use platform::timer;
use sched::scheduler::State;
use task::process::{Comm, Pid};

/// Events of the heart, each with how often.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EventCounts([u32; Event::ALL.len()]);

impl EventCounts {
    /// What the running processor has counted so far, of which only the low halves matter.
    pub(crate) fn now() -> EventCounts {
        let own = memory::get().mmu().counters();
        EventCounts(Event::ALL.map(|(event, _)| own.get(event) as u32))
    }

    /// What has come since `earlier`.
    pub(crate) fn since(&self, earlier: &EventCounts) -> EventCounts {
        let mut counts = self.clone();
        for (now, then) in counts.0.iter_mut().zip(earlier.0) {
            *now = now.wrapping_sub(then);
        }
        counts
    }

    /// How often that one.
    pub fn get(&self, event: Event) -> u32 {
        self.0[event as usize]
    }
}

/// What a thread came to the kernel for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// A page fault.
    Fault {
        /// The faulting byte.
        address: u64,
        /// What it was for.
        access: Access,
        /// The kernel took it, on its way to or from the program's memory.
        is_kernels: bool,
    },
    /// A call about memory or processes.
    Call {
        /// Its number.
        number: usize,
        /// The first three.
        arguments: [u64; 3],
        /// As the program finds it: negated errors.
        result: u64,
        /// What else decides what it does: the stack pointer of who forks, the flags of mmap(2).
        more: u64,
        /// Tables that who has forked shares now, with the child or with others.
        shared_tables: Option<u64>,
    },
    /// Any other call, in which the kernel made pages of the program accessible before it went there.
    Access {
        /// Its number.
        number: usize,
    },
    /// The thread runs another program from now on.
    Exec,
    /// The thread ended.
    Exit,
    /// The thread gave its processor back, and was in that state.
    Switch {
        /// Whether it could go on.
        state: State,
    },
    /// Pages were taken out of the process's tables, into the swap cache.
    PagedOut {
        /// They lie from here on,
        from: u64,
        /// up to there.
        to: u64,
        /// How many.
        pages: usize,
    },
    /// A page came back.
    PagedIn {
        /// The faulting byte.
        address: u64,
    },
}

/// What happened once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TraceRecord {
    /// Its place among all records.
    pub number: u64,
    /// When the thread left EL0, in ticks.
    pub begin: u64,
    /// When it was served.
    pub end: u64,
    /// The processor.
    pub cpu: u32,
    /// Whose it is.
    pub pid: Pid,
    /// Which of its threads.
    pub tid: Pid,
    /// The thread's name then.
    pub name: Comm,
    /// What it was.
    pub what: What,
    /// The thread lost the processor meanwhile: `begin` is when it got it back, and `counts` are of what came behind that. What came
    /// before stands in the record of the switch.
    pub has_slept: bool,
    /// What the heart did for it; not known of what began before the trace did.
    pub counts: Option<EventCounts>,
}

/// The line of a record, as ftrace writes them: task and thread, processor, seconds, the event and what is to be said of it.
impl fmt::Display for TraceRecord {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = timer::ticks_to_nanos(self.begin) / 1000;
        write!(
            to,
            "{:indent$}{}-{:<7} ({:>7}) [{:03}] {:5}.{:06}: {}",
            "",
            self.name,
            self.tid,
            self.pid,
            self.cpu,
            micros / 1_000_000,
            micros % 1_000_000,
            self.what,
            indent = TASK_COMM_LEN.saturating_sub(self.name.bytes().len())
        )?;
        if self.end > self.begin {
            write!(to, " ns={}", timer::ticks_to_nanos(self.end - self.begin))?;
        }
        if self.has_slept {
            to.write_str(" (slept)")?;
        }
        let Some(counts) = &self.counts else {
            return Ok(());
        };
        for (event, name) in Event::ALL {
            match counts.get(event) {
                0 => {}
                count => write!(to, " {name}={count}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for What {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Fault {
                address,
                access,
                is_kernels,
            } => {
                let access = match access {
                    Access::Read => "read",
                    Access::Write => "write",
                    Access::Execute => "execute",
                };
                write!(to, "fault: address={address:#x} access={access}")?;
                to.write_str(if *is_kernels { " by=kernel" } else { "" })
            }
            What::Call {
                number,
                arguments: [a, b, c],
                result,
                more,
                shared_tables,
            } => {
                to.write_str("call: ")?;
                name_call(*number, to)?;
                write!(to, "({a:#x}, {b:#x}, {c:#x}) = ")?;
                match *result as i64 {
                    error @ -4095..0 => write!(to, "{error}")?,
                    value => write!(to, "{value:#x}")?,
                }
                match *number {
                    nr::CLONE | nr::CLONE3 => write!(to, " sp={more:#x}")?,
                    nr::MMAP => write!(to, " flags={more:#x}")?,
                    _ => {}
                }
                match shared_tables {
                    Some(tables) => write!(to, " shared_tables={tables}"),
                    None => Ok(()),
                }
            }
            What::Access { number } => {
                to.write_str("access: ")?;
                name_call(*number, to)
            }
            What::Exec => to.write_str("exec:"),
            What::Exit => to.write_str("exit:"),
            What::Switch { state } => {
                let letter = match state {
                    State::Running => "R",
                    State::Sleeping | State::Asleep => "S",
                    State::Dead => "X",
                };
                write!(to, "switch: state={letter}")
            }
            What::PagedOut { from, to: end, pages } => {
                write!(to, "swap: out address={from:#x} end={end:#x} pages={pages}")
            }
            What::PagedIn { address } => write!(to, "swap: in address={address:#x}"),
        }
    }
}

fn name_call(number: usize, to: &mut fmt::Formatter<'_>) -> fmt::Result {
    match crate::name_of(number) {
        Some(name) => to.write_str(name),
        None => write!(to, "call{number}"),
    }
}
