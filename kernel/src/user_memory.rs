//! User memory as system calls reach it: through the user's own addresses, with the user's own rights (LDTR, STTR). A fault
//! on the way is served as if the program itself had made the access; what cannot be served is `EFAULT`. So a read(2) into
//! a copy-on-write page copies it, and no rule about sharing is written down a second time here.
//!
//! No lock may be held by a caller: a fault takes the lock of the address space, and may ask a file for a page.

use crate::process;
use crate::thread::Thread;
use crate::{memory, scheduler, sync};
use abi::Errno;
use abi::file::{IOV_MAX, IoVec};
use abi::zerocopy::{FromBytes, Immutable, IntoBytes};
use alloc::vec::Vec;
use mm::{Access, Frame, Outcome, USER_END, VirtAddr};
use platform::user::AbortCause;
use platform::user_copy::{self, UserFault};

/// Bytes that one read or write moves at most (Linux's `MAX_RW_COUNT`).
pub const MOST_BYTES: usize = 0x7fff_f000;

/// Copies a value from user memory.
pub fn read_value<T: FromBytes + IntoBytes>(at: u64) -> Result<T, Errno> {
    let mut value = T::new_zeroed();
    read_bytes(at, value.as_mut_bytes())?;
    Ok(value)
}

/// Copies a value to user memory.
pub fn write_value<T: IntoBytes + Immutable + ?Sized>(at: u64, value: &T) -> Result<(), Errno> {
    write_bytes(at, value.as_bytes())
}

/// Copies a value to user memory unless the address is 0: for results that the caller need not want.
pub fn write_wanted<T: IntoBytes + Immutable>(at: u64, value: &T) -> Result<(), Errno> {
    if at == 0 { Ok(()) } else { write_value(at, value) }
}

/// Fills `to` from user memory, or fails.
pub fn read_bytes(at: u64, to: &mut [u8]) -> Result<(), Errno> {
    check_range(at, to.len())?;
    all_of(|done| user_copy::copy_from_user(&mut to[done..], offset(at, done)))
}

/// Copies all of `from` to user memory, or fails; a part may have been written then.
pub fn write_bytes(at: u64, from: &[u8]) -> Result<(), Errno> {
    check_range(at, from.len())?;
    all_of(|done| user_copy::copy_to_user(offset(at, done), &from[done..]))
}

/// Copies a string without its NUL. `ENAMETOOLONG` if there is no NUL within `most` bytes.
pub fn read_string(at: u64, most: usize) -> Result<Vec<u8>, Errno> {
    let mut string = Vec::new();
    append_string(at, most, &mut string)?;
    Ok(string)
}

/// Appends a string without its NUL to `to`. `ENAMETOOLONG` if there is no NUL within `most` bytes; `to` is then longer
/// by part of it.
pub fn append_string(at: u64, most: usize, to: &mut Vec<u8>) -> Result<(), Errno> {
    const PIECE: usize = 256;
    let start = to.len();
    loop {
        let done = to.len() - start;
        let wanted = PIECE.min(most - done);
        if wanted == 0 {
            return Err(Errno::ENAMETOOLONG);
        }
        check_range(at, done + 1)?;
        let wanted = wanted.min((USER_END - at) as usize - done);
        to.try_reserve(wanted).map_err(|_| Errno::ENOMEM)?;
        to.try_reserve(wanted).map_err(|_| Errno::ENOMEM)?;
        to.resize(start + done + wanted, 0);
        let found = read_piece(offset(at, done), &mut to[start + done..]);
        let end = found.as_ref().ok().copied().flatten();
        if end.is_some() || found.is_err() {
            to.truncate(start + done + end.unwrap_or(0));
            return found.map(drop);
        }
    }
}

/// Part of a string: its end if it lies in this part.
fn read_piece(at: VirtAddr, to: &mut [u8]) -> Result<Option<usize>, Errno> {
    loop {
        match user_copy::string_from_user(to, at) {
            Ok(end) => return Ok(end),
            Err(fault) => serve(&fault)?,
        }
    }
}

/// Reads the 32-bit word at an aligned user address.
pub fn load_u32(at: u64) -> Result<u32, Errno> {
    until_served(|| user_copy::load_u32(VirtAddr(at)))
}

/// Stores `new` at the aligned word if it is `old`, in one step for all processors; returns what was found.
pub fn compare_exchange_u32(at: u64, old: u32, new: u32) -> Result<u32, Errno> {
    until_served(|| user_copy::compare_exchange_u32(VirtAddr(at), old, new))
}

fn until_served<T>(mut access: impl FnMut() -> Result<T, UserFault>) -> Result<T, Errno> {
    sync::assert_none_held();
    loop {
        match access() {
            Ok(value) => return Ok(value),
            Err(fault) => serve(&fault)?,
        }
    }
}

/// A range that leaves the user half is never touched, not even its first part (Linux's `access_ok`).
fn check_range(at: u64, len: usize) -> Result<(), Errno> {
    sync::assert_none_held();
    if at <= USER_END && len as u64 <= USER_END - at {
        Ok(())
    } else {
        Err(Errno::EFAULT)
    }
}

/// Repeats a copy from where it faulted until all of it is done.
fn all_of(mut copy: impl FnMut(usize) -> Result<(), UserFault>) -> Result<(), Errno> {
    let mut done = 0;
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
pub fn serve(fault: &UserFault) -> Result<(), Errno> {
    let abort = &fault.abort;
    let is_mapping = matches!(
        abort.cause,
        AbortCause::Translation | AbortCause::Permission | AbortCause::AccessFlag
    );
    if !is_mapping || !abort.address.is_user() {
        return Err(Errno::EFAULT);
    }
    match handle_fault(&scheduler::current(), abort.address, abort.access) {
        Some(Outcome::Resolved(_)) => Ok(()),
        Some(Outcome::NoMemory) => Err(Errno::ENOMEM),
        _ => Err(Errno::EFAULT),
    }
}

/// Takes a fault of the running thread to the heart and counts it. Where there is no frame for the page another process may
/// be ended first. `None`: the process has no memory any more.
#[inline]
pub fn handle_fault(current: &Thread, address: VirtAddr, access: Access) -> Option<Outcome> {
    let process = &current.process;
    let mut outcome = process.with_space(|space| space.handle_fault(memory::get(), address, access))?;
    while outcome == Outcome::NoMemory && process::make_room(process) {
        outcome = process.with_space(|space| space.handle_fault(memory::get(), address, access))?;
    }
    if let Outcome::Resolved(_) = outcome {
        current.count_minor_fault();
    }
    Some(outcome)
}

/// Where the bytes of a read go. Each call takes as much as it can; less than offered only at the end of the room or in
/// front of a fault, which is an error only if nothing was taken.
pub trait Sink {
    /// Bytes that may still be put.
    fn room(&self) -> usize;
    /// Puts bytes; how many.
    fn put(&mut self, bytes: &[u8]) -> Result<usize, Errno>;
    /// Puts bytes that lie in a frame, for one who holds a lock; how many. It may stop before the end of the room, and does so
    /// in front of a `fault`, which the caller serves when it has released the lock. None are put only there.
    fn try_put_frame(
        &mut self,
        frame: Frame,
        offset: usize,
        len: usize,
        fault: &mut Option<UserFault>,
    ) -> usize;
    /// Puts bytes that lie in a frame; how many.
    fn put_frame(&mut self, frame: Frame, offset: usize, len: usize) -> Result<usize, Errno> {
        transfer(len, |moved, fault| {
            self.try_put_frame(frame, offset + moved, len - moved, fault)
        })
    }
}

/// Where the bytes of a write come from. Each call gives as much as it can, as [`Sink`] takes.
pub trait Source {
    /// Bytes that may still be taken.
    fn left(&self) -> usize;
    /// Takes bytes; how many.
    fn take(&mut self, into: &mut [u8]) -> Result<usize, Errno>;
    /// Takes bytes into a frame, for one who holds a lock, as [`Sink::try_put_frame`] puts them.
    fn try_take_into_frame(
        &mut self,
        frame: Frame,
        offset: usize,
        len: usize,
        fault: &mut Option<UserFault>,
    ) -> usize;
    /// Takes bytes into a frame; how many.
    fn take_into_frame(&mut self, frame: Frame, offset: usize, len: usize) -> Result<usize, Errno> {
        transfer(len, |moved, fault| {
            self.try_take_into_frame(frame, offset + moved, len - moved, fault)
        })
    }
}

/// Moves up to `most` bytes by `step(bytes already moved, fault)`, which says how many it moved, and serves the faults that
/// stop it.
fn transfer(
    most: usize,
    mut step: impl FnMut(usize, &mut Option<UserFault>) -> usize,
) -> Result<usize, Errno> {
    scheduler::pause()?;
    let mut moved = 0;
    while moved < most {
        let mut fault = None;
        let len = step(moved, &mut fault);
        moved += len;
        match fault.as_ref().map_or(Ok(()), serve) {
            Err(error) if moved == 0 => return Err(error),
            Err(_) => break,
            Ok(()) if len == 0 && fault.is_none() => break,
            Ok(()) => {}
        }
    }
    Ok(moved)
}

/// User memory as a place to read to or write from: one range, or the list of readv(2).
pub struct UserBuffer {
    /// What is left of the range in use.
    at: u64,
    len: usize,
    /// The ranges behind it, the next one last.
    rest: Vec<IoVec>,
    left: usize,
}

impl UserBuffer {
    /// One range. Nothing is checked before it is used; more than [`MOST_BYTES`] are cut.
    pub fn new(at: u64, len: u64) -> UserBuffer {
        let len = usize::try_from(len).unwrap_or(usize::MAX).min(MOST_BYTES);
        UserBuffer {
            at,
            len,
            rest: Vec::new(),
            left: len,
        }
    }

    /// The `count` ranges listed at `list`. `EINVAL` for too many or a length that is negative; a sum beyond
    /// [`MOST_BYTES`] is cut (readv(2)).
    pub fn from_list(list: u64, count: u64) -> Result<UserBuffer, Errno> {
        if count > IOV_MAX as u64 {
            return Err(Errno::EINVAL);
        }
        let mut rest: Vec<IoVec> = memory::try_list(count as usize)?;
        read_bytes(list, rest.as_mut_slice().as_mut_bytes())?;
        let mut left = 0;
        for range in &mut rest {
            let len = i64::try_from(range.len).map_err(|_| Errno::EINVAL)? as usize;
            range.len = len.min(MOST_BYTES - left) as u64;
            left += range.len as usize;
        }
        rest.reverse();
        Ok(UserBuffer {
            at: 0,
            len: 0,
            rest,
            left,
        })
    }

    /// The range to use next: address, and length at most `most`.
    fn next(&mut self, most: usize) -> Option<(u64, usize)> {
        while self.len == 0 {
            let range = self.rest.pop()?;
            (self.at, self.len) = (range.base, range.len as usize);
        }
        Some((self.at, self.len.min(most)))
    }

    /// Moves up to `most` bytes of one range by `copy(user address, length)`; how many. What stopped it is left in `fault`.
    #[inline]
    fn move_piece(
        &mut self,
        most: usize,
        fault: &mut Option<UserFault>,
        copy: impl FnOnce(VirtAddr, usize) -> Result<(), UserFault>,
    ) -> usize {
        let Some((at, len)) = self.next(most) else {
            return 0;
        };
        let mut done = len;
        if let Err(stop) = copy(VirtAddr(at), len) {
            done = stop.done;
            *fault = Some(stop);
        }
        self.at = self.at.wrapping_add(done as u64);
        self.len -= done;
        self.left -= done;
        done
    }
}

impl Sink for UserBuffer {
    #[inline]
    fn room(&self) -> usize {
        self.left
    }

    fn put(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        transfer(bytes.len(), |moved, fault| {
            let rest = &bytes[moved..];
            self.move_piece(rest.len(), fault, |to, len| {
                user_copy::copy_to_user(to, &rest[..len])
            })
        })
    }

    fn try_put_frame(
        &mut self,
        frame: Frame,
        offset: usize,
        len: usize,
        fault: &mut Option<UserFault>,
    ) -> usize {
        self.move_piece(len, fault, |to, len| {
            user_copy::copy_frame_to_user(to, frame, offset, len)
        })
    }
}

impl Source for UserBuffer {
    #[inline]
    fn left(&self) -> usize {
        self.left
    }

    fn take(&mut self, into: &mut [u8]) -> Result<usize, Errno> {
        transfer(into.len(), |moved, fault| {
            let rest = &mut into[moved..];
            self.move_piece(rest.len(), fault, |from, len| {
                user_copy::copy_from_user(&mut rest[..len], from)
            })
        })
    }

    fn try_take_into_frame(
        &mut self,
        frame: Frame,
        offset: usize,
        len: usize,
        fault: &mut Option<UserFault>,
    ) -> usize {
        self.move_piece(len, fault, |from, len| {
            user_copy::copy_frame_from_user(frame, offset, from, len)
        })
    }
}

/// Kernel memory as a place to read to.
pub struct KernelBuffer<'a> {
    bytes: &'a mut [u8],
    filled: usize,
}

impl<'a> KernelBuffer<'a> {
    /// The whole of `bytes`.
    pub fn new(bytes: &'a mut [u8]) -> KernelBuffer<'a> {
        KernelBuffer { bytes, filled: 0 }
    }

    fn part(&mut self, most: usize) -> &mut [u8] {
        let start = self.filled;
        self.filled += most.min(self.bytes.len() - start);
        &mut self.bytes[start..self.filled]
    }
}

impl Sink for KernelBuffer<'_> {
    fn room(&self) -> usize {
        self.bytes.len() - self.filled
    }

    fn put(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        let part = self.part(bytes.len());
        part.copy_from_slice(&bytes[..part.len()]);
        Ok(part.len())
    }

    fn try_put_frame(
        &mut self,
        frame: Frame,
        offset: usize,
        len: usize,
        _fault: &mut Option<UserFault>,
    ) -> usize {
        let part = self.part(len);
        platform::frame::read(frame, offset, part);
        part.len()
    }
}
