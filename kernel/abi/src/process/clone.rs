//! clone(2), clone3(2); `linux/sched.h`.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// clone: the bits that hold the signal sent to the parent at the end.
pub const CSIGNAL: u64 = 0xff;

flags! {
    /// What a child shares with its parent, and how it begins: clone(2).
    pub struct CloneFlags: u64 {
        /// clone: share the address space.
        const CLONE_VM = 0x100;
        /// clone: share current directory, root and umask.
        const CLONE_FS = 0x200;
        /// clone: share the descriptor table.
        const CLONE_FILES = 0x400;
        /// clone: share the table of signal handlers.
        const CLONE_SIGHAND = 0x800;
        /// clone: give the parent a descriptor of the child.
        const CLONE_PIDFD = 0x1000;
        /// clone: a tracer also traces the child.
        const CLONE_PTRACE = 0x2000;
        /// clone: the parent waits until the child calls execve or ends.
        const CLONE_VFORK = 0x4000;
        /// clone: the child's parent is the caller's parent.
        const CLONE_PARENT = 0x8000;
        /// clone: a further thread of the same process.
        const CLONE_THREAD = 0x1_0000;
        /// clone: new mount namespace.
        const CLONE_NEWNS = 0x2_0000;
        /// clone: share System V semaphore undo lists.
        const CLONE_SYSVSEM = 0x4_0000;
        /// clone: set the child's TPIDR_EL0 from the `tls` argument.
        const CLONE_SETTLS = 0x8_0000;
        /// clone: store the child's id in the parent's memory.
        const CLONE_PARENT_SETTID = 0x10_0000;
        /// clone: at the end of the child, clear the word in its memory and wake a futex there.
        const CLONE_CHILD_CLEARTID = 0x20_0000;
        /// clone: ignored.
        const CLONE_DETACHED = 0x40_0000;
        /// clone: a tracer cannot force `CLONE_PTRACE`.
        const CLONE_UNTRACED = 0x80_0000;
        /// clone: store the child's id in the child's memory.
        const CLONE_CHILD_SETTID = 0x100_0000;
        /// clone: new control-group namespace.
        const CLONE_NEWCGROUP = 0x200_0000;
        /// clone: new host-name namespace.
        const CLONE_NEWUTS = 0x400_0000;
        /// clone: new System V namespace.
        const CLONE_NEWIPC = 0x800_0000;
        /// clone: new user namespace.
        const CLONE_NEWUSER = 0x1000_0000;
        /// clone: new process-id namespace.
        const CLONE_NEWPID = 0x2000_0000;
        /// clone: new network namespace.
        const CLONE_NEWNET = 0x4000_0000;
        /// clone: share the input/output context.
        const CLONE_IO = 0x8000_0000;
        /// clone3: reset signal handlers to the default.
        const CLONE_CLEAR_SIGHAND = 0x1_0000_0000;
        /// clone3: start in that control group.
        const CLONE_INTO_CGROUP = 0x2_0000_0000;
    }
}

/// The argument of clone3(2) (`linux/sched.h`); the first published form has 64 bytes, the second 80.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct CloneArgs {
    /// What is shared.
    pub flags: CloneFlags,
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
