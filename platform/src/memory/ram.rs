//! Free RAM: the buddy allocator over the linear map. The heap, the kernel stacks and the kernel's tables take blocks from
//! it and give them back; the frames of processes leave it in runs, and come back only when it runs short (`mm::Frames`).
//!
//! A contiguous reserve is set apart before the first frame goes to a process. Only the kernel takes from it, when nothing
//! else is left: so programs can neither use it up nor leave it in pieces too small for the heap.

use crate::layout::{linear, linear_to_physical};
use crate::lock::{Contention, Lock};
use buddy_system_allocator::Heap;
use core::alloc::Layout;
use core::ops::Range;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use mm::{Frame, FrameRun, FrameSource, NoMemory, PAGE_SIZE, PhysAddr};

/// Block orders: up to 2^36 bytes in one block.
const ORDERS: usize = 37;
const MAX_BLOCK: usize = 1 << (ORDERS - 1);
/// The reserve is 1/32 of the RAM found at boot, rounded down to a power of two, and no more than this.
const MAX_RESERVE: usize = 32 << 20;

struct Ram {
    buddy: Heap<ORDERS>,
    reserve: Heap<ORDERS>,
    /// Addresses of the reserve; empty until it is set apart.
    reserved: Range<usize>,
}

impl Ram {
    /// After each change of what is free.
    fn note_free(&self) {
        FREE.store(free_in(&self.buddy) + free_in(&self.reserve), Ordering::Relaxed);
    }

    /// Sets the reserve apart, once: a smaller one if there is no block of that size.
    fn set_reserve_apart(&mut self) {
        if !self.reserved.is_empty() {
            return;
        }
        let wanted = (self.buddy.stats_total_bytes() / 32).clamp(PAGE_SIZE, MAX_RESERVE);
        let mut len = 1 << wanted.ilog2();
        while len >= PAGE_SIZE {
            if let Ok(block) = self.buddy.alloc(block_layout(len)) {
                let start = block.as_ptr().expose_provenance();
                // SAFETY: the block was just taken out of the other allocator, RAM in the linear map, and never goes back.
                unsafe { self.reserve.add_to_heap(start, start + len) };
                self.reserved = start..start + len;
                return;
            }
            len /= 2;
        }
    }
}

fn free_in(heap: &Heap<ORDERS>) -> usize {
    heap.stats_total_bytes() - heap.stats_alloc_actual()
}

static RAM: Lock<Ram> = Lock::new(Ram {
    buddy: Heap::new(),
    reserve: Heap::new(),
    reserved: 0..0,
});

/// Bytes that are free, for who does not take any: written under the lock of [`RAM`].
static FREE: AtomicUsize = AtomicUsize::new(0);

/// How often a block was asked for that was not there.
static REFUSED: AtomicU64 = AtomicU64::new(0);

/// Larger blocks are not counted: that they are not there says nothing of how much is free.
const MOST_COUNTED: usize = 32 << 10;

/// How often RAM was refused since boot for want of it.
pub(crate) fn refusals() -> u64 {
    REFUSED.load(Ordering::Relaxed)
}

/// Counts one that was refused.
#[cold]
pub(crate) fn note_refusal(bytes: usize) {
    if bytes <= MOST_COUNTED {
        REFUSED.fetch_add(1, Ordering::Relaxed);
    }
}

/// What waiting for the RAM has cost.
pub(crate) fn contention() -> Contention {
    RAM.contention("ram")
}

/// A block of whole frames that belongs to the holder, contents anything.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block {
    first: PhysAddr,
    layout: Layout,
}

impl Block {
    /// The block's address in the linear map.
    pub(crate) fn address(&self) -> usize {
        linear(self.first)
    }

    /// The block's physical address.
    pub(crate) fn physical(&self) -> PhysAddr {
        self.first
    }

    /// Bytes in the block.
    pub(crate) fn len(&self) -> usize {
        self.layout.size()
    }

    /// The block that was once taken with at least `bytes` and lies at `address` of the linear map.
    ///
    /// # Safety
    /// The former `Block` value must have been forgotten.
    pub(crate) unsafe fn from_address(address: usize, bytes: usize) -> Block {
        Block {
            first: linear_to_physical(address),
            layout: block_layout(bytes),
        }
    }
}

/// The power of two of whole frames that holds `bytes`, at most [`MAX_BLOCK`]. A power of two is its own alignment, which is
/// how the buddy allocator places blocks.
fn block_layout(bytes: usize) -> Layout {
    let size = bytes.clamp(PAGE_SIZE, MAX_BLOCK).next_power_of_two();
    Layout::from_size_align(size, size).expect("a power of two below 2^63 is a valid size and alignment")
}

/// A naturally aligned block of at least `bytes` (rounded up to a power of two, one frame at least).
pub(crate) fn take(bytes: usize) -> Result<Block, NoMemory> {
    if bytes > MAX_BLOCK {
        return Err(NoMemory);
    }
    let layout = block_layout(bytes);
    let mut ram = RAM.lock();
    let address = ram.buddy.alloc(layout).or_else(|()| ram.reserve.alloc(layout));
    let address = address.map_err(|()| {
        note_refusal(bytes);
        NoMemory
    })?;
    ram.note_free();
    Ok(Block {
        first: linear_to_physical(address.as_ptr().expose_provenance()),
        layout,
    })
}

/// Gives a block back.
pub(crate) fn give_back(block: Block) {
    let address = core::ptr::with_exposed_provenance_mut(block.address());
    let address = NonNull::new(address).expect("the linear map does not begin at 0");
    let mut ram = RAM.lock();
    let is_reserved = ram.reserved.contains(&block.address());
    let heap = if is_reserved {
        &mut ram.reserve
    } else {
        &mut ram.buddy
    };
    // SAFETY: a `Block` is made only by `take` (or stands for one that was), with this layout, and is consumed here; its
    // address says which of the two allocators it came from.
    unsafe { heap.dealloc(address, block.layout) }
    ram.note_free();
}

/// Hands a range of physical addresses to the allocator; only whole pages of it are used.
///
/// # Safety
/// It must be RAM in the linear map, writable there, used by nobody, and not be added twice.
pub(crate) unsafe fn add(range: Range<u64>) {
    let (start, end) = (linear(PhysAddr(range.start)), linear(PhysAddr(range.end)));
    let start = start.next_multiple_of(PAGE_SIZE);
    let end = end & !(PAGE_SIZE - 1);
    if start >= end {
        return;
    }
    let mut ram = RAM.lock();
    // SAFETY: the caller's promise.
    unsafe { ram.buddy.add_to_heap(start, end) };
    ram.note_free();
}

/// Bytes that no one has taken, the reserve included, as of a moment ago.
#[inline]
pub(crate) fn free_bytes() -> usize {
    FREE.load(Ordering::Relaxed)
}

/// The frames of processes, as `mm::Frames` takes them.
#[derive(Clone, Copy, Debug, Default)]
pub struct RamFrames;

impl FrameSource for RamFrames {
    fn take(&self, wanted: usize) -> Option<FrameRun> {
        let mut ram = RAM.lock();
        ram.set_reserve_apart();
        // The largest power of two that is wanted and to be had, smaller blocks if there is no such run.
        let mut len = 1 << wanted.min(MAX_BLOCK / PAGE_SIZE).checked_ilog2()?;
        loop {
            let bytes = len * PAGE_SIZE;
            if let Ok(address) = ram.buddy.alloc(block_layout(bytes)) {
                ram.note_free();
                let first = linear_to_physical(address.as_ptr().expose_provenance()).frame();
                return Some(FrameRun { first, len });
            }
            if len == 1 {
                note_refusal(bytes);
                return None;
            }
            len /= 2;
        }
    }

    /// The frames may be any part of runs that were taken: the allocator keeps no record of what it gave out together.
    fn give(&self, run: FrameRun) {
        let mut first = run.first.start().0;
        let end = first + (run.len * PAGE_SIZE) as u64;
        while first < end {
            // The largest block that is aligned to its size and fits.
            let bytes = 1
                << first
                    .trailing_zeros()
                    .min((end - first).ilog2())
                    .min(MAX_BLOCK.ilog2());
            give_back(Block {
                first: PhysAddr(first),
                layout: block_layout(bytes),
            });
            first += bytes as u64;
        }
    }

    fn spare(&self) -> usize {
        free_in(&RAM.lock().buddy) / PAGE_SIZE
    }
}

/// A zeroed frame for a kernel table.
pub(crate) fn new_table() -> Option<PhysAddr> {
    let block = take(PAGE_SIZE).ok()?;
    crate::frame::zero(Frame(block.physical().frame().0), 0, PAGE_SIZE);
    Some(block.physical())
}
