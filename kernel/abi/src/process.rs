//! Processes: clone(2), clone3(2), wait4(2), getrusage(2), prlimit(2), getauxval(3), uname(2), sysinfo(2), prctl(2),
//! futex(2), sched(7).

use crate::time::TimeVal;
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

/// clone: the bits that hold the signal sent to the parent at the end.
pub const CSIGNAL: u64 = 0xff;
/// clone: share the address space.
pub const CLONE_VM: u64 = 0x100;
/// clone: share current directory, root and umask.
pub const CLONE_FS: u64 = 0x200;
/// clone: share the descriptor table.
pub const CLONE_FILES: u64 = 0x400;
/// clone: share the table of signal handlers.
pub const CLONE_SIGHAND: u64 = 0x800;
/// clone: give the parent a descriptor of the child.
pub const CLONE_PIDFD: u64 = 0x1000;
/// clone: a tracer also traces the child.
pub const CLONE_PTRACE: u64 = 0x2000;
/// clone: the parent waits until the child calls execve or ends.
pub const CLONE_VFORK: u64 = 0x4000;
/// clone: the child's parent is the caller's parent.
pub const CLONE_PARENT: u64 = 0x8000;
/// clone: a further thread of the same process.
pub const CLONE_THREAD: u64 = 0x1_0000;
/// clone: new mount namespace.
pub const CLONE_NEWNS: u64 = 0x2_0000;
/// clone: share System V semaphore undo lists.
pub const CLONE_SYSVSEM: u64 = 0x4_0000;
/// clone: set the child's TPIDR_EL0 from the `tls` argument.
pub const CLONE_SETTLS: u64 = 0x8_0000;
/// clone: store the child's id in the parent's memory.
pub const CLONE_PARENT_SETTID: u64 = 0x10_0000;
/// clone: at the end of the child, clear the word in its memory and wake a futex there.
pub const CLONE_CHILD_CLEARTID: u64 = 0x20_0000;
/// clone: ignored.
pub const CLONE_DETACHED: u64 = 0x40_0000;
/// clone: a tracer cannot force `CLONE_PTRACE`.
pub const CLONE_UNTRACED: u64 = 0x80_0000;
/// clone: store the child's id in the child's memory.
pub const CLONE_CHILD_SETTID: u64 = 0x100_0000;
/// clone: new control-group namespace.
pub const CLONE_NEWCGROUP: u64 = 0x200_0000;
/// clone: new host-name namespace.
pub const CLONE_NEWUTS: u64 = 0x400_0000;
/// clone: new System V namespace.
pub const CLONE_NEWIPC: u64 = 0x800_0000;
/// clone: new user namespace.
pub const CLONE_NEWUSER: u64 = 0x1000_0000;
/// clone: new process-id namespace.
pub const CLONE_NEWPID: u64 = 0x2000_0000;
/// clone: new network namespace.
pub const CLONE_NEWNET: u64 = 0x4000_0000;
/// clone: share the input/output context.
pub const CLONE_IO: u64 = 0x8000_0000;
/// clone3: reset signal handlers to the default.
pub const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;
/// clone3: start in that control group.
pub const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// The argument of clone3(2) (`linux/sched.h`); the first published form has 64 bytes, the second 80.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct CloneArgs {
    /// `CLONE_*`.
    pub flags: u64,
    /// Where the descriptor of the child goes.
    pub pidfd: u64,
    /// Where the child's id goes in the child's memory.
    pub child_tid: u64,
    /// Where the child's id goes in the parent's memory.
    pub parent_tid: u64,
    /// Signal to the parent at the end.
    pub exit_signal: u64,
    /// Lowest byte of the child's stack.
    pub stack: u64,
    /// Size of the child's stack.
    pub stack_size: u64,
    /// Thread pointer of the child.
    pub tls: u64,
    /// Array of process ids to take.
    pub set_tid: u64,
    /// Length of that array.
    pub set_tid_size: u64,
    /// Control group to start in.
    pub cgroup: u64,
}
const _: () = assert!(size_of::<CloneArgs>() == 88);

/// Length of the first published [`CloneArgs`]: a shorter one is `EINVAL`.
pub const CLONE_ARGS_SIZE_VER0: usize = 64;

/// wait: do not wait.
pub const WNOHANG: u32 = 0x1;
/// wait: report stopped children.
pub const WUNTRACED: u32 = 0x2;
/// waitid: report ended children.
pub const WEXITED: u32 = 0x4;
/// wait: report continued children.
pub const WCONTINUED: u32 = 0x8;
/// waitid: leave the child to be waited for again.
pub const WNOWAIT: u32 = 0x0100_0000;
/// wait: only children of this thread.
pub const __WNOTHREAD: u32 = 0x2000_0000;
/// wait: children of any kind.
pub const __WALL: u32 = 0x4000_0000;
/// wait: only children that do not send SIGCHLD.
pub const __WCLONE: u32 = 0x8000_0000;

/// waitid: any child.
pub const P_ALL: u32 = 0;
/// waitid: that process.
pub const P_PID: u32 = 1;
/// waitid: that process group.
pub const P_PGID: u32 = 2;
/// waitid: the process of that descriptor.
pub const P_PIDFD: u32 = 3;

/// How a child changed, as wait4(2) reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitStatus {
    /// Ended by exit with that code.
    Exited(u8),
    /// Ended by that signal; `core`: its default action dumps core.
    Signaled {
        /// The signal's number.
        signal: u8,
        /// The 0x80 bit.
        core: bool,
    },
    /// Stopped by that signal.
    Stopped(u8),
    /// Continued by SIGCONT.
    Continued,
}

impl WaitStatus {
    /// The status word: `WIFEXITED` and its sisters, wait(2).
    pub const fn encode(self) -> u32 {
        match self {
            WaitStatus::Exited(code) => (code as u32) << 8,
            WaitStatus::Signaled { signal, core } => (signal & 0x7f) as u32 | if core { 0x80 } else { 0 },
            WaitStatus::Stopped(signal) => 0x7f | (signal as u32) << 8,
            WaitStatus::Continued => 0xffff,
        }
    }

    /// The meaning of a status word.
    pub const fn decode(word: u32) -> WaitStatus {
        let (low, high) = ((word & 0x7f) as u8, (word >> 8) as u8);
        match low {
            _ if word & 0xffff == 0xffff => WaitStatus::Continued,
            0 => WaitStatus::Exited(high),
            0x7f => WaitStatus::Stopped(high),
            signal => WaitStatus::Signaled {
                signal,
                core: word & 0x80 != 0,
            },
        }
    }
}

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

/// Auxiliary vector: end.
pub const AT_NULL: u64 = 0;
/// Auxiliary vector: address of the program headers.
pub const AT_PHDR: u64 = 3;
/// Auxiliary vector: size of a program header.
pub const AT_PHENT: u64 = 4;
/// Auxiliary vector: number of program headers.
pub const AT_PHNUM: u64 = 5;
/// Auxiliary vector: page size.
pub const AT_PAGESZ: u64 = 6;
/// Auxiliary vector: load address of the interpreter.
pub const AT_BASE: u64 = 7;
/// Auxiliary vector: flags, 0.
pub const AT_FLAGS: u64 = 8;
/// Auxiliary vector: entry point of the program.
pub const AT_ENTRY: u64 = 9;
/// Auxiliary vector: real user id.
pub const AT_UID: u64 = 11;
/// Auxiliary vector: effective user id.
pub const AT_EUID: u64 = 12;
/// Auxiliary vector: real group id.
pub const AT_GID: u64 = 13;
/// Auxiliary vector: effective group id.
pub const AT_EGID: u64 = 14;
/// Auxiliary vector: address of the name of the processor family, "aarch64".
pub const AT_PLATFORM: u64 = 15;
/// Auxiliary vector: `HWCAP_*`.
pub const AT_HWCAP: u64 = 16;
/// Auxiliary vector: clock ticks in a second.
pub const AT_CLKTCK: u64 = 17;
/// Auxiliary vector: 1 for a program with more rights than its caller.
pub const AT_SECURE: u64 = 23;
/// Auxiliary vector: address of 16 random bytes.
pub const AT_RANDOM: u64 = 25;
/// Auxiliary vector: `HWCAP2_*`.
pub const AT_HWCAP2: u64 = 26;
/// Auxiliary vector: address of the path given to execve.
pub const AT_EXECFN: u64 = 31;
/// Auxiliary vector: address of the vDSO.
pub const AT_SYSINFO_EHDR: u64 = 33;
/// Auxiliary vector: least stack that a signal needs.
pub const AT_MINSIGSTKSZ: u64 = 51;

/// Processor: floating point (`asm/hwcap.h`).
pub const HWCAP_FP: u64 = 1 << 0;
/// Processor: vectors.
pub const HWCAP_ASIMD: u64 = 1 << 1;
/// Processor: the timer sends events about every 100 microseconds.
pub const HWCAP_EVTSTRM: u64 = 1 << 2;
/// Processor: AES instructions.
pub const HWCAP_AES: u64 = 1 << 3;
/// Processor: polynomial multiplication.
pub const HWCAP_PMULL: u64 = 1 << 4;
/// Processor: SHA-1 instructions.
pub const HWCAP_SHA1: u64 = 1 << 5;
/// Processor: SHA-2 instructions.
pub const HWCAP_SHA2: u64 = 1 << 6;
/// Processor: CRC-32 instructions.
pub const HWCAP_CRC32: u64 = 1 << 7;
/// Processor: atomic instructions (FEAT_LSE).
pub const HWCAP_ATOMICS: u64 = 1 << 8;
/// Processor: ID registers may be read at EL0.
pub const HWCAP_CPUID: u64 = 1 << 11;

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
/// prctl: set the name, 16 bytes with the NUL.
pub const PR_SET_NAME: u32 = 15;
/// prctl: read the name.
pub const PR_GET_NAME: u32 = 16;
/// prctl: is the capability in the bounding set.
pub const PR_CAPBSET_READ: u32 = 23;
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
/// futex: wait with a mask and an absolute time.
pub const FUTEX_WAIT_BITSET: u32 = 9;
/// futex: wake with a mask.
pub const FUTEX_WAKE_BITSET: u32 = 10;
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
    fn status_words_are_those_of_the_man_page() {
        assert_eq!(WaitStatus::Exited(3).encode(), 0x300);
        assert_eq!(
            WaitStatus::Signaled {
                signal: 11,
                core: true
            }
            .encode(),
            0x8b
        );
        assert_eq!(WaitStatus::Stopped(20).encode(), 0x147f);
        for status in [
            WaitStatus::Exited(255),
            WaitStatus::Signaled {
                signal: 9,
                core: false,
            },
            WaitStatus::Stopped(19),
            WaitStatus::Continued,
        ] {
            assert_eq!(WaitStatus::decode(status.encode()), status);
        }
    }

    #[test]
    fn a_long_name_is_cut_and_keeps_its_nul() {
        let field = UtsName::field(core::str::from_utf8(&[b'x'; 80]).unwrap());
        assert_eq!((field[63], field[64]), (b'x', 0));
    }
}
