//! Traces: what traced threads come to the kernel for (a page fault, a call about memory or processes), and what the heart did for
//! it (`mm::Event`: pages and tables copied, TLB invalidations). Shown in tracefs by `procfs`.
//!
//! Who is not traced pays two stores in a fault ([`sched::ThreadCore::note`]) and in those calls, and nothing else: a traced
//! thread has pending work before each return to EL0, and so comes by [`look`], where all the rest is done. The counters of one
//! processor change only by what runs on it. So their difference between two looks at a thread that had the processor all the time
//! is what it came for. The scheduler tells of the turns of traced threads, and who pages out of their pages ([`turns`]).
//!
//! Its locks: `control` is held by who changes what is traced (it may sleep); one for the records of each processor, a leaf; whoever
//! reads them while they are made is woken with none of them held ([`pipe`]).
#![warn(clippy::missing_errors_doc)]
#![cfg_attr(target_os = "none", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod control;
pub mod pipe;
mod record;
mod ring;
mod turns;

pub use record::{EventCounts, TraceRecord, What};
pub use ring::{lost, next_from};

use abi::nr;
use core::sync::atomic::{AtomicU64, Ordering};
use mm::Event;
use platform::timer;
use platform::user::UserContext;
use task::thread::{Thread, ThreadExt};

/// What [`note_call`] adds to the number of a call: no syndrome has that bit.
const CALL: u64 = 1 << 62;

/// The number of the record that comes next. All processors count one after the other, so that records have one order.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// The thread makes a call that is traced, and whose first argument is `first`.
#[inline(always)]
pub fn note_call(thread: &Thread, number: usize, first: u64) {
    thread.note(number as u64 | CALL, first);
}

/// Records what the traced thread came to the kernel for, now that it is served. `context` has the program's registers as they will be
/// when it goes on.
#[cold]
#[inline(never)]
pub fn look(thread: &Thread, context: &UserContext) {
    let seen = ring::Glance::now(thread);
    let last = ring::look(&seen);
    let counts = last.as_ref().map(|last| seen.counts.since(&last.counts));
    let Some(mut what) = what_of(thread.take_note(), context, counts.as_ref()) else {
        return;
    };
    if let What::Call { shared_tables, .. } = &mut what
        && counts.as_ref().is_some_and(|counts| counts.get(Event::Fork) > 0)
    {
        // Counted here, so that fork itself counts nothing.
        *shared_tables = thread
            .process()
            .with_space(|space| space.shared_tables(memory::get()));
    }
    let result = result_of(&what, counts.as_ref());
    let span = Span {
        // It left EL0 so long after the last look as it ran there.
        begin: last
            .as_ref()
            .map_or(seen.now, |last| last.now + seen.user.saturating_sub(last.user)),
        end: seen.now,
        has_slept: last.is_none_or(|last| last.begins_turn),
        counts,
    };
    note(thread, what, span);
    if let Some(result) = result {
        note(thread, result, Span::now());
    }
}

/// Records that the traced thread ends.
#[cold]
pub fn note_end(thread: &Thread) {
    note(thread, What::Exit, Span::now());
}

/// When something was, and what was counted meanwhile.
struct Span {
    begin: u64,
    end: u64,
    has_slept: bool,
    counts: Option<EventCounts>,
}

impl Span {
    /// A moment.
    fn now() -> Span {
        let now = timer::ticks();
        Span {
            begin: now,
            end: now,
            has_slept: false,
            counts: None,
        }
    }
}

/// Makes a record, if such ones are wanted, and tells those who wait for it.
fn note(thread: &Thread, what: What, span: Span) {
    if !control::is_wanted(&what) {
        return;
    }
    let name = thread.name();
    let fill = ring::own().lock().push(|| TraceRecord {
        number: NEXT.fetch_add(1, Ordering::Relaxed),
        begin: span.begin.min(span.end),
        end: span.end,
        cpu: platform::cpu::number() as u32,
        pid: thread.process().pid,
        tid: thread.tid(),
        name,
        what,
        has_slept: span.has_slept,
        counts: span.counts,
    });
    pipe::tell(fill);
}

/// What else is to be said of it.
fn result_of(what: &What, counts: Option<&EventCounts>) -> Option<What> {
    match *what {
        What::Fault { address, .. } if counts?.get(Event::SwappedIn) > 0 => Some(What::PagedIn { address }),
        What::Call {
            number: nr::EXECVE | nr::EXECVEAT,
            result: 0,
            ..
        } => Some(What::Exec),
        _ => None,
    }
}

fn what_of([word, about]: [u64; 2], context: &UserContext, counts: Option<&EventCounts>) -> Option<What> {
    if word & CALL != 0 {
        let number = (word & !CALL) as usize;
        return Some(What::Call {
            number,
            arguments: [about, context.x[1], context.x[2]],
            result: context.x[0],
            more: if number == nr::MMAP {
                context.x[3]
            } else {
                context.sp
            },
            shared_tables: None,
        });
    }
    if word != 0 {
        return Some(What::Fault {
            address: about,
            access: platform::user::access_of(word),
            is_kernels: false,
        });
    }
    // A call that is none of those, in which the kernel made pages accessible; its faults there have records of their own.
    let has_faulted = counts.is_some_and(|counts| FAULTS.iter().any(|event| counts.get(*event) > 0));
    has_faulted.then_some(What::Access {
        number: context.x[8] as u32 as usize,
    })
}

/// What a fault may come to.
const FAULTS: [Event; 6] = [
    Event::Copied,
    Event::Regained,
    Event::ZeroFilled,
    Event::ZeroShared,
    Event::SourceMapped,
    Event::SwappedIn,
];

/// The name of a call that is noted.
pub(crate) fn name_of(number: usize) -> Option<&'static str> {
    Some(match number {
        nr::CLONE => "clone",
        nr::CLONE3 => "clone3",
        nr::EXECVE => "execve",
        nr::EXECVEAT => "execveat",
        nr::EXIT => "exit",
        nr::EXIT_GROUP => "exit_group",
        nr::WAIT4 => "wait4",
        nr::BRK => "brk",
        nr::MMAP => "mmap",
        nr::MUNMAP => "munmap",
        nr::MPROTECT => "mprotect",
        nr::MREMAP => "mremap",
        nr::MADVISE => "madvise",
        nr::READ => "read",
        nr::WRITE => "write",
        _ => return None,
    })
}
