//! Kernel threads are threads of the host. One that is switched to gets the number of the processor, and whoever had it waits
//! until somebody switches back.

use super::cpu::{self, MAX_CPUS, PerCpu};
use super::power::{self, End};
use crate::fault_injection;
use crate::user::{UserContext, UserStart};
use core::sync::atomic::{AtomicBool, Ordering};
pub use mm::NoMemory;
use std::boxed::Box;
use std::panic::AssertUnwindSafe;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;

/// What a thread waits for while it does not run.
#[derive(Debug)]
enum Turn {
    /// Somebody switches to it.
    Awaited,
    /// It runs on that processor.
    On(usize),
    /// Nobody ever will: its owner has dropped it.
    Never,
}

/// Where a thread waits.
#[derive(Debug)]
struct Gate {
    runs: AtomicBool,
    turn: Mutex<Turn>,
    opened: Condvar,
}

/// A thread of the kernel. It must not be dropped while it runs.
#[derive(Debug)]
pub struct KernelThread(Arc<Gate>);

/// For each processor the thread that it runs.
static RUNNING: PerCpu<Mutex<Option<Arc<Gate>>>> = PerCpu::new([const { Mutex::new(None) }; MAX_CPUS]);

/// The payload with which the host's thread ends.
struct Left;

fn running() -> MutexGuard<'static, Option<Arc<Gate>>> {
    RUNNING.get().lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gate {
    fn new(runs: bool) -> Arc<Gate> {
        Arc::new(Gate {
            runs: AtomicBool::new(runs),
            turn: Mutex::new(Turn::Awaited),
            opened: Condvar::new(),
        })
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self, turn: Turn) {
        *self.turn() = turn;
        self.opened.notify_one();
    }

    /// Waits for the turn, and is that processor then; `false` if it never comes.
    fn wait(&self) -> bool {
        let mut turn = self.turn();
        loop {
            match *turn {
                Turn::Awaited => turn = self.opened.wait(turn).unwrap_or_else(PoisonError::into_inner),
                Turn::On(number) => {
                    *turn = Turn::Awaited;
                    cpu::become_processor(number);
                    return true;
                }
                Turn::Never => return false,
            }
        }
    }

    /// Takes the thread for this processor, which is about to run it.
    fn claim(self: &Arc<Gate>) {
        let claimed = self
            .runs
            .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed);
        assert!(claimed.is_ok(), "switched to a thread that runs already");
        *running() = Some(self.clone());
    }
}

/// Where a thread begins.
pub type ThreadEntry = fn(&mut UserStart);

/// What a new thread is told: where it begins, and with what.
type Beginning = (ThreadEntry, Box<UserStart>);

/// A thread of the host that waits to be told what it is.
#[derive(Debug)]
pub struct KernelStack {
    gate: Arc<Gate>,
    tell: Sender<Beginning>,
}

impl KernelStack {
    /// Starts one. Dropped, it lets that end.
    ///
    /// # Errors
    /// The host starts no more threads, or a stack was to be refused.
    pub fn take() -> Result<KernelStack, NoMemory> {
        if fault_injection::refuses_frame() {
            return Err(NoMemory);
        }
        let gate = Gate::new(false);
        let own = gate.clone();
        let (tell, told) = channel::<Beginning>();
        let body = move || {
            let Ok((entry, mut start)) = told.recv() else {
                return;
            };
            if own.wait() {
                drop(own);
                let end = std::panic::catch_unwind(AssertUnwindSafe(|| entry(&mut start)));
                match end {
                    Err(payload) if payload.is::<Left>() => {}
                    Err(payload) if payload.is::<End>() => {}
                    Err(_) => power::note(End::Panic),
                    Ok(()) => panic!("a kernel thread must not return"),
                }
            }
        };
        let started = Builder::new().name("kernel".into()).spawn(body);
        started.map(|_| KernelStack { gate, tell }).map_err(|_| NoMemory)
    }

    /// A thread that calls `entry` with what it is to begin with when it is first switched to. `entry` must never return.
    ///
    /// # Panics
    /// When the host's thread has ended.
    pub fn into_thread(
        self,
        entry: ThreadEntry,
        context: &UserContext,
        prepare: impl FnOnce(&mut UserStart),
    ) -> KernelThread {
        let mut place = Box::new_uninit();
        prepare(UserStart::fill(&mut place, context));
        // SAFETY: it was filled in.
        let start = unsafe { place.assume_init() };
        self.tell.send((entry, start)).expect("the thread waits");
        KernelThread(self.gate)
    }
}

impl KernelThread {
    /// Makes the running thread of the host a thread of the kernel: the first one of this processor.
    pub fn adopt() -> KernelThread {
        let gate = Gate::new(true);
        *running() = Some(gate.clone());
        KernelThread(gate)
    }
}

impl Drop for KernelThread {
    fn drop(&mut self) {
        assert!(
            !self.0.runs.load(Ordering::Acquire) || std::thread::panicking(),
            "a kernel thread was dropped while it runs"
        );
        self.0.open(Turn::Never);
    }
}

/// Stops the running thread, `from`, and continues `to`, which runs nowhere. Returns when somebody switches to `from` again.
///
/// # Panics
/// When `from` is not the thread that runs here, or `to` runs somewhere.
pub fn switch(from: &KernelThread, to: &KernelThread) {
    let is_here = running().as_ref().is_some_and(|gate| Arc::ptr_eq(gate, &from.0));
    assert!(is_here, "switched away from a thread that runs elsewhere");
    to.0.claim();
    let own = from.0.clone();
    let number = cpu::hand_over();
    own.runs.store(false, Ordering::Release);
    to.0.open(Turn::On(number));
    drop_out_unless(own.wait());
}

/// Does `work`. The host's stacks are long enough for everybody.
pub fn on_stack_of<R>(_first: &KernelThread, work: impl FnOnce() -> R) -> R {
    work()
}

/// Nobody's stack is ever lent.
pub fn is_on_lent_stack() -> bool {
    false
}

/// Ends the running thread and continues `to`, which runs nowhere. What is on the stack must hold nothing.
///
/// # Panics
/// When no thread runs here yet, or `to` runs somewhere.
pub fn leave(to: &KernelThread) -> ! {
    let own = running().take().expect("no thread runs here that could end");
    to.0.claim();
    let number = cpu::hand_over();
    let next = to.0.clone();
    own.runs.store(false, Ordering::Release);
    next.open(Turn::On(number));
    std::panic::resume_unwind(Box::new(Left))
}

/// A thread that nobody will ever switch to has left.
fn drop_out_unless(has_turn: bool) {
    if !has_turn {
        std::panic::resume_unwind(Box::new(Left));
    }
}

/// Frames held by stacks that no thread uses: stacks are the host's.
pub fn cached_frames() -> usize {
    0
}
