//! What the scheduler knows of one thread: where it may run, where it does, and the processor time it used.

use super::online::online;
use super::policy::{Class, SchedAttributes};
use core::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
use platform::timer;

/// More time than any thread will have used.
const NEVER: u64 = u64::MAX;
/// As long, of a thread whose turns are told to [`super::turns`]'s observer: so the switch looks at one word for both.
const OBSERVED: u64 = NEVER - 1;

/// A thread's part of the scheduler.
pub struct Scheduling {
    /// The processors that it may run on, a bit for each: sched_setaffinity(2).
    affinity: AtomicU64,
    /// What was asked for it ([`SchedAttributes`]), and what follows from that ([`Class`]).
    attributes: AtomicU32,
    class: AtomicU32,
    /// What is left of its quantum, in ticks, if it has a real-time priority; 0 for a new one.
    quantum: AtomicU64,
    /// The processor that it runs on, ran on last, or is queued for.
    home: AtomicUsize,
    /// What it has used, as `share` counts it, while it does not run.
    virtual_time: AtomicI64,
    /// What its parent gave it of its own (`share`), in virtual time.
    part: AtomicI64,
    /// The time that it had used when it was last asked where it should run next.
    placed_at: AtomicU64,
    /// How much it will have used when it is next looked at its process's (`clocks`); [`NEVER`] or [`OBSERVED`] while nobody is to look.
    look_at: AtomicU64,
    /// Whether its turns are observed (`turns`).
    is_observed: AtomicBool,
    /// Time at EL0, and on a processor at all. The kernel's share is the difference, so that a trap changes one word only.
    user: Stopwatch,
    busy: Stopwatch,
    /// Switches away because it slept, and because its turn was over.
    switches: [AtomicU64; 2],
}

/// What the scheduler may do with a thread. The transitions are told in `scheduler`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum State {
    /// On a processor, or queued for one.
    Running,
    /// About to sleep, still on its processor.
    Sleeping,
    /// Off its processor until somebody wakes it.
    Asleep,
    /// Over: it will not run again.
    Dead,
}

/// Why a thread gave up its processor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Switch {
    /// It sleeps, or ended.
    Voluntary,
    /// Others wanted the processor.
    Involuntary,
}

impl Switch {
    /// What the state in which a thread left says.
    pub(super) fn of(state: State) -> Switch {
        match state {
            State::Running => Switch::Involuntary,
            State::Sleeping | State::Asleep | State::Dead => Switch::Voluntary,
        }
    }
}

/// Time that passes now and then, in ticks. One word, so that it can be read while its owner writes it: while it stands, the
/// sum; while it runs, the sum less the tick at which it was started, which is negative, for nobody has run since tick 0.
#[derive(Default)]
struct Stopwatch(AtomicI64);

impl Stopwatch {
    #[inline]
    fn start(&self, now: u64) {
        self.add((now as i64).wrapping_neg());
    }

    #[inline]
    fn stop(&self, now: u64) {
        self.add(now as i64);
    }

    /// One processor at a time writes: the one that the thread is on.
    #[inline]
    fn add(&self, ticks: i64) {
        let sum = self.0.load(Ordering::Relaxed).wrapping_add(ticks);
        self.0.store(sum, Ordering::Relaxed);
    }

    /// The sum up to now.
    fn read(&self) -> u64 {
        let word = self.0.load(Ordering::Relaxed);
        let sum = if word < 0 {
            word.wrapping_add(timer::ticks() as i64)
        } else {
            word
        };
        // Another processor's counter may be read a moment later than the word was written.
        sum.max(0) as u64
    }
}

impl Default for Scheduling {
    fn default() -> Scheduling {
        Scheduling {
            affinity: AtomicU64::new(u64::MAX),
            attributes: AtomicU32::new(0),
            class: AtomicU32::new(0),
            quantum: AtomicU64::new(0),
            home: AtomicUsize::new(0),
            virtual_time: AtomicI64::new(0),
            part: AtomicI64::new(0),
            placed_at: AtomicU64::new(0),
            look_at: AtomicU64::new(NEVER),
            is_observed: AtomicBool::new(false),
            user: Stopwatch::default(),
            busy: Stopwatch::default(),
            switches: Default::default(),
        }
    }
}

impl Scheduling {
    /// The processors that the thread may run on and that run.
    #[inline]
    pub fn allowed(&self) -> u64 {
        self.affinity.load(Ordering::Relaxed) & online()
    }

    /// Whether the thread may run on a processor.
    #[inline]
    pub fn may_run_on(&self, processor: usize) -> bool {
        self.allowed() & 1 << processor != 0
    }

    /// The processor that the thread runs on, ran on last, or is queued for.
    #[inline]
    pub fn home(&self) -> usize {
        self.home.load(Ordering::Relaxed)
    }

    /// Ticks spent at EL0 and in the kernel, up to now.
    pub fn ticks(&self) -> (u64, u64) {
        let (user, busy) = (self.user.read(), self.busy.read());
        (user, busy.saturating_sub(user))
    }

    /// Ticks spent at EL0, of a thread that is not there.
    #[inline]
    pub(super) fn past_user_ticks(&self) -> u64 {
        self.user.0.load(Ordering::Relaxed) as u64
    }

    /// Ticks spent at EL0, up to now.
    #[inline]
    pub(super) fn user_ticks(&self) -> u64 {
        self.user.read()
    }

    /// How often the thread gave up its processor to sleep, and how often because others wanted it.
    pub fn switches(&self) -> (u64, u64) {
        let [voluntary, involuntary] = &self.switches;
        (
            voluntary.load(Ordering::Relaxed),
            involuntary.load(Ordering::Relaxed),
        )
    }

    /// The thread goes to EL0.
    #[inline]
    pub fn enter_user(&self, now: u64) {
        self.user.start(now);
    }

    /// The thread came from EL0.
    #[inline]
    pub fn leave_user(&self, now: u64) {
        self.user.stop(now);
    }

    /// Whether somebody wants to know of its turns: who looks at its process's time, or the observer.
    #[inline]
    pub(super) fn is_watched(&self) -> bool {
        self.look_at.load(Ordering::Relaxed) != NEVER
    }

    /// Whether it is ever to be looked at its process's time.
    pub(super) fn is_timed(&self) -> bool {
        self.look_at.load(Ordering::Relaxed) < OBSERVED
    }

    /// It is not to be looked at that any more, unless somebody says so from now on.
    pub(super) fn look_never(&self) {
        self.look_at.store(NEVER, Ordering::SeqCst);
        // Who begins to observe says so first and looks for `NEVER` then: one of the two sees the other.
        if self.is_observed.load(Ordering::SeqCst) {
            self.replace_look(NEVER, OBSERVED);
        }
    }

    /// Whether the observer is told of its turns.
    #[inline]
    pub fn is_observed(&self) -> bool {
        self.is_observed.load(Ordering::Relaxed)
    }

    /// The observer is told of its turns from the next one on.
    pub(crate) fn begin_observed(&self) {
        self.is_observed.store(true, Ordering::SeqCst);
        self.replace_look(NEVER, OBSERVED);
    }

    /// It is not told of them any more.
    pub(crate) fn end_observed(&self) {
        self.is_observed.store(false, Ordering::SeqCst);
        self.replace_look(OBSERVED, NEVER);
    }

    fn replace_look(&self, old: u64, new: u64) {
        // Where it is something else, somebody is to look at a time, and the turns are told anyway.
        let _ = self
            .look_at
            .compare_exchange(old, new, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// How long it may run until it is looked at its process's time, at most `most` ticks.
    pub(super) fn time_to_look(&self, most: u64) -> u64 {
        let left = self
            .look_at
            .load(Ordering::Relaxed)
            .saturating_sub(self.busy.read());
        left.min(most)
    }

    /// Whether it has run that long.
    pub(super) fn is_to_look(&self) -> bool {
        self.busy.read() >= self.look_at.load(Ordering::Relaxed)
    }

    /// It was looked at; the next time is after `ticks`.
    pub(super) fn note_look(&self, ticks: u64) {
        self.look_at.store(self.busy.read() + ticks, Ordering::Relaxed);
    }

    /// It is to be looked at as soon as it runs.
    pub(super) fn look_next(&self) {
        self.look_at.store(0, Ordering::SeqCst);
    }

    /// Copies what a child inherits.
    pub(super) fn inherit(&self, parent: &Scheduling) {
        let affinity = parent.affinity.load(Ordering::Relaxed);
        self.affinity.store(affinity, Ordering::Relaxed);
        self.home.store(parent.home(), Ordering::Relaxed);
        if parent.attributes.load(Ordering::Relaxed) != 0 {
            self.inherit_attributes(parent);
        }
    }

    #[cold]
    fn inherit_attributes(&self, parent: &Scheduling) {
        let attributes = parent.attributes().for_child();
        self.change(|_| attributes);
    }

    /// What was asked for the thread.
    pub fn attributes(&self) -> SchedAttributes {
        SchedAttributes::unpack(self.attributes.load(Ordering::SeqCst))
    }

    /// Changes what was asked for it, and what follows from that; whether that is something else now.
    pub(super) fn change(&self, change: impl Fn(SchedAttributes) -> SchedAttributes) -> bool {
        let update = |word| Some(change(SchedAttributes::unpack(word)).pack());
        let _updated = self
            .attributes
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, update);
        let before = self.class();
        loop {
            let attributes = self.attributes();
            self.class.store(attributes.class().word(), Ordering::SeqCst);
            fence(Ordering::SeqCst);
            // Whoever changes them at the same time may have stored its class before this one.
            if attributes == self.attributes() {
                return before != attributes.class();
            }
        }
    }

    /// How the scheduler treats it.
    #[inline]
    pub(super) fn class(&self) -> Class {
        Class::of_word(self.class.load(Ordering::Relaxed))
    }

    /// Whether something is left of its quantum.
    pub(super) fn has_quantum(&self) -> bool {
        self.quantum() != 0
    }

    pub(super) fn quantum(&self) -> u64 {
        self.quantum.load(Ordering::Relaxed)
    }

    pub(super) fn set_quantum(&self, ticks: u64) {
        self.quantum.store(ticks, Ordering::Relaxed);
    }

    /// What the thread has used, as `share` counts it. Asked while it does not run.
    #[inline]
    pub(super) fn virtual_time(&self) -> i64 {
        self.virtual_time.load(Ordering::Relaxed)
    }

    #[inline]
    pub(super) fn set_virtual_time(&self, time: i64) {
        self.virtual_time.store(time, Ordering::Relaxed);
    }

    /// What its parent gave it when it was made, in ticks of the plain class.
    pub fn part(&self) -> i64 {
        self.part.load(Ordering::Relaxed)
    }

    #[inline]
    pub(super) fn set_part(&self, ticks: i64) {
        self.part.store(ticks, Ordering::Relaxed);
    }

    /// Whether the running thread has used `ticks` since the last time that this was so.
    pub(super) fn has_used(&self, ticks: u64) -> bool {
        let used = self.busy.read();
        let has_used = used - self.placed_at.load(Ordering::Relaxed) >= ticks;
        if has_used {
            self.placed_at.store(used, Ordering::Relaxed);
        }
        has_used
    }

    pub(super) fn set_affinity(&self, affinity: u64) {
        self.affinity.store(affinity, Ordering::SeqCst);
    }

    #[inline]
    pub(super) fn set_home(&self, processor: usize) {
        self.home.store(processor, Ordering::Relaxed);
    }

    /// The thread is about to run on `processor`.
    pub(super) fn begin(&self, processor: usize, now: u64) {
        self.busy.start(now);
        self.home.store(processor, Ordering::Relaxed);
    }

    /// The thread has left its processor; what it does there from now on is not its own.
    pub(super) fn end(&self, now: u64, why: Switch) {
        self.busy.stop(now);
        let count = &self.switches[why as usize];
        count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}
