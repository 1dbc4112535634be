//! System V semaphores: semget(2), semop(2), semctl(2); `linux/sem.h`, `asm-generic/sembuf.h`.

use super::ipc::IpcPerm;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// semop: what it did is taken back when the process ends.
pub const SEM_UNDO: u16 = 0x1000;

/// semctl: which process changed it last.
pub const GETPID: u32 = 11;
/// semctl: the value of one.
pub const GETVAL: u32 = 12;
/// semctl: the values of all.
pub const GETALL: u32 = 13;
/// semctl: how many wait for more.
pub const GETNCNT: u32 = 14;
/// semctl: how many wait for zero.
pub const GETZCNT: u32 = 15;
/// semctl: the value of one is to be another.
pub const SETVAL: u32 = 16;
/// semctl: the values of all are to be others.
pub const SETALL: u32 = 17;
/// semctl: `IPC_STAT` of what stands at an index.
pub const SEM_STAT: u32 = 18;
/// semctl: how much there is.
pub const SEM_INFO: u32 = 19;
/// semctl: `SEM_STAT` for everybody.
pub const SEM_STAT_ANY: u32 = 20;

/// How many sets there may be.
pub const SEMMNI: u32 = 32000;
/// How many semaphores a set may have.
pub const SEMMSL: u32 = 32000;
/// How many semaphores all sets may have together.
pub const SEMMNS: u32 = 1_024_000_000;
/// How many operations a call may make.
pub const SEMOPM: u32 = 500;
/// The highest value.
pub const SEMVMX: u32 = 32767;

/// One operation: `struct sembuf`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SemBuf {
    /// Which semaphore.
    pub sem_num: u16,
    /// What is added; 0: it is to be zero.
    pub sem_op: i16,
    /// `IPC_NOWAIT`, `SEM_UNDO`.
    pub sem_flg: u16,
}

/// What is known of a set: `semid64_ds`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SemIdDs {
    /// Whose it is.
    pub sem_perm: IpcPerm,
    /// When semop(2) changed it last.
    pub sem_otime: i64,
    /// When it was made, or changed by semctl(2).
    pub sem_ctime: i64,
    /// How many semaphores it has.
    pub sem_nsems: u64,
    /// Not used.
    pub unused: [u64; 2],
}
const _: () = assert!(size_of::<SemIdDs>() == 88);

/// The limits, or how much there is: `struct seminfo`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SemInfo {
    /// Not used.
    pub semmap: u32,
    /// Sets.
    pub semmni: u32,
    /// Semaphores of all sets.
    pub semmns: u32,
    /// Not used.
    pub semmnu: u32,
    /// Semaphores of a set.
    pub semmsl: u32,
    /// Operations of a call.
    pub semopm: u32,
    /// Not used.
    pub semume: u32,
    /// `SEM_INFO`: sets that there are.
    pub semusz: u32,
    /// The highest value.
    pub semvmx: u32,
    /// The most that is taken back; `SEM_INFO`: semaphores that there are.
    pub semaem: u32,
}
