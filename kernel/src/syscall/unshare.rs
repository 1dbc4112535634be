//! unshare(2).

use crate::thread::Thread;
use abi::Errno;
use abi::capability::CAP_SYS_ADMIN;
use abi::process::{
    CLONE_FILES, CLONE_FS, CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID,
    CLONE_NEWUTS, CLONE_SIGHAND, CLONE_SYSVSEM, CLONE_THREAD, CLONE_VM,
};

/// What unshare(2) gives the caller copies of. Signal actions and memory are shared by nobody but its own threads, or not taken
/// back.
const PARTED: u64 = CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM;

/// unshare(2): the caller's directories and descriptors are its own from now on.
///
/// Not supported: namespaces (`EINVAL`).
///
/// # Errors
/// `EINVAL`: unknown flags; what threads share while there are several; namespaces, of which there is one of each kind.
/// `EPERM`: namespaces without `CAP_SYS_ADMIN`.
pub fn unshare(current: &Thread, flags: u64) -> Result<usize, Errno> {
    const NAMESPACES: u64 =
        CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET;
    let has = |flag| flags & flag != 0;
    let process = &current.process;
    if flags & !(PARTED | NAMESPACES) != 0 {
        return Err(Errno::EINVAL);
    }
    let is_shared = process.thread_count() > 1 || process.space().is_some_and(|space| space.is_shared());
    if has(CLONE_THREAD | CLONE_SIGHAND | CLONE_VM) && is_shared {
        return Err(Errno::EINVAL);
    }
    if has(NAMESPACES) {
        process.credentials().require(CAP_SYS_ADMIN)?;
        return Err(Errno::EINVAL);
    }
    if has(CLONE_FS) {
        current.directories.separate();
    }
    if has(CLONE_FILES) {
        current.files.separate();
    }
    Ok(0)
}
