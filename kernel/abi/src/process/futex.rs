//! futex(2), set_robust_list(2); `linux/futex.h`.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What set_robust_list(2) registers (`linux/futex.h`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RobustListHead {
    /// Address of the first entry; of this head itself when the list is empty.
    pub list: u64,
    /// From an entry to its futex word.
    pub futex_offset: i64,
    /// Entry being locked or unlocked.
    pub list_op_pending: u64,
}
const _: () = assert!(size_of::<RobustListHead>() == 24);
/// Entries looked at before the list is taken to be circular.
pub const ROBUST_LIST_LIMIT: usize = 2048;

/// futex: wait while the word has that value.
pub const FUTEX_WAIT: u32 = 0;
/// futex: wake so many.
pub const FUTEX_WAKE: u32 = 1;
/// futex: wake some, move others to a second word.
pub const FUTEX_REQUEUE: u32 = 3;
/// futex: the same, if the word has that value.
pub const FUTEX_CMP_REQUEUE: u32 = 4;
/// futex: change a second word and wake.
pub const FUTEX_WAKE_OP: u32 = 5;
/// futex: lock with priority inheritance.
pub const FUTEX_LOCK_PI: u32 = 6;
/// futex: unlock with priority inheritance.
pub const FUTEX_UNLOCK_PI: u32 = 7;
/// futex: take a lock with priority inheritance if it is free.
pub const FUTEX_TRYLOCK_PI: u32 = 8;
/// futex: wait with a mask and an absolute time.
pub const FUTEX_WAIT_BITSET: u32 = 9;
/// futex: wake with a mask.
pub const FUTEX_WAKE_BITSET: u32 = 10;
/// futex: wait, and be moved to a lock with priority inheritance.
pub const FUTEX_WAIT_REQUEUE_PI: u32 = 11;
/// futex: move waiters to a lock with priority inheritance.
pub const FUTEX_CMP_REQUEUE_PI: u32 = 12;
/// futex: lock with priority inheritance, the time by a clock of choice.
pub const FUTEX_LOCK_PI2: u32 = 13;
/// futex: the word is used by one process only.
pub const FUTEX_PRIVATE_FLAG: u32 = 128;
/// futex: the time is of `CLOCK_REALTIME`.
pub const FUTEX_CLOCK_REALTIME: u32 = 256;
/// futex: the mask that matches all.
pub const FUTEX_BITSET_MATCH_ANY: u32 = 0xffff_ffff;
/// futex word: someone waits.
pub const FUTEX_WAITERS: u32 = 0x8000_0000;
/// futex word: its owner ended.
pub const FUTEX_OWNER_DIED: u32 = 0x4000_0000;
/// futex word: the bits that hold the owner.
pub const FUTEX_TID_MASK: u32 = 0x3fff_ffff;

/// futex, `FUTEX_WAKE_OP`: the word becomes the argument.
pub const FUTEX_OP_SET: u32 = 0;
/// futex, `FUTEX_WAKE_OP`: the argument is added.
pub const FUTEX_OP_ADD: u32 = 1;
/// futex, `FUTEX_WAKE_OP`: or.
pub const FUTEX_OP_OR: u32 = 2;
/// futex, `FUTEX_WAKE_OP`: and not.
pub const FUTEX_OP_ANDN: u32 = 3;
/// futex, `FUTEX_WAKE_OP`: exclusive or.
pub const FUTEX_OP_XOR: u32 = 4;
/// futex, `FUTEX_WAKE_OP`: the argument is 1 shifted left by it.
pub const FUTEX_OP_OPARG_SHIFT: u32 = 8;
/// futex, `FUTEX_WAKE_OP`: wake at the second word if the old value is equal.
pub const FUTEX_OP_CMP_EQ: u32 = 0;
/// futex, `FUTEX_WAKE_OP`: not equal.
pub const FUTEX_OP_CMP_NE: u32 = 1;
/// futex, `FUTEX_WAKE_OP`: less.
pub const FUTEX_OP_CMP_LT: u32 = 2;
/// futex, `FUTEX_WAKE_OP`: less or equal.
pub const FUTEX_OP_CMP_LE: u32 = 3;
/// futex, `FUTEX_WAKE_OP`: greater.
pub const FUTEX_OP_CMP_GT: u32 = 4;
/// futex, `FUTEX_WAKE_OP`: greater or equal.
pub const FUTEX_OP_CMP_GE: u32 = 5;

/// One word of futex_waitv(2) (`linux/futex.h`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct FutexWaitv {
    /// The value that the word must have.
    pub val: u64,
    /// Its address.
    pub uaddr: u64,
    /// [`FUTEX_32`], perhaps [`FUTEX_PRIVATE_FLAG`].
    pub flags: u32,
    /// 0.
    pub reserved: u32,
}
const _: () = assert!(size_of::<FutexWaitv>() == 24);
/// futex_waitv: the word has 32 bits.
pub const FUTEX_32: u32 = 2;
/// futex_waitv: words at most.
pub const FUTEX_WAITV_MAX: usize = 128;
