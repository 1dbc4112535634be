//! How threads share a processor: who is next, and for how long.
//!
//! The *virtual time* of a thread is the processor time that it has used. It never goes back, and whoever has used least comes
//! first: so of threads that want more than they get, none gets more than another. Three rules make that quick to answer and hard
//! to cheat:
//!
//! * A thread that waits is *due* when the virtual time of the one that runs reaches its own and a little more: [`NUDGE_NANOS`]
//!   if it was woken by another, [`ALARM_NUDGE_NANOS`] if by an interrupt, [`MARGIN_NANOS`] if it is new or had to leave. Whoever
//!   is due first is next. So a thread that sleeps more than it works is behind all that do not, and gets the processor at once
//!   when it wakes; two that wake each other in turns have used the same, and neither interrupts the other, who is about to sleep;
//!   and beside one that only works they have their parts in portions of a margin: so long a request waits for the child that
//!   saves its server. Who runs while an interrupt wakes somebody is not about to sleep: its server need not wait until the child
//!   is far ahead. Who forks goes on for [`LEAD_NANOS`] before its child interrupts it.
//! * Sleep is no merit beyond [`CREDIT_NANOS`]: a thread that wakes is moved up to that much behind the one that is ahead of all,
//!   so those who wake each other stay together, and nobody who slept long comes before them for turns. A thread that gets the
//!   processor is moved up to [`LEAD_NANOS`] behind the one that had it before: who had to leave, and lost turns to whatever stops
//!   the machine, gets them back, and nobody waits for longer than all others may be behind.
//! * A child begins where its parent is, and the two halve what the parent was behind: that half is the child's *part*. When the
//!   parent hears of its end it takes over what the child has left: what remained of the part comes back, what was used beyond it
//!   is the parent's own, up to [`LEAD_NANOS`]. So a family of which one works at a time has the share of one, whether its
//!   children are short or long, and forking gains nothing, nor does it cost.
//!
//! The virtual time of a thread with a nice value passes slower or faster, as its weight says (`policy`), so that it gets more or
//! less than the others. Threads with a real-time priority have no virtual time: they come before all others (`real_time`).
//!
//! A turn ends, if others wait, after [`TURN_NANOS`], or when the first of them is due. A thread that goes to another processor
//! keeps its distance to the *floor*, below which no virtual time counts there.

use super::account::Scheduling;
use super::cpu::CPUS;
use super::policy::{Class, PLAIN, UNIT};
use core::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use platform::ordered::Side;
use platform::timer;

/// A turn: how long a thread runs at most while others wait, in nanoseconds.
pub const TURN_NANOS: u64 = 3_000_000;
/// How far those that compete may be apart.
const LEAD_NANOS: u64 = 10_000_000;
/// How far the running thread goes beyond one that had to leave.
const MARGIN_NANOS: u64 = 800_000;
/// How far sleep may leave a thread behind the one that is ahead of all.
const CREDIT_NANOS: u64 = 400_000;
/// How far behind the running thread a woken one must be to get its processor.
const NUDGE_NANOS: u64 = 800_000;
/// The same for one that an interrupt wakes, its alarm or a device's: worth the two switches.
const ALARM_NUDGE_NANOS: u64 = 50_000;

/// Why a thread comes to wait for a processor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Arrival {
    /// It slept.
    Woken,
    /// It had to leave.
    Ready,
    /// It is new.
    New,
    /// It lets others go first: sched_yield(2).
    Yielding,
}

/// One processor's virtual time, in ticks. Written by the processor itself; others may read it a moment late, which makes
/// somebody's turn come a little sooner or later.
pub(super) struct Share {
    /// What the running thread's virtual time is behind the timer, if it is of the plain class.
    origin: AtomicI64,
    /// The virtual time of the thread that ran last, when it left.
    last: AtomicI64,
    /// The class of the thread that runs; plain while none does.
    class: AtomicU32,
    /// When a thread of another class began to run, and its virtual time then.
    began: AtomicI64,
    began_with: AtomicI64,
    /// When a thread with a real-time priority has to leave for those of the same or none.
    until: AtomicI64,
    /// Below this no virtual time counts. It never goes back.
    floor: AtomicI64,
    turn: AtomicI64,
    lead: AtomicI64,
    margin: AtomicI64,
    /// How far above the floor a thread begins that slept.
    awake: AtomicI64,
    nudge: AtomicI64,
    alarm_nudge: AtomicI64,
    /// Which of the two a thread needs that is woken now.
    wake_nudge: AtomicI64,
}

impl Share {
    pub(super) const fn new() -> Share {
        Share {
            origin: AtomicI64::new(0),
            last: AtomicI64::new(0),
            class: AtomicU32::new(PLAIN.word()),
            began: AtomicI64::new(0),
            began_with: AtomicI64::new(0),
            until: AtomicI64::new(0),
            floor: AtomicI64::new(0),
            turn: AtomicI64::new(0),
            lead: AtomicI64::new(0),
            margin: AtomicI64::new(0),
            awake: AtomicI64::new(0),
            nudge: AtomicI64::new(0),
            alarm_nudge: AtomicI64::new(0),
            wake_nudge: AtomicI64::new(0),
        }
    }

    /// Finds out how long a tick is.
    pub(super) fn set_up(&self) {
        let set =
            |span: &AtomicI64, nanos| span.store(timer::nanos_to_ticks(nanos) as i64, Ordering::Relaxed);
        set(&self.turn, TURN_NANOS);
        set(&self.lead, LEAD_NANOS);
        set(&self.margin, MARGIN_NANOS);
        set(&self.awake, LEAD_NANOS - CREDIT_NANOS);
        set(&self.nudge, NUDGE_NANOS);
        set(&self.alarm_nudge, ALARM_NUDGE_NANOS);
        set(&self.wake_nudge, NUDGE_NANOS);
    }

    /// The processor begins to serve interrupts: who is woken now is woken by them.
    pub(super) fn begin_interrupts(&self) {
        set(&self.wake_nudge, get(&self.alarm_nudge));
    }

    /// It goes on with what it was doing.
    pub(super) fn end_interrupts(&self) {
        set(&self.wake_nudge, get(&self.nudge));
    }

    /// Whether the processor serves interrupts.
    #[inline]
    pub(super) fn is_serving_interrupts(&self) -> bool {
        get(&self.wake_nudge) == get(&self.alarm_nudge)
    }

    /// How long a turn is.
    #[inline]
    pub(super) fn turn(&self) -> u64 {
        get(&self.turn) as u64
    }

    /// The tick at which the running thread lets another go first that is due at `due`.
    #[inline]
    pub(super) fn tick_of(&self, due: i64) -> u64 {
        if !self.class().is_plain() {
            return self.tick_of_special(due);
        }
        self.plain_tick_of(due)
    }

    #[inline]
    fn plain_tick_of(&self, due: i64) -> u64 {
        (due + get(&self.origin)).max(0) as u64
    }

    #[cold]
    fn tick_of_special(&self, due: i64) -> u64 {
        let class = self.class();
        if let Some(own) = class.real_time_due() {
            return if due < own { 0 } else { get(&self.until) as u64 };
        }
        let ahead = due.saturating_sub(get(&self.began_with));
        let ticks = ahead.saturating_mul(class.weight()) / i64::from(UNIT);
        get(&self.began).saturating_add(ticks).max(0) as u64
    }

    /// The class of the thread that runs.
    #[inline]
    pub(super) fn class(&self) -> Class {
        Class::of_word(self.class.load(Ordering::Relaxed))
    }

    /// When the turn of a thread that begins to run at tick `now` ends, while another is due at `due`. It is too short to be
    /// worth the switches only for who had waited longest.
    #[inline]
    pub(super) fn turn_end(&self, now: u64, due: i64) -> u64 {
        let least = now + get(&self.nudge) as u64;
        self.plain_tick_of(due).max(least).min(now + self.turn())
    }

    /// Until when who forks goes on at least, from tick `now` on.
    pub(super) fn lead_end(&self, now: u64) -> u64 {
        now + get(&self.lead) as u64
    }

    /// As [`Share::turn_end`], for a thread with a nice value.
    pub(super) fn weighted_turn_end(&self, now: u64, due: i64) -> u64 {
        let least = now + get(&self.nudge) as u64;
        self.tick_of_special(due).max(least).min(now + self.turn())
    }

    /// A thread begins to run at tick `now`.
    #[inline]
    pub(super) fn begin(&self, thread: &Scheduling, now: u64) {
        let time = self.place(thread);
        set(&self.origin, now as i64 - time);
    }

    /// As [`Share::begin`], for a thread with a nice value.
    pub(super) fn begin_weighted(&self, thread: &Scheduling, class: Class, now: u64) {
        set(&self.began_with, self.place(thread));
        set(&self.began, now as i64);
        self.class.store(class.word(), Ordering::Relaxed);
    }

    /// A thread with a real-time priority begins to run, and leaves at `until` for those of the same or none.
    pub(super) fn begin_real_time(&self, class: Class, until: u64) {
        set(&self.until, until.min(i64::MAX as u64) as i64);
        self.class.store(class.word(), Ordering::Relaxed);
    }

    /// The virtual time that a thread begins with: it is moved up to the one that ran last.
    #[inline]
    fn place(&self, thread: &Scheduling) -> i64 {
        let floor = get(&self.floor).max(get(&self.last) - get(&self.lead));
        set(&self.floor, floor);
        thread.virtual_time().max(floor)
    }

    /// The thread that ran, of the plain class, leaves at tick `now`.
    #[inline]
    pub(super) fn end(&self, thread: &Scheduling, now: u64) {
        let time = now as i64 - get(&self.origin);
        thread.set_virtual_time(time);
        set(&self.last, time);
    }

    /// As [`Share::end`], for one of another class, while the first of those who wait is due at `first_due`. A light thread is far
    /// ahead of them then, which does not count for them; but they do not fall behind it by more than what it may be ahead.
    /// One with a real-time priority took nothing from those who share.
    pub(super) fn end_special(&self, thread: &Scheduling, now: u64, first_due: i64) {
        let class = self.class();
        if class.real_time_due().is_none() {
            let time = self.time_at(now);
            thread.set_virtual_time(time);
            let behind = (first_due - get(&self.lead)).max(time - self.most_ahead(class));
            set(&self.last, time.min(behind));
        }
        self.class.store(PLAIN.word(), Ordering::Relaxed);
    }

    /// How far a thread may be ahead of the floor: the lighter, the farther.
    fn most_ahead(&self, class: Class) -> i64 {
        2 * get(&self.lead) * i64::from(UNIT) / class.weight().min(i64::from(UNIT))
    }

    /// When a thread of the plain class is due that waits here.
    #[inline]
    pub(super) fn due(&self, thread: &Scheduling, arrival: Arrival) -> i64 {
        let (time, floor, lead) = (thread.virtual_time(), get(&self.floor), get(&self.lead));
        match arrival {
            Arrival::Woken => self.move_up(thread) + get(&self.wake_nudge),
            Arrival::Ready | Arrival::New => time + get(&self.margin),
            // Nobody of the plain class who competes is ahead of the floor by more than a lead and a turn.
            Arrival::Yielding => (time + lead).max(floor + 2 * lead + get(&self.turn)),
        }
    }

    /// The virtual time below which sleep leaves nobody: the floor is a lead behind the one that is ahead of all.
    #[inline]
    fn least(&self) -> i64 {
        get(&self.floor) + get(&self.awake)
    }

    /// A thread that wakes is moved up to what sleep may leave it behind. Its virtual time then.
    #[inline]
    fn move_up(&self, thread: &Scheduling) -> i64 {
        let time = thread.virtual_time().max(self.least());
        thread.set_virtual_time(time);
        time
    }

    /// As [`Share::due`], for one of another class; and where it stands among those that are due at the same time.
    pub(super) fn due_special(&self, thread: &Scheduling, class: Class, arrival: Arrival) -> (i64, Side) {
        if let Some(due) = class.real_time_due() {
            // Who had to leave for a higher priority goes on before others of its own.
            let goes_on = arrival == Arrival::Ready && thread.has_quantum();
            return (due, if goes_on { Side::Front } else { Side::Back });
        }
        let due = match arrival {
            Arrival::Woken if class.wakes_last() => self.move_up(thread) + get(&self.margin),
            arrival => self.due(thread, arrival),
        };
        (due, Side::Back)
    }

    /// What a child of the running thread begins with. The thread gives up as much as the child gets.
    pub(super) fn halve(&self, parent: &Scheduling, child: &Scheduling, now: u64) {
        let class = self.class();
        if class.real_time_due().is_some() {
            return child.set_virtual_time(parent.virtual_time());
        }
        let time = self.time_at(now);
        // As far ahead as whoever ran before.
        let front = get(&self.floor) + get(&self.lead);
        let half = (front - time).max(0) / 2;
        self.advance(class, half);
        child.set_virtual_time(time + half);
        child.set_part(half);
    }

    /// How many ticks more than its part was used by who has ended, as far as that concerns its parent; less than nothing if some of
    /// the part is left.
    #[inline]
    pub(super) fn beyond_part(&self, used: u64, part: i64) -> i64 {
        (used as i64).min(get(&self.lead)) - part
    }

    /// The thread that runs takes over so much of what children left that have ended. It is not moved beyond whoever ran before, nor
    /// farther behind than sleep would have let it fall.
    #[inline]
    pub(super) fn take_over(&self, more: i64, now: u64) {
        let class = self.class();
        if !class.is_plain() {
            return self.take_over_special(class, more, now);
        }
        let time = now as i64 - get(&self.origin);
        self.advance(class, self.bounded(time, more) - time);
    }

    #[cold]
    fn take_over_special(&self, class: Class, more: i64, now: u64) {
        if class.real_time_due().is_none() {
            let time = self.time_at(now);
            let more = more.saturating_mul(i64::from(UNIT)) / class.weight();
            self.advance(class, self.bounded(time, more) - time);
        }
    }

    /// `time` and so much more, between what sleep would leave and whoever ran before, if it was there.
    #[inline]
    fn bounded(&self, time: i64, more: i64) -> i64 {
        let most = time.max(get(&self.floor) + get(&self.lead));
        time.saturating_add(more).min(most).max(self.least().min(time))
    }

    /// The virtual time of the thread that runs goes on by itself.
    #[inline]
    fn advance(&self, class: Class, by: i64) {
        if class.is_plain() {
            set(&self.origin, get(&self.origin) - by);
        } else {
            set(&self.began_with, get(&self.began_with) + by);
        }
    }

    /// A thread that does not run goes from this processor to another.
    pub(super) fn hand_over(&self, thread: &Scheduling, to: &Share) {
        let ahead = thread.virtual_time() - get(&self.floor);
        let most = to.most_ahead(thread.class());
        thread.set_virtual_time(get(&to.floor) + ahead.min(most));
    }

    /// The virtual time of the thread that runs.
    fn time_at(&self, now: u64) -> i64 {
        let class = self.class();
        if class.is_plain() {
            return now as i64 - get(&self.origin);
        }
        let ticks = now as i64 - get(&self.began);
        get(&self.began_with) + ticks.saturating_mul(i64::from(UNIT)) / class.weight()
    }
}

/// How much a thread or a process that has ended used beyond its part ([`Scheduling::part`]), less than nothing if it left some of it;
/// for [`take_over`].
pub fn beyond_part(used: u64, part: i64) -> i64 {
    CPUS.get().share.beyond_part(used, part)
}

/// The running thread takes over what was left by those who have ended ([`beyond_part`]).
pub fn take_over(more: i64) {
    CPUS.get().share.take_over(more, timer::ticks_unordered());
}

/// As [`take_over`], of a child that used so many ticks, and was given that part.
#[inline]
pub fn take_over_from(used: u64, part: i64) {
    let share = &CPUS.get().share;
    share.take_over(share.beyond_part(used, part), timer::ticks_unordered());
}

#[inline]
fn get(word: &AtomicI64) -> i64 {
    word.load(Ordering::Relaxed)
}

#[inline]
fn set(word: &AtomicI64, value: i64) {
    word.store(value, Ordering::Relaxed);
}
