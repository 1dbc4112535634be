//! brk(2), mmap(2) and everything that works on mappings. What a range means is decided in `mm`; here arguments are decoded
//! and limits checked.

use super::backing::{file_backing, zeros};
use super::map_errno;
use crate::fallible;
use crate::memory;
use crate::process::{Process, Space};
use crate::thread::Thread;
use crate::{scheduler, user_memory};
use abi::Errno;
use abi::memory::{
    MAP_ANONYMOUS, MAP_FIXED, MAP_FIXED_NOREPLACE, MAP_GROWSDOWN, MAP_HUGETLB, MAP_LOCKED, MAP_POPULATE,
    MAP_PRIVATE, MAP_SHARED, MAP_SHARED_VALIDATE, MAP_SYNC, MAP_TYPE, MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT,
    MLOCK_ONFAULT, MREMAP_FIXED, MREMAP_MAYMOVE, MS_ASYNC, MS_INVALIDATE, MS_SYNC, PROT_EXEC, PROT_READ,
    PROT_SEM, PROT_WRITE,
};
use abi::process::{RLIM64_INFINITY, RLIMIT_AS, RLIMIT_DATA};
use alloc::sync::Arc;
use mm::{
    Access, AddressSpace, Area, Backing, MapError, MapRequest, PAGE_SIZE, PageRange, Placement, Protection,
    Purpose, RemapPlacement, Sharing, VirtAddr,
};

const PAGE: u64 = PAGE_SIZE as u64;

/// Areas of one space from which on no more are made: Linux's `max_map_count`.
const MOST_AREAS: usize = 65530;

/// Pages whose state mincore(2) reports at a time.
const MINCORE_PIECE: u64 = 256;

/// brk(2), as the system call: the break in any case, moved or not.
pub fn brk(current: &Thread, end: u64) -> Result<usize, Errno> {
    let process = &current.process;
    let space = space(current)?;
    let (start, old) = space.with(|space| space.break_range());
    let grown = end.saturating_sub(old.0);
    let is_allowed = end.saturating_sub(start.0) <= process.limit(RLIMIT_DATA)
        && check_room(process, &space, grown).is_ok();
    if !is_allowed || (grown > 0 && memory::has_room().is_err()) {
        return Ok(old.0 as usize);
    }
    Ok(space
        .edit(|space| space.set_break(memory::get(), VirtAddr(end)))
        .0 as usize)
}

/// mmap(2).
pub fn mmap(
    current: &Thread,
    [address, len, protection, flags, descriptor, offset]: [u64; 6],
) -> Result<usize, Errno> {
    memory::has_room()?;
    let flags = flags as u32;
    let sharing = match flags & MAP_TYPE {
        MAP_PRIVATE => Sharing::Private,
        MAP_SHARED | MAP_SHARED_VALIDATE => Sharing::Shared,
        _ => return Err(Errno::EINVAL),
    };
    let wanted = protection_of(protection as u32);
    if len == 0 || !offset.is_multiple_of(PAGE) {
        return Err(Errno::EINVAL);
    }
    let rounded = len.checked_next_multiple_of(PAGE).ok_or(Errno::ENOMEM)?;
    offset.checked_add(rounded).ok_or(Errno::EOVERFLOW)?;
    if flags & MAP_HUGETLB != 0 {
        return Err(Errno::ENOMEM);
    }
    if flags & MAP_TYPE == MAP_SHARED_VALIDATE {
        check_validated(flags)?;
    }
    let backing = if flags & MAP_ANONYMOUS == 0 {
        file_backing(current, descriptor, wanted, sharing, offset..offset + rounded)?
    } else {
        zeros(sharing, rounded)?
    };
    let request = MapRequest {
        placement: placement(address, rounded, flags)?,
        len: rounded,
        protection: wanted,
        sharing,
        flags: mm::AreaFlags::NONE,
        purpose: purpose(flags, &backing),
        backing,
    };
    let space = space(current)?;
    check_room(&current.process, &space, rounded)?;
    let start = space
        .edit(|space| space.map(memory::get(), request))
        .map_err(map_errno)?;
    if flags & (MAP_POPULATE | MAP_LOCKED) != 0 {
        let access = if wanted.write { Access::Write } else { Access::Read };
        populate(current, start.0, rounded, access);
    }
    Ok(start.0 as usize)
}

/// `MAP_SHARED_VALIDATE` is for files, and takes no flag that has no effect.
fn check_validated(flags: u32) -> Result<(), Errno> {
    match flags {
        flags if flags & MAP_ANONYMOUS != 0 => Err(Errno::EINVAL),
        flags if flags & MAP_SYNC != 0 => Err(Errno::EOPNOTSUPP),
        _ => Ok(()),
    }
}

fn placement(address: u64, len: u64, flags: u32) -> Result<Placement, Errno> {
    let at = VirtAddr(address);
    if flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) == 0 {
        return Ok(Placement::Hint(at));
    }
    if !at.is_page_aligned() {
        return Err(Errno::EINVAL);
    }
    PageRange::new(at, len).ok_or(Errno::ENOMEM)?;
    Ok(if flags & MAP_FIXED_NOREPLACE != 0 {
        Placement::FixedNoReplace(at)
    } else {
        Placement::Fixed(at)
    })
}

fn purpose(flags: u32, backing: &Backing) -> Purpose {
    match backing {
        Backing::Anonymous if flags & MAP_GROWSDOWN != 0 => Purpose::Stack {
            limit: mm::space::LOWEST,
        },
        _ => Purpose::Mapping,
    }
}

/// The protection that mprotect(2) asks for. Branch targets and tags are features of processors that this kernel does not
/// support: unknown, as on a processor without them.
fn decode_protection(bits: u64) -> Result<Protection, Errno> {
    let bits = u32::try_from(bits).map_err(|_| Errno::EINVAL)?;
    if bits & !(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM) != 0 {
        return Err(Errno::EINVAL);
    }
    Ok(protection_of(bits))
}

/// The protection in those bits; mmap(2) does not look at others.
fn protection_of(bits: u32) -> Protection {
    Protection {
        read: bits & PROT_READ != 0,
        write: bits & PROT_WRITE != 0,
        execute: bits & PROT_EXEC != 0,
    }
}

/// `ENOMEM` if the space would grow beyond `RLIMIT_AS`, or has too many areas already.
fn check_room(process: &Process, space: &Space, more: u64) -> Result<(), Errno> {
    if space.with(|space| is_full(space)) {
        return Err(Errno::ENOMEM);
    }
    let limit = process.limit(RLIMIT_AS);
    if limit == RLIM64_INFINITY || more == 0 {
        return Ok(());
    }
    let used: u64 = space.with(|space| space.areas().bytes());
    if used.saturating_add(more) <= limit {
        Ok(())
    } else {
        Err(Errno::ENOMEM)
    }
}

/// Faults the pages of a range in, as far as that goes.
pub fn populate(current: &Thread, start: u64, len: u64, access: Access) {
    for page in (start..start.saturating_add(len)).step_by(PAGE_SIZE) {
        let outcome = user_memory::handle_fault(current, VirtAddr(page), access);
        if !matches!(outcome, Some(mm::Outcome::Resolved(_))) || scheduler::cond_resched_killable().is_err() {
            return;
        }
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

/// Whether an area lies on both sides of the address.
pub fn is_inside_area(space: &AddressSpace, at: VirtAddr) -> bool {
    space
        .areas()
        .find(at)
        .is_some_and(|area| area.range().start() != at)
}

/// munmap(2). `ENOMEM` if it would leave two areas where there was one, and the space has too many.
pub fn munmap(current: &Thread, start: u64, len: u64) -> Result<usize, Errno> {
    let end = VirtAddr(
        start
            .saturating_add(len)
            .checked_next_multiple_of(PAGE)
            .unwrap_or(u64::MAX),
    );
    let is_split =
        |space: &AddressSpace| is_inside_area(space, VirtAddr(start)) && is_inside_area(space, end);
    space(current)?.edit(|space| {
        if is_full(space) && is_split(space) {
            return Err(Errno::ENOMEM);
        }
        space
            .unmap(memory::get(), VirtAddr(start), len)
            .map_err(map_errno)
    })?;
    Ok(0)
}

/// mprotect(2).
pub fn mprotect(current: &Thread, start: u64, len: u64, protection: u64) -> Result<usize, Errno> {
    let protection = decode_protection(protection)?;
    if !start.is_multiple_of(PAGE) {
        return Err(Errno::EINVAL);
    }
    let len = len.checked_next_multiple_of(PAGE).ok_or(Errno::ENOMEM)?;
    if len == 0 {
        return Ok(0);
    }
    let range = PageRange::new(VirtAddr(start), len).ok_or(Errno::ENOMEM)?;
    space(current)?.with(|space| {
        let refused = first_write_refused(space, range).filter(|_| protection.write);
        let end = refused.unwrap_or(range.end());
        let is_split = is_inside_area(space, range.start()) || is_inside_area(space, end);
        if is_full(space) && is_split {
            return Err(Errno::ENOMEM);
        }
        space
            .protect(memory::get(), range.start(), end.0 - start, protection)
            .map_err(|error| match error {
                MapError::NotMapped => Errno::ENOMEM,
                error => map_errno(error),
            })?;
        // As on Linux, what lies before the refused area, or before a hole, has changed.
        refused.map_or(Ok(()), |_| Err(Errno::EACCES))
    })?;
    Ok(0)
}

/// Where in `range` the first area begins that cannot be made writable.
fn first_write_refused(space: &AddressSpace, range: PageRange) -> Option<VirtAddr> {
    let mut areas = space.areas().overlapping(range);
    let refused = areas.find(|area| is_write_refused(area))?;
    Some(refused.range().start().max(range.start()))
}

/// Whether the area shows a file to which its opener may not write.
fn is_write_refused(area: &Area) -> bool {
    match &area.backing {
        Backing::Source { source, .. } => area.sharing == Sharing::Shared && !source.may_write(),
        Backing::Anonymous => false,
    }
}

/// mremap(2).
pub fn mremap(current: &Thread, [old, old_len, new_len, flags, new, _]: [u64; 6]) -> Result<usize, Errno> {
    memory::has_room()?;
    let flags = flags as u32;
    if flags & !(MREMAP_MAYMOVE | MREMAP_FIXED) != 0 || !old.is_multiple_of(PAGE) || new_len == 0 {
        return Err(Errno::EINVAL);
    }
    let placement = match (flags & MREMAP_FIXED != 0, flags & MREMAP_MAYMOVE != 0) {
        (true, false) => return Err(Errno::EINVAL),
        (true, true) if !new.is_multiple_of(PAGE) => return Err(Errno::EINVAL),
        (true, true) => RemapPlacement::Fixed(VirtAddr(new)),
        (false, true) => RemapPlacement::MayMove,
        (false, false) => RemapPlacement::InPlace,
    };
    let space = space(current)?;
    check_room(&current.process, &space, new_len.saturating_sub(old_len))?;
    let moved = space.edit(|space| space.remap(memory::get(), VirtAddr(old), old_len, new_len, placement));
    Ok(moved.map_err(map_errno)?.0 as usize)
}

/// `ENOMEM` unless every page of the range belongs to some area.
pub fn covered(current: &Thread, start: u64, len: u64) -> Result<(), Errno> {
    let range = PageRange::new(VirtAddr(start & !(PAGE - 1)), len).ok_or(Errno::ENOMEM)?;
    let is_covered = range.is_empty() || space(current)?.with(|space| space.areas().covers(range));
    if is_covered { Ok(()) } else { Err(Errno::ENOMEM) }
}

/// mincore(2): files live in memory, so their pages are always there; other pages are if they are mapped.
pub fn mincore(current: &Thread, start: u64, len: u64, vector: u64) -> Result<usize, Errno> {
    if !start.is_multiple_of(PAGE) {
        return Err(Errno::EINVAL);
    }
    let pages = len.checked_next_multiple_of(PAGE).ok_or(Errno::ENOMEM)? / PAGE;
    covered(current, start, pages * PAGE)?;
    let space = space(current)?;
    let mut done = 0;
    while done < pages {
        scheduler::cond_resched_killable()?;
        let count = MINCORE_PIECE.min(pages - done);
        let mut states = fallible::filled(count as usize, 0u8)?;
        space.with(|space| {
            for (state, page) in states.iter_mut().zip(done..) {
                let address = VirtAddr(start + page * PAGE);
                let has_source = space
                    .areas()
                    .find(address)
                    .is_some_and(|area| area.source_page(address).is_some());
                *state = u8::from(has_source || space.page(memory::get(), address).is_some());
            }
        });
        user_memory::write_bytes(vector.wrapping_add(done), &states)?;
        done += count;
    }
    Ok(0)
}

/// msync(2): mapped pages are the file's own, there is nothing to write anywhere.
pub fn msync(current: &Thread, start: u64, len: u64, flags: u64) -> Result<usize, Errno> {
    let flags = flags as u32;
    let is_both = flags & (MS_ASYNC | MS_SYNC) == MS_ASYNC | MS_SYNC;
    if flags & !(MS_ASYNC | MS_INVALIDATE | MS_SYNC) != 0 || is_both || !start.is_multiple_of(PAGE) {
        return Err(Errno::EINVAL);
    }
    covered(current, start, len)?;
    Ok(0)
}

/// mlock(2), mlock2(2): nothing is ever paged out; what is left of the call is to fault the pages in.
pub fn mlock2(current: &Thread, start: u64, len: u64, flags: u64) -> Result<usize, Errno> {
    if flags as u32 & !MLOCK_ONFAULT != 0 {
        return Err(Errno::EINVAL);
    }
    let first = start & !(PAGE - 1);
    let len = len.checked_add(start - first).ok_or(Errno::EINVAL)?;
    covered(current, first, len)?;
    if flags as u32 & MLOCK_ONFAULT == 0 {
        populate(current, first, len, Access::Read);
    }
    Ok(0)
}

/// munlock(2).
pub fn munlock(current: &Thread, start: u64, len: u64) -> Result<usize, Errno> {
    covered(current, start, len)?;
    Ok(0)
}

/// mlockall(2): as mlock2, nothing is ever paged out.
pub fn mlockall(flags: u64) -> Result<usize, Errno> {
    let known = MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT;
    let is_known = flags as u32 & !known == 0 && flags as u32 & (MCL_CURRENT | MCL_FUTURE) != 0;
    if is_known { Ok(0) } else { Err(Errno::EINVAL) }
}

/// munlockall(2).
pub fn munlockall() -> Result<usize, Errno> {
    Ok(0)
}

pub fn space(current: &Thread) -> Result<Arc<Space>, Errno> {
    current.process.space().ok_or(Errno::ENOMEM)
}
