//! Processes: getrusage(2), prlimit(2), uname(2), times(2), sysinfo(2), prctl(2), sched(7); and by theme, all found here
//! too: [`clone`], [`wait`], [`auxv`], [`futex`], [`membarrier`].

pub mod auxv;
pub mod clone;
pub mod futex;
pub mod membarrier;
pub mod wait;

pub use auxv::*;
pub use clone::*;
pub use futex::*;
pub use membarrier::*;
pub use wait::*;

use crate::time::TimeVal;
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

/// The id of a process or thread: both are of one space, the first thread has its process's.
pub type Pid = u32;

/// Resources used: getrusage(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RUsage {
    /// Time at EL0.
    pub utime: TimeVal,
    /// Time in the kernel.
    pub stime: TimeVal,
    /// Largest resident set, in KiB.
    pub maxrss: i64,
    /// Zero on Linux.
    pub ixrss: i64,
    /// Zero on Linux.
    pub idrss: i64,
    /// Zero on Linux.
    pub isrss: i64,
    /// Faults served without input.
    pub minflt: i64,
    /// Faults that needed input.
    pub majflt: i64,
    /// Zero on Linux.
    pub nswap: i64,
    /// Block inputs.
    pub inblock: i64,
    /// Block outputs.
    pub oublock: i64,
    /// Zero on Linux.
    pub msgsnd: i64,
    /// Zero on Linux.
    pub msgrcv: i64,
    /// Zero on Linux.
    pub nsignals: i64,
    /// Switches because it waited.
    pub nvcsw: i64,
    /// Switches because its time was over.
    pub nivcsw: i64,
}
const _: () = assert!(size_of::<RUsage>() == 144);

/// getrusage: this process.
pub const RUSAGE_SELF: i32 = 0;
/// getrusage: children that were waited for.
pub const RUSAGE_CHILDREN: i32 = -1;
/// getrusage: this thread.
pub const RUSAGE_THREAD: i32 = 1;

/// A limit: getrlimit(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RLimit {
    /// The limit in force.
    pub cur: u64,
    /// The highest that `cur` may be set to.
    pub max: u64,
}
const _: () = assert!(size_of::<RLimit>() == 16);

/// No limit.
pub const RLIM64_INFINITY: u64 = u64::MAX;
/// Limit: processor time in seconds.
pub const RLIMIT_CPU: usize = 0;
/// Limit: length of a file.
pub const RLIMIT_FSIZE: usize = 1;
/// Limit: data segment.
pub const RLIMIT_DATA: usize = 2;
/// Limit: stack.
pub const RLIMIT_STACK: usize = 3;
/// Limit: core dump.
pub const RLIMIT_CORE: usize = 4;
/// Limit: resident set.
pub const RLIMIT_RSS: usize = 5;
/// Limit: processes of the user.
pub const RLIMIT_NPROC: usize = 6;
/// Limit: descriptors.
pub const RLIMIT_NOFILE: usize = 7;
/// Limit: locked memory.
pub const RLIMIT_MEMLOCK: usize = 8;
/// Limit: address space.
pub const RLIMIT_AS: usize = 9;
/// Limit: file locks.
pub const RLIMIT_LOCKS: usize = 10;
/// Limit: waiting signals.
pub const RLIMIT_SIGPENDING: usize = 11;
/// Limit: bytes in message queues.
pub const RLIMIT_MSGQUEUE: usize = 12;
/// Limit: nice value.
pub const RLIMIT_NICE: usize = 13;
/// Limit: real-time priority.
pub const RLIMIT_RTPRIO: usize = 14;
/// Limit: real-time processor time.
pub const RLIMIT_RTTIME: usize = 15;
/// How many limits there are.
pub const RLIM_NLIMITS: usize = 16;

/// uname(2): six strings of at most 64 bytes and a NUL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct UtsName {
    /// Kernel name.
    pub sysname: [u8; 65],
    /// Host name.
    pub nodename: [u8; 65],
    /// Kernel version, "6.1.0" for example: glibc refuses to run on one that is too old.
    pub release: [u8; 65],
    /// Build.
    pub version: [u8; 65],
    /// Machine, "aarch64".
    pub machine: [u8; 65],
    /// NIS domain, "(none)".
    pub domainname: [u8; 65],
}
const _: () = assert!(size_of::<UtsName>() == 390);

impl Default for UtsName {
    fn default() -> UtsName {
        UtsName::new_zeroed()
    }
}

impl UtsName {
    /// A field with that text, cut to 64 bytes.
    pub fn field(text: &str) -> [u8; 65] {
        let mut field = [0; 65];
        let len = text.len().min(64);
        field[..len].copy_from_slice(&text.as_bytes()[..len]);
        field
    }
}

/// times(2), in units of 1/`USER_HZ` second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Tms {
    /// Time at EL0.
    pub utime: i64,
    /// Time in the kernel.
    pub stime: i64,
    /// Time at EL0 of children that were waited for.
    pub cutime: i64,
    /// Time in the kernel of children that were waited for.
    pub cstime: i64,
}
const _: () = assert!(size_of::<Tms>() == 32);

/// sysinfo(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SysInfo {
    /// Seconds since boot.
    pub uptime: i64,
    /// Load over 1, 5, 15 minutes, in 1/65536.
    pub loads: [u64; 3],
    /// Memory in all, in units of `mem_unit`, as all that follow.
    pub totalram: u64,
    /// Free memory.
    pub freeram: u64,
    /// Shared memory.
    pub sharedram: u64,
    /// Buffers.
    pub bufferram: u64,
    /// Swap space.
    pub totalswap: u64,
    /// Free swap space.
    pub freeswap: u64,
    /// Number of processes.
    pub procs: u16,
    /// Zero.
    pub pad: [u16; 3],
    /// Zero on 64 bit.
    pub totalhigh: u64,
    /// Zero on 64 bit.
    pub freehigh: u64,
    /// Unit of the sizes in bytes.
    pub mem_unit: u32,
    /// Zero.
    pub pad2: u32,
}
const _: () = assert!(size_of::<SysInfo>() == 112);

/// prctl: signal at the end of the parent.
pub const PR_SET_PDEATHSIG: u32 = 1;
/// prctl: read that signal.
pub const PR_GET_PDEATHSIG: u32 = 2;
/// prctl: may core be dumped.
pub const PR_GET_DUMPABLE: u32 = 3;
/// prctl: set whether core may be dumped.
pub const PR_SET_DUMPABLE: u32 = 4;
/// prctl: does a change of the user keep the capabilities.
pub const PR_GET_KEEPCAPS: u32 = 7;
/// prctl: set that.
pub const PR_SET_KEEPCAPS: u32 = 8;
/// prctl: set the name, 16 bytes with the NUL.
pub const PR_SET_NAME: u32 = 15;
/// prctl: read the name.
pub const PR_GET_NAME: u32 = 16;
/// prctl: is the capability in the bounding set.
pub const PR_CAPBSET_READ: u32 = 23;
/// prctl: take the capability out of the bounding set.
pub const PR_CAPBSET_DROP: u32 = 24;
/// prctl: read the secure bits.
pub const PR_GET_SECUREBITS: u32 = 27;
/// prctl: set the secure bits.
pub const PR_SET_SECUREBITS: u32 = 28;
/// prctl: change or read the ambient set.
pub const PR_CAP_AMBIENT: u32 = 47;
/// Ambient set: is the capability in it.
pub const PR_CAP_AMBIENT_IS_SET: u64 = 1;
/// Ambient set: put the capability into it.
pub const PR_CAP_AMBIENT_RAISE: u64 = 2;
/// Ambient set: take the capability out of it.
pub const PR_CAP_AMBIENT_LOWER: u64 = 3;
/// Ambient set: take all out of it.
pub const PR_CAP_AMBIENT_CLEAR_ALL: u64 = 4;
/// prctl: read how much later a timer may be.
pub const PR_GET_TIMERSLACK: u32 = 30;
/// prctl: set how much later a timer may be.
pub const PR_SET_TIMERSLACK: u32 = 29;
/// prctl: orphans become children of the caller.
pub const PR_SET_CHILD_SUBREAPER: u32 = 36;
/// prctl: read that.
pub const PR_GET_CHILD_SUBREAPER: u32 = 37;
/// prctl: execve gives no rights any more.
pub const PR_SET_NO_NEW_PRIVS: u32 = 38;
/// prctl: read that.
pub const PR_GET_NO_NEW_PRIVS: u32 = 39;
/// prctl: name an anonymous area.
pub const PR_SET_VMA: u32 = 0x5356_4d41;
/// Length of a process's name with its NUL (`TASK_COMM_LEN`).
pub const TASK_COMM_LEN: usize = 16;

/// Scheduling: the usual.
pub const SCHED_NORMAL: u32 = 0;
/// Scheduling: first in, first out.
pub const SCHED_FIFO: u32 = 1;
/// Scheduling: real-time round robin.
pub const SCHED_RR: u32 = 2;
/// Scheduling: batch.
pub const SCHED_BATCH: u32 = 3;
/// Scheduling: only when nothing else runs.
pub const SCHED_IDLE: u32 = 5;
/// Scheduling: so much time in each period, by a deadline.
pub const SCHED_DEADLINE: u32 = 6;
/// Flag of a policy: children do not inherit it.
pub const SCHED_RESET_ON_FORK: u32 = 0x4000_0000;
/// sched_setattr: children do not inherit it.
pub const SCHED_FLAG_RESET_ON_FORK: u64 = 0x01;
/// sched_setattr: what others leave of their deadlines is used.
pub const SCHED_FLAG_RECLAIM: u64 = 0x02;
/// sched_setattr: a signal for who is late.
pub const SCHED_FLAG_DL_OVERRUN: u64 = 0x04;
/// sched_setattr: the policy stays.
pub const SCHED_FLAG_KEEP_POLICY: u64 = 0x08;
/// sched_setattr: priority and nice value stay.
pub const SCHED_FLAG_KEEP_PARAMS: u64 = 0x10;
/// sched_setattr: hints for the processor's speed.
pub const SCHED_FLAG_UTIL_CLAMP: u64 = 0x60;

/// `struct sched_attr` of `linux/sched/types.h`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SchedAttr {
    /// Of this structure, in bytes.
    pub size: u32,
    /// The policy.
    pub sched_policy: u32,
    /// `SCHED_FLAG_...`.
    pub sched_flags: u64,
    /// The nice value.
    pub sched_nice: i32,
    /// The real-time priority.
    pub sched_priority: u32,
    /// `SCHED_DEADLINE`: nanoseconds of each period.
    pub sched_runtime: u64,
    /// `SCHED_DEADLINE`: within which they are needed.
    pub sched_deadline: u64,
    /// `SCHED_DEADLINE`: the period, nanoseconds.
    pub sched_period: u64,
    /// Hint for the processor's speed.
    pub sched_util_min: u32,
    /// Hint for the processor's speed.
    pub sched_util_max: u32,
}

/// getpriority: a process.
pub const PRIO_PROCESS: u32 = 0;
/// getpriority: a process group.
pub const PRIO_PGRP: u32 = 1;
/// getpriority: a user.
pub const PRIO_USER: u32 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_cut_and_keeps_its_nul() {
        let field = UtsName::field(core::str::from_utf8(&[b'x'; 80]).unwrap());
        assert_eq!((field[63], field[64]), (b'x', 0));
    }
}
