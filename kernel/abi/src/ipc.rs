//! System V shared memory, and what it has in common with semaphores and messages: shmget(2), shmat(2), shmctl(2); `linux/ipc.h`, `linux/shm.h`, `asm-generic/ipcbuf.h`,
//! `asm-generic/shmbuf.h`.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The key of what has none.
pub const IPC_PRIVATE: i32 = 0;

flags! {
    /// How a segment is looked for: shmget(2). The lowest nine bits are rights, as those of a file.
    pub struct ShmGetFlags: u32 {
        /// Made if there is none.
        const IPC_CREAT = 0o1000;
        /// With `IPC_CREAT`: `EEXIST` if there is one.
        const IPC_EXCL = 0o2000;
        /// Of huge pages.
        const SHM_HUGETLB = 0o4000;
        /// Do not reserve swap space.
        const SHM_NORESERVE = 0o10000;
    }
}

flags! {
    /// How a segment is attached: shmat(2).
    pub struct ShmAtFlags: u32 {
        /// Only to be read.
        const SHM_RDONLY = 0o10000;
        /// At the beginning of the page in which the address lies.
        const SHM_RND = 0o20000;
        /// Over whatever is there.
        const SHM_REMAP = 0o40000;
        /// To be executed as well.
        const SHM_EXEC = 0o100000;
    }
}

flags! {
    /// How something is looked for: semget(2), msgget(2). The lowest nine bits are rights, as those of a file.
    pub struct IpcGetFlags: u32 {
        /// Made if there is none.
        const IPC_CREAT = 0o1000;
        /// With `IPC_CREAT`: `EEXIST` if there is one.
        const IPC_EXCL = 0o2000;
    }
}

/// semop, msgsnd, msgrcv: does not wait.
pub const IPC_NOWAIT: u32 = 0o4000;

/// shmctl: the segment goes when nobody has it attached.
pub const IPC_RMID: u32 = 0;
/// shmctl: another owner, other rights.
pub const IPC_SET: u32 = 1;
/// shmctl: what is known of it.
pub const IPC_STAT: u32 = 2;
/// shmctl: the limits.
pub const IPC_INFO: u32 = 3;
/// shmctl: it is not paged out.
pub const SHM_LOCK: u32 = 11;
/// shmctl: it may be paged out again.
pub const SHM_UNLOCK: u32 = 12;
/// shmctl: `IPC_STAT` of what stands at an index.
pub const SHM_STAT: u32 = 13;
/// shmctl: how much there is.
pub const SHM_INFO: u32 = 14;
/// shmctl: `SHM_STAT` for everybody.
pub const SHM_STAT_ANY: u32 = 15;

/// In the mode: it goes when nobody has it attached.
pub const SHM_DEST: u32 = 0o1000;
/// In the mode: it is not paged out.
pub const SHM_LOCKED: u32 = 0o2000;

/// The least size.
pub const SHMMIN: u64 = 1;
/// How many segments there may be.
pub const SHMMNI: usize = 4096;

/// Whose it is: `ipc64_perm`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct IpcPerm {
    /// By what it is found.
    pub key: i32,
    /// The owner.
    pub uid: u32,
    /// The owner's group.
    pub gid: u32,
    /// Who made it.
    pub cuid: u32,
    /// The group of who made it.
    pub cgid: u32,
    /// Rights, and `SHM_DEST`, `SHM_LOCKED`.
    pub mode: u32,
    /// The upper half of the identifier.
    pub seq: u16,
    /// Padding.
    pub pad: [u16; 3],
    /// Not used.
    pub unused: [u64; 2],
}
const _: () = assert!(size_of::<IpcPerm>() == 48);

/// What is known of a segment: `shmid64_ds`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ShmIdDs {
    /// Whose it is.
    pub shm_perm: IpcPerm,
    /// Its size in bytes.
    pub shm_segsz: u64,
    /// When it was attached last.
    pub shm_atime: i64,
    /// When it was detached last.
    pub shm_dtime: i64,
    /// When it was made, or changed by `IPC_SET`.
    pub shm_ctime: i64,
    /// The process that made it.
    pub shm_cpid: i32,
    /// The process that attached or detached it last.
    pub shm_lpid: i32,
    /// How often it is attached.
    pub shm_nattch: u64,
    /// Not used.
    pub unused: [u64; 2],
}
const _: () = assert!(size_of::<ShmIdDs>() == 112);

/// The limits: `shminfo64`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ShmInfo64 {
    /// The largest size.
    pub shmmax: u64,
    /// The least size.
    pub shmmin: u64,
    /// How many there may be.
    pub shmmni: u64,
    /// How many a process may attach.
    pub shmseg: u64,
    /// Pages of all together.
    pub shmall: u64,
    /// Not used.
    pub unused: [u64; 4],
}
const _: () = assert!(size_of::<ShmInfo64>() == 72);

/// How much there is: `shm_info`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ShmInfo {
    /// Segments.
    pub used_ids: i32,
    /// Padding.
    pub pad: i32,
    /// Pages of all sizes.
    pub shm_tot: u64,
    /// Pages in memory.
    pub shm_rss: u64,
    /// Pages in swap space.
    pub shm_swp: u64,
    /// Zero on Linux.
    pub swap_attempts: u64,
    /// Zero on Linux.
    pub swap_successes: u64,
}
const _: () = assert!(size_of::<ShmInfo>() == 48);
