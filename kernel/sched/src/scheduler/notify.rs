//! Telling other processors something, by an interrupt that makes them look.

use super::cpu::{CPUS, Cpu, LEAVE_NOW};
use super::online::online;
use super::wake::wake;
use super::{handle_interrupts, place, set_alarm_of, stop};
use crate::Thread;
use crate::space::Space;
use alloc::sync::Arc;
use core::sync::atomic::{Ordering, fence};
use platform::cpu::{self, MAX_CPUS};
use platform::interrupt;

/// Asks the thread that runs on this processor, if there is one, to look at what pends before it returns to EL0.
pub fn call_current() {
    if let Some(current) = CPUS.get().current() {
        current.set_pending_work();
    }
}

/// Makes a thread look at its signals, and whether it is to end, soon: it is told, woken if it sleeps, and interrupted if it
/// runs at EL0 on another processor.
pub fn alert(thread: &Arc<Thread>) {
    thread.set_pending_work();
    if !wake(thread) {
        kick(thread);
    }
}

/// Brings a thread that runs on another processor into the kernel for a moment; what the caller stored before, the thread sees
/// before it is at EL0 again. Nothing happens to a thread that does not run: it sees that before it first is there.
///
/// The processor that begins to run it says so, and then passes a fence, before the thread looks at anything; here a fence lies
/// between what was stored and the look whether it runs. So if it is not found where it ran last, it will see what was stored.
pub(super) fn kick(thread: &Thread) {
    fence(Ordering::SeqCst);
    let processor = thread.scheduling.home();
    if processor != cpu::number() && CPUS.of(processor).runs(thread) {
        interrupt(processor);
    }
}

/// Returns when every processor that runs a thread in `space` (every processor that runs a thread for `None`) has executed
/// a memory barrier, and will synchronise its context before it is at EL0 again, since the call: membarrier(2). The caller holds
/// no lock. Interrupts of this processor are served meanwhile, so that two callers do not wait for each other for ever.
///
/// A processor that is found idle, or in another space, passes fences and locks before it runs a thread of the space, which
/// order it after what the caller did before; and what it ran before it left the space is seen by the caller through the same
/// locks.
pub fn synchronise(space: Option<&Arc<Space>>) {
    fence(Ordering::SeqCst);
    let others = online() & !place::idle() & !(1 << cpu::number());
    let meant = (0..MAX_CPUS)
        .filter(|processor| others & 1 << processor != 0)
        .filter(|&processor| space.is_none_or(|space| CPUS.of(processor).holds(space)))
        .fold(0, |set, processor| set | 1 << processor);
    interrupt_and_wait(meant);
    fence(Ordering::SeqCst);
}

/// As [`synchronise`], and each thread of `space` that runs on one of `processors` has a new turn from now on: it leaves the sequence
/// that it may be in before it is at EL0 again (rseq(2)). One that loses its processor meanwhile has one of itself.
pub fn restart_sequences(space: &Arc<Space>, processors: u64) {
    fence(Ordering::SeqCst);
    let others = online() & !place::idle() & !(1 << cpu::number()) & processors;
    let meant = |processor: &usize| others & 1 << processor != 0 && CPUS.of(*processor).holds(space);
    let mut set = 0;
    for processor in (0..MAX_CPUS).filter(meant) {
        let thread = CPUS.of(processor).current();
        thread.inspect(|thread| thread.note_new_turn());
        set |= 1 << processor;
    }
    interrupt_and_wait(set);
    fence(Ordering::SeqCst);
}

/// Makes a thread that runs on a processor that it may no longer run on leave it: when this returns it is not at EL0 there.
pub(super) fn move_away(thread: &Thread) {
    fence(Ordering::SeqCst);
    let processor = thread.scheduling.home();
    let cpu = CPUS.of(processor);
    if processor != cpu::number() && !thread.scheduling.may_run_on(processor) && cpu.runs(thread) {
        interrupt_and_wait(1 << processor);
    }
}

/// Interrupts another processor.
pub(super) fn interrupt(processor: usize) {
    CPUS.get().counters.sent.add_one();
    interrupt::send_reschedule(processor);
}

/// An interrupt of another processor has come. It is counted first: whoever waits for the count has stored something before,
/// and what this processor looks at from now on, it sees with that.
fn note_received(cpu: &Cpu) {
    cpu.counters.received.add_one();
    fence(Ordering::SeqCst);
}

/// Whether the thread that runs on this processor may not run here any more.
pub(super) fn runs_one_forbidden(cpu: &Cpu) -> bool {
    cpu.current()
        .is_some_and(|thread| !thread.scheduling.may_run_on(cpu::number()))
}

/// Serves an interrupt of another processor: a thread was put here, one with a real-time priority is asked for, or the one that
/// runs here is to come into the kernel. Whoever put a thread here did not look who idles; behind the fence this processor does,
/// and one of the two sees the other.
pub(super) fn receive(cpu: &Cpu) {
    note_received(cpu);
    stop::wait_while_stopped(cpu::number());
    cpu.heed_others();
    if cpu.has_turn() && cpu.waiting() > 0 {
        place::call_for_help(cpu::number());
    }
}

/// Interrupts other processors, and waits until each has been interrupted since.
fn interrupt_and_wait(set: u64) {
    let received = |processor| CPUS.of(processor).counters.received.read();
    let before: [u64; MAX_CPUS] = core::array::from_fn(received);
    let meant = (0..MAX_CPUS).filter(|processor| set & 1 << processor != 0);
    meant.clone().for_each(interrupt);
    for processor in meant {
        while received(processor) == before[processor] {
            serve();
        }
    }
}

/// Does `work` while no other processor does anything: each waits where it holds no lock. The caller holds none either; `work` is
/// short, and waits for nobody.
#[track_caller]
pub fn while_others_are_stopped<R>(work: impl FnOnce() -> R) -> R {
    lock::assert_none_held();
    while stop::IS_TAKEN
        .compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed)
        .is_err()
    {
        // Who has it may wait for this processor.
        serve();
    }
    let last = stop::LAST.load(Ordering::Relaxed).wrapping_add(stop::PROCESSORS);
    stop::LAST.store(last, Ordering::Relaxed);
    stop_others(last);
    let result = work();
    stop::STOP.store(0, Ordering::Release);
    stop::IS_TAKEN.store(false, Ordering::Release);
    result
}

/// Returns when every other processor waits for the end of the stop that has this count.
fn stop_others(last: u32) {
    let here = cpu::number();
    let number = last | stop::by(here);
    stop::STOP.store(number, Ordering::Relaxed);
    fence(Ordering::SeqCst);
    let others = online() & !(1 << here);
    let meant = (0..MAX_CPUS).filter(|processor| others & 1 << processor != 0);
    meant.clone().for_each(interrupt);
    for processor in meant {
        while !stop::has_answered(processor, number) {
            serve();
        }
    }
}

fn serve() {
    if interrupt::is_pending() {
        handle_interrupts();
    }
    core::hint::spin_loop();
}

/// `thread` has a turn on processor `here` from now on. Who alerts it or changes where it may run, and did not see before the
/// fence that it runs here, is seen by it after the fence. A turn that was forbidden meanwhile is over at once.
#[inline]
pub(super) fn begin_turn(cpu: &Cpu, here: usize, thread: &Thread, now: u64) {
    fence(Ordering::SeqCst);
    cpu.begin_turn(&thread.scheduling, now);
    if !thread.scheduling.may_run_on(here) {
        cpu.turn_end.store(LEAVE_NOW, Ordering::Relaxed);
        set_alarm_of(cpu);
    }
}
