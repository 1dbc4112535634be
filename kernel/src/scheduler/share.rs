//! How threads share a processor: who is next, and for how long.
//!
//! The *virtual time* of a thread is the processor time that it has used. It never goes back, and whoever has used least comes
//! first: so of threads that want more than they get, none gets more than another. Three rules make that quick to answer and hard
//! to cheat:
//!
//! * A thread that waits is *due* when the virtual time of the one that runs reaches its own and a little more: [`NUDGE_NANOS`]
//!   if it was woken, [`LEAD_NANOS`] if it is new or had to leave. Whoever is due first is next. So a thread that sleeps more
//!   than it works is behind all that do not, and gets the processor at once when it wakes; two that wake each other in turns
//!   have used the same, and neither interrupts the other.
//! * Sleep is no merit beyond [`LEAD_NANOS`]: a thread that gets the processor is moved up to that much behind the one that had
//!   it before. So nobody can save up, and nobody waits for longer than all others may be behind.
//! * A child begins where its parent is, and the two halve what the parent was behind: so forking gains nothing.
//!
//! A turn ends, if others wait, after [`TURN_NANOS`], or when the first of them is due. A thread that goes to another processor
//! keeps its distance to the *floor*, below which no virtual time counts there.

use super::account::Scheduling;
use core::sync::atomic::{AtomicI64, Ordering};
use platform::timer;

/// A turn: how long a thread runs while others wait, in nanoseconds.
pub const TURN_NANOS: u64 = 10_000_000;
/// How far those that compete may be apart.
const LEAD_NANOS: u64 = 10_000_000;
/// How far behind the running thread a woken one must be to get its processor.
const NUDGE_NANOS: u64 = 1_000_000;

/// Why a thread comes to wait for a processor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Arrival {
    /// It slept.
    Woken,
    /// It is new, or had to leave.
    Ready,
    /// It lets others go first: sched_yield(2).
    Yielding,
}

/// One processor's virtual time, in ticks. Written by the processor itself; others may read it a moment late, which makes
/// somebody's turn come a little sooner or later.
pub(super) struct Share {
    /// What the running thread's virtual time is behind the timer.
    origin: AtomicI64,
    /// Below this no virtual time counts. It never goes back.
    floor: AtomicI64,
    turn: AtomicI64,
    lead: AtomicI64,
    nudge: AtomicI64,
}

impl Share {
    pub(super) const fn new() -> Share {
        Share {
            origin: AtomicI64::new(0),
            floor: AtomicI64::new(0),
            turn: AtomicI64::new(0),
            lead: AtomicI64::new(0),
            nudge: AtomicI64::new(0),
        }
    }

    /// Finds out how long a tick is.
    pub(super) fn set_up(&self) {
        let set =
            |span: &AtomicI64, nanos| span.store(timer::nanos_to_ticks(nanos) as i64, Ordering::Relaxed);
        set(&self.turn, TURN_NANOS);
        set(&self.lead, LEAD_NANOS);
        set(&self.nudge, NUDGE_NANOS);
    }

    /// How long a turn is.
    #[inline]
    pub(super) fn turn(&self) -> u64 {
        get(&self.turn) as u64
    }

    /// The tick at which the running thread's virtual time is `time`.
    #[inline]
    pub(super) fn tick_of(&self, time: i64) -> u64 {
        (time + get(&self.origin)).max(0) as u64
    }

    /// When the turn of a thread that begins to run at tick `now` ends, while another is due at `due`. It is too short to be
    /// worth the switches only for who had waited longest.
    #[inline]
    pub(super) fn turn_end(&self, now: u64, due: i64) -> u64 {
        let least = now + get(&self.nudge) as u64;
        self.tick_of(due).max(least).min(now + self.turn())
    }

    /// A thread begins to run at tick `now`.
    #[inline]
    pub(super) fn begin(&self, thread: &Scheduling, now: u64) {
        let floor = get(&self.floor).max(self.time_at(now) - get(&self.lead));
        let time = thread.virtual_time().max(floor);
        set(&self.floor, floor);
        set(&self.origin, now as i64 - time);
    }

    /// The thread that ran leaves at tick `now`.
    #[inline]
    pub(super) fn end(&self, thread: &Scheduling, now: u64) {
        thread.set_virtual_time(self.time_at(now));
    }

    /// When a thread is due that waits here, behind others of which the first is due at `first_due`.
    #[inline]
    pub(super) fn due(&self, thread: &Scheduling, arrival: Arrival) -> i64 {
        let (time, floor, lead) = (thread.virtual_time(), get(&self.floor), get(&self.lead));
        match arrival {
            Arrival::Woken => time.max(floor) + get(&self.nudge),
            Arrival::Ready => time + lead,
            // Nobody who competes is ahead of the floor by more than a lead and a turn.
            Arrival::Yielding => (time + lead).max(floor + 2 * lead + get(&self.turn)),
        }
    }

    /// What a child of the running thread begins with. The thread gives up as much as the child gets.
    pub(super) fn halve(&self, child: &Scheduling, now: u64) {
        let time = self.time_at(now);
        // As far ahead as whoever ran before.
        let front = get(&self.floor) + get(&self.lead);
        let half = (front - time).max(0) / 2;
        set(&self.origin, get(&self.origin) - half);
        child.set_virtual_time(time + half);
    }

    /// A thread that does not run goes from this processor to another.
    pub(super) fn hand_over(&self, thread: &Scheduling, to: &Share) {
        let ahead = thread.virtual_time() - get(&self.floor);
        thread.set_virtual_time(get(&to.floor) + ahead.min(2 * get(&to.lead)));
    }

    #[inline]
    fn time_at(&self, now: u64) -> i64 {
        now as i64 - get(&self.origin)
    }
}

#[inline]
fn get(word: &AtomicI64) -> i64 {
    word.load(Ordering::Relaxed)
}

#[inline]
fn set(word: &AtomicI64, value: i64) {
    word.store(value, Ordering::Relaxed);
}
