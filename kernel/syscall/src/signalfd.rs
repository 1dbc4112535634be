//! Signals as something to read: signalfd4(2).

use abi::Errno;
use abi::events::SignalFdFlags;
use abi::file::OpenFlags;
use abi::signal::{SIGSET_SIZE, SigSet};
use task::signal::SignalFd;
use task::thread::{Thread, ThreadExt};

use super::flags::decode;
use super::lookup::opened;
use super::open::{install, on_exec};

/// signalfd4(2).
///
/// # Errors
/// `EINVAL`: another size of sets, unknown flags, or the descriptor is of another kind. `EBADF`: it is none, and not -1. `EMFILE`,
/// `ENOMEM`, those of user memory.
pub fn signalfd4(
    current: &Thread,
    descriptor: i32,
    set_at: u64,
    size: u64,
    flags: u32,
) -> Result<usize, Errno> {
    if size != SIGSET_SIZE as u64 {
        return Err(Errno::EINVAL);
    }
    let wanted = uaccess::read_value::<SigSet>(set_at)?.difference(SigSet::UNBLOCKABLE);
    let flags = decode(flags, SignalFdFlags::all())?;
    if descriptor != -1 {
        let file = opened(current, descriptor)?;
        file.ops_as::<SignalFd>().ok_or(Errno::EINVAL)?.set_wanted(wanted);
        return Ok(descriptor as usize);
    }
    memory::has_room()?;
    let flags = OpenFlags::from_bits_retain(flags.bits());
    let file = SignalFd::open(current.process(), wanted, flags & OpenFlags::O_NONBLOCK)?;
    install(current, file, on_exec(flags), 0)
}
