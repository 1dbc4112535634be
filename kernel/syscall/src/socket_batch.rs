//! Several messages in one call: sendmmsg(2), recvmmsg(2).

use abi::Errno;
use abi::file::IOV_MAX;
use abi::socket::{MMsgHdr, MessageFlags};
use abi::time::TimeSpec;

use super::socket::open_file;
use super::socket_message::{check_native, receive_message, send_message};
use net::file as socket_file;
use sched::{scheduler, time};
use task::thread::Thread;
use uaccess::{read_value, write_value};

/// Makes one message after the other of a list, `IOV_MAX` at most, by `make`, until it fails or says that it is enough; how
/// many were made, and the error that ended it.
fn make_messages(
    list: u64,
    count: u32,
    mut make: impl FnMut(u64) -> Result<(usize, bool), Errno>,
) -> (usize, Option<Errno>) {
    let most = (count as usize).min(IOV_MAX);
    for index in 0..most {
        let at = list.wrapping_add((index * size_of::<MMsgHdr>()) as u64);
        let len_at = at.wrapping_add(core::mem::offset_of!(MMsgHdr, len) as u64);
        let made = make(at).and_then(|(len, is_last)| {
            write_value(len_at, &(len as u32))?;
            scheduler::cond_resched_killable()?;
            Ok(is_last)
        });
        match made {
            Ok(false) => {}
            Ok(true) => return (index + 1, None),
            Err(error) => return (index, Some(error)),
        }
    }
    (most, None)
}

/// sendmmsg(2).
///
/// # Errors
/// As for `sendmsg`, of the first message.
pub fn sendmmsg(
    current: &Thread,
    descriptor: i32,
    list: u64,
    count: u32,
    flags: u32,
) -> Result<usize, Errno> {
    check_native(flags)?;
    let file = open_file(current, descriptor)?;
    let socket = socket_file::of(&file)?;
    let made = make_messages(list, count, |at| {
        Ok((send_message(current, &file, socket, at, flags)?, false))
    });
    match made {
        (0, Some(error)) => Err(error),
        (count, _) => Ok(count),
    }
}

/// recvmmsg(2). The time is looked at between messages only, as in Linux.
///
/// # Errors
/// As for `recvmsg`, of the first message; an error of a later one is the next call's. `EINVAL`, and those of user memory: the
/// timeout, before the descriptor.
pub fn recvmmsg(
    current: &Thread,
    descriptor: i32,
    list: u64,
    count: u32,
    flags: u32,
    timeout: u64,
) -> Result<usize, Errno> {
    check_native(flags)?;
    let deadline = deadline(timeout)?;
    let file = open_file(current, descriptor)?;
    let socket = socket_file::of(&file)?;
    socket.ops().base().take_error()?;
    let is_patient_once = flags & MessageFlags::MSG_WAITFORONE.bits() != 0;
    let mut flags = flags & !MessageFlags::MSG_WAITFORONE.bits();
    let (made, error) = make_messages(list, count, |at| {
        let len = receive_message(current, &file, socket, at, flags)?;
        if is_patient_once {
            flags |= MessageFlags::MSG_DONTWAIT.bits();
        }
        Ok((len, deadline.is_some_and(|at| platform::timer::ticks() >= at)))
    });
    write_time_left(timeout, deadline)?;
    match error {
        Some(error) if made == 0 => Err(error),
        Some(error) => {
            if !matches!(error, Errno::EAGAIN | Errno::RESTART | Errno::EINTR) {
                socket.ops().base().set_error(error);
            }
            Ok(made)
        }
        None => Ok(made),
    }
}

/// When the time at that address is over; `None`: never.
fn deadline(timeout: u64) -> Result<Option<u64>, Errno> {
    if timeout == 0 {
        return Ok(None);
    }
    let nanos = read_value::<TimeSpec>(timeout)?
        .to_nanoseconds()
        .ok_or(Errno::EINVAL)?;
    Ok(Some(time::deadline_after(nanos)))
}

fn write_time_left(timeout: u64, deadline: Option<u64>) -> Result<(), Errno> {
    let Some(deadline) = deadline else {
        return Ok(());
    };
    let ticks = deadline.saturating_sub(platform::timer::ticks());
    let left = TimeSpec::from_nanoseconds(platform::timer::ticks_to_nanos(ticks));
    write_value(timeout, &left)
}
