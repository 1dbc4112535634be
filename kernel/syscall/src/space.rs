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

/// [`Space::edit`] of the caller's space, without a reference to it: the process's lock keeps it meanwhile.
///
/// # Errors
/// `ENOMEM`: it has none any more.
#[inline(always)]
pub fn edit_space<R>(current: &Thread, work: impl FnOnce(&mut AddressSpace) -> R) -> Result<R, Errno> {
    let edited = current
        .process()
        .with_space(|space| (work(space), space.has_deferred()));
    let (result, has_deferred) = edited.ok_or(Errno::ENOMEM)?;
    if has_deferred {
        release_deferred(current);
    }
    Ok(result)
}

#[cold]
fn release_deferred(current: &Thread) {
    if let Ok(space) = space(current) {
        space.edit(|_| ());
        space.let_go();
    }
}

/// Whether an area lies on both sides of the address.
pub fn is_inside_area(space: &AddressSpace, at: VirtAddr) -> bool {
    space
        .areas()
        .find(at)
        .is_some_and(|area| area.range().start() != at)
}
