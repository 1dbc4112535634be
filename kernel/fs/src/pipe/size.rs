//! How much a pipe holds: fcntl(2), `F_SETPIPE_SZ`.

use abi::Errno;
use mm::PAGE_SIZE;

use super::slots::Slots;
use super::{Pipe, PipeState, WRITER_AWAY, page_start};

/// Bytes to which a pipe may be enlarged by anybody: /proc/sys/fs/pipe-max-size.
pub const MAX_UNPRIVILEGED: usize = 1 << 20;
/// Bytes to which it may be enlarged at all. Linux lets user 0 go to 2 GiB; the places for the frames are one piece of memory
/// here.
const MAX: usize = 64 << 20;

/// The capacity that is given for a wish: a power of 2, of one page at least.
///
/// # Errors
/// `EINVAL`, `ENOMEM`.
pub fn rounded(wanted: u32) -> Result<usize, Errno> {
    if wanted > 1 << 31 {
        return Err(Errno::EINVAL);
    }
    let capacity = (wanted as usize).max(PAGE_SIZE).next_power_of_two();
    if capacity > MAX {
        return Err(Errno::ENOMEM);
    }
    Ok(capacity)
}

impl Pipe {
    /// Bytes that it holds.
    pub fn capacity(&self) -> usize {
        self.state.lock().slots.capacity()
    }

    /// Makes it hold `capacity` bytes, one of the values of [`rounded`].
    ///
    /// # Errors
    /// `EBUSY` if more are in it, or somebody is in the middle of a write; `ENOMEM`.
    pub fn set_capacity(&self, capacity: usize) -> Result<(), Errno> {
        let mut slots = Slots::with_capacity(capacity).map_err(|_| Errno::ENOMEM)?;
        let old = {
            let mut state = self.state.lock();
            if state.special & WRITER_AWAY != 0 {
                return Err(Errno::EBUSY);
            }
            let used = state.used_pages();
            if used.clone().count() > capacity / PAGE_SIZE {
                return Err(Errno::EBUSY);
            }
            state.slots.move_to(&mut slots, used).map_err(|_| Errno::ENOMEM)?;
            state.end = page_start(state.head) + capacity as u64;
            core::mem::replace(&mut state.slots, slots)
        };
        drop(old);
        self.writable.wake_all();
        Ok(())
    }
}

impl PipeState {
    /// The pages that hold bytes, or are being written.
    fn used_pages(&self) -> core::ops::Range<u64> {
        let size = PAGE_SIZE as u64;
        let (first, end) = (self.head / size, (self.tail + self.ahead).div_ceil(size));
        first..end.max(first)
    }
}
