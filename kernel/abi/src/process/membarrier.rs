//! membarrier(2); `linux/membarrier.h`.

/// membarrier: which commands there are.
pub const MEMBARRIER_CMD_QUERY: u32 = 0;
/// membarrier: every running thread passes a memory barrier.
pub const MEMBARRIER_CMD_GLOBAL: u32 = 1 << 0;
/// membarrier: every running thread of a registered process does, soon.
pub const MEMBARRIER_CMD_GLOBAL_EXPEDITED: u32 = 1 << 1;
/// membarrier: registers for it.
pub const MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED: u32 = 1 << 2;
/// membarrier: every running thread of the caller's process does, soon.
pub const MEMBARRIER_CMD_PRIVATE_EXPEDITED: u32 = 1 << 3;
/// membarrier: registers for it.
pub const MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED: u32 = 1 << 4;
/// membarrier: and synchronises its context, so that it fetches instructions anew.
pub const MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE: u32 = 1 << 5;
/// membarrier: registers for it.
pub const MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE: u32 = 1 << 6;
/// membarrier: and leaves the sequence that is to begin anew, if it is in one (rseq(2)).
pub const MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ: u32 = 1 << 7;
/// membarrier: registers for it.
pub const MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ: u32 = 1 << 8;
/// membarrier: for what it registered.
pub const MEMBARRIER_CMD_GET_REGISTRATIONS: u32 = 1 << 9;
/// membarrier: a flag: on one processor alone.
pub const MEMBARRIER_CMD_FLAG_CPU: u32 = 1 << 0;
