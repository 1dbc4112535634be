//! The caller's address space, and how a range lies in it.

use abi::Errno;
use alloc::sync::Arc;
use mm::{AddressSpace, VirtAddr};
use sched::space::Space;
use task::thread::{Thread, ThreadExt};

/// The caller's address space.
///
/// # Errors
/// `ENOMEM`: its process ends.
#[inline(always)]
pub fn space(current: &Thread) -> Result<Arc<Space>, Errno> {
    current.process().space().ok_or(Errno::ENOMEM)
}

/// Whether an area lies on both sides of the address.
pub fn is_inside_area(space: &AddressSpace, at: VirtAddr) -> bool {
    space
        .areas()
        .find(at)
        .is_some_and(|area| area.range().start() != at)
}
