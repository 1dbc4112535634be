//! When it is looked at the processor time of those who own threads: by the processors that run them, after a tick of the
//! running thread's time, or sooner. And the turns of those whom somebody watches, for that or as an observer.

use super::cpu::{CPUS, Cpu, Ended};
use super::turns::{self, Turn};
use super::{notify, set_alarm_of};
use crate::Thread;
use crate::thread;
use platform::timer;

/// So much processor time a thread uses at most between two looks, in nanoseconds.
pub const TICK_NANOS: u64 = 4_000_000;

/// The turn from `now` on of a thread that somebody watches. Apart, so that nobody else pays for it.
#[cold]
#[inline(never)]
pub(super) fn take_watched(cpu: &Cpu, thread: &Thread, now: u64, turn: impl FnOnce() -> Ended) -> Ended {
    if thread.scheduling.is_timed() {
        begin(cpu, thread, now);
    }
    turns::tell(thread, Turn::Begins);
    let ended = turn();
    let told = Turn::Ends {
        begin: now,
        end: ended.at,
        state: ended.state,
    };
    turns::tell(thread, told);
    ended
}

/// A thread whose process is watched has a turn from `now` on.
fn begin(cpu: &Cpu, thread: &Thread, now: u64) {
    let left = thread.scheduling.time_to_look(timer::nanos_to_ticks(TICK_NANOS));
    cpu.look_at(now + left);
    set_alarm_of(cpu);
}

/// Looks if it is time to. Called on the way back to EL0, with no lock held.
pub(super) fn look(cpu: &Cpu, current: &Thread) {
    if !current.scheduling.is_timed() {
        return cpu.look_at(u64::MAX);
    }
    let now = timer::ticks();
    if cpu.is_to_look(now) || current.scheduling.is_to_look() {
        // Whoever wants a look that this one comes too early for is not overwritten: it says so afterwards.
        current.scheduling.look_never();
        let next = thread::look_at_processor_time(current).map(timer::nanos_to_ticks);
        next.inspect(|&ticks| current.scheduling.note_look(ticks));
        cpu.look_at(next.map_or(u64::MAX, |ticks| now + ticks));
    }
}

/// What `thread`'s processor time is looked for has changed, or it is new and something is: it is looked at as soon as it runs.
pub fn watch(thread: &Thread) {
    thread.scheduling.look_next();
    let here = platform::cpu::number();
    let cpu = CPUS.get();
    if cpu.runs(thread) {
        cpu.look_at(timer::ticks());
        set_alarm_of(cpu);
    } else if thread.scheduling.home() != here {
        notify::kick(thread);
    }
}
