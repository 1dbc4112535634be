//! Which processor a thread goes to.
//!
//! * A thread that becomes runnable queues here, if it may: whoever made it runnable is about to sleep as often as not, and what
//!   the two exchange is in this cache.
//! * A processor that finds its queue empty takes the thread that is due first from another queue. One that idles is
//!   called to do so when two wait here, when an interrupt made a thread runnable, and when one has waited for
//!   [`PATIENCE_NANOS`]. Nobody waits for it: whoever comes first takes the thread.
//! * While somebody idles, a thread that came to wait is left to them for twice that time before it ends a turn here.
//! * When it has used the time of a turn, a thread that has to leave moves to the queue where fewer compete, or as few: so nine
//!   busy threads on four processors share them evenly, though no processor ever idles. Who has to leave sooner stays: a sleeper
//!   wakes, works and is gone.
//!
//! No processor idles while a thread waits that it may run (but for [`PATIENCE_NANOS`]). A processor that is about to idle says
//! so in [`IDLE`], and only then looks at all queues; whoever queues a thread behind one that runs looks at [`IDLE`] after that,
//! and calls one that is there, now or when the alarm rings that it sets. Sequentially consistent fences lie between on both
//! sides, so one of the two sees the other. Between the look at the queues and WFI interrupts are masked: one that comes
//! meanwhile stays pending and ends the WFI at once (Arm ARM D1.16.2).
//!
//! Whoever takes a processor's bit out of [`IDLE`] owes it an interrupt; nobody else will then choose it. The processor itself
//! takes the bit out when it wakes, and may then find something else to do: whoever begins a turn while others wait for the same
//! processor calls again ([`call_for_help`]).
//!
//! A thread is moved only while it stands in a queue, under that queue's lock, or between leaving a processor and being queued,
//! by the loop that it left. So a change of affinity has three cases: a thread that sleeps is placed anew when it wakes; one that
//! waits is taken out and placed anew by whoever makes the change ([`send_away`]); one that runs is interrupted, and leaves on the
//! way out of the interrupt (`notify::move_away`), or right after the switch if it had only just been chosen (`begin_turn`).

use super::cpu::{CPUS, Cpu, QueuePlace};
use super::online::online;
use super::policy::REAL_TIME_END;
use super::share::Arrival;
use super::{notify, real_time};
use crate::Thread;
use abi::Errno;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering, fence};
use platform::{cpu, timer};

/// The processors that have nothing to do.
static IDLE: AtomicU64 = AtomicU64::new(0);

/// How long a thread waits here before an idle processor is called: the time of some switches, so that two threads that wait for
/// each other in turns stay together.
pub(super) const PATIENCE_NANOS: u64 = 100_000;

/// The processors that idle.
pub(super) fn idle() -> u64 {
    IDLE.load(Ordering::Relaxed)
}

/// Says that this processor has nothing to do; what it then finds in a queue it may take nevertheless.
pub(super) fn begin_idle(here: usize) {
    IDLE.fetch_or(1 << here, Ordering::SeqCst);
    fence(Ordering::SeqCst);
}

/// This processor has something to do, or will look again.
pub(super) fn end_idle(here: usize) {
    IDLE.fetch_and(!(1 << here), Ordering::SeqCst);
}

/// Queues a thread that can run, and sees to it that somebody runs it soon.
#[inline(always)]
pub(super) fn enqueue(thread: Arc<Thread>, arrival: Arrival) {
    let here = cpu::number();
    if !thread.scheduling.may_run_on(here) {
        return enqueue_elsewhere(thread, here, arrival);
    }
    let home = thread.scheduling.home();
    if home != here {
        move_to(&thread, home, here);
    }
    queue_here(thread, here, arrival);
}

/// A thread that may not run on this processor goes to one that idles, if there is one: the one it ran on last if that does.
#[cold]
fn enqueue_elsewhere(thread: Arc<Thread>, here: usize, arrival: Arrival) {
    let (allowed, home) = (thread.scheduling.allowed(), thread.scheduling.home());
    let idle = IDLE.load(Ordering::Relaxed) & allowed;
    let to = claim(idle, home).unwrap_or_else(|| least_loaded(allowed, here));
    if home != to {
        move_to(&thread, home, to);
    }
    put(thread, to, here, arrival);
}

/// Queues a thread that has left processor `here`, there or where it is to go.
#[inline]
pub(super) fn put_home(thread: Arc<Thread>, here: usize, arrival: Arrival) {
    let home = thread.scheduling.home();
    if home != here {
        move_to(&thread, here, home);
    }
    put(thread, home, here, arrival);
}

/// Takes a thread that does not run from one processor to another.
#[cold]
pub(super) fn move_to(thread: &Thread, from: usize, to: usize) {
    let share = |processor| &CPUS.of(processor).share;
    share(from).hand_over(&thread.scheduling, share(to));
    thread.scheduling.set_home(to);
    thread.note_new_turn();
    // Before its class is read: see `real_time::place_anew`.
    fence(Ordering::SeqCst);
}

/// Says where `thread`, whose turn on processor `here` is over, is to run next.
pub(super) fn choose_after_turn(thread: &Thread, here: usize) {
    let allowed = thread.scheduling.allowed();
    let elsewhere = allowed & !(1 << here);
    if elsewhere == 0 {
        return;
    }
    let best = least_loaded(elsewhere, here);
    let mine = CPUS.of(here).waiting() + 1;
    if allowed == elsewhere || load(best) < mine {
        thread.scheduling.set_home(best);
    }
}

/// Interrupts one processor that idles, for this one has more to do than it can.
#[inline]
pub(super) fn call_for_help(here: usize) {
    let idle = IDLE.load(Ordering::Relaxed) & !(1 << here);
    if idle != 0 {
        call_one_of(idle, here);
    }
}

/// Of those processors, one that may run a thread that waits here.
#[cold]
fn call_one_of(idle: u64, here: usize) {
    let useful = CPUS.of(here).allowed_to_waiting(idle);
    if let Some(other) = claim(useful, here) {
        notify::interrupt(other);
    }
}

/// Takes one processor of the set `idle` out of [`IDLE`], `preferred` if it is there. `None` if all of them woke meanwhile, or
/// there was none.
pub(super) fn claim(idle: u64, preferred: usize) -> Option<usize> {
    from(idle, preferred).find(|processor| {
        let bit = 1 << processor;
        IDLE.fetch_and(!bit, Ordering::SeqCst) & bit != 0
    })
}

/// The processors of a set, beginning with `first` and coming round.
pub(super) fn from(set: u64, first: usize) -> impl Iterator<Item = usize> {
    let count = cpu::MAX_CPUS;
    (first..first + count)
        .map(move |number| number % count)
        .filter(move |number| set & 1 << number != 0)
}

/// The processor of `set` for which the fewest compete; of several the next after `here`. All of them are allowed, so `set` is
/// not empty, unless no processor is online yet: then this one.
fn least_loaded(set: u64, here: usize) -> usize {
    from(set, here + 1)
        .min_by_key(|&number| load(number))
        .unwrap_or(here)
}

/// How many threads compete for a processor.
fn load(processor: usize) -> usize {
    let is_busy = IDLE.load(Ordering::Relaxed) & 1 << processor == 0;
    CPUS.of(processor).waiting() + usize::from(is_busy)
}

#[inline(always)]
fn put(thread: Arc<Thread>, to: usize, here: usize, arrival: Arrival) {
    if to == here {
        put_here(thread, here, arrival);
    } else {
        put_there(thread, to, arrival);
    }
}

/// Apart, so that what stays on its processor needs few registers.
#[cold]
#[inline(never)]
fn put_there(thread: Arc<Thread>, to: usize, arrival: Arrival) {
    if CPUS.of(to).push(thread, arrival).is_first() {
        // It idles, or must end the turn of what it runs in time.
        notify::interrupt(to);
    }
}

/// As [`queue_here`], for all but wake-ups: a function of its own.
#[inline(never)]
fn put_here(thread: Arc<Thread>, here: usize, arrival: Arrival) {
    queue_here(thread, here, arrival);
}

/// Queues a thread here. If another runs, its turn gets an end, and those who idle are called, at once or later.
#[inline(always)]
fn queue_here(thread: Arc<Thread>, here: usize, arrival: Arrival) {
    let cpu = CPUS.of(here);
    let place = cpu.push(thread, arrival);
    if !cpu.has_turn() {
        return;
    }
    if place.due < REAL_TIME_END {
        return real_time::came(cpu, here, place.due);
    }
    fence(Ordering::SeqCst);
    let idle = IDLE.load(Ordering::Relaxed) & !(1 << here);
    let mut least = if idle != 0 {
        call_soon(idle, &place, here)
    } else {
        0
    };
    if arrival == Arrival::New {
        least = least.max(cpu.share.lead_end(timer::ticks_unordered()));
    }
    if cpu.heed(&place, least) && !cpu.share.is_serving_interrupts() {
        // Taken on the way to EL0, and sooner than the alarm. Who serves interrupts looks at the end of the turn behind them.
        notify::interrupt(here);
    }
}

/// Calls one of those who idle, at once or later. Until when it has time to come before the turn ends.
#[cold]
fn call_soon(idle: u64, place: &QueuePlace, here: usize) -> u64 {
    let patience = timer::nanos_to_ticks(PATIENCE_NANOS);
    let now = timer::ticks();
    if place.is_alone() {
        CPUS.of(here).be_patient_until(now + patience);
    } else {
        call_one_of(idle, here);
    }
    now + 2 * patience
}

/// Limits the processors that a thread may run on: sched_setaffinity(2). When it returns, the thread is not at EL0 on any
/// other.
///
/// # Errors
/// `EINVAL`: none of them runs.
pub fn set_affinity(current: &Arc<Thread>, thread: &Arc<Thread>, processors: u64) -> Result<(), Errno> {
    if processors & online() == 0 {
        return Err(Errno::EINVAL);
    }
    thread.scheduling.set_affinity(processors);
    send_away(thread);
    let here = cpu::number();
    if !Arc::ptr_eq(current, thread) {
        notify::move_away(thread);
    } else if !current.scheduling.may_run_on(here) {
        choose_after_turn(current, here);
        super::switch_away(current);
    }
    Ok(())
}

/// The affinity of a thread was changed: it leaves the queue that it waits in if it may not run there any more. If it is between
/// being queued and running, it gets a turn that is over at once.
fn send_away(thread: &Thread) {
    let home = thread.scheduling.home();
    if !thread.scheduling.may_run_on(home)
        && let Some(thread) = CPUS.of(home).withdraw(thread)
    {
        enqueue(thread, Arrival::Ready);
    }
}

/// Moves a thread from another processor's queue to that of processor `here`; whether there was one.
pub(super) fn steal(cpu: &Cpu, here: usize) -> bool {
    if real_time::pull(cpu, here) {
        return true;
    }
    let others = online() & !(1 << here);
    let give = |other| CPUS.of(other).give_to(here).map(|thread| (thread, other));
    let Some((thread, other)) = from(others, here + 1).find_map(give) else {
        return false;
    };
    cpu.counters.steals.add_one();
    move_to(&thread, other, here);
    cpu.push(thread, Arrival::Ready);
    // Whoever woke several at once there has called one processor: it calls the next.
    if CPUS.of(other).waiting() > 0 {
        let idle = IDLE.load(Ordering::Relaxed) & !(1 << here);
        call_one_of(idle, other);
    }
    true
}
