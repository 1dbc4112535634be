//! What is traced, and of whom: `set_event`, `set_event_pid`, `tracing_on`, `buffer_size_kb` of tracefs.

use abi::Errno;
use core::fmt;
use core::sync::atomic::{AtomicU32, Ordering};
use lock::Mutex;
use memory::fallible::{self, TryVec};
use sched::SleepingMutex;
use sched::scheduler;
use task::process::{self, Pid};

use crate::record::{TraceRecord, What};
use crate::{pipe, ring, turns};

/// Events with their names, in the order of their bits.
pub const EVENTS: [&str; 7] = ["fault", "call", "access", "exec", "exit", "switch", "swap"];
/// The system that they belong to.
pub const SYSTEM: &str = "cow";

/// Most processes that can be named at once.
const MOST_PIDS: usize = 32;
/// Room for the records of one processor at first, in KiB, and at most.
const FIRST_ROOM: usize = 1408;
const MOST_ROOM: usize = 1 << 16;

/// What is to be traced.
#[derive(Clone, Copy)]
struct TraceSettings {
    is_on: bool,
    pids: [Pid; MOST_PIDS],
    pid_count: usize,
    /// In KiB, for each processor.
    room: usize,
    has_room: bool,
}

static WISH: Mutex<TraceSettings> = Mutex::new(TraceSettings {
    is_on: true,
    pids: [0; MOST_PIDS],
    pid_count: 0,
    room: FIRST_ROOM,
    has_room: false,
});

/// The events that are wanted, a bit each.
static WANTED: AtomicU32 = AtomicU32::new(0);

/// Held by who changes something.
static CHANGING: SleepingMutex = SleepingMutex::new();

/// Whether such a record is wanted.
pub(crate) fn is_wanted(what: &What) -> bool {
    let event = match what {
        What::Fault { .. } => 0,
        What::Call { .. } => 1,
        What::Access { .. } => 2,
        What::Exec => 3,
        What::Exit => 4,
        What::Switch { .. } => 5,
        What::PagedOut { .. } | What::PagedIn { .. } => 6,
    };
    WANTED.load(Ordering::Relaxed) & 1 << event != 0
}

/// Whether records are made of what is wanted.
pub fn is_on() -> bool {
    WISH.lock().is_on
}

/// Makes records from now on.
///
/// # Errors
/// `EINTR`: the process is to end.
pub fn turn_on() -> Result<(), Errno> {
    let _changing = CHANGING.lock()?;
    WISH.lock().is_on = true;
    apply()
}

/// Makes no more records.
///
/// # Errors
/// `EINTR`: the process is to end.
pub fn turn_off() -> Result<(), Errno> {
    let _changing = CHANGING.lock()?;
    WISH.lock().is_on = false;
    apply()?;
    // Readers are told that nothing more will come.
    pipe::tell_all();
    Ok(())
}

/// Visits the processes whose threads are traced; none are named: all.
pub fn visit_pids(visit: &mut dyn FnMut(Pid)) {
    let wish = *WISH.lock();
    wish.pids[..wish.pid_count].iter().for_each(|pid| visit(*pid));
}

/// Traces those processes, and what they fork from now on. With none, all.
///
/// # Errors
/// `ENOSPC`: too many. `EINTR`: the process is to end.
pub fn set_pids(pids: &[Pid]) -> Result<(), Errno> {
    let _changing = CHANGING.lock()?;
    let mut wish = WISH.lock();
    wish.pids
        .get_mut(..pids.len())
        .ok_or(Errno::ENOSPC)?
        .copy_from_slice(pids);
    wish.pid_count = pids.len();
    drop(wish);
    apply()
}

/// The events that are recorded, by their bits.
pub fn events() -> u32 {
    WANTED.load(Ordering::Relaxed)
}

/// Records those events from now on. The first time room is made for them.
///
/// # Errors
/// `EINVAL`: there is no such event. `ENOMEM`; `EINTR`: the process is to end.
pub fn set_events(events: u32) -> Result<(), Errno> {
    if events >> EVENTS.len() != 0 {
        return Err(Errno::EINVAL);
    }
    let _changing = CHANGING.lock()?;
    let wish = *WISH.lock();
    if events != 0 && !wish.has_room {
        make_room(wish.room)?;
        turns::observe();
    }
    WANTED.store(events, Ordering::Relaxed);
    apply()
}

/// Room for the records of each processor, in KiB.
pub fn room() -> u64 {
    WISH.lock().room as u64
}

/// Changes that, and forgets all records.
///
/// # Errors
/// `EINVAL`: none, or too much. `ENOMEM`; `EINTR`: the process is to end.
pub fn set_room(room: i64) -> Result<(), Errno> {
    let room = usize::try_from(room)
        .ok()
        .filter(|room| (1..=MOST_ROOM).contains(room));
    let room = room.ok_or(Errno::EINVAL)?;
    let _changing = CHANGING.lock()?;
    if WISH.lock().has_room {
        make_room(room)?;
    }
    WISH.lock().room = room;
    Ok(())
}

/// Forgets all records.
pub fn clear() {
    ring::clear();
}

fn make_room(room: usize) -> Result<(), Errno> {
    let most = (room * 1024 / size_of::<TraceRecord>()).max(1);
    let mut rings = fallible::with_room(scheduler::online_processors().count())?;
    for _ in scheduler::online_processors() {
        rings.try_push(fallible::with_room(most)?)?;
    }
    ring::replace(rings);
    WISH.lock().has_room = true;
    Ok(())
}

/// Tells each thread whether it is traced. Who is forked meanwhile is as its parent.
fn apply() -> Result<(), Errno> {
    let wish = *WISH.lock();
    let is_any = wish.is_on && events() != 0;
    let mut next = 0;
    while let Some(process) = process::next_from(next) {
        let is_named = wish.pid_count == 0 || wish.pids[..wish.pid_count].contains(&process.pid);
        process.for_each_thread(|thread| match is_any && is_named {
            true => thread.begin_traced(),
            false => thread.end_traced(),
        });
        next = process.pid + 1;
        scheduler::cond_resched_killable()?;
    }
    Ok(())
}

/// The names of events, a line each.
pub struct EventNames(pub u32);

impl fmt::Display for EventNames {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (bit, name) in EVENTS.iter().enumerate() {
            if self.0 & 1 << bit != 0 {
                writeln!(to, "{SYSTEM}:{name}")?;
            }
        }
        Ok(())
    }
}
