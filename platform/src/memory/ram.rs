//! Free RAM: the buddy allocator over the linear map. The heap, the kernel stacks and the kernel's tables take blocks from
//! it and give them back; the frames of processes leave it in runs, and come back only when it runs short (`mm::Frames`).

use crate::layout::{linear, linear_to_physical};
use buddy_system_allocator::Heap;
use core::alloc::Layout;
use core::ops::Range;
use core::ptr::NonNull;
use mm::{Frame, FrameRun, FrameSource, NoMemory, PAGE_SIZE, PhysAddr};
use spin::Mutex;

/// Block orders: up to 2^36 bytes in one block.
const ORDERS: usize = 37;
const MAX_BLOCK: usize = 1 << (ORDERS - 1);
/// Of the RAM found at boot, 1/32 (and no more than this) is not given to processes while the kernel may need it.
const MAX_RESERVE: usize = 32 << 20;

struct Ram {
    buddy: Heap<ORDERS>,
    reserve: usize,
}

impl Ram {
    /// Bytes that no one has taken.
    fn free(&self) -> usize {
        self.buddy.stats_total_bytes() - self.buddy.stats_alloc_actual()
    }
}

static RAM: Mutex<Ram> = Mutex::new(Ram {
    buddy: Heap::new(),
    reserve: 0,
});

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
    let address = RAM.lock().buddy.alloc(layout).map_err(|()| NoMemory)?;
    Ok(Block {
        first: linear_to_physical(address.as_ptr().expose_provenance()),
        layout,
    })
}

/// Gives a block back.
pub(crate) fn give_back(block: Block) {
    let address = core::ptr::with_exposed_provenance_mut(block.address());
    let address = NonNull::new(address).expect("the linear map does not begin at 0");
    // SAFETY: a `Block` is made only by `take` (or stands for one that was), with this layout, and is consumed here.
    unsafe { RAM.lock().buddy.dealloc(address, block.layout) }
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
    ram.reserve = (ram.buddy.stats_total_bytes() / 32).min(MAX_RESERVE);
}

/// Bytes that no one has taken.
pub(crate) fn free_bytes() -> usize {
    RAM.lock().free()
}

/// The frames of processes, as `mm::Frames` takes them.
#[derive(Clone, Copy, Debug, Default)]
pub struct RamFrames;

impl FrameSource for RamFrames {
    fn take(&self, wanted: usize) -> Option<FrameRun> {
        let mut ram = RAM.lock();
        let free = ram.free();
        // The largest power of two that is wanted and to be had, smaller blocks if there is no such run.
        let mut len = 1 << wanted.min(MAX_BLOCK / PAGE_SIZE).checked_ilog2()?;
        loop {
            let bytes = len * PAGE_SIZE;
            if free >= ram.reserve.saturating_add(bytes)
                && let Ok(address) = ram.buddy.alloc(block_layout(bytes))
            {
                let first = linear_to_physical(address.as_ptr().expose_provenance()).frame();
                return Some(FrameRun { first, len });
            }
            len = if len > 1 { len / 2 } else { return None };
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
        let ram = RAM.lock();
        ram.free().saturating_sub(ram.reserve) / PAGE_SIZE
    }
}

/// A zeroed frame for a kernel table.
pub(crate) fn new_table() -> Option<PhysAddr> {
    let block = take(PAGE_SIZE).ok()?;
    crate::frame::zero(Frame(block.physical().frame().0), 0, PAGE_SIZE);
    Some(block.physical())
}
