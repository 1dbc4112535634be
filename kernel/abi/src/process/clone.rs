//! clone(2), clone3(2); `linux/sched.h`.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

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
