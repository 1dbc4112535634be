//! unshare(2).

use super::flags::decode;
use abi::Errno;
use abi::capability::CAP_SYS_ADMIN;
use abi::process::CloneFlags;
use task::thread::{Thread, ThreadExt};

/// What unshare(2) gives the caller copies of. Signal actions and memory are shared by nobody but its own threads, or not taken
/// back.
const PARTED: CloneFlags = CloneFlags::CLONE_FS
    .union(CloneFlags::CLONE_FILES)
    .union(CloneFlags::CLONE_SYSVSEM)
    .union(CloneFlags::CLONE_THREAD)
    .union(CloneFlags::CLONE_SIGHAND)
    .union(CloneFlags::CLONE_VM);

/// unshare(2): the caller's directories and descriptors are its own from now on.
///
/// Not supported: namespaces (`EINVAL`).
///
/// # Errors
/// `EINVAL`: unknown flags; what threads share while there are several; namespaces, of which there is one of each kind.
/// `EPERM`: namespaces without `CAP_SYS_ADMIN`.
pub fn unshare(current: &Thread, flags: u64) -> Result<usize, Errno> {
    const NAMESPACES: CloneFlags = CloneFlags::CLONE_NEWNS
        .union(CloneFlags::CLONE_NEWCGROUP)
        .union(CloneFlags::CLONE_NEWUTS)
        .union(CloneFlags::CLONE_NEWIPC)
        .union(CloneFlags::CLONE_NEWPID)
        .union(CloneFlags::CLONE_NEWNET);
    let flags = decode(flags, PARTED | NAMESPACES)?;
    let process = current.process();
    let is_shared = process.thread_count() > 1 || process.space().is_some_and(|space| space.is_shared());
    let of_all = CloneFlags::CLONE_THREAD | CloneFlags::CLONE_SIGHAND | CloneFlags::CLONE_VM;
    if flags.intersects(of_all) && is_shared {
        return Err(Errno::EINVAL);
    }
    if flags.intersects(NAMESPACES) {
        process.credentials().require(CAP_SYS_ADMIN)?;
        return Err(Errno::EINVAL);
    }
    if flags.contains(CloneFlags::CLONE_FS) {
        current.fs_context().separate();
    }
    if flags.contains(CloneFlags::CLONE_FILES) {
        current.files().separate();
    }
    Ok(0)
}
