//! Physical frames: who refers to each, and which are free. One [`FrameInfo`] per frame of RAM holds an atomic reference
//! count: the number of descriptors that point to the frame plus the references that the kernel holds. Free frames stand on a
//! stack threaded through the same records, refilled in runs from a [`FrameSource`] (the buddy allocator on the board).
//!
//! Orders (the counts are loom-tested in `tests/counts.rs`): an increment is relaxed, for whoever increments holds a
//! reference already; a decrement is a release, and the one that reaches 0 acquires; reading 1 under the lock of the sole
//! holder acquires, and is stable, for nobody else can take a new reference.

use crate::addr::Frame;
use crate::mmu::Mmu;
use crate::sync::{AtomicU32, Mutex, Ordering, fence};

/// There is no free frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoMemory;

/// What is known of one frame. All zeros is a frame that is not managed (reserved, or still with the [`FrameSource`]).
#[derive(Debug, Default)]
#[repr(C)]
pub struct FrameInfo {
    count: AtomicU32,
    /// Free: the number of the next free frame + 1, or 0. A table in use: see [`TableShape`].
    word: AtomicU32,
}

/// Contiguous frames, `len` of them from `first`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameRun {
    /// The lowest frame.
    pub first: Frame,
    /// How many.
    pub len: usize,
}

/// Where free frames come from in runs: the buddy allocator. Called with the free stack's lock held; must not call back.
pub trait FrameSource: Sync {
    /// Up to `wanted` contiguous frames, their contents anything; `None` when there is nothing left.
    fn take(&self, wanted: usize) -> Option<FrameRun>;
    /// Frames that the source still has.
    fn remaining(&self) -> usize;
}
