//! A set of one socket, as `smoltcp` takes it.

use abi::Errno;
use alloc::vec::Vec;
use memory::fallible::{self, TryVec};
use smoltcp::iface::{SocketHandle, SocketSet, SocketStorage};
use smoltcp::socket::AnySocket;

/// The set of that socket alone. Its place is made before it goes there: the set, which would make one by itself where there is none, and
/// end the kernel for want of memory, never does (`tests/scenes/allocations.rs` names this function).
///
/// # Errors
/// `ENOMEM`.
#[inline(never)]
pub(crate) fn set_of<T: AnySocket<'static>>(socket: T) -> Result<(SocketSet<'static>, SocketHandle), Errno> {
    let mut storage: Vec<SocketStorage<'static>> = fallible::with_room(1)?;
    storage.try_push(SocketStorage::EMPTY)?;
    let mut set = SocketSet::new(storage);
    let handle = set.add(socket);
    Ok((set, handle))
}
