//! How much a process may map: RLIMIT_AS, RLIMIT_DATA, the number of areas.

use crate::process::{Process, Space};
use abi::Errno;
use abi::process::{RLIM64_INFINITY, RLIMIT_AS, RLIMIT_DATA};
use mm::{AddressSpace, MapRequest, PageRange, Purpose, Sharing, VirtAddr};

/// Areas of one space from which on no more are made: Linux's `max_map_count`.
const MOST_AREAS: usize = 65530;

/// `ENOMEM` if with the request, which replaces all but `more` bytes of it, the space would grow beyond `RLIMIT_AS` or
/// `RLIMIT_DATA`. Whether it may have one more area is looked at where it gets it.
#[inline]
pub fn check_limits(process: &Process, space: &Space, request: &MapRequest, more: u64) -> Result<(), Errno> {
    if process.limits_of([RLIMIT_AS, RLIMIT_DATA]) == [RLIM64_INFINITY; 2] {
        return Ok(());
    }
    check_both(process, space, request, more)
}

#[cold]
fn check_both(process: &Process, space: &Space, request: &MapRequest, more: u64) -> Result<(), Errno> {
    check_room(process, space, more)?;
    check_data(process, space, request)
}

/// `ENOMEM` if the space would grow beyond `RLIMIT_AS`, or has too many areas already.
pub fn check_room(process: &Process, space: &Space, more: u64) -> Result<(), Errno> {
    if space.with(|space| is_full(space)) {
        return Err(Errno::ENOMEM);
    }
    let limit = process.limit(RLIMIT_AS);
    if limit == RLIM64_INFINITY || more == 0 {
        return Ok(());
    }
    let used: u64 = space.with(|space| space.areas().sums().bytes);
    if used.saturating_add(more) <= limit {
        Ok(())
    } else {
        Err(Errno::ENOMEM)
    }
}

/// Bytes of the range that are mapped.
pub fn mapped_in(space: &Space, at: VirtAddr, len: u64) -> u64 {
    let Some(range) = PageRange::new(at, len) else {
        return 0;
    };
    space.with(|space| {
        let areas = space.areas().iter_from(at);
        areas
            .take_while(|area| area.range().start() < range.end())
            .map(|area| area.range().intersection(range).len())
            .sum()
    })
}

/// `ENOMEM` if private memory that can be written would grow beyond `RLIMIT_DATA`. As on Linux, what the request replaces counts
/// until it is replaced.
fn check_data(process: &Process, space: &Space, request: &MapRequest) -> Result<(), Errno> {
    let is_data =
        request.sharing == Sharing::Private && request.protection.write && request.purpose != Purpose::Stack;
    let limit = process.limit(RLIMIT_DATA);
    if !is_data || limit == RLIM64_INFINITY {
        return Ok(());
    }
    let used = space.with(|space| space.areas().sums().data);
    if used.saturating_add(request.len) <= limit {
        Ok(())
    } else {
        Err(Errno::ENOMEM)
    }
}

/// Whether the space has as many areas as it may have.
pub fn is_full(space: &AddressSpace) -> bool {
    space.areas().len() >= most_areas()
}

/// How many areas a space may have: /proc/sys/vm/max_map_count.
pub fn most_areas() -> usize {
    MOST_AREAS
}
