//! mlock(2) and its kin. Nothing is ever paged out: a locked page is one that is there from the lock on, and that nobody is told
//! to drop. RLIMIT_MEMLOCK limits how much that may be; `CAP_IPC_LOCK` goes beyond.

use super::area_flags::{change_flags, for_each_part};
use super::flags::decode;
use super::space::space;
use abi::Errno;
use abi::capability::CAP_IPC_LOCK;
use abi::memory::{MapFlags, MlockFlags, MlockallFlags};
use abi::process::RLIMIT_MEMLOCK;
use mm::{
    Access, AddressSpace, Area, AreaFlags, PAGE_SIZE, PageRange, Purpose, Refusal, Sharing, USER_END,
    VirtAddr,
};
use sched::scheduler;
use sched::space::Space;
use task::thread::{Thread, ThreadExt};

const PAGE: u64 = PAGE_SIZE as u64;

/// How many bytes the caller may lock. `EPERM` if none.
fn limit(current: &Thread) -> Result<u64, Errno> {
    if current.process().credentials().can(CAP_IPC_LOCK) {
        return Ok(u64::MAX);
    }
    match current.process().limit(RLIMIT_MEMLOCK) {
        0 => Err(Errno::EPERM),
        limit => Ok(limit),
    }
}

/// Whether `more` bytes can be locked as well.
fn has_room(space: &AddressSpace, more: u64, limit: u64) -> bool {
    space.areas().sums().locked.saturating_add(more) <= limit
}

/// The flags of a mapping of `len` bytes that is about to be made, `asked` for by MAP_LOCKED or not.
///
/// # Errors
/// `EPERM` or `EAGAIN` if it cannot be locked.
#[inline(always)]
pub fn flags_of_new(current: &Thread, space: &Space, len: u64, asked: MapFlags) -> Result<AreaFlags, Errno> {
    let flags = space.future_flags.get();
    let is_asked = asked.contains(MapFlags::MAP_LOCKED);
    if !flags.has(AreaFlags::LOCK) && !is_asked {
        return Ok(flags);
    }
    if is_asked {
        limit(current)?;
    }
    check_more(current, space, len)?;
    Ok(flags.with(AreaFlags::LOCKED))
}

/// Whether `more` bytes can be locked as well.
///
/// # Errors
/// `EAGAIN`: they cannot.
#[cold]
pub fn check_more(current: &Thread, space: &Space, more: u64) -> Result<(), Errno> {
    let limit = limit(current).unwrap_or(0);
    if space.with(|space| has_room(space, more, limit)) {
        Ok(())
    } else {
        Err(Errno::EAGAIN)
    }
}

/// mlock(2), mlock2(2). Up to a hole all is locked.
///
/// # Errors
/// `EINVAL`: unknown flags. `EPERM`: `RLIMIT_MEMLOCK` is 0. `ENOMEM`: beyond it, or a hole. `EAGAIN`: some pages cannot
/// be had.
#[inline(never)]
pub fn mlock2(current: &Thread, start: u64, len: u64, flags: u64) -> Result<usize, Errno> {
    let flags = match decode(flags as u32, MlockFlags::all())? {
        MlockFlags::MLOCK_ONFAULT => AreaFlags::LOCK,
        _ => AreaFlags::LOCKED,
    };
    let limit = limit(current)?;
    let (start, len) = whole_pages(start, len);
    check_limit(current, start, len, limit)?;
    set_locks(current, start, len, flags, limit)?;
    populate_each(current, start, len, AreaFlags::NONE, Err).map_err(|error| match error {
        // Pages that cannot be had are as bad as a hole.
        Errno::EFAULT => Errno::ENOMEM,
        Errno::ENOMEM => Errno::EAGAIN,
        error => error,
    })?;
    Ok(0)
}

/// munlock(2).
///
/// # Errors
/// `ENOMEM`: a hole, or too many areas.
#[inline(never)]
pub fn munlock(current: &Thread, start: u64, len: u64) -> Result<usize, Errno> {
    let (start, len) = whole_pages(start, len);
    set_locks(current, start, len, AreaFlags::NONE, u64::MAX)?;
    Ok(0)
}

/// mlockall(2).
///
/// # Errors
/// `EINVAL`: unknown flags, or nothing to lock. `EPERM`: `RLIMIT_MEMLOCK` is 0. `ENOMEM`: beyond it.
#[inline(never)]
pub fn mlockall(current: &Thread, flags: u64) -> Result<usize, Errno> {
    let flags = decode(flags as u32, MlockallFlags::all())?;
    let has = |flag| flags.contains(flag);
    if !has(MlockallFlags::MCL_CURRENT) && !has(MlockallFlags::MCL_FUTURE) {
        return Err(Errno::EINVAL);
    }
    let limit = limit(current)?;
    let space = space(current)?;
    let total = space.with(|space| space.areas().sums().bytes);
    if has(MlockallFlags::MCL_CURRENT) && total > limit {
        return Err(Errno::ENOMEM);
    }
    let locks = if has(MlockallFlags::MCL_ONFAULT) {
        AreaFlags::LOCK
    } else {
        AreaFlags::LOCKED
    };
    let future = if has(MlockallFlags::MCL_FUTURE) {
        locks
    } else {
        AreaFlags::NONE
    };
    space.future_flags.set_locks(future);
    if has(MlockallFlags::MCL_CURRENT) {
        set_all_locks(current, locks, limit)?;
        // As on Linux, what cannot be had is had when it is touched.
        populate_each(current, 0, USER_END, AreaFlags::NONE, unless_ending)?;
    }
    Ok(0)
}

/// munlockall(2).
///
/// # Errors
/// Never fails.
#[inline(never)]
pub fn munlockall(current: &Thread) -> Result<usize, Errno> {
    space(current)?.future_flags.set_locks(AreaFlags::NONE);
    set_all_locks(current, AreaFlags::NONE, u64::MAX)?;
    Ok(0)
}

/// The pages that a range touches. One that wraps is left for the search of its areas to refuse.
fn whole_pages(start: u64, len: u64) -> (u64, u64) {
    let offset = start & (PAGE - 1);
    let len = len.wrapping_add(offset).wrapping_add(PAGE - 1) & !(PAGE - 1);
    (start - offset, len)
}

/// `ENOMEM` if the range cannot be locked; what of it is locked already counts once.
fn check_limit(current: &Thread, start: u64, len: u64, limit: u64) -> Result<(), Errno> {
    if space(current)?.with(|space| has_room(space, len, limit)) {
        return Ok(());
    }
    let range = PageRange::new(VirtAddr(start), len).ok_or(Errno::ENOMEM)?;
    let mut locked = 0;
    let counted = for_each_part(current, range, |_, area, part| {
        if area.flags.has(AreaFlags::LOCKED) {
            locked += part.len();
        }
        Ok(())
    });
    if counted == Err(Errno::EINTR) {
        return counted;
    }
    if space(current)?.with(|space| has_room(space, len - locked, limit)) {
        Ok(())
    } else {
        Err(Errno::ENOMEM)
    }
}

/// Gives a range these of the lock's flags. `ENOMEM` at the first hole, `EINVAL` for a range that wraps.
fn set_locks(current: &Thread, start: u64, len: u64, flags: AreaFlags, limit: u64) -> Result<(), Errno> {
    start.checked_add(len).ok_or(Errno::EINVAL)?;
    let range = PageRange::new(VirtAddr(start), len).ok_or(Errno::ENOMEM)?;
    let mut expected = range.start();
    for_each_part(current, range, |space, area, part| {
        if part.start() != expected {
            return Err(Errno::ENOMEM);
        }
        expected = part.end();
        lock_part(space, area, part, flags, limit)
    })
}

/// The same for all areas, as far as they may be locked and can be split.
fn set_all_locks(current: &Thread, flags: AreaFlags, limit: u64) -> Result<(), Errno> {
    let all = PageRange::new(VirtAddr(0), USER_END).ok_or(Errno::ENOMEM)?;
    let outcome = for_each_part(current, all, |space, area, part| {
        let _is_done = lock_part(space, area, part, flags, limit).is_ok();
        Ok(())
    });
    // There are holes.
    outcome.or_else(|error| {
        if error == Errno::ENOMEM {
            Ok(())
        } else {
            Err(error)
        }
    })
}

fn lock_part(
    space: &mut AddressSpace,
    area: &Area,
    part: PageRange,
    flags: AreaFlags,
    limit: u64,
) -> Result<(), Errno> {
    // The kernel's own pages are always there.
    if area.purpose == Purpose::Kernel {
        return Ok(());
    }
    let is_more = flags.has(AreaFlags::LOCKED) && !area.flags.has(AreaFlags::LOCKED);
    if is_more && !has_room(space, part.len(), limit) {
        return Err(Errno::ENOMEM);
    }
    change_flags(space, area, part, area.flags.without(AreaFlags::LOCK).with(flags))
}

/// Whether no part of the range is locked.
///
/// # Errors
/// `refusal`: one is. `ENOMEM`, at the end: it has a hole.
pub fn check_unlocked(current: &Thread, start: u64, len: u64, refusal: Errno) -> Result<(), Errno> {
    if len == 0 {
        return Ok(());
    }
    let range = PageRange::new(VirtAddr(start), len).ok_or(Errno::ENOMEM)?;
    for_each_part(current, range, |_, area, _| {
        if area.flags.has(AreaFlags::LOCKED) {
            Err(refusal)
        } else {
            Ok(())
        }
    })
}

/// Faults in what is mapped in the range, but for what is locked on its first touch: private memory that may be written as if by
/// a store. What cannot be had ends the area it is in: the access itself will ask again (MAP_POPULATE, MAP_LOCKED).
#[inline(never)]
pub fn populate_mapped(current: &Thread, start: u64, len: u64) {
    let _is_whole = populate_each(current, start, len, AreaFlags::NONE, unless_ending).is_ok();
}

/// [`populate_mapped`] of what is locked: it has become writable.
#[cold]
#[inline(never)]
pub fn populate_locked(current: &Thread, start: u64, len: u64) {
    let _is_whole = populate_each(current, start, len, AreaFlags::LOCKED, unless_ending).is_ok();
}

/// All errors are passed over, unless the process is to end.
fn unless_ending(error: Errno) -> Result<(), Errno> {
    if error == Errno::EINTR { Err(error) } else { Ok(()) }
}

/// [`populate_mapped`] where the areas have one of the flags `only`, or of any; `judge` says whether an error ends it.
fn populate_each(
    current: &Thread,
    start: u64,
    len: u64,
    only: AreaFlags,
    judge: impl Fn(Errno) -> Result<(), Errno>,
) -> Result<(), Errno> {
    let space = space(current)?;
    let Some(range) = PageRange::new(VirtAddr(start), len) else {
        return Ok(());
    };
    let mut at = range.start();
    while let Some(rest) = PageRange::between(at, range.end()).filter(|rest| !rest.is_empty()) {
        let next = space.with(|space| {
            let area = space.areas().overlapping(rest).next()?;
            let is_meant = only == AreaFlags::NONE || area.flags.has(only);
            let access = if is_meant { wanted_access(area) } else { None };
            Some((area.range().intersection(rest), access))
        });
        let Some((part, access)) = next else {
            return Ok(());
        };
        if let Some(access) = access {
            let populated = access.and_then(|access| populate(current, part, access));
            populated.or_else(&judge)?;
        }
        at = part.end();
        scheduler::cond_resched_killable()?;
    }
    Ok(())
}

/// The access that brings pages of an area in. `None`: they come when they are touched. `EFAULT`: nobody may touch them.
fn wanted_access(area: &Area) -> Option<Result<Access, Errno>> {
    let protection = area.protection;
    match () {
        () if area.flags.has(AreaFlags::LOCKED_ON_FAULT) => None,
        () if protection.write && area.sharing == Sharing::Private => Some(Ok(Access::Write)),
        () if protection.allows(Access::Read) => Some(Ok(Access::Read)),
        () => Some(Err(Errno::EFAULT)),
    }
}

/// Faults the pages of a range in, up to the first that cannot be.
///
/// # Errors
/// `EFAULT`: the access is denied or the object has no such page. `ENOMEM`. `EINTR`: the process is to end.
pub fn populate(current: &Thread, range: PageRange, access: Access) -> Result<(), Errno> {
    for page in (range.start().0..range.end().0).step_by(PAGE_SIZE) {
        match uaccess::handle_fault(current.task(), current, VirtAddr(page), access) {
            Some(Ok(())) => scheduler::cond_resched_killable()?,
            Some(Err(Refusal::NoMemory)) => return Err(Errno::ENOMEM),
            Some(Err(Refusal::Denied(_) | Refusal::BusError)) | None => return Err(Errno::EFAULT),
        }
    }
    Ok(())
}
