//! The heap: the host's, with an account, and with the refusals of `fault_injection`.

#[path = "../heap/grow.rs"]
mod grow;

pub use grow::{
    ArcPlace, fill_within_capacity, push_within_capacity, try_boxed_bytes, try_boxed_with, try_extend,
    try_push,
};

use crate::{cpu, fault_injection};
use core::alloc::{GlobalAlloc, Layout};
use core::sync::atomic::{AtomicUsize, Ordering};
use std::alloc::System;

/// Bytes in objects that are alive.
static USED: AtomicUsize = AtomicUsize::new(0);

/// Bytes in objects that are alive, as they were asked for; 0 where [`KernelHeap`] is not the global allocator.
pub fn used_bytes() -> usize {
    USED.load(Ordering::Relaxed)
}

/// Bytes of RAM that the heap holds: none are counted beside those in use, for they are the host's.
pub fn arena_bytes() -> usize {
    used_bytes()
}

/// The global allocator, to be declared by whoever tests what happens when there is no memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct KernelHeap;

impl KernelHeap {
    /// The heap.
    pub const fn new() -> KernelHeap {
        KernelHeap
    }
}

// SAFETY: the host's allocator, or no memory.
unsafe impl GlobalAlloc for KernelHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // A thread that is no processor does nothing of the kernel.
        if cpu::is_processor() && fault_injection::refuses_object() {
            return core::ptr::null_mut();
        }
        USED.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, object: *mut u8, layout: Layout) {
        USED.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise: it came from `alloc`.
        unsafe { System.dealloc(object, layout) }
    }
}
