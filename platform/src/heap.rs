//! The kernel's heap. Small objects come from a two-level segregated-fit pool (constant time), which grows by arenas taken
//! from the buddy allocator and kept; each processor has some of the smallest at hand. Large ones are blocks of their own and
//! go back when freed.

mod grow;
mod magazines;

pub use grow::{
    ArcPlace, fill_within_capacity, push_within_capacity, try_boxed_bytes, try_boxed_with, try_extend,
    try_push,
};

use crate::cpu::{MAX_CPUS, PerCpu};
use crate::fault_injection;
use crate::lock::{Contention, Lock};
use crate::memory::{ram, zero_frame_bytes};
use core::alloc::{GlobalAlloc, Layout};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};
use mm::PAGE_SIZE;
use rlsf::Tlsf;

/// From this size on an object is a block of its own.
const LARGE: usize = 16 << 10;
/// The pool grows by this much.
const ARENA: usize = 64 << 10;

/// Small objects.
struct Pool {
    /// Size classes: powers of two from 32 bytes up to [`ARENA`], each in 16 steps.
    objects: Tlsf<'static, u16, u16, 12, 16>,
}

/// Under it the pool may grow: from [`ram`].
static POOL: Lock<Pool> = Lock::new(Pool { objects: Tlsf::new() });
/// What each processor has allocated, less what it has freed; some of that was another's, so that only the sum says something.
static USED: PerCpu<AtomicUsize> = PerCpu::new([const { AtomicUsize::new(0) }; MAX_CPUS]);
static ARENAS: AtomicUsize = AtomicUsize::new(0);

/// What waiting for the pool has cost.
pub(crate) fn contention() -> Contention {
    POOL.contention("heap")
}

/// Bytes in objects that are alive, as they were asked for.
pub fn used_bytes() -> usize {
    let parts = USED.all().iter().map(|used| used.load(Ordering::Relaxed));
    parts.fold(0, usize::wrapping_add)
}

/// Adds to this processor's part of [`USED`], which no other one writes; wrapping.
#[inline]
fn count(bytes: usize) {
    let used = USED.get();
    used.store(
        used.load(Ordering::Relaxed).wrapping_add(bytes),
        Ordering::Relaxed,
    );
}

/// Bytes of RAM that the heap holds.
pub fn arena_bytes() -> usize {
    ARENAS.load(Ordering::Relaxed)
}

/// The global allocator, to be declared by the kernel. All values of it are the one heap.
#[derive(Clone, Copy, Debug, Default)]
pub struct KernelHeap;

impl KernelHeap {
    /// The heap; it has room as soon as `main` is called.
    pub const fn new() -> KernelHeap {
        KernelHeap
    }
}

fn is_large(layout: Layout) -> bool {
    layout.size() >= LARGE || layout.align() >= LARGE
}

fn allocate_large(layout: Layout) -> Option<NonNull<u8>> {
    let block = ram::take(layout.size().max(layout.align())).ok()?;
    ARENAS.fetch_add(block.len(), Ordering::Relaxed);
    NonNull::new(core::ptr::with_exposed_provenance_mut(block.address()))
}

/// # Safety
/// `object` came from [`allocate_large`] with this layout and is not used any more.
unsafe fn free_large(object: *mut u8, layout: Layout) {
    // SAFETY: `allocate_large` forgot the block that it took with these very arguments.
    let block =
        unsafe { ram::Block::from_address(object.expose_provenance(), layout.size().max(layout.align())) };
    ARENAS.fetch_sub(block.len(), Ordering::Relaxed);
    ram::give_back(block);
}

/// Zeros the frames of a block that hold its first `len` bytes, by DC ZVA where there is one: a third of what stores take.
///
/// # Safety
/// The block is RAM in the linear map, of whole frames, has as many bytes, and nobody else uses it.
unsafe fn zero_frames(block: *mut u8, len: usize) {
    for at in (0..len).step_by(PAGE_SIZE) {
        // SAFETY: a frame of the block (contract): 4 KiB aligned, Normal memory.
        unsafe { zero_frame_bytes(block.add(at)) }
    }
}

impl Pool {
    /// An object, from a new arena if there is no room.
    fn allocate(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        if let Some(object) = self.allocate_within(layout) {
            return Some(object);
        }
        let arena = ram::take(ARENA).ok()?;
        let start = NonNull::new(core::ptr::with_exposed_provenance_mut::<u8>(arena.address()))?;
        ARENAS.fetch_add(arena.len(), Ordering::Relaxed);
        let arena = NonNull::slice_from_raw_parts(start, arena.len());
        // SAFETY: the block is RAM in the linear map, belongs to nobody else, and is never given back.
        unsafe { self.objects.insert_free_block_ptr(arena) };
        self.allocate_within(layout)
    }

    /// An object, if there is room.
    fn allocate_within(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        self.objects.allocate(layout)
    }

    /// Takes an object back.
    ///
    /// # Safety
    /// It is one of the pool's, allocated with this alignment, and not used any more.
    unsafe fn free(&mut self, object: NonNull<u8>, align: usize) {
        // SAFETY: the caller's promise.
        unsafe { self.objects.deallocate(object, align) }
    }
}

// SAFETY: objects come from blocks that the buddy allocator gave to the heap alone: large ones are such a block, at least
// as large and as aligned as asked for; small ones are the pool's, which keeps them apart and aligned (contract of `rlsf`), or a
// free one of these that is as large and as aligned.
unsafe impl GlobalAlloc for KernelHeap {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let object = if fault_injection::refuses_object() {
            None
        } else if is_large(layout) {
            allocate_large(layout)
        } else {
            magazines::allocate(layout)
        };
        let Some(object) = object else {
            return core::ptr::null_mut();
        };
        count(layout.size());
        object.as_ptr()
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is that of `alloc`.
        let object = unsafe { self.alloc(layout) };
        if object.is_null() {
            return object;
        }
        if is_large(layout) {
            // SAFETY: a large object is a block of whole frames, which nobody else has.
            unsafe { zero_frames(object, layout.size()) };
        } else {
            // SAFETY: the object has as many bytes, which nobody else has.
            unsafe { object.write_bytes(0, layout.size()) };
        }
        object
    }

    #[inline]
    unsafe fn dealloc(&self, object: *mut u8, layout: Layout) {
        count(layout.size().wrapping_neg());
        if is_large(layout) {
            // SAFETY: the caller's promise: `object` is alive and was allocated with `layout`, hence by `allocate_large`.
            unsafe { free_large(object, layout) }
        } else if let Some(object) = NonNull::new(object) {
            // SAFETY: as above, by `magazines::allocate`.
            unsafe { magazines::free(object, layout) }
        }
    }
}
