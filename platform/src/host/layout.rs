//! Where RAM lies: physical addresses begin at 1 GiB, as on a board; the linear map is the piece of memory that the host gave.

use core::sync::atomic::{AtomicUsize, Ordering};
use mm::PhysAddr;

/// The first byte of RAM.
pub(crate) const RAM_START: u64 = 1 << 30;

/// The address of physical address 0, were it there.
static BASE: AtomicUsize = AtomicUsize::new(0);

/// RAM begins at `start`.
pub(crate) fn set_ram(start: usize) {
    BASE.store(start.wrapping_sub(RAM_START as usize), Ordering::Relaxed);
}

/// The address of a byte of RAM.
#[inline]
pub(crate) fn linear(address: PhysAddr) -> usize {
    BASE.load(Ordering::Relaxed).wrapping_add(address.0 as usize)
}

/// The physical address behind it.
#[inline]
pub(crate) fn linear_to_physical(address: usize) -> PhysAddr {
    PhysAddr(address.wrapping_sub(BASE.load(Ordering::Relaxed)) as u64)
}
