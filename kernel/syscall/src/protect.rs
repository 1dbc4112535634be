//! mprotect(2), in pieces between which others run.

use super::memory_limits::{check_becoming_data, is_full};
use super::mlock;
use super::mmap::protection_of;
use super::space::{is_inside_area, space};
use abi::Errno;
use abi::memory::ProtFlags;
use abi::process::{RLIM64_INFINITY, RLIMIT_DATA};
use memory::map_errno;
use mm::{
    AddressSpace, Area, Backing, MapError, PAGE_SIZE, PageRange, Portion, Protection, Purpose, Sharing,
    VirtAddr,
};
use sched::scheduler;
use sched::space::Space;
use task::thread::{Thread, ThreadExt};

const PAGE: u64 = PAGE_SIZE as u64;

/// mprotect(2). What lies before the place of an error has changed.
///
/// Not supported: `PROT_BTI`, `PROT_MTE` (`EINVAL`, as on a processor without them).
///
/// # Errors
/// `EINVAL`: not of whole pages, unknown bits, or an area that does not grow so. `EACCES`: the first area that cannot
/// be given the protection. `ENOMEM`: a hole; beyond `RLIMIT_DATA` or the number of areas; want of memory.
pub fn mprotect(current: &Thread, start: u64, len: u64, bits: u64) -> Result<usize, Errno> {
    let given = ProtFlags::from_bits_retain(u32::try_from(bits).map_err(|_| Errno::EINVAL)?);
    let growth = given & (ProtFlags::PROT_GROWSDOWN | ProtFlags::PROT_GROWSUP);
    let protection = decode_protection(given - growth)?;
    if !start.is_multiple_of(PAGE) {
        return Err(Errno::EINVAL);
    }
    let len = len.checked_next_multiple_of(PAGE).ok_or(Errno::ENOMEM)?;
    if len == 0 {
        return Ok(0);
    }
    let mut range = PageRange::new(VirtAddr(start), len).ok_or(Errno::ENOMEM)?;
    let space = space(current)?;
    if !growth.is_empty() {
        range = space.with(|space| extended(space, range, growth))?;
    }
    let data_limit = match protection.write {
        true => current.process().limit(RLIMIT_DATA),
        false => RLIM64_INFINITY,
    };
    let may_be_locked = protect_range(&space, range, protection, data_limit)?;
    if may_be_locked && protection.write {
        mlock::populate_locked(current, range.start().0, range.len());
    }
    Ok(0)
}

/// mprotect(2) piece by piece; whether something may be locked in the space.
fn protect_range(
    space: &Space,
    range: PageRange,
    protection: Protection,
    data_limit: u64,
) -> Result<bool, Errno> {
    let mut rest = range;
    loop {
        let (end, has_flags) = space.with(|space| -> Result<(VirtAddr, bool), Errno> {
            if rest.start() == range.start() {
                check_split(space, range)?;
            }
            let end = protect_some(space, rest, protection, data_limit)?;
            Ok((end, space.has_fork_advice()))
        })?;
        match PageRange::between(end, range.end()).filter(|rest| !rest.is_empty()) {
            Some(left) => rest = left,
            None => return Ok(has_flags),
        }
        scheduler::cond_resched_killable()?;
    }
}

/// `ENOMEM` if there are too many areas for one that is split at an end of the range.
fn check_split(space: &AddressSpace, range: PageRange) -> Result<(), Errno> {
    let is_split = || is_inside_area(space, range.start()) || is_inside_area(space, range.end());
    if is_full(space) && is_split() {
        return Err(Errno::ENOMEM);
    }
    Ok(())
}

/// mprotect(2) of the first part of `rest`; where it ends.
fn protect_some(
    space: &mut AddressSpace,
    rest: PageRange,
    protection: Protection,
    data_limit: u64,
) -> Result<VirtAddr, Errno> {
    let piece = space.areas_at_once(rest, Portion::USUAL);
    let end = first_refused(space, piece, protection).unwrap_or(piece.end());
    let allowed = PageRange::between(piece.start(), end).filter(|allowed| !allowed.is_empty());
    let allowed = allowed.ok_or(Errno::EACCES)?;
    check_becoming_data(space, allowed, data_limit)?;
    let reached = space.protect_some(memory::get(), allowed, protection, Portion::USUAL);
    reached.map_err(|error| match error {
        MapError::NotMapped => Errno::ENOMEM,
        error => map_errno(error),
    })
}

/// The protection that mprotect(2) asks for. Branch targets and tags are features of processors that this kernel does not
/// support: unknown, as on a processor without them.
fn decode_protection(bits: ProtFlags) -> Result<Protection, Errno> {
    let known = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE | ProtFlags::PROT_EXEC | ProtFlags::PROT_SEM;
    if !known.contains(bits) {
        return Err(Errno::EINVAL);
    }
    Ok(protection_of(bits))
}

/// The range down to where the area that grows begins. `EINVAL` for one that does not grow; none grows up.
#[cold]
fn extended(space: &AddressSpace, range: PageRange, growth: ProtFlags) -> Result<PageRange, Errno> {
    let area = space.areas().overlapping(range).next().ok_or(Errno::ENOMEM)?;
    let (start, is_stack) = (area.range().start(), area.purpose == Purpose::Stack);
    let is_upward = growth.contains(ProtFlags::PROT_GROWSUP);
    if is_upward && start > range.start() && !growth.contains(ProtFlags::PROT_GROWSDOWN) {
        return Err(Errno::ENOMEM);
    }
    if is_upward || !is_stack {
        return Err(Errno::EINVAL);
    }
    PageRange::between(start, range.end()).ok_or(Errno::EINVAL)
}

/// Where in `range` the first area begins that cannot be given that protection.
fn first_refused(space: &AddressSpace, range: PageRange, wanted: Protection) -> Option<VirtAddr> {
    let mut areas = space.areas().overlapping(range);
    let refused = areas.find(|area| is_refused(area, wanted))?;
    Some(refused.range().start().max(range.start()))
}

/// Whether the area shows a file to which its opener may not write, a page of the kernel that nobody may, or a file of a mount without
/// programs.
fn is_refused(area: &Area, wanted: Protection) -> bool {
    let Backing::Source { source, .. } = &area.backing else {
        return false;
    };
    let is_own = area.sharing == Sharing::Private && area.purpose != Purpose::Kernel;
    let is_write_refused = wanted.write && !is_own && !source.may_write();
    is_write_refused || wanted.execute && !source.may_execute()
}
