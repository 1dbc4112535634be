//! Who runs. Each processor runs [`run`], a loop on its own stack that takes the next thread from its run queue (or another's:
//! `place`), switches to it, and gets the processor back when the thread blocks, has used its time, or ends. So a thread is
//! queued, woken and dropped only while it is off every processor, and no stack is left holding another thread's reference.
//!
//! Waking is safe against sleeping, on any number of processors:
//!
//! ```text
//!   Running  --prepare_to_sleep (the sleeper)-->  Sleeping  --the loop, off its stack-->  Asleep
//!      ^                                             |                                     |
//!      +------------- wake: it has not left yet -----+       wake: to a run queue ---------+
//! ```
//!
//! * Each arrow but the first is one compare-and-exchange, so of all wakers and the loop one alone takes a thread out of a state.
//!   A thread in a queue is `Running`, and was put there by whoever made it so: by the loop when it found it `Running` after
//!   the switch, else by the waker that found it `Asleep`. It stands in one queue at most.
//! * No second processor runs it before the first has left its stack: `Asleep` is set, and a `Running` thread queued, by the
//!   loop of the first, which is on its own stack then. (`platform::thread` asserts it.)
//! * The sleeper calls itself `Sleeping`, passes a fence, and then looks whether what it waits for is so; the waker makes it so,
//!   passes a fence, and then looks at the state. One of the two sees the other.
//! * A thread that ended is `Dead`, and no waker changes that. Its stack goes when the last reference does, of which the loop
//!   that it left holds one until it is off that stack.
//!
//! Who is next, and when a turn ends, is told in `share`. The timer is silent unless somebody needs it: an alarm is set for the
//! next timer, and for the end of the running thread's turn only while another thread waits for the processor. A turn that is
//! over when somebody comes to wait is ended by an interrupt of the processor to itself, which it takes on the way to EL0, so that
//! system calls need not look. Whoever puts a thread in front of another processor's queue interrupts it, and the end of the turn
//! and the alarm are set in that interrupt ([`handle_interrupts`]).
//!
//! A processor that idles, or runs a thread without a space, has no program's tables in TTBR0 and holds no space.

mod account;
mod clocks;
mod counters;
mod cpu;
mod entered;
mod notify;
mod online;
mod place;
mod policy;
mod queue;
mod real_time;
mod report;
mod share;
mod stop;
mod turns;
mod wake;

pub use account::{Scheduling, State, Switch};
pub use clocks::{TICK_NANOS, watch};
pub use notify::{alert, call_current, restart_sequences, synchronise, while_others_are_stopped};
pub use place::set_affinity;
pub use policy::{Policy, SchedAttributes};
pub use real_time::{SETTINGS, Setting, change_attributes, timeslice_nanos};
pub use report::{Times, interrupts, online_processors, runnable, steals, switches, times};
pub use share::{TURN_NANOS, beyond_part, take_over, take_over_from};
pub use turns::{Turn, set_observer};
pub use wake::{wake, wake_owned};

use crate::Thread;
use crate::interrupts;
use crate::thread::{self, NextSpace};
use crate::time::timers;
use abi::Errno;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use cpu::{CPUS, Cpu, Ended, LEAVE_NOW};
use mm::Memory;
use platform::fault_injection;
use platform::interrupt::{self, Interrupt};
use platform::memory::BoardMmu;
use platform::thread::{KernelThread, is_on_lent_stack, on_stack_of};
use platform::timer;
use platform::user::UserRegisters;
use share::Arrival;

/// The thread that runs on this processor. Must not be called from the loop itself.
pub fn current() -> Arc<Thread> {
    CPUS.get()
        .current()
        .expect("system calls and faults come from a thread")
}

/// Lets a new thread run. It inherits from the thread that runs here where it may run, and what it has used.
pub fn begin(thread: Arc<Thread>) {
    CPUS.get().bequeath(&thread);
    place::enqueue(thread, Arrival::New);
}

/// Gives up the processor until the thread is woken, which has called `ThreadCore::prepare_to_sleep`, unless it was woken since.
pub fn block(current: &Arc<Thread>) {
    lock::assert_none_held();
    if current.state() == State::Sleeping {
        switch_away(current);
    }
}

/// Lets others run first: sched_yield(2).
pub fn yield_now(current: &Arc<Thread>) {
    let cpu = CPUS.get();
    if cpu.waiting() > 0 {
        cpu.begin_yield();
        switch_from(cpu, current);
    }
}

/// In the middle of long work: lets interrupts in, and others run if the turn is over or somebody woke who comes first: the alarm
/// or an interrupt of the processor to itself tells that like all else. A path of the kernel passes here, with no lock held (the
/// checked build looks), at least every 0.25 ms.
#[inline]
#[track_caller]
pub fn cond_resched() {
    lock::assert_none_held();
    if interrupt::is_pending()
        && let Some(current) = CPUS.get().current()
    {
        serve_interrupts(&current);
    }
}

/// As [`cond_resched`], for work that may be left undone.
///
/// # Errors
/// `EINTR`: the process is to end.
#[inline]
#[track_caller]
pub fn cond_resched_killable() -> Result<(), Errno> {
    lock::assert_none_held();
    if !interrupt::is_pending() {
        return Ok(());
    }
    // At boot nobody else is there.
    let Some(current) = CPUS.get().current() else {
        return Ok(());
    };
    serve_interrupts(&current);
    if current.is_ending() {
        Err(Errno::EINTR)
    } else {
        Ok(())
    }
}

/// Serves every interrupt that is pending, and ends the turn of `current` if its time is over while others wait, or if it may
/// not run here any more. Called on the way back to EL0.
pub fn serve_interrupts(current: &Arc<Thread>) {
    if is_on_lent_stack() {
        return; // in the middle of an interrupt, behind which the others come
    }
    let here = platform::cpu::number();
    let cpu = CPUS.of(here);
    let waited = cpu.waiting();
    take_interrupts(cpu);
    clocks::look(cpu, current);
    let may_stay = current.scheduling.may_run_on(here);
    let now = timer::ticks();
    let is_over = now >= cpu.turn_end.load(Ordering::Relaxed);
    if !may_stay || is_over && cpu.waiting() > 0 {
        if !may_stay || current.scheduling.has_used(cpu.share.turn()) {
            place::choose_after_turn(current, here);
        }
        cpu.end_turn();
        set_alarm_of(cpu);
        current.note_new_turn();
        return switch_away(current);
    }
    if cpu.waiting() > waited || cpu.has_lost_patience(now) {
        place::call_for_help(here);
    }
    set_alarm_of(cpu);
}

/// The last act of a thread that called `ThreadCore::die`: nothing on its stack holds anything any more. The loop drops it.
pub fn leave() -> ! {
    platform::thread::leave(CPUS.get().own())
}

/// Takes this processor off the address space it is in, so that its last owner can release it.
pub fn leave_space() {
    let cpu = CPUS.get();
    if cpu.is_in_any() {
        platform::memory::deactivate();
        cpu.leave();
    }
}

/// Enters the address space of `current`, whose owner has just got another one: exec.
#[inline(never)]
pub fn enter_space_of(current: &Thread) {
    activate(CPUS.get(), current, memory::get());
}

/// Serves every interrupt that is pending, and sets the timer again, in the middle of something. One may have said that the thread
/// may not run here any more, and its sender goes on when it is counted: an alarm that rings at once keeps the thread from EL0.
fn handle_interrupts() {
    let cpu = CPUS.get();
    take_interrupts(cpu);
    if notify::runs_one_forbidden(cpu) {
        cpu.turn_end.store(LEAVE_NOW, Ordering::Relaxed);
    }
    set_alarm_of(cpu);
}

fn take_interrupts(cpu: &Cpu) {
    cpu.share.begin_interrupts();
    serve_pending(cpu);
    cpu.share.end_interrupts();
}

/// What a device or a timer wants is done on the loop's stack: little may be left of the one of whom they interrupt.
fn serve_pending(cpu: &Cpu) {
    while let Some(interrupt) = interrupt::take() {
        match interrupt {
            Interrupt::Timer => {
                cpu.counters.timer.add_one();
                cpu.note_ringing();
                if !on_stack_of(cpu.own(), timers::expire) {
                    // Others may run before the rest.
                    return;
                }
            }
            Interrupt::Reschedule => {
                notify::receive(cpu);
            }
            Interrupt::Device(active) => {
                let here = platform::cpu::number();
                let is_known = on_stack_of(cpu.own(), || interrupts::serve(active, here));
                let counters = &cpu.counters;
                let count = if is_known {
                    &counters.devices
                } else {
                    &counters.unknown
                };
                count.add_one();
            }
        }
    }
}

/// Sets the timer of this processor for what comes first: a timer of its own, or the end of the turn if somebody waits for the
/// processor. An alarm that is set for an earlier moment is left to ring for nothing: two threads that wake each other in turns
/// would set and clear it all the time.
pub fn set_alarm() {
    set_alarm_of(CPUS.get());
}

fn set_alarm_of(cpu: &Cpu) {
    cpu.ring_at(cpu.next_change().min(timers::next_deadline()));
}

/// The scheduler loop of this processor, on the stack it booted with.
pub fn run() -> ! {
    let here = platform::cpu::number();
    let cpu = CPUS.of(here);
    cpu.adopt_stack();
    stop::come_online(here);
    let mut now = timer::ticks();
    let own = cpu.own();
    let memory = memory::get();
    let mut next = None;
    loop {
        if let Some(thread) = next.take().or_else(|| cpu.pop()) {
            (now, next) = give_turn(cpu, own, here, memory, thread, now);
        } else {
            idle(cpu, here);
            now = timer::ticks();
        }
    }
}

/// Runs `thread` from `now` on until it gives the processor back; when that was, and who is next if that is decided.
fn give_turn(
    cpu: &Cpu,
    own: &KernelThread,
    here: usize,
    memory: &Memory<BoardMmu>,
    thread: Arc<Thread>,
    now: u64,
) -> (u64, Option<Arc<Thread>>) {
    let ended = cpu.run(&thread, now, || take_turn(cpu, own, here, memory, &thread, now));
    let next = match ended.state {
        State::Dead => None,
        State::Running => put_back(cpu, here, thread),
        State::Sleeping | State::Asleep => {
            settle(thread, here);
            None
        }
    };
    (ended.at, next)
}

/// The turn of `thread`, which has the processor from `now` on.
#[inline(always)]
fn take_turn(
    cpu: &Cpu,
    own: &KernelThread,
    here: usize,
    memory: &Memory<BoardMmu>,
    thread: &Thread,
    now: u64,
) -> Ended {
    thread.scheduling.begin(here, now);
    notify::begin_turn(cpu, here, thread, now);
    let turn = move || finish_turn(cpu, own, here, memory, thread);
    match thread.scheduling.is_watched() {
        true => clocks::take_watched(cpu, thread, now, turn),
        false => turn(),
    }
}

/// Its space, its registers, and what is to be done when it has given the processor back.
#[inline(always)]
fn finish_turn(
    cpu: &Cpu,
    own: &KernelThread,
    here: usize,
    memory: &Memory<BoardMmu>,
    thread: &Thread,
) -> Ended {
    activate(cpu, thread, memory);
    if cpu.waiting() > 0 {
        place::call_for_help(here);
        set_alarm_of(cpu);
    }
    platform::thread::switch(own, &thread.kernel);
    let now = timer::ticks();
    let state = thread.state();
    thread.scheduling.end(now, Switch::of(state));
    cpu.end_share(&thread.scheduling, now, state);
    cpu.end_turn();
    Ended { at: now, state }
}

/// Queues a thread that left its processor though it could go on; who is next if it let others go first.
#[inline]
fn put_back(cpu: &Cpu, here: usize, thread: Arc<Thread>) -> Option<Arc<Thread>> {
    if !cpu.end_yield() {
        place::put_home(thread, here, Arrival::Ready);
        return None;
    }
    // Of those with a real-time priority only others of the same go first.
    let goes_last = !real_time::has_priority(&thread);
    let next = goes_last.then(|| cpu.pop()).flatten();
    place::put_home(thread, here, Arrival::Yielding);
    next
}

/// A thread left its processor to sleep: it is asleep, unless somebody woke it while it was leaving.
fn settle(thread: Arc<Thread>, here: usize) {
    if !thread.change_state(State::Sleeping, State::Asleep) {
        place::put_home(thread, here, Arrival::Woken);
    }
}

/// Back to the loop; returns when a loop gives `current` a processor again, which may be another one.
fn switch_away(current: &Arc<Thread>) {
    switch_from(CPUS.get(), current);
}

/// As [`switch_away`], for one who knows this processor.
#[inline]
fn switch_from(cpu: &Cpu, current: &Arc<Thread>) {
    lock::assert_none_held();
    // An allocation that is to fail is one of this thread, wherever it goes on.
    let left = fault_injection::arm(0);
    UserRegisters::keep_during(|| platform::thread::switch(&current.kernel, cpu.own()));
    fault_injection::arm(left);
}

/// Puts the space of `thread` into TTBR0, or none if it has none. The space that was there is dropped afterwards. Where the same
/// space stays, so does its ASID: a roll-over keeps those that are in use (`mm::asid`).
#[inline(always)]
fn activate(cpu: &Cpu, thread: &Thread, memory: &Memory<BoardMmu>) {
    match thread::next_space(thread, cpu.space_identity()) {
        NextSpace::Same => {}
        NextSpace::Other(space) => {
            space.activate(memory);
            cpu.enter(space);
        }
        NextSpace::Nowhere => leave_space(),
    }
}

/// Takes a thread from another processor's queue, or waits for an interrupt and serves it: see `place`.
#[cold]
fn idle(cpu: &Cpu, here: usize) {
    if place::steal(cpu, here) {
        return;
    }
    leave_space();
    place::begin_idle(here);
    if cpu.waiting() == 0 && !place::steal(cpu, here) {
        platform::cpu::wait_for_interrupt();
        handle_interrupts();
    }
    place::end_idle(here);
}
