//! Extended attributes: xattr(7). No filesystem here has any, so each call finds its file and says so.

use abi::Errno;
use abi::file::AT_FDCWD;

use super::lookup::{Lookup, file};
use crate::fs::LastLink;
use crate::thread::Thread;

/// getxattr(2), setxattr(2), removexattr(2) and those that do not follow a link: `EOPNOTSUPP`, or why there is no file.
pub fn refuse(current: &Thread, path: u64, last_link: LastLink) -> Result<usize, Errno> {
    Lookup::new(current, AT_FDCWD, path)?.find(last_link)?;
    Err(Errno::EOPNOTSUPP)
}

/// fgetxattr(2), fsetxattr(2), fremovexattr(2): `EOPNOTSUPP`, `EBADF`.
pub fn refuse_open(current: &Thread, descriptor: i32) -> Result<usize, Errno> {
    opened(current, descriptor)?;
    Err(Errno::EOPNOTSUPP)
}

/// listxattr(2), llistxattr(2): none.
pub fn list(current: &Thread, path: u64, last_link: LastLink) -> Result<usize, Errno> {
    Lookup::new(current, AT_FDCWD, path)?.find(last_link)?;
    Ok(0)
}

/// flistxattr(2): none. `EBADF`.
pub fn list_open(current: &Thread, descriptor: i32) -> Result<usize, Errno> {
    opened(current, descriptor)?;
    Ok(0)
}

fn opened(current: &Thread, descriptor: i32) -> Result<(), Errno> {
    if file(current, descriptor)?.is_path() {
        Err(Errno::EBADF)
    } else {
        Ok(())
    }
}
