//! User memory as system calls reach it: through the user's own addresses, with the user's own rights (LDTR, STTR). A fault
//! on the way is served as if the program itself had made the access; what cannot be served is `EFAULT`. So a read(2) into
//! a copy-on-write page copies it, and no rule about sharing is written down a second time here.
//!
//! No lock may be held by a caller: a fault takes the lock of the address space, may ask a file for a page, and sleeps where that
//! page has to be waited for.
//!
//! For the file layer and all above it; of the thread that runs it asks what [`sched::HasMemory`] says.
//!
//! Where to read on: `mm/src/fault.rs`, what a fault does; [`Sink`] and [`Source`], where a transfer goes to or comes from.
#![warn(clippy::missing_errors_doc)]
#![cfg_attr(target_os = "none", no_std)]
#![feature(allocator_api)]
#![forbid(unsafe_code)]

extern crate alloc;

mod buffer;
mod kernel_buffer;

pub use buffer::{MOST_BYTES, Sink, Source, UserBuffer, read_ranges};
pub use kernel_buffer::{KernelSink, KernelSource, ListSink};

use sched::scheduler;
use sched::space::Space;
use sched::{HasMemory, Thread};

use abi::Errno;
use abi::zerocopy::{FromBytes, Immutable, IntoBytes};
use alloc::vec::Vec;
use mm::{Access, NoMemory, Outcome, Refusal, SegvCode, USER_END, VirtAddr};
use platform::user::AbortCause;
use platform::user_copy::{self, UserFault};
use spin::Once;

/// Copies a value from user memory.
///
/// # Errors
/// As [`read_bytes`].
pub fn read_value<T: FromBytes + IntoBytes>(at: u64) -> Result<T, Errno> {
    let mut value = T::new_zeroed();
    read_bytes(at, value.as_mut_bytes())?;
    Ok(value)
}

/// Copies a value to user memory.
///
/// # Errors
/// As [`write_bytes`].
pub fn write_value<T: IntoBytes + Immutable + ?Sized>(at: u64, value: &T) -> Result<(), Errno> {
    write_bytes(at, value.as_bytes())
}

/// Copies a value to user memory unless the address is 0: for results that the caller need not want.
///
/// # Errors
/// As [`write_bytes`].
pub fn write_wanted<T: IntoBytes + Immutable>(at: u64, value: &T) -> Result<(), Errno> {
    if at == 0 { Ok(()) } else { write_value(at, value) }
}

/// Fills `to` from user memory, or fails.
///
/// # Errors
/// `EFAULT`: the program could not make this access either. `ENOMEM`: there is no memory for its page.
pub fn read_bytes(at: u64, to: &mut [u8]) -> Result<(), Errno> {
    check_range(at, to.len())?;
    match user_copy::copy_from_user(to, VirtAddr(at)) {
        Ok(()) => Ok(()),
        Err(fault) => read_rest(at, to, &fault),
    }
}

/// Copies all of `from` to user memory, or fails; a part may have been written then.
///
/// # Errors
/// `EFAULT`: the program could not make this access either. `ENOMEM`: there is no memory for its page.
pub fn write_bytes(at: u64, from: &[u8]) -> Result<(), Errno> {
    check_range(at, from.len())?;
    match user_copy::copy_to_user(VirtAddr(at), from) {
        Ok(()) => Ok(()),
        Err(fault) => write_rest(at, from, &fault),
    }
}

/// Copies a string without its NUL.
///
/// # Errors
/// As [`append_string`].
pub fn read_string(at: u64, most: usize) -> Result<Vec<u8>, Errno> {
    let mut string = Vec::new();
    append_string(at, most, &mut string)?;
    Ok(string)
}

/// Appends a string without its NUL to `to`, which after an error is longer by part of it.
///
/// # Errors
/// `ENAMETOOLONG`: there is no NUL within `most` bytes. `ENOMEM`: for `to`. Those of [`read_bytes`].
pub fn append_string(at: u64, most: usize, to: &mut Vec<u8>) -> Result<(), Errno> {
    const PIECE: usize = 256;
    let start = to.len();
    loop {
        let done = to.len() - start;
        if done == most {
            return Err(Errno::ENAMETOOLONG);
        }
        to.try_reserve(PIECE.min(most - done))
            .map_err(|_| Errno::ENOMEM)?;
        if append_string_part(offset(at, done).0, most - done, to)? {
            return Ok(());
        }
    }
}

/// Appends what `to` has room for of a string, and at most `most` bytes. Whether it ends there; its NUL, which is not
/// appended, would have had room as well.
///
/// # Errors
/// As [`read_bytes`], with part of it appended.
pub fn append_string_part(at: u64, most: usize, to: &mut Vec<u8>) -> Result<bool, Errno> {
    let start = to.len();
    let end = start.saturating_add(most).min(to.capacity());
    loop {
        let done = to.len() - start;
        check_range(at, done + 1)?;
        match user_copy::append_string(to, offset(at, done), end - to.len()) {
            Ok(is_whole) => return Ok(is_whole),
            Err(fault) => serve(&fault)?,
        }
    }
}

/// Reads the 32-bit word at an aligned user address.
///
/// # Errors
/// As [`read_bytes`].
pub fn load_u32(at: u64) -> Result<u32, Errno> {
    until_served(|| user_copy::load_u32(VirtAddr(at)))
}

/// Stores `new` at the aligned word if it is `old`, in one step for all processors; returns what was found.
///
/// # Errors
/// As [`write_bytes`].
pub fn compare_exchange_u32(at: u64, old: u32, new: u32) -> Result<u32, Errno> {
    until_served(|| user_copy::compare_exchange_u32(VirtAddr(at), old, new))
}

fn until_served<T>(mut access: impl FnMut() -> Result<T, UserFault>) -> Result<T, Errno> {
    lock::assert_none_held();
    loop {
        match access() {
            Ok(value) => return Ok(value),
            Err(fault) => serve(&fault)?,
        }
    }
}

/// A range that leaves the user half is never touched, not even its first part (Linux's `access_ok`).
///
/// # Errors
/// `EFAULT`: it does.
pub fn check_range(at: u64, len: usize) -> Result<(), Errno> {
    lock::assert_none_held();
    if at <= USER_END && len as u64 <= USER_END - at {
        Ok(())
    } else {
        Err(Errno::EFAULT)
    }
}

/// What [`read_bytes`] does behind its first fault. Apart, so that who meets none saves few registers.
#[cold]
#[inline(never)]
fn read_rest(at: u64, to: &mut [u8], fault: &UserFault) -> Result<(), Errno> {
    rest_of(fault, |done| {
        user_copy::copy_from_user(&mut to[done..], offset(at, done))
    })
}

/// As [`read_rest`], the other way.
#[cold]
#[inline(never)]
fn write_rest(at: u64, from: &[u8], fault: &UserFault) -> Result<(), Errno> {
    rest_of(fault, |done| {
        user_copy::copy_to_user(offset(at, done), &from[done..])
    })
}

/// Repeats a copy from where it faulted until all of it is done.
fn rest_of(first: &UserFault, mut copy: impl FnMut(usize) -> Result<(), UserFault>) -> Result<(), Errno> {
    serve(first)?;
    let mut done = first.done;
    while let Err(fault) = copy(done) {
        done += fault.done;
        serve(&fault)?;
    }
    Ok(())
}

fn offset(at: u64, done: usize) -> VirtAddr {
    VirtAddr(at.wrapping_add(done as u64))
}

/// Serves a fault that the kernel's own access took. An access that may fault but not sleep, because a lock is held, is made by
/// [`user_copy`] itself; its fault is served here when the lock is released.
///
/// # Errors
/// As [`read_bytes`].
pub fn serve(fault: &UserFault) -> Result<(), Errno> {
    let abort = &fault.abort;
    let is_mapping = matches!(
        abort.cause,
        AbortCause::Translation | AbortCause::Permission | AbortCause::AccessFlag
    );
    if !is_mapping || !abort.address.is_user() {
        return Err(Errno::EFAULT);
    }
    let current = scheduler::current();
    let served = handle_fault(&*current, &current, abort.address, abort.access);
    if current.is_traced()
        && let Some(observer) = OBSERVER.get()
    {
        observer(&current, abort.address, abort.access);
    }
    match served {
        Some(Ok(())) => Ok(()),
        Some(Err(Refusal::NoMemory)) => Err(Errno::ENOMEM),
        _ => Err(Errno::EFAULT),
    }
}

static OBSERVER: Once<fn(&Thread, VirtAddr, Access)> = Once::new();

/// Has `act` called behind each fault that the kernel takes on the memory of a thread that is traced.
pub fn set_observer(act: fn(&Thread, VirtAddr, Access)) {
    OBSERVER.call_once(|| act);
}

/// Takes a fault of the running thread to the heart and counts it. A page that is not there yet is waited for; where there is no
/// frame for it another process may be ended first. `None`: the thread has no memory any more, or was to end while it waited.
///
/// # Errors
/// What the access is refused for.
#[inline]
pub fn handle_fault(
    owner: &impl HasMemory,
    current: &Thread,
    address: VirtAddr,
    access: Access,
) -> Option<Result<(), Refusal>> {
    match owner.serve_fault(current, address, access)? {
        Outcome::Resolved(_) => Some(Ok(())),
        unresolved => serve_unresolved(owner, current, address, access, unresolved),
    }
}

/// After a fault was not resolved: its page is waited for, a stack may grow for it, room may be made. Then it is looked at anew from
/// the start, as if it had only been taken now. Apart, so that the path of all other faults needs few registers.
#[cold]
fn serve_unresolved(
    owner: &impl HasMemory,
    current: &Thread,
    address: VirtAddr,
    access: Access,
    mut outcome: Outcome,
) -> Option<Result<(), Refusal>> {
    // It may sleep.
    current.note_new_turn();
    let mut has_waited = false;
    loop {
        match outcome {
            Outcome::Resolved(_) => {
                if has_waited {
                    current.count_major_fault();
                }
                return Some(Ok(()));
            }
            Outcome::Deferred => {
                has_waited = true;
                wait_for_page(owner, address)?;
            }
            Outcome::Refused(refusal) => {
                if !is_overcome(owner, current, address, refusal)? {
                    return Some(Err(refusal));
                }
            }
        }
        outcome = owner.serve_fault(current, address, access)?;
    }
}

/// Waits for a page that its source does not have yet, with no lock held. Where another thread has changed the space since, there
/// may be nothing to wait for.
fn wait_for_page(owner: &impl HasMemory, address: VirtAddr) -> Option<()> {
    let awaited = in_space(owner, |space| {
        space.with(|space| space.awaited_page(memory::get(), address))
    })?;
    awaited.map_or(Some(()), |page| page.wait().ok())
}

/// Whether the reason for which an access was refused may be gone now.
fn is_overcome(
    owner: &impl HasMemory,
    current: &Thread,
    address: VirtAddr,
    refusal: Refusal,
) -> Option<bool> {
    Some(match refusal {
        Refusal::Denied(SegvCode::MapErr) => match owner.grow_stack(current, address)? {
            Ok(has_grown) => has_grown,
            Err(NoMemory) => memory::reclaim(),
        },
        Refusal::Denied(SegvCode::AccErr) => in_space(owner, |space| space.wait_for_arrival(address))?,
        Refusal::NoMemory => memory::reclaim(),
        Refusal::BusError => false,
    })
}

/// Does `work` with the space that the thread runs in, with no lock held.
fn in_space<R>(owner: &impl HasMemory, work: impl FnOnce(&Space) -> R) -> Option<R> {
    let space = owner.address_space()?;
    let result = work(&space);
    // The process may have ended meanwhile.
    space.let_go();
    Some(result)
}
