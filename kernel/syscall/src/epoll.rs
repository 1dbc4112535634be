//! epoll(7): epoll_create1(2), epoll_ctl(2), epoll_pwait(2), epoll_pwait2(2).

use abi::Errno;
use abi::capability::CAP_BLOCK_SUSPEND;
use abi::events::{EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EpollCreateFlags, EpollEvent, EpollEvents};
use abi::file::OpenFlags;
use alloc::sync::Arc;
use events::epoll::{self, Epoll};
use sched::time;
use task::signal;
use task::thread::{Thread, ThreadExt};
use uaccess::{check_range, read_value, write_value};
use vfs::OpenFile;

use super::flags::decode;
use super::lookup::opened;
use super::open::{install, on_exec};
use super::poll::{Mask, deadline};

/// Most events that a call asks for: `EP_MAX_EVENTS`.
const MAX_EVENTS: i32 = i32::MAX / size_of::<EpollEvent>() as i32;

/// epoll_create1(2).
///
/// # Errors
/// `EINVAL`: unknown flags. `EMFILE`, `ENOMEM`.
pub fn epoll_create1(current: &Thread, flags: u32) -> Result<usize, Errno> {
    let flags = decode(flags, EpollCreateFlags::all())?;
    memory::has_room()?;
    let file = epoll::open(current.process().credentials().uid)?;
    install(
        current,
        file,
        on_exec(OpenFlags::from_bits_retain(flags.bits())),
        0,
    )
}

/// epoll_ctl(2). `EPOLLWAKEUP` means nothing more: the machine is never suspended.
///
/// # Errors
/// Those of user memory, unless it is `EPOLL_CTL_DEL`. `EBADF`. `EPERM`: the file cannot be waited for. `EINVAL`: no epoll, or
/// itself; an unknown operation; `EPOLLEXCLUSIVE` where it may not be. `ELOOP`: epolls in a circle, or too deep. `EEXIST`,
/// `ENOENT`. `ENOSPC`: the user watches as much as it may. `ENOMEM`.
pub fn epoll_ctl(
    current: &Thread,
    epoll: i32,
    operation: u32,
    target: i32,
    event: u64,
) -> Result<usize, Errno> {
    let mut event = if operation == EPOLL_CTL_DEL {
        EpollEvent::default()
    } else {
        read_value::<EpollEvent>(event)?
    };
    let (epoll, watched) = (opened(current, epoll)?, opened(current, target)?);
    if !watched.can_be_watched() {
        return Err(Errno::EPERM);
    }
    if !current.process().credentials().can(CAP_BLOCK_SUSPEND) {
        event.events -= EpollEvents::EPOLLWAKEUP;
    }
    if Arc::ptr_eq(&epoll, &watched) {
        return Err(Errno::EINVAL);
    }
    let epoll = of(&epoll)?;
    match operation {
        EPOLL_CTL_ADD => epoll.add(&watched, target, event)?,
        EPOLL_CTL_MOD => epoll.modify(&watched, target, event)?,
        EPOLL_CTL_DEL => epoll.delete(&watched, target)?,
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

/// epoll_pwait(2).
///
/// # Errors
/// `EINVAL`: no epoll, no room for an event, a size of the mask that is none. `EBADF`. `EINTR`: a signal came first; the call is
/// never made again by itself. Those of user memory.
pub fn epoll_pwait(current: &Thread, arguments: [u64; 6]) -> Result<usize, Errno> {
    let [epoll, events, most, timeout, mask, mask_size] = arguments;
    let deadline = match timeout as i32 {
        ..0 => None,
        milliseconds => Some(time::deadline_after(milliseconds as u64 * 1_000_000)),
    };
    wait(
        current,
        epoll as i32,
        events,
        most as i32,
        deadline,
        Mask::read(mask, mask_size)?,
    )
}

/// epoll_pwait2(2).
///
/// # Errors
/// As for [`epoll_pwait`]; `EINVAL`: a time that is none.
pub fn epoll_pwait2(current: &Thread, arguments: [u64; 6]) -> Result<usize, Errno> {
    let [epoll, events, most, timeout, mask, mask_size] = arguments;
    let deadline = deadline(timeout)?;
    wait(
        current,
        epoll as i32,
        events,
        most as i32,
        deadline,
        Mask::read(mask, mask_size)?,
    )
}

fn wait(
    current: &Thread,
    epoll: i32,
    events: u64,
    most: i32,
    deadline: Option<u64>,
    mask: Mask,
) -> Result<usize, Errno> {
    mask.suspend(current);
    let result = wait_unmasked(current, epoll, events, most, deadline);
    if result != Err(Errno::EINTR) {
        // Else the signal is delivered first, under the mask of the wait.
        signal::restore_mask(current);
    }
    result
}

fn wait_unmasked(
    current: &Thread,
    epoll: i32,
    events: u64,
    most: i32,
    deadline: Option<u64>,
) -> Result<usize, Errno> {
    if !(1..=MAX_EVENTS).contains(&most) {
        return Err(Errno::EINVAL);
    }
    check_range(events, most as usize * size_of::<EpollEvent>())?;
    let epoll = opened(current, epoll)?;
    let mut next = events;
    of(&epoll)?.wait(deadline, most as usize, &mut |event| {
        write_value(next, event)?;
        next += size_of::<EpollEvent>() as u64;
        Ok(())
    })
}

/// The epoll that it is. `EINVAL`.
fn of(file: &OpenFile) -> Result<&Epoll, Errno> {
    file.ops_as().ok_or(Errno::EINVAL)
}
