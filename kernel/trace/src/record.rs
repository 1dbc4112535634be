//! One record, and its line in the text of tracefs.

use abi::process::TASK_COMM_LEN;
use core::fmt;
use mm::{Access, Event, Mmu};
use platform::timer;
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
    /// A page fault of the program.
    Fault {
        /// The faulting byte.
        address: u64,
        /// What it was for.
        access: Access,
    },
    /// A call about memory or processes.
    Call {
        /// Its number.
        number: usize,
        /// The first three.
        arguments: [u64; 3],
        /// As the program finds it: negated errors.
        result: u64,
    },
    /// Any other call, in which the kernel met pages of the program that it had to make accessible.
    Access {
        /// Its number.
        number: usize,
    },
    /// The thread ended.
    End,
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
    /// What the heart did for it; not known where the thread lost the processor meanwhile.
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
        let Some(counts) = &self.counts else {
            return match self.what {
                What::End => Ok(()),
                _ => to.write_str(" (slept)"),
            };
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
            What::Fault { address, access } => {
                let access = match access {
                    Access::Read => "read",
                    Access::Write => "write",
                    Access::Execute => "execute",
                };
                write!(to, "fault: address={address:#x} access={access}")
            }
            What::Call {
                number,
                arguments: [a, b, c],
                result,
            } => {
                to.write_str("call: ")?;
                name_call(*number, to)?;
                write!(to, "({a:#x}, {b:#x}, {c:#x}) = ")?;
                match *result as i64 {
                    error @ -4095..0 => write!(to, "{error}"),
                    value => write!(to, "{value:#x}"),
                }
            }
            What::Access { number } => {
                to.write_str("access: ")?;
                name_call(*number, to)
            }
            What::End => to.write_str("end:"),
        }
    }
}

fn name_call(number: usize, to: &mut fmt::Formatter<'_>) -> fmt::Result {
    match crate::name_of(number) {
        Some(name) => to.write_str(name),
        None => write!(to, "call{number}"),
    }
}
