//! What the kernel holds of RAM: the machine's one [`Memory`], whether there is room for more, and allocations that may fail
//! ([`fallible`]). For every crate above `lock`; it knows no threads.
//!
//! Out of memory: programs draw their frames through `platform::memory::RamFrames`, which stops short of the end. The
//! kernel's heap and stacks may use what it spares; calls that make the kernel hold more (fork, exec, mmap) ask [`has_room`]
//! first and fail with `ENOMEM`.
//!
//! Its locks: none of its own; those of `mm` (frame stacks, the ASID pool) and `platform` (RAM, heap) are leaves.
//!
//! Where to read on: `kernel/README.md`, Memory that may not be there; `kernel/mm/src/memory.rs`, what all spaces share.
#![warn(clippy::missing_errors_doc)]
#![cfg_attr(target_os = "none", no_std)]
#![feature(allocator_api, try_with_capacity)]
#![forbid(unsafe_code)]

extern crate alloc;

mod dumpable;
pub mod fallible;
mod future_flags;

pub use dumpable::{DumpMode, Dumpable};
pub use future_flags::FutureFlags;

use abi::Errno;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};
use mm::{Asids, Frame, FrameSource, Frames, MapError, Memory, NoMemory, PAGE_SIZE};
use platform::heap;
use platform::memory::{BoardMmu, RamFrames};
use spin::Once;

/// Free bytes without which the kernel takes on no new obligations: they are for finishing old ones.
const LEAST_ROOM: usize = 1 << 20;

/// Address-space identifiers: 16 bits, which Cortex-A72 has and `platform` checks at boot.
const ASIDS: u32 = 1 << 16;
/// More numbers than there are processors, as [`Asids::new`] wants.
const FEWEST_ASIDS: u32 = mm::MAX_CPUS as u32 + 2;

/// Areas of one space from which on no more are made: /proc/sys/vm/max_map_count.
pub const MAX_MAP_COUNT: usize = 65530;

/// What tests let fail.
#[cfg(test)]
#[global_allocator]
static HEAP: heap::KernelHeap = heap::KernelHeap::new();

static MEMORY: Once<Memory<BoardMmu>> = Once::new();

/// The machine's address-space identifiers: a number for each space that runs, until `limit` of them are used up if that is fewer
/// than the machine has.
pub fn asids(limit: Option<u32>) -> Asids {
    Asids::new(limit.unwrap_or(ASIDS).clamp(FEWEST_ASIDS, ASIDS))
}

/// Sets up the one [`Memory`], whose spaces run under `asids`. Called once, at boot.
///
/// # Errors
/// [`NoMemory`]: there is not one frame.
pub fn start(asids: Asids) -> Result<(), NoMemory> {
    let (first, infos) = platform::memory::frame_infos();
    let memory = Memory::new(BoardMmu, Frames::new(first, infos, &RamFrames), asids)?;
    MEMORY.call_once(|| memory);
    Ok(())
}

/// Whether fork copies all tables at once, as it does elsewhere: only for measuring the difference.
static IS_FORK_CLASSIC: AtomicBool = AtomicBool::new(false);

/// From now on fork copies all tables.
pub fn set_fork_classic() {
    IS_FORK_CLASSIC.store(true, Ordering::Relaxed);
}

/// Whether fork copies all tables.
#[inline]
pub fn is_fork_classic() -> bool {
    IS_FORK_CLASSIC.load(Ordering::Relaxed)
}

/// Whether fork copies the page under the stack pointer at once: /proc/sys/vm/fork_copies_stack. Off, both sides fault on it.
pub static IS_STACK_COPIED_AT_FORK: AtomicBool = AtomicBool::new(true);

/// The one [`Memory`].
#[inline]
pub fn get() -> &'static Memory<BoardMmu> {
    MEMORY
        .get()
        .expect("memory::start() runs before anything asks for memory")
}

/// Whether the kernel may take on something new: not when free memory is down to the reserve, or when the kernel's heap
/// holds a quarter of all memory: it does not shrink, and programs need some, too.
///
/// # Errors
/// `ENOMEM`: it may not.
#[inline]
pub fn has_room() -> Result<(), Errno> {
    let most = platform::memory::ram_bytes() / 4;
    // What is used is within what the heap holds, which is one word and not one for each processor.
    if heap::arena_bytes() as u64 > most && heap::used_bytes() as u64 > most {
        return Err(Errno::ENOMEM);
    }
    if platform::memory::free_bytes() >= LEAST_ROOM {
        return Ok(());
    }
    find_room()
}

/// What nobody needs is given back: free frames that wait for programs, and pages that can be had again.
#[cold]
fn find_room() -> Result<(), Errno> {
    loop {
        get().frames().replenish_source(LEAST_ROOM / PAGE_SIZE);
        if platform::memory::free_bytes() >= LEAST_ROOM {
            return Ok(());
        }
        if !shrink(LEAST_ROOM / PAGE_SIZE) {
            return Err(Errno::ENOMEM);
        }
    }
}

/// What gives back pages that can be had again, as many as wanted if it can; how many: the page cache, which stands above.
static SHRINKER: Once<fn(usize) -> usize> = Once::new();

/// Frames that are asked of it at a time.
const SHRINK_FRAMES: usize = 64;

/// Says who gives pages back. Once, at boot.
pub fn register_shrinker(shrinker: fn(usize) -> usize) {
    SHRINKER.call_once(|| shrinker);
}

fn shrink(frames: usize) -> bool {
    SHRINKER.get().is_some_and(|shrinker| shrinker(frames) > 0)
}

/// What gets memory back from programs where none is left: the OOM killer, which stands above.
static OOM_KILLER: Once<fn() -> bool> = Once::new();

/// Says who gets memory back. Once, at boot.
pub fn register_oom_killer(killer: fn() -> bool) {
    OOM_KILLER.call_once(|| killer);
}

/// Gets memory back: pages that can be had again; or else from another process than that of the running thread, which may try again then; false if it is to make do
/// without. No lock may be held: the caller sleeps.
#[cold]
pub fn reclaim() -> bool {
    shrink(SHRINK_FRAMES) || OOM_KILLER.get().is_some_and(|killer| killer())
}

/// Looks for room after something was refused for want of it: whether there is some now. Pages that can be had again are given back; no
/// process has to end. No lock may be held: the caller sleeps.
#[cold]
pub fn make_room() -> bool {
    (get().frames().free_count() >= SHRINK_FRAMES || shrink(SHRINK_FRAMES)) && find_room().is_ok()
}

/// A list of `len` default values, for a length that a program chose.
///
/// # Errors
/// `ENOMEM`.
#[inline]
pub fn try_list<T: Clone + Default>(len: usize) -> Result<Vec<T>, Errno> {
    fallible::filled(len, T::default())
}

/// An empty list with room for `len` values.
///
/// # Errors
/// `ENOMEM`.
#[inline]
pub fn try_with_capacity<T>(len: usize) -> Result<Vec<T>, Errno> {
    fallible::with_room(len)
}

/// Frames that nobody uses: those ready for programs, the reserve, and stacks kept for the next thread. The heap has none of
/// them: with its arenas they are what programs and files do not hold, to the frame.
pub fn free_frames() -> usize {
    // The two are not read at one moment: other processors allocate meanwhile.
    let reserve = (platform::memory::free_bytes() / PAGE_SIZE).saturating_sub(RamFrames.spare());
    get().frames().free_count() + reserve + platform::thread::cached_frames()
}

/// What the heap has and needs no more, in whole frames: it serves new objects of the kernel, and is never given back.
pub fn unused_heap_frames() -> usize {
    heap::arena_bytes().saturating_sub(heap::used_bytes()) / PAGE_SIZE
}

/// What there is for new work: free frames, and what the heap needs no more.
pub fn available_frames() -> usize {
    free_frames() + unused_heap_frames()
}

/// One reference to a frame. Cloning takes a further reference, dropping gives it back.
#[derive(Debug)]
pub struct FrameHandle(Frame);

impl FrameHandle {
    /// A zeroed frame that nobody else refers to.
    ///
    /// # Errors
    /// [`NoMemory`]: no frame is free.
    #[inline]
    pub fn allocate() -> Result<FrameHandle, NoMemory> {
        get().frames().allocate(get().mmu()).map(FrameHandle)
    }

    /// One more reference to a frame, to which the caller has one for as long as this is made.
    pub fn one_more(frame: Frame) -> FrameHandle {
        get().frames().share(frame);
        FrameHandle(frame)
    }

    /// The reference that the caller has, and gives up.
    pub fn from_reference(frame: Frame) -> FrameHandle {
        FrameHandle(frame)
    }

    /// Whether nobody else refers to the frame: then nobody will but by this reference.
    pub fn is_only(&self) -> bool {
        get().frames().count(self.0) == 1
    }

    /// Gives the reference to the caller.
    #[inline]
    pub fn into_reference(self) -> Frame {
        let frame = self.0;
        core::mem::forget(self);
        frame
    }

    /// The frame's number; the reference stays here.
    #[inline]
    pub fn frame(&self) -> Frame {
        self.0
    }
}

impl Clone for FrameHandle {
    #[inline]
    fn clone(&self) -> FrameHandle {
        get().frames().share(self.0);
        FrameHandle(self.0)
    }
}

impl Drop for FrameHandle {
    #[inline]
    fn drop(&mut self) {
        get().frames().release(get().mmu(), self.0);
    }
}

/// What a refusal of the heart is called outside.
pub fn map_errno(error: MapError) -> Errno {
    match error {
        MapError::Invalid => Errno::EINVAL,
        MapError::NoMemory => Errno::ENOMEM,
        MapError::Exists => Errno::EEXIST,
        MapError::NotMapped => Errno::EFAULT,
    }
}
