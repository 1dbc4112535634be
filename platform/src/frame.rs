//! The bytes of a frame, reached through the linear map. No reference to them ever exists, for user programs may change
//! them at any time: bytes go in and out by copies.

use crate::layout::linear;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};
use mm::{Frame, PAGE_SIZE};

/// Address of byte `offset` of `frame`, `len` bytes of which are to be used.
///
/// # Panics
/// When the bytes are not all inside the frame: a bug of the caller.
#[inline]
pub(crate) fn bytes(frame: Frame, offset: usize, len: usize) -> *mut u8 {
    if offset > PAGE_SIZE || len > PAGE_SIZE - offset {
        refuse(offset, len);
    }
    core::ptr::with_exposed_provenance_mut(linear(frame.start()) + offset)
}

/// Apart, so that who copies need not have the two numbers in memory.
#[cold]
fn refuse(offset: usize, len: usize) -> ! {
    panic!("bytes {offset}+{len} are not inside one frame")
}

/// Copies `to.len()` bytes at `offset` of `frame` to `to`. The caller holds a reference to the frame.
#[inline]
pub fn read(frame: Frame, offset: usize, to: &mut [u8]) {
    let from = bytes(frame, offset, to.len());
    // SAFETY: `bytes` checked the range; the linear map holds all RAM frames readable; `to` is the kernel's own memory, which
    // is never a frame that a `Frame` reference stands for, so they are apart.
    unsafe { core::ptr::copy_nonoverlapping(from, to.as_mut_ptr(), to.len()) }
}

/// Adds `len` bytes at `offset` of `frame` to a list that has room for them. The caller holds a reference to the frame.
///
/// # Panics
/// If it has none.
#[inline]
pub fn append(frame: Frame, offset: usize, len: usize, to: &mut Vec<u8>) {
    let from = bytes(frame, offset, len);
    let room = &mut to.spare_capacity_mut()[..len];
    // SAFETY: as in `read`; what is written is the list's spare room, `len` bytes of it, which then belong to the list.
    unsafe {
        core::ptr::copy_nonoverlapping(from, room.as_mut_ptr().cast(), len);
        to.set_len(to.len() + len);
    }
}

/// Copies `from` to `offset` of `frame`. The caller holds a reference to the frame, and the right to change it.
#[inline]
pub fn write(frame: Frame, offset: usize, from: &[u8]) {
    let to = bytes(frame, offset, from.len());
    // SAFETY: as in `read`; the frames of the image and the payload are read-only in the linear map, so they cannot be hit.
    unsafe { core::ptr::copy_nonoverlapping(from.as_ptr(), to, from.len()) }
}

/// Copies `len` bytes from one frame, at an offset, to another. The caller holds references to both, and the right to change the second.
///
/// # Panics
/// If they are one.
#[inline]
pub fn copy((from, from_offset): (Frame, usize), (to, to_offset): (Frame, usize), len: usize) {
    assert!(from != to, "bytes are copied from one frame to another");
    let from = bytes(from, from_offset, len);
    let to = bytes(to, to_offset, len);
    // SAFETY: as in `read` and `write`; two frames are apart.
    unsafe { core::ptr::copy_nonoverlapping(from, to, len) }
}

/// Stores a word at `offset` of `frame`, which is a multiple of 8, as a whole: who sees it sees all that was stored before. The caller
/// holds a reference to the frame, and the right to change it.
///
/// # Panics
/// If it is no multiple.
pub fn store_word(frame: Frame, offset: usize, word: u64) {
    assert!(offset.is_multiple_of(size_of::<u64>()), "words are aligned");
    let to = bytes(frame, offset, size_of::<u64>());
    // SAFETY: as in `write`; the word is aligned, for frames are. Programs only read it, and see all of a word.
    let to = unsafe { AtomicU64::from_ptr(to.cast()) };
    to.store(word, Ordering::Release);
}

/// Fills `len` bytes at `offset` of `frame` with zeros. The caller holds a reference to the frame, and the right to change it.
#[inline]
pub fn zero(frame: Frame, offset: usize, len: usize) {
    let to = bytes(frame, offset, len);
    // SAFETY: as in `write`.
    unsafe { core::ptr::write_bytes(to, 0, len) }
}
