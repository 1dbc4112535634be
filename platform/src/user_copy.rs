//! Access to user memory, by loads and stores that have no more rights than EL0 (LDTR, STTR; arch/copy.s). A fault ends the
//! copy and is a value: the caller lets the address space answer it and goes on behind the bytes that are done, or gives up.
//! No lock that the fault path takes may be held while calling these.

use crate::arch;
use crate::cpu;
use crate::frame;
use crate::trap::{Abort, AbortCause};
use alloc::vec::Vec;
use mm::{Access, Event, Frame, USER_END, VirtAddr};

/// A copy that stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UserFault {
    /// Bytes that were copied before.
    pub done: usize,
    /// The access that failed.
    pub abort: Abort,
}

/// x0 and x1 of a routine that returns two values.
#[repr(C)]
struct Pair {
    value: usize,
    status: usize,
}

/// [`Pair::status`]: the routine did what it is for; there was no NUL; the access faulted.
const DONE: usize = 0;
const NOT_FOUND: usize = 1;

unsafe extern "C" {
    fn user_load(to: *mut u8, from: u64, len: usize) -> usize;
    fn user_store(to: u64, from: *const u8, len: usize) -> usize;
    fn user_zero(to: u64, len: usize) -> usize;
    fn user_string(to: *mut u8, from: u64, len: usize) -> Pair;
    fn user_load_u32(at: u64) -> Pair;
    fn user_store_u32(at: u64, value: u32) -> Pair;
    fn user_compare_exchange_u32(at: u64, old: u32, new: u32) -> Pair;
}

/// Checks that the range lies in the user half before any of it is touched. The fault is at the first byte beyond.
#[inline]
fn check_range(start: VirtAddr, len: usize, access: Access) -> Result<(), UserFault> {
    if start.0 <= USER_END && len as u64 <= USER_END - start.0 {
        return Ok(());
    }
    let abort = Abort {
        address: VirtAddr(start.0.max(USER_END)),
        access,
        cause: AbortCause::Translation,
        syndrome: 0,
    };
    Err(UserFault { done: 0, abort })
}

/// The fault that a routine has just run into.
#[cold]
fn fault(done: usize) -> UserFault {
    UserFault {
        done,
        abort: Abort::from_syndrome(arch::syndrome()),
    }
}

/// Whether a routine that copied `done` of `len` bytes is through; it is counted what it did.
#[inline]
fn finish(done: usize, len: usize, counted: Event) -> Result<(), UserFault> {
    cpu::counters().add(counted, done as u64);
    if done == len { Ok(()) } else { Err(fault(done)) }
}

/// Copies `to.len()` bytes from user memory.
///
/// # Errors
/// The first byte that EL0 could not read.
#[inline]
pub fn copy_from_user(to: &mut [u8], from: VirtAddr) -> Result<(), UserFault> {
    check_range(from, to.len(), Access::Read)?;
    // SAFETY: the routine writes `to` only, and reads the checked user range with the rights of EL0.
    let done = unsafe { user_load(to.as_mut_ptr(), from.0, to.len()) };
    finish(done, to.len(), Event::UserBytes)
}

/// Copies `from` to user memory.
///
/// # Errors
/// The first byte that EL0 could not write.
#[inline]
pub fn copy_to_user(to: VirtAddr, from: &[u8]) -> Result<(), UserFault> {
    check_range(to, from.len(), Access::Write)?;
    // SAFETY: the routine reads `from` only, and writes the checked user range with the rights of EL0.
    let done = unsafe { user_store(to.0, from.as_ptr(), from.len()) };
    finish(done, from.len(), Event::UserBytes)
}

/// Copies `len` bytes at `offset` of `frame`, to which the caller holds a reference, to user memory.
///
/// # Errors
/// As [`copy_to_user`].
///
/// # Panics
/// When the bytes are not all inside the frame.
#[inline]
pub fn copy_frame_to_user(to: VirtAddr, frame: Frame, offset: usize, len: usize) -> Result<(), UserFault> {
    check_range(to, len, Access::Write)?;
    let from = frame::bytes(frame, offset, len);
    // SAFETY: `bytes` checked the source; the user range may be the same frame, which the routine, copying upwards through
    // registers, does not mind.
    finish(unsafe { user_store(to.0, from, len) }, len, Event::UserBytes)
}

/// Copies `len` bytes from user memory to `offset` of `frame`, to which the caller holds a reference and which it may change.
///
/// # Errors
/// As [`copy_from_user`].
///
/// # Panics
/// When the bytes are not all inside the frame.
#[inline]
pub fn copy_frame_from_user(
    frame: Frame,
    offset: usize,
    from: VirtAddr,
    len: usize,
) -> Result<(), UserFault> {
    check_range(from, len, Access::Read)?;
    let to = frame::bytes(frame, offset, len);
    // SAFETY: as in `copy_frame_to_user`, the other way.
    finish(unsafe { user_load(to, from.0, len) }, len, Event::UserBytes)
}

/// Fills `len` bytes of user memory with zeros.
///
/// # Errors
/// As [`copy_to_user`].
pub fn zero_user(to: VirtAddr, len: usize) -> Result<(), UserFault> {
    check_range(to, len, Access::Write)?;
    // SAFETY: the routine writes the checked user range with the rights of EL0, and nothing else.
    finish(unsafe { user_zero(to.0, len) }, len, Event::UserBytesZeroed)
}

/// Appends a NUL-terminated string without its NUL, as much of it as `to` has room for and at most `most` bytes. Whether the NUL
/// was found among them; there is then room for it.
///
/// # Errors
/// The first byte that EL0 could not read, what is before it was appended; an end of the user half before a NUL is one.
pub fn append_string(to: &mut Vec<u8>, from: VirtAddr, most: usize) -> Result<bool, UserFault> {
    check_range(from, 0, Access::Read)?;
    let start = to.len();
    let wanted = most.min(to.capacity() - start);
    let room = usize::try_from(USER_END - from.0)
        .unwrap_or(usize::MAX)
        .min(wanted);
    // SAFETY: the routine writes at most `room` bytes, which lie within the capacity, and reads the user half with the rights
    // of EL0. It has written the bytes that it says.
    let pair = unsafe {
        let pair = user_string(to.as_mut_ptr().add(start), from.0, room);
        to.set_len(start + pair.value);
        pair
    };
    cpu::counters().add(Event::UserBytes, pair.value as u64);
    match pair.status {
        DONE => Ok(true),
        NOT_FOUND if room == wanted => Ok(false),
        NOT_FOUND => {
            let abort = Abort {
                address: VirtAddr(USER_END),
                access: Access::Read,
                cause: AbortCause::Translation,
                syndrome: 0,
            };
            Err(UserFault { done: room, abort })
        }
        _ => Err(fault(pair.value)),
    }
}

/// Checks a word that is to be accessed at once.
fn check_word(at: VirtAddr, access: Access) -> Result<(), UserFault> {
    check_range(at, size_of::<u32>(), access)?;
    if at.0.is_multiple_of(size_of::<u32>() as u64) {
        return Ok(());
    }
    let abort = Abort {
        address: at,
        access,
        cause: AbortCause::Alignment,
        syndrome: 0,
    };
    Err(UserFault { done: 0, abort })
}

fn word(pair: Pair) -> Result<u32, UserFault> {
    if pair.status == DONE {
        cpu::counters().add(Event::UserBytes, size_of::<u32>() as u64);
        Ok(pair.value as u32)
    } else {
        Err(fault(0))
    }
}

/// Loads an aligned word, at once.
///
/// # Errors
/// As [`copy_from_user`]; a misaligned address is [`AbortCause::Alignment`].
pub fn load_u32(at: VirtAddr) -> Result<u32, UserFault> {
    check_word(at, Access::Read)?;
    // SAFETY: reads a checked user word with the rights of EL0.
    word(unsafe { user_load_u32(at.0) })
}

/// Stores an aligned word, at once.
///
/// # Errors
/// As [`copy_to_user`]; a misaligned address is [`AbortCause::Alignment`].
pub fn store_u32(at: VirtAddr, value: u32) -> Result<(), UserFault> {
    check_word(at, Access::Write)?;
    // SAFETY: writes a checked user word with the rights of EL0.
    word(unsafe { user_store_u32(at.0, value) }).map(|_| ())
}

/// Stores `new` at an aligned word if it is `old`, in one step for all processors, and returns what was found.
///
/// # Errors
/// As [`load_u32`] and, when `old` was found, [`store_u32`].
pub fn compare_exchange_u32(at: VirtAddr, old: u32, new: u32) -> Result<u32, UserFault> {
    check_word(at, Access::Write)?;
    // SAFETY: reads and writes a checked user word. The exclusives have the rights of EL1, yet the routine first proves
    // with LDTR that EL0 may read, and pages that EL0 may not write are read-only for EL1 too.
    word(unsafe { user_compare_exchange_u32(at.0, old, new) })
}
