//! Files without a name: memfd_create(2).

use super::flags::decode;
use super::open::{install, on_exec};
use abi::Errno;
use abi::file::{MfdFlags, OpenFlags, SealFlags};
use fs::tmpfs;
use memory::fallible;
use task::thread::{Thread, ThreadExt};
use vfs::inode::Hold;
use vfs::{OpenFile, Subject};

/// Longest name of a memory file.
const MEMORY_NAME_MAX: usize = 249;

/// memfd_create(2).
///
/// Not supported: `MFD_HUGETLB`, `MFD_NOEXEC_SEAL`, `MFD_EXEC` (`EINVAL`).
///
/// # Errors
/// `EINVAL`: unknown flags, or a name of more than 249 bytes. `EMFILE`, `ENOMEM`, those of user memory.
pub fn memfd_create(current: &Thread, name: u64, flags: u32) -> Result<usize, Errno> {
    let flags = decode(flags, MfdFlags::MFD_CLOEXEC | MfdFlags::MFD_ALLOW_SEALING)?;
    let name = uaccess::read_string(name, MEMORY_NAME_MAX + 1).map_err(|error| match error {
        Errno::ENAMETOOLONG => Errno::EINVAL,
        error => error,
    })?;
    memory::has_room()?;
    let name = fallible::joined(&[b"/memfd:", &name])?;
    let seals = if flags.contains(MfdFlags::MFD_ALLOW_SEALING) {
        SealFlags::empty()
    } else {
        SealFlags::F_SEAL_SEAL
    };
    let subject = Subject::new(current.process().credentials());
    let owner = (subject.owner(), subject.group());
    let (dentry, ops) = tmpfs::unnamed_file(&name, seals, owner)?;
    dentry.inode.take_hold(Hold::Write)?;
    let file = OpenFile::with_hold(dentry, ops, OpenFlags::O_RDWR, Hold::Write)?;
    let wanted = if flags.contains(MfdFlags::MFD_CLOEXEC) {
        OpenFlags::O_CLOEXEC
    } else {
        OpenFlags::empty()
    };
    install(current, file, on_exec(wanted), 0)
}
