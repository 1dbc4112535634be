//! Options of sockets: getsockopt(2), setsockopt(2).

use abi::Errno;

use super::socket::{ask, open_file};
use net::file as socket_file;
use net::option::{self, MOST_BYTES, OptionValue};
use task::thread::Thread;
use uaccess::{read_bytes, read_value, write_bytes, write_value};

/// getsockopt(2).
///
/// Not supported: `SO_PEERPIDFD`, `SO_MEMINFO`, `SO_COOKIE` and what setsockopt(2) does not have (`ENOPROTOOPT`).
///
/// # Errors
/// `EBADF`, `ENOTSOCK`. `EINVAL`: a negative length. `ENOPROTOOPT`: no such option. `EOPNOTSUPP`: the family has no options of that
/// level. What the option says. Those of user memory.
pub fn getsockopt(
    current: &Thread,
    descriptor: i32,
    level: u32,
    name: u32,
    address: u64,
    len_address: u64,
) -> Result<usize, Errno> {
    let file = open_file(current, descriptor)?;
    let socket = socket_file::of(&file)?;
    let room = usize::try_from(read_value::<i32>(len_address)?).map_err(|_| Errno::EINVAL)?;
    let mut value = OptionValue::new();
    ask(current, file.flags(), |request| {
        option::get(&**socket.ops(), request, level, name, &mut value)
    })?;
    let bytes = value.bytes();
    let cut = &bytes[..bytes.len().min(room)];
    write_bytes(address, cut)?;
    write_value(len_address, &(cut.len() as u32))?;
    Ok(0)
}

/// setsockopt(2).
///
/// Not supported: `SO_TIMESTAMP` and kin, `SO_MARK`, `SO_BINDTODEVICE`, filters, busy polling (`ENOPROTOOPT`). `TCP_FASTOPEN` opens none fast.
///
/// # Errors
/// `EINVAL`: a negative length, or one that the option does not have. `EBADF`, `ENOTSOCK`. `ENOPROTOOPT`: no such option, or it
/// cannot be set. `EOPNOTSUPP`: the family has no options of that level. `EDOM`: a time that is none. `EPERM`, `EACCES`: not for this
/// program. What the option says. Those of user memory.
pub fn setsockopt(
    current: &Thread,
    descriptor: i32,
    level: u32,
    name: u32,
    address: u64,
    len: i32,
) -> Result<usize, Errno> {
    let len = usize::try_from(len).map_err(|_| Errno::EINVAL)?;
    let file = open_file(current, descriptor)?;
    let socket = socket_file::of(&file)?;
    let mut storage = [0; MOST_BYTES];
    let bytes = &mut storage[..len.min(MOST_BYTES)];
    read_bytes(address, bytes)?;
    ask(current, file.flags(), |request| {
        option::set(&**socket.ops(), request, level, name, bytes)
    })?;
    Ok(0)
}
