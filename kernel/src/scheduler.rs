//! Who runs. Each processor runs [`run`], a loop on its own stack that takes the next thread from the run queue, switches
//! to it, and gets the processor back when the thread blocks, has used its time, or ends. So a thread is queued, woken and
//! dropped only while it is off every processor, and no stack is left holding another thread's reference.
//!
//! Waking is safe against sleeping, on any number of processors:
//!
//! ```text
//!   Running  --prepare_to_sleep (the sleeper)-->  Sleeping  --the loop, off its stack-->  Asleep
//!      ^                                             |                                     |
//!      +------------- wake: it has not left yet -----+       wake: to the run queue -------+
//! ```
//!
//! The timer is silent unless somebody needs it: an alarm is set for the next timer, and for the end of the running
//! thread's turn only while another thread waits for the processor.

use crate::process::Space;
use crate::sync::{self, Mutex, rank};
use crate::thread::{State, Thread};
use crate::time;
use crate::tty;
use abi::Errno;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering, fence};
use platform::cpu::{MAX_CPUS, PerCpu};
use platform::interrupt::{self, Interrupt};
use platform::thread::KernelThread;
use platform::timer;
use spin::Once;

/// A turn: how long a thread runs while others wait, in nanoseconds.
pub const TURN_NANOS: u64 = 10_000_000;

/// One processor's part of the scheduler.
struct Cpu {
    /// The stack of [`run`].
    own: Once<KernelThread>,
    current: Mutex<Option<Arc<Thread>>>,
    queue: Mutex<VecDeque<Arc<Thread>>, { rank::RUN_QUEUE }>,
    /// The space in TTBR0. Kept while the processor idles; it cannot be released before the processor leaves it.
    space: Mutex<Option<Arc<Space>>>,
    /// When the turn of the running thread ends.
    turn_end: AtomicU64,
    /// The alarm that is set; `u64::MAX` for none.
    alarm: AtomicU64,
}

impl Cpu {
    const fn new() -> Cpu {
        Cpu {
            own: Once::new(),
            current: Mutex::new(None),
            queue: Mutex::new(VecDeque::new()),
            space: Mutex::new(None),
            turn_end: AtomicU64::new(u64::MAX),
            alarm: AtomicU64::new(u64::MAX),
        }
    }

    fn own(&self) -> &KernelThread {
        self.own
            .get()
            .expect("scheduler::run() adopted the stack it runs on")
    }
}

static CPUS: PerCpu<Cpu> = PerCpu::new([const { Cpu::new() }; MAX_CPUS]);

/// The thread that runs on this processor. Must not be called from the loop itself.
pub fn current() -> Arc<Thread> {
    CPUS.get()
        .current
        .lock()
        .clone()
        .expect("system calls and faults come from a thread")
}

/// Threads that run or wait for a processor: for the load and /proc.
pub fn runnable() -> usize {
    let cpu = CPUS.get();
    cpu.queue.lock().len() + usize::from(cpu.current.lock().is_some())
}

/// Puts a new thread at the end of the run queue.
pub fn begin(thread: Arc<Thread>) {
    enqueue(thread);
}

/// Wakes a thread that sleeps or is about to; whether it was.
pub fn wake(thread: &Arc<Thread>) -> bool {
    if thread.change_state(State::Sleeping, State::Running) {
        return true;
    }
    let was_asleep = thread.change_state(State::Asleep, State::Running);
    if was_asleep {
        enqueue(thread.clone());
    }
    was_asleep
}

/// Makes a thread look at its signals, and whether it is to end, soon: it is told, woken if it sleeps, and interrupted if it
/// runs at EL0 on another processor.
pub fn alert(thread: &Arc<Thread>) {
    thread.call_attention();
    if !wake(thread) {
        kick(thread);
    }
}

/// Brings a thread that runs on another processor into the kernel for a moment. Nothing happens to any other thread.
pub fn kick(_thread: &Thread) {}

/// Returns when every processor that runs a thread in `space` (every processor that runs a thread for `None`) has executed
/// a memory barrier and synchronised its context since the call: membarrier(2). The caller holds no lock.
pub fn synchronise(_space: Option<&Arc<Space>>) {
    fence(Ordering::SeqCst);
}

/// Gives up the processor until the thread is woken. `current` has called [`Thread::prepare_to_sleep`]; returns at once
/// if it was woken since.
pub fn block(current: &Arc<Thread>) {
    sync::assert_none_held();
    if current.state() == State::Sleeping {
        switch_away(current);
    }
}

/// Lets others run first: sched_yield(2).
pub fn yield_now(current: &Arc<Thread>) {
    if !CPUS.get().queue.lock().is_empty() {
        switch_away(current);
    }
}

/// In the middle of long work, with no lock held: lets interrupts in, and others run if the turn is over. `EINTR` if the
/// process is to end meanwhile.
#[inline]
pub fn pause() -> Result<(), Errno> {
    sync::assert_none_held();
    if timer::ticks() < CPUS.get().turn_end.load(Ordering::Relaxed) {
        return Ok(());
    }
    let current = current();
    serve_interrupts(&current);
    if current.process.is_ending() {
        Err(Errno::EINTR)
    } else {
        Ok(())
    }
}

/// Serves every interrupt that is pending, and ends the turn of `current` if its time is over while others wait. Called on the
/// way back to EL0.
pub fn serve_interrupts(current: &Arc<Thread>) {
    handle_interrupts();
    let cpu = CPUS.get();
    if timer::ticks() >= cpu.turn_end.load(Ordering::Relaxed) {
        yield_now(current);
        begin_turn(cpu, timer::ticks());
    }
    set_alarm();
}

/// The last act of a thread that called [`Thread::die`]: nothing on its stack holds anything any more. The loop drops it.
pub fn leave() -> ! {
    platform::thread::leave(CPUS.get().own())
}

/// Takes this processor off the address space it is in, so that its last owner can release it.
pub fn leave_space() {
    platform::memory::deactivate();
    let space = CPUS.get().space.lock().take();
    drop(space);
}

/// Enters the address space of `current`, whose process has just got another one: exec.
pub fn enter_space_of(current: &Thread) {
    activate(CPUS.get(), current);
}

/// Serves every interrupt that is pending.
pub fn handle_interrupts() {
    while let Some(interrupt) = interrupt::take() {
        match interrupt {
            Interrupt::Timer => {
                CPUS.get().alarm.store(u64::MAX, Ordering::Relaxed);
                time::expire();
            }
            Interrupt::Console => tty::handle_console_interrupt(),
            Interrupt::Reschedule | Interrupt::Unknown(_) => {}
        }
    }
}

/// Sets the timer for what comes first: a timer, or the end of the turn if somebody waits for the processor.
pub fn set_alarm() {
    let cpu = CPUS.get();
    let is_contended = !cpu.queue.lock().is_empty();
    let turn_end = if is_contended {
        cpu.turn_end.load(Ordering::Relaxed)
    } else {
        u64::MAX
    };
    let at = turn_end.min(time::next_deadline());
    if cpu.alarm.swap(at, Ordering::Relaxed) == at {
        return;
    }
    if at == u64::MAX {
        timer::clear_alarm()
    } else {
        timer::set_alarm(at)
    }
}

/// The scheduler loop of this processor, on the stack it booted with.
pub fn run() -> ! {
    let cpu = CPUS.get();
    cpu.own.call_once(KernelThread::adopt);
    loop {
        let next = cpu.queue.lock().pop_front();
        match next {
            Some(thread) => give_turn(cpu, thread),
            None => idle(),
        }
    }
}

/// Runs `thread` until it gives the processor back.
fn give_turn(cpu: &Cpu, thread: Arc<Thread>) {
    let now = timer::ticks();
    thread.begin_turn(now);
    thread.registers.lock().restore();
    activate(cpu, &thread);
    begin_turn(cpu, now);
    *cpu.current.lock() = Some(thread.clone());
    set_alarm();
    platform::thread::switch(cpu.own(), &thread.kernel);
    *cpu.current.lock() = None;
    match thread.state() {
        State::Dead => {}
        State::Running => cpu.queue.lock().push_back(thread),
        State::Sleeping | State::Asleep => settle(cpu, thread),
    }
}

/// A thread left its processor to sleep: it is asleep, unless somebody woke it while it was leaving.
fn settle(cpu: &Cpu, thread: Arc<Thread>) {
    if !thread.change_state(State::Sleeping, State::Asleep) {
        cpu.queue.lock().push_back(thread);
    }
}

/// Back to the loop; returns when the loop gives `current` the processor again.
fn switch_away(current: &Arc<Thread>) {
    sync::assert_none_held();
    current.count_system(timer::ticks());
    current.registers.lock().save();
    platform::thread::switch(&current.kernel, CPUS.get().own());
}

fn begin_turn(cpu: &Cpu, now: u64) {
    cpu.turn_end
        .store(now + timer::nanos_to_ticks(TURN_NANOS), Ordering::Relaxed);
}

/// Puts the space of `thread` into TTBR0. The space that was there is dropped afterwards.
fn activate(cpu: &Cpu, thread: &Thread) {
    let Some(space) = thread.process.space() else {
        return;
    };
    space.activate();
    let previous = cpu.space.lock().replace(space);
    drop(previous);
}

fn enqueue(thread: Arc<Thread>) {
    let cpu = CPUS.get();
    let mut queue = cpu.queue.lock();
    queue.push_back(thread);
    let is_first = queue.len() == 1;
    drop(queue);
    if is_first {
        set_alarm();
    }
}

/// Waits for an interrupt and serves it. Interrupts are masked: one that comes between the look at the queue and WFI
/// stays pending and ends the WFI at once (Arm ARM D1.16.2).
fn idle() {
    platform::cpu::wait_for_interrupt();
    handle_interrupts();
    set_alarm();
}
