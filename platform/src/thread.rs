//! Kernel threads: a stack, and the registers that a callee must keep, on it. [`switch`] is a function call that returns on
//! another stack.

use crate::cpu;
use crate::memory::stacks::{self, Stack};
use crate::user::{UserContext, UserStart};
use aarch64_cpu::registers::{Readable, SP};
use alloc::boxed::Box;
use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
pub use mm::NoMemory;
pub use stacks::cached_frames;

unsafe extern "C" {
    fn switch_stacks(from: *mut usize, to: *const usize, from_runs: *const AtomicBool);
    fn thread_start();
    fn call_on_stack(function: *const (), argument: *mut (), stack_pointer: usize);
}

/// Where a thread begins: with what lies at the base of its stack.
pub type ThreadEntry = fn(&mut UserStart);

/// What `switch_stacks` keeps on the stack of a thread that does not run (arch/vectors.s).
#[repr(C)]
struct SavedRegisters {
    frame_pointer: usize,
    return_to: usize,
    x19: usize,
    x20: usize,
    rest: [usize; 8],
}

/// A thread of the kernel. It must not be dropped while it runs.
#[derive(Debug)]
pub struct KernelThread {
    /// None for the stack that a processor started on.
    stack: Option<Stack>,
    /// While it does not run: where its registers are.
    stack_pointer: UnsafeCell<usize>,
    /// At the base of the stack, which stays mapped as long as this: [`cpu::running`] points to it.
    runs: &'static AtomicBool,
}

/// What lies at the base of a thread's stack.
#[repr(C, align(16))]
struct StackBase {
    start: MaybeUninit<UserStart>,
    runs: AtomicBool,
}

/// A kernel stack for a thread that is being made.
#[derive(Debug)]
pub struct KernelStack(Option<Stack>);

impl KernelStack {
    /// Takes one.
    ///
    /// # Errors
    /// No memory for it.
    pub fn take() -> Result<KernelStack, NoMemory> {
        Stack::take().map(|stack| KernelStack(Some(stack)))
    }

    /// A thread that calls `entry` with what it is to begin with when it is first switched to: registers `context`, and those that
    /// `prepare` sets. `entry` must never return: the last thing that it does is to switch away for good.
    ///
    /// # Panics
    /// Never: a stack is used up by this alone.
    #[inline(always)]
    pub fn into_thread(
        mut self,
        entry: ThreadEntry,
        context: &UserContext,
        prepare: impl FnOnce(&mut UserStart),
    ) -> KernelThread {
        let stack = self.0.take().expect("a stack is used up by this alone");
        let base = ptr::with_exposed_provenance_mut::<StackBase>(stack.range().end).wrapping_sub(1);
        let saved = base.cast::<SavedRegisters>().wrapping_sub(1);
        let first = SavedRegisters {
            frame_pointer: 0,
            return_to: (thread_start as *const ()).addr(),
            x19: (entry as *const ()).addr(),
            x20: base.expose_provenance(),
            rest: [0; 8],
        };
        // SAFETY: the top of a mapped stack that belongs to nobody else, 16-byte aligned: both sizes are multiples of 16.
        // `runs` is read by nobody when the stack is given back, which is when its `KernelThread` is dropped.
        let runs = unsafe {
            prepare(UserStart::fill(&mut (*base).start, context));
            (&raw mut (*base).runs).write(AtomicBool::new(false));
            saved.write(first);
            &(*base).runs
        };
        KernelThread {
            stack: Some(stack),
            stack_pointer: UnsafeCell::new(saved.addr()),
            runs,
        }
    }
}

impl Drop for KernelStack {
    fn drop(&mut self) {
        if let Some(stack) = self.0.take() {
            stacks::give_back(stack);
        }
    }
}

// SAFETY: `stack_pointer` is written by `switch_stacks` while `runs` is set, by the one processor that the thread runs on, and
// read by the one processor that then set `runs` (a compare-and-exchange with acquire order, against the release store that
// clears it).
unsafe impl Sync for KernelThread {}

impl KernelThread {
    /// Makes the boot stack of this processor a thread: its first one, which stays on it.
    ///
    /// # Panics
    /// On any other stack.
    pub fn adopt() -> KernelThread {
        assert!(
            cpu::boot_stack().contains(&(SP.get() as usize)),
            "a processor's first thread is on the stack that it booted on"
        );
        let thread = KernelThread {
            stack: None,
            stack_pointer: UnsafeCell::new(0),
            runs: Box::leak(Box::new(AtomicBool::new(true))),
        };
        cpu::running().store(thread.runs(), Ordering::Relaxed);
        cpu::first().store(thread.runs(), Ordering::Relaxed);
        thread
    }

    /// Takes the thread for this processor, whose [`cpu::running`] is `running` and which is about to run it.
    #[inline]
    fn claim(&self, running: &AtomicPtr<AtomicBool>) {
        let claimed = self
            .runs
            .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed);
        assert!(claimed.is_ok(), "switched to a thread that runs already");
        running.store(self.runs(), Ordering::Relaxed);
    }

    /// What [`cpu::running`] says while it runs.
    #[inline]
    fn runs(&self) -> *mut AtomicBool {
        ptr::from_ref(self.runs).cast_mut()
    }
}

impl Drop for KernelThread {
    fn drop(&mut self) {
        assert!(
            !self.runs.load(Ordering::Acquire),
            "a kernel thread was dropped while it runs"
        );
        if let Some(stack) = self.stack.take() {
            stacks::give_back(stack);
        }
    }
}

/// Stops the running thread, `from`, and continues `to`, which runs nowhere. Returns when somebody switches to `from` again.
/// The caller sees to the registers of the program (`UserRegisters`) and to its address space.
///
/// # Panics
/// When `from` is not the thread that runs here, or `to` runs somewhere.
pub fn switch(from: &KernelThread, to: &KernelThread) {
    // The processor is the same up to the switch: it is asked for once.
    let running = cpu::running();
    let from_runs = from.runs();
    assert!(
        ptr::eq(running.load(Ordering::Relaxed), from_runs),
        "switched away from a thread that runs elsewhere"
    );
    to.claim(running);
    // SAFETY: `from` runs here, so this processor alone writes its stack pointer; `to` was claimed, so its stack pointer is
    // the one that was stored when it stopped (or by `new`), with the registers there, and its stack is nobody's. The
    // routine clears `from.runs` only when it has done with that stack.
    unsafe { switch_stacks(from.stack_pointer.get(), to.stack_pointer.get(), from_runs) }
}

/// What is done on another stack, and what it answers.
struct Call<W, R> {
    work: Option<W>,
    answer: Option<R>,
}

extern "C" fn perform<W: FnOnce() -> R, R>(call: &mut Call<W, R>) {
    call.answer = call.work.take().map(|work| work());
}

/// Does `work` on the stack of `first`, this processor's first thread, which rests meanwhile: whoever an interrupt stops may have
/// little left of its own stack. On `first` itself, or where it was lent already, it is simply done.
///
/// # Panics
/// When `work` switches to another thread. When `first` is another processor's.
pub fn on_stack_of<W: FnOnce() -> R, R>(first: &KernelThread, work: W) -> R {
    let running = cpu::running();
    let interrupted = running.load(Ordering::Relaxed);
    if interrupted.is_null() || ptr::eq(interrupted, first.runs()) {
        return work();
    }
    assert!(
        ptr::eq(cpu::first().load(Ordering::Relaxed), first.runs()),
        "a processor's first thread lends its stack to that processor alone"
    );
    // SAFETY: `first` is this processor's (the assertion) and does not run, so its place was written when it stopped, by this
    // processor, which alone continues it and writes there again.
    let rests_at = unsafe { first.stack_pointer.get().read() };
    let mut call = Call {
        work: Some(work),
        answer: None,
    };
    // Nobody runs: who wants to switch away is stopped.
    running.store(ptr::null_mut(), Ordering::Relaxed);
    let function: extern "C" fn(&mut Call<W, R>) = perform;
    // SAFETY: below where `first` rests its stack holds nothing, and nobody continues it before the work is done: only this
    // processor would, by `switch` or `leave`, which look at `running`. The function takes the pointer that it is given.
    unsafe { call_on_stack(function as *const (), (&raw mut call).cast(), rests_at) }
    running.store(interrupted, Ordering::Relaxed);
    call.answer.expect("the work was done")
}

/// Whether this is a part of some work on the stack of this processor's first thread, which must not switch away.
#[inline]
pub fn is_on_lent_stack() -> bool {
    cpu::running().load(Ordering::Relaxed).is_null()
}

/// Ends the running thread and continues `to`, which runs nowhere. What is on the stack is lost, not dropped: it must hold
/// nothing. From then on the thread counts as not running, so that whoever owns its [`KernelThread`] may drop it.
///
/// # Panics
/// When no thread runs here yet, or `to` runs somewhere.
pub fn leave(to: &KernelThread) -> ! {
    let running = cpu::running();
    let runs = running.load(Ordering::Relaxed);
    assert!(!runs.is_null(), "no thread runs here that could end");
    to.claim(running);
    let mut lost = 0;
    // SAFETY: `to` as in `switch`. `runs` belongs to the thread that runs here, so its `KernelThread` was not dropped, and the
    // flag's place is still its own. `lost` lies on this stack, which is still ours when it is written.
    unsafe { switch_stacks(&mut lost, to.stack_pointer.get(), runs) }
    unreachable!("nobody has the stack pointer of a thread that left")
}
