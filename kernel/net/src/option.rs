//! Options of `SOL_SOCKET`, which all families have: socket(7), "Socket options".

use abi::Errno;
use abi::capability::{CAP_NET_ADMIN, CAP_NET_RAW};
use abi::socket::option::{
    Linger, SO_ACCEPTCONN, SO_BINDTODEVICE, SO_DEBUG, SO_DOMAIN, SO_ERROR, SO_LINGER, SO_PEEK_OFF,
    SO_PRIORITY, SO_PROTOCOL, SO_RCVBUF, SO_RCVBUFFORCE, SO_RCVLOWAT, SO_RCVTIMEO, SO_SNDBUF, SO_SNDBUFFORCE,
    SO_SNDLOWAT, SO_SNDTIMEO, SO_TYPE, SOL_SOCKET,
};
use abi::time::TimeVal;
use abi::zerocopy::{FromBytes, Immutable, IntoBytes};
use arrayvec::ArrayVec;

use super::base::SocketBase;
use super::request::Request;
use super::settings::{LEAST_RECEIVE_BUFFER, LEAST_SEND_BUFFER, RMEM_MAX, WMEM_MAX};
use super::socket_ops::SocketOps;

/// Bytes of the longest value.
pub const MOST_BYTES: usize = 256;

/// What even the administrator cannot go beyond: sums of two buffers are to be counted in 32 bits.
const MOST_BUFFER: u32 = 1 << 29;

/// The value of an option, as getsockopt(2) gives it.
#[derive(Default)]
pub struct OptionValue(ArrayVec<u8, MOST_BYTES>);

impl OptionValue {
    /// No bytes.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value is that.
    pub fn set(&mut self, value: &(impl IntoBytes + Immutable + ?Sized)) {
        let bytes = value.as_bytes();
        self.0.clear();
        self.0
            .extend(bytes[..bytes.len().min(MOST_BYTES)].iter().copied());
    }

    /// The value is that, all of it.
    ///
    /// # Errors
    /// `ERANGE`: it is too long.
    pub fn set_whole(&mut self, bytes: &[u8]) -> Result<(), Errno> {
        if bytes.len() > MOST_BYTES {
            return Err(Errno::ERANGE);
        }
        self.set(bytes);
        Ok(())
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A value that a program gives.
///
/// # Errors
/// `EINVAL`: it has fewer bytes.
pub fn value_of<T: FromBytes>(bytes: &[u8]) -> Result<T, Errno> {
    let (value, _) = T::read_from_prefix(bytes).map_err(|_| Errno::EINVAL)?;
    Ok(value)
}

/// getsockopt(2).
///
/// # Errors
/// `ENOPROTOOPT`: no such option; `EOPNOTSUPP`: no such level, or no `SO_PEEK_OFF`; what the family says.
pub fn get(
    ops: &dyn SocketOps,
    request: &Request<'_>,
    level: u32,
    name: u32,
    value: &mut OptionValue,
) -> Result<(), Errno> {
    if level != SOL_SOCKET {
        return ops.get_option(request, level, name, value);
    }
    let base = ops.base();
    match name {
        SO_TYPE => value.set(&base.kind),
        SO_DOMAIN => value.set(&base.family),
        SO_PROTOCOL => value.set(&base.protocol),
        SO_ERROR => value.set(&pending_error(base)),
        SO_ACCEPTCONN => value.set(&i32::from(ops.is_listening())),
        SO_SNDBUF => value.set(&base.send_buffer()),
        SO_RCVBUF => value.set(&base.receive_buffer()),
        SO_RCVLOWAT => value.set(&base.low_mark()),
        SO_SNDLOWAT => value.set(&1_i32),
        SO_PRIORITY => value.set(&base.priority()),
        SO_LINGER => value.set(&base.linger()),
        SO_SNDTIMEO => value.set(&time_val(base.send_timeout())),
        SO_RCVTIMEO => value.set(&time_val(base.receive_timeout())),
        // None, which is a name of no bytes.
        SO_BINDTODEVICE => {}
        SO_PEEK_OFF if ops.has_peek_offset() => value.set(&base.peek_offset()),
        SO_PEEK_OFF => return Err(Errno::EOPNOTSUPP),
        name if SocketBase::is_switch(name) => value.set(&i32::from(base.is_on(name))),
        name => return ops.get_option(request, level, name, value),
    }
    Ok(())
}

fn pending_error(base: &SocketBase) -> u32 {
    base.take_error().err().map_or(0, |error| error.number().into())
}

fn time_val(nanos: Option<u64>) -> TimeVal {
    TimeVal::from_nanoseconds(nanos.unwrap_or(0))
}

/// setsockopt(2).
///
/// # Errors
/// `EINVAL`: fewer bytes than the option has. `ENOPROTOOPT`: no such option, or it cannot be set. `EDOM`: a time that is none.
/// `EACCES`, `EPERM`: it is not for that program. `EOPNOTSUPP`: no such level, or no `SO_PEEK_OFF`. What the family says.
pub fn set(
    ops: &dyn SocketOps,
    request: &Request<'_>,
    level: u32,
    name: u32,
    value: &[u8],
) -> Result<(), Errno> {
    if level != SOL_SOCKET {
        return ops.set_option(request, level, name, value);
    }
    if !set_base(ops, request, name, value)? {
        return ops.set_option(request, level, name, value);
    }
    ops.note_option(name);
    Ok(())
}

/// Sets an option that is kept in [`SocketBase`]; whether it is one.
fn set_base(ops: &dyn SocketOps, request: &Request<'_>, name: u32, value: &[u8]) -> Result<bool, Errno> {
    let base = ops.base();
    let may = |capability| request.caller.credentials().can(capability);
    match name {
        SO_SNDTIMEO => base.set_send_timeout(timeout(value)?),
        SO_RCVTIMEO => base.set_receive_timeout(timeout(value)?),
        SO_LINGER => base.set_linger(value_of::<Linger>(value)?),
        SO_TYPE | SO_DOMAIN | SO_PROTOCOL | SO_ERROR | SO_ACCEPTCONN | SO_SNDLOWAT => {
            value_of::<i32>(value)?;
            return Err(Errno::ENOPROTOOPT);
        }
        SO_SNDBUF => base.set_send_buffer(send_buffer(value_of(value)?, WMEM_MAX.get())),
        SO_RCVBUF => base.set_receive_buffer(receive_buffer(value_of(value)?, RMEM_MAX.get())),
        SO_SNDBUFFORCE | SO_RCVBUFFORCE if !may(CAP_NET_ADMIN) => return Err(Errno::EPERM),
        SO_SNDBUFFORCE => base.set_send_buffer(send_buffer(value_of::<i32>(value)?.max(0), u32::MAX)),
        SO_RCVBUFFORCE => base.set_receive_buffer(receive_buffer(value_of::<i32>(value)?.max(0), u32::MAX)),
        SO_RCVLOWAT => base.set_low_mark(value_of(value)?),
        SO_PRIORITY => match value_of::<u32>(value)? {
            7.. if !may(CAP_NET_ADMIN) && !may(CAP_NET_RAW) => return Err(Errno::EPERM),
            priority => base.set_priority(priority),
        },
        SO_PEEK_OFF if ops.has_peek_offset() => base.set_peek_offset(value_of(value)?),
        SO_PEEK_OFF => return Err(Errno::EOPNOTSUPP),
        SO_DEBUG if value_of::<i32>(value)? != 0 && !may(CAP_NET_ADMIN) => return Err(Errno::EACCES),
        name if SocketBase::is_switch(name) => base.switch(name, value_of(value)?),
        _ => return Ok(false),
    }
    Ok(true)
}

/// Twice what a program asks for, within `most`: Linux lets it include what messages cost beside their bytes.
fn buffer(asked: i32, most: u32, least: u32) -> u32 {
    // A negative number is a large one, as in Linux.
    let asked = (asked as u32).min(most).min(MOST_BUFFER);
    (asked * 2).max(least)
}

fn send_buffer(asked: i32, most: u32) -> u32 {
    buffer(asked, most, LEAST_SEND_BUFFER)
}

fn receive_buffer(asked: i32, most: u32) -> u32 {
    buffer(asked, most, LEAST_RECEIVE_BUFFER)
}

/// A time to wait, nanoseconds; zero: without end; a negative one does not wait at all.
///
/// # Errors
/// `EINVAL`, `EDOM`.
fn timeout(value: &[u8]) -> Result<Option<u64>, Errno> {
    let time = value_of::<TimeVal>(value)?;
    if !(0..1_000_000).contains(&time.usec) {
        return Err(Errno::EDOM);
    }
    if time.sec < 0 {
        return Ok(Some(0));
    }
    let nanos = (time.sec as u64)
        .saturating_mul(1_000_000_000)
        .saturating_add(time.usec as u64 * 1000);
    Ok(Some(nanos).filter(|nanos| *nanos != 0))
}
