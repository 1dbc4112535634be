//! ioctl(2): what belongs to the descriptor or the open file is done here, the rest by what is open.

use alloc::sync::Arc;
use core::any::Any;

use abi::Errno;
use abi::block::BLKFLSBUF;
use abi::capability::CAP_SYS_ADMIN;
use abi::file::OpenFlags;
use abi::terminal::{FIOASYNC, FIOCLEX, FIONBIO, FIONCLEX};

use super::lookup::{file, index};
use super::socket::ask;
use net::{file as socket_file, interfaces};
use task::thread::{Thread, ThreadExt};
use uaccess::read_value;
use vfs::caller::Caller;
use vfs::{OnExec, OpenFile};

/// ioctl(2).
///
/// Not supported: `FICLONE`, `FICLONERANGE`, `FIDEDUPERANGE` (`EOPNOTSUPP`); of loop devices `LOOP_CHANGE_FD`, `LO_FLAGS_PARTSCAN`,
/// `LO_FLAGS_DIRECT_IO` (`EINVAL`), more than eight of them (`ENOSPC`).
///
/// # Errors
/// `EBADF`. `ENOTTY`: what is open knows no such request, or it is not the caller's terminal. `EINVAL`, `EPERM`,
/// `ESRCH`, `EIO`, `EINTR`: the terminal's. `EACCES`: `BLKFLSBUF` without `CAP_SYS_ADMIN`. `EOPNOTSUPP`: the pages of files cannot be shared. `ENOMEM`, those of user
/// memory.
pub fn ioctl(current: &Thread, descriptor: i32, request: u32, argument: u64) -> Result<usize, Errno> {
    let file = file(current, descriptor)?;
    if file.is_path() {
        return Err(Errno::EBADF);
    }
    match request {
        FIOCLEX => set_on_exec(current, descriptor, OnExec::Close),
        FIONCLEX => set_on_exec(current, descriptor, OnExec::Keep),
        FIONBIO => {
            file.set_flags(with_flag(&file, OpenFlags::O_NONBLOCK, argument)?);
            Ok(0)
        }
        FIOASYNC => {
            let flags = with_flag(&file, OpenFlags::O_ASYNC, argument)?;
            file.set_status_flags(&Caller::new(&**current.process()), descriptor, flags)?;
            Ok(0)
        }
        BLKFLSBUF if !current.process().credentials().can(CAP_SYS_ADMIN) => Err(Errno::EACCES),
        _ => match socket_file::of(&file) {
            Ok(socket) => ask(current, file.flags(), |asking| {
                match socket.ops().ioctl(asking, request, argument) {
                    Err(Errno::ENOTTY) => interfaces::perform(request, argument),
                    answer => answer,
                }
            }),
            Err(_) => {
                let find = |descriptor| {
                    super::lookup::file(current, descriptor)
                        .map(|found| -> Arc<dyn Any + Send + Sync> { found })
                };
                let caller = Caller::new(&**current.process());
                file.ops().ioctl_with_files(&caller, request, argument, &find)
            }
        },
    }
}

/// The flags of the file, with or without that one as the number at `address` says. `EFAULT`.
fn with_flag(file: &OpenFile, flag: OpenFlags, address: u64) -> Result<OpenFlags, Errno> {
    let is_set = read_value::<i32>(address)? != 0;
    let mut flags = file.flags();
    flags.set(flag, is_set);
    Ok(flags)
}

fn set_on_exec(current: &Thread, descriptor: i32, what: OnExec) -> Result<usize, Errno> {
    let descriptor = index(descriptor)?;
    current
        .files()
        .change(|files| files.set_on_exec(descriptor, what))?
        .map(|()| 0)
}
