//! Kernel threads: a stack, and the registers that a callee must keep, on it. [`switch`] is a function call that returns on
//! another stack.

use crate::cpu;
use crate::memory::stacks::{self, Stack};
use aarch64_cpu::registers::{Readable, SP};
use alloc::boxed::Box;
use core::cell::UnsafeCell;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
pub use mm::NoMemory;
pub use stacks::cached_frames;

unsafe extern "C" {
    fn switch_stacks(from: *mut usize, to: *const usize, from_runs: *const AtomicBool);
    fn thread_start();
}

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
    /// In a place of its own, which stays where it is while the thread runs: [`cpu::running`] points to it.
    runs: Box<AtomicBool>,
}

// SAFETY: `stack_pointer` is written by `switch_stacks` while `runs` is set, by the one processor that the thread runs on, and
// read by the one processor that then set `runs` (a compare-and-exchange with acquire order, against the release store that
// clears it).
unsafe impl Sync for KernelThread {}

impl KernelThread {
    /// A thread that calls `entry(argument)` when it is first switched to. `entry` must never return: the last thing that
    /// it does is to switch away for good.
    ///
    /// # Errors
    /// No memory for a stack.
    pub fn new(entry: fn(usize), argument: usize) -> Result<KernelThread, NoMemory> {
        // First: a stack that was taken is given back by its thread only.
        let runs = Box::try_new(AtomicBool::new(false)).map_err(|_| NoMemory)?;
        let stack = Stack::take()?;
        let at = stack.range().end - size_of::<SavedRegisters>();
        let first = SavedRegisters {
            frame_pointer: 0,
            return_to: (thread_start as *const ()).addr(),
            x19: (entry as *const ()).addr(),
            x20: argument,
            rest: [0; 8],
        };
        // SAFETY: the top of a mapped stack that belongs to nobody else, 16-byte aligned.
        unsafe { core::ptr::with_exposed_provenance_mut::<SavedRegisters>(at).write(first) }
        Ok(KernelThread {
            stack: Some(stack),
            stack_pointer: UnsafeCell::new(at),
            runs,
        })
    }

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
            runs: Box::new(AtomicBool::new(true)),
        };
        cpu::running().store(thread.runs(), Ordering::Relaxed);
        thread
    }

    /// Takes the thread for this processor, whose [`cpu::running`] is `running` and which is about to run it.
    #[inline]
    fn claim(&self, running: &AtomicPtr<AtomicBool>) {
        let runs = &*self.runs;
        let claimed = runs.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed);
        assert!(claimed.is_ok(), "switched to a thread that runs already");
        running.store(ptr::from_ref(runs).cast_mut(), Ordering::Relaxed);
    }

    /// What [`cpu::running`] says while it runs.
    #[inline]
    fn runs(&self) -> *mut AtomicBool {
        ptr::from_ref(&*self.runs).cast_mut()
    }
}

impl Drop for KernelThread {
    fn drop(&mut self) {
        assert!(!*self.runs.get_mut(), "a kernel thread was dropped while it runs");
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
    // flag is in a place of its own. `lost` lies on this stack, which is still ours when it is written.
    unsafe { switch_stacks(&mut lost, to.stack_pointer.get(), runs) }
    unreachable!("nobody has the stack pointer of a thread that left")
}
