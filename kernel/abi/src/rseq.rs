//! Restartable sequences: rseq(2), `linux/rseq.h`.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// rseq(2): the registration ends.
pub const RSEQ_FLAG_UNREGISTER: u32 = 1 << 0;

/// Where a thread does not run yet, and where it is not registered.
pub const RSEQ_CPU_ID_UNINITIALIZED: u32 = u32::MAX;

/// `struct rseq`: what the kernel and one thread tell each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RseqArea {
    /// The processor, or one that there is.
    pub cpu_id_start: u32,
    /// The processor.
    pub cpu_id: u32,
    /// Address of the [`RseqSection`] that the thread may be in; 0: in none.
    pub section: u64,
    /// Must be 0.
    pub flags: u32,
    /// The node of the processor.
    pub node_id: u32,
    /// A number that no other thread of the process has while this one runs.
    pub mm_cid: u32,
    /// As the structure is aligned.
    pub padding: u32,
}

/// `struct rseq_cs`: a piece of code that is done as a whole or begun anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RseqSection {
    /// 0.
    pub version: u32,
    /// Must be 0.
    pub flags: u32,
    /// Its first instruction.
    pub start: u64,
    /// How many bytes of instructions belong to it.
    pub len: u64,
    /// Where a thread goes on that was interrupted in it; the signature stands before.
    pub abort: u64,
}
