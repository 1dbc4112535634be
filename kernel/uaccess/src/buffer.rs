//! Where the bytes of a read go and those of a write come from, mostly user memory: one range, or the list of readv(2).

use super::{read_bytes, serve};
use abi::Errno;
use abi::file::{IOV_MAX, IoVec};
use abi::zerocopy::IntoBytes;
use alloc::vec::Vec;
use mm::{Frame, VirtAddr};
use platform::user_copy::{self, UserFault};
use sched::scheduler;

/// Bytes that one read or write moves at most (Linux's `MAX_RW_COUNT`).
pub const MOST_BYTES: usize = 0x7fff_f000;

/// Where the bytes of a read go. Each call takes as much as it can; less than offered only at the end of the room or in
/// front of a fault, which is an error only if nothing was taken.
pub trait Sink {
    /// Bytes that may still be put.
    fn room(&self) -> usize;
    /// The addresses and lengths of the program's memory that they go to, or-ed: what they are all multiples of.
    fn memory_bits(&self) -> u64 {
        0
    }
    /// Puts bytes; how many.
    ///
    /// # Errors
    /// `EFAULT`, `ENOMEM`: of the first byte, as [`write_bytes`](super::write_bytes). `EINTR`: the process is to end.
    fn put(&mut self, bytes: &[u8]) -> Result<usize, Errno>;
    /// As [`Sink::put`], for one who holds a lock: it stops in front of a `fault`, which the caller serves when it has released the lock
    /// ([`serve`]), and may stop before the end of the room.
    fn try_put(&mut self, bytes: &[u8], fault: &mut Option<UserFault>) -> usize;
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
    ///
    /// # Errors
    /// As [`Sink::put`].
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
    /// As [`Sink::memory_bits`].
    fn memory_bits(&self) -> u64 {
        0
    }
    /// Takes bytes; how many.
    ///
    /// # Errors
    /// `EFAULT`, `ENOMEM`: of the first byte, as [`read_bytes`]. `EINTR`: the process is to end.
    fn take(&mut self, into: &mut [u8]) -> Result<usize, Errno>;
    /// As [`Source::take`], for one who holds a lock, as [`Sink::try_put`] puts them.
    fn try_take(&mut self, into: &mut [u8], fault: &mut Option<UserFault>) -> usize;
    /// Takes bytes into a frame, for one who holds a lock, as [`Sink::try_put_frame`] puts them.
    fn try_take_into_frame(
        &mut self,
        frame: Frame,
        offset: usize,
        len: usize,
        fault: &mut Option<UserFault>,
    ) -> usize;
    /// Takes bytes into a frame; how many.
    ///
    /// # Errors
    /// As [`Source::take`].
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
    scheduler::cond_resched_killable()?;
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

/// The `count` ranges listed at `list`, whosever memory they are of.
///
/// # Errors
/// `EINVAL`: too many, or a length that is negative. `ENOMEM`: for the list. Those of [`read_bytes`].
pub fn read_ranges(list: u64, count: u64) -> Result<Vec<IoVec>, Errno> {
    if count > IOV_MAX as u64 {
        return Err(Errno::EINVAL);
    }
    let mut ranges: Vec<IoVec> = memory::try_list(count as usize)?;
    read_bytes(list, ranges.as_mut_slice().as_mut_bytes())?;
    if ranges.iter().any(|range| i64::try_from(range.len).is_err()) {
        return Err(Errno::EINVAL);
    }
    Ok(ranges)
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

    /// The `count` ranges listed at `list`. A sum beyond [`MOST_BYTES`] is cut (readv(2)).
    ///
    /// # Errors
    /// As [`read_ranges`].
    pub fn from_list(list: u64, count: u64) -> Result<UserBuffer, Errno> {
        let mut rest = read_ranges(list, count)?;
        let mut left = 0;
        for range in &mut rest {
            range.len = range.len.min((MOST_BYTES - left) as u64);
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

    /// Addresses and lengths of all ranges, or-ed.
    fn all_bits(&self) -> u64 {
        let rest = self.rest.iter().map(|range| range.base | range.len);
        rest.fold(self.at | self.len as u64, |all, bits| all | bits)
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
    fn memory_bits(&self) -> u64 {
        self.all_bits()
    }

    #[inline]
    fn room(&self) -> usize {
        self.left
    }

    fn put(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        transfer(bytes.len(), |moved, fault| self.try_put(&bytes[moved..], fault))
    }

    #[inline]
    fn try_put(&mut self, bytes: &[u8], fault: &mut Option<UserFault>) -> usize {
        self.move_piece(bytes.len(), fault, |to, len| {
            user_copy::copy_to_user(to, &bytes[..len])
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
    fn memory_bits(&self) -> u64 {
        self.all_bits()
    }

    #[inline]
    fn left(&self) -> usize {
        self.left
    }

    fn take(&mut self, into: &mut [u8]) -> Result<usize, Errno> {
        transfer(into.len(), |moved, fault| {
            self.try_take(&mut into[moved..], fault)
        })
    }

    #[inline]
    fn try_take(&mut self, into: &mut [u8], fault: &mut Option<UserFault>) -> usize {
        self.move_piece(into.len(), fault, |from, len| {
            user_copy::copy_from_user(&mut into[..len], from)
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
