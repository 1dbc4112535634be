//! Counters as descriptors: eventfd2(2).

use abi::Errno;
use abi::events::EventFdFlags;
use abi::file::OpenFlags;
use events::eventfd;
use task::thread::Thread;

use super::flags::decode;
use super::open::{install, on_exec};

/// eventfd2(2).
///
/// # Errors
/// `EINVAL`: unknown flags. `EMFILE`, `ENOMEM`.
pub fn eventfd2(current: &Thread, count: u32, flags: u32) -> Result<usize, Errno> {
    let flags = decode(flags, EventFdFlags::all())?;
    memory::has_room()?;
    let file = eventfd::open(count, flags)?;
    install(
        current,
        file,
        on_exec(OpenFlags::from_bits_retain(flags.bits())),
        0,
    )
}
