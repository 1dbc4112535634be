//! The kernel's heap. Small objects come from a two-level segregated-fit pool (constant time), which grows by arenas taken
//! from the buddy allocator and kept; large ones are blocks of their own and go back when freed.

use crate::lock::{Contention, Lock};
use crate::memory::ram;
use core::alloc::{GlobalAlloc, Layout};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};
use rlsf::Tlsf;

/// From this size on an object is a block of its own.
const LARGE: usize = 16 << 10;
/// The pool grows by this much.
const ARENA: usize = 64 << 10;

/// Size classes: powers of two from 32 bytes up to [`ARENA`], each in 16 steps.
type Pool = Tlsf<'static, u16, u16, 12, 16>;

/// Under it the pool may grow: from [`ram`].
static POOL: Lock<Pool> = Lock::new(Pool::new());
static USED: AtomicUsize = AtomicUsize::new(0);
static ARENAS: AtomicUsize = AtomicUsize::new(0);

/// What waiting for the pool has cost.
pub(crate) fn contention() -> Contention {
    POOL.contention("heap")
}

/// Bytes in objects that are alive, as they were asked for.
pub fn used_bytes() -> usize {
    USED.load(Ordering::Relaxed)
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

fn allocate_small(layout: Layout) -> Option<NonNull<u8>> {
    let mut pool = POOL.lock();
    if let Some(object) = pool.allocate(layout) {
        return Some(object);
    }
    let arena = ram::take(ARENA).ok()?;
    let start = NonNull::new(core::ptr::with_exposed_provenance_mut::<u8>(arena.address()))?;
    ARENAS.fetch_add(arena.len(), Ordering::Relaxed);
    // SAFETY: the block is RAM in the linear map, belongs to nobody else, and is never given back.
    unsafe { pool.insert_free_block_ptr(NonNull::slice_from_raw_parts(start, arena.len())) };
    pool.allocate(layout)
}

// SAFETY: objects come from blocks that the buddy allocator gave to the heap alone: large ones are such a block, at least
// as large and as aligned as asked for; small ones are the pool's, which keeps them apart and aligned (contract of `rlsf`).
unsafe impl GlobalAlloc for KernelHeap {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let object = if is_large(layout) {
            allocate_large(layout)
        } else {
            allocate_small(layout)
        };
        let Some(object) = object else {
            return core::ptr::null_mut();
        };
        USED.fetch_add(layout.size(), Ordering::Relaxed);
        object.as_ptr()
    }

    #[inline]
    unsafe fn dealloc(&self, object: *mut u8, layout: Layout) {
        USED.fetch_sub(layout.size(), Ordering::Relaxed);
        if is_large(layout) {
            // SAFETY: the caller's promise: `object` is alive and was allocated with `layout`, hence by `allocate_large`.
            unsafe { free_large(object, layout) }
        } else if let Some(object) = NonNull::new(object) {
            // SAFETY: as above, by the pool, with this alignment.
            unsafe { POOL.lock().deallocate(object, layout.align()) }
        }
    }
}
