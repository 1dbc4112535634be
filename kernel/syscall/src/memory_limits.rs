//! How much a process may map: RLIMIT_AS, RLIMIT_DATA, the number of areas.

use abi::Errno;
use abi::process::{RLIM64_INFINITY, RLIMIT_AS, RLIMIT_DATA};
use memory::MAX_MAP_COUNT;
use mm::{AddressSpace, Area, MapRequest, PageRange, Portion, Purpose, Sharing, VirtAddr};
use sched::scheduler;
use sched::space::Space;
use task::process::Process;

/// `ENOMEM` if with the request, which replaces all but `more` bytes of it, the space would grow beyond `RLIMIT_AS` or
/// `RLIMIT_DATA`. Whether it may have one more area is looked at where it gets it.
#[inline(always)]
pub fn check_limits(process: &Process, space: &Space, request: &MapRequest, more: u64) -> Result<(), Errno> {
    let limits = process.limits_of([RLIMIT_AS, RLIMIT_DATA]);
    check_sums(space, [more, data_of(request)], limits)
}

/// `ENOMEM` if the space has too many areas already, or would grow beyond `RLIMIT_AS` by `more` bytes, or beyond `RLIMIT_DATA` by
/// `data` bytes of private memory that can be written. As on Linux, what a mapping replaces is data until it is replaced.
pub fn check_room(process: &Process, space: &Space, more: u64, data: u64) -> Result<(), Errno> {
    if space.with(|space| is_full(space)) {
        return Err(Errno::ENOMEM);
    }
    check_sums(space, [more, data], process.limits_of([RLIMIT_AS, RLIMIT_DATA]))
}

/// As [`check_room`] where `RLIMIT_AS` and `RLIMIT_DATA` are known, of `more` bytes and of data.
#[inline(always)]
pub fn check_sums(space: &Space, more: [u64; 2], limits: [u64; 2]) -> Result<(), Errno> {
    match limits {
        [RLIM64_INFINITY, RLIM64_INFINITY] => Ok(()),
        limits => check_each_sum(space, more, limits),
    }
}

/// `ENOMEM` if either sum would be beyond its limit then.
#[cold]
fn check_each_sum(space: &Space, more: [u64; 2], limits: [u64; 2]) -> Result<(), Errno> {
    let sums = space.with(|space| space.areas().sums());
    let is_allowed =
        |used: u64, which: usize| more[which] == 0 || used.saturating_add(more[which]) <= limits[which];
    if is_allowed(sums.bytes, 0) && is_allowed(sums.data, 1) {
        Ok(())
    } else {
        Err(Errno::ENOMEM)
    }
}

/// Bytes of the range that are mapped. Others run in between.
pub fn mapped_in(space: &Space, at: VirtAddr, len: u64) -> u64 {
    let Some(range) = PageRange::new(at, len) else {
        return 0;
    };
    let (mut rest, mut mapped) = (range, 0);
    loop {
        let (part, more) = space.with(|space| mapped_in_part(space, rest));
        mapped += more;
        match PageRange::between(part.end(), range.end()).filter(|rest| !rest.is_empty()) {
            Some(left) => rest = left,
            None => return mapped,
        }
        scheduler::cond_resched();
    }
}

/// The first part of `rest`, and how many bytes of that are mapped.
fn mapped_in_part(space: &AddressSpace, rest: PageRange) -> (PageRange, u64) {
    let part = space.areas_at_once(rest, Portion::LOOKED_AT);
    let areas = space.areas().overlapping(part);
    let mapped = areas.map(|area| area.range().intersection(part).len()).sum();
    (part, mapped)
}

/// How many bytes of it are data.
fn data_of(request: &MapRequest) -> u64 {
    let is_data =
        request.sharing == Sharing::Private && request.protection.write && request.purpose != Purpose::Stack;
    if is_data { request.len } else { 0 }
}

/// Whether there may be as much data as when the range may be written.
///
/// # Errors
/// `ENOMEM`: there would be more than `limit`.
pub fn check_becoming_data(space: &AddressSpace, range: PageRange, limit: u64) -> Result<(), Errno> {
    if limit == RLIM64_INFINITY {
        return Ok(());
    }
    let becomes_data = |area: &&Area| !area.protection.write && area.would_be_data();
    let areas = space.areas().overlapping(range).filter(becomes_data);
    let more: u64 = areas.map(|area| area.range().intersection(range).len()).sum();
    if more == 0 || space.areas().sums().data.saturating_add(more) <= limit {
        Ok(())
    } else {
        Err(Errno::ENOMEM)
    }
}

/// Whether the space has as many areas as it may have.
pub fn is_full(space: &AddressSpace) -> bool {
    space.areas().len() >= MAX_MAP_COUNT
}
