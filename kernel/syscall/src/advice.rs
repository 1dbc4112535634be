//! madvise(2).

use super::area_flags::{any_area, change_flags, covered, for_each_part, next_covered};
use super::mlock::{check_unlocked, populate};
use super::space::space;
use abi::Errno;
use abi::memory::{
    MADV_COLD, MADV_DODUMP, MADV_DOFORK, MADV_DONTDUMP, MADV_DONTFORK, MADV_DONTNEED, MADV_DONTNEED_LOCKED,
    MADV_FREE, MADV_HUGEPAGE, MADV_KEEPONFORK, MADV_NOHUGEPAGE, MADV_NORMAL, MADV_PAGEOUT,
    MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_RANDOM, MADV_REMOVE, MADV_SEQUENTIAL, MADV_WILLNEED,
    MADV_WIPEONFORK,
};
use memory::map_errno;
use mm::{Access, Area, AreaFlags, Backing, MapError, PAGE_SIZE, PageRange, RemoveError, Sharing, VirtAddr};
use sched::scheduler;
use swap::Advice;
use task::thread::{Thread, ThreadExt};
use vfs::Subject;

const PAGE: u64 = PAGE_SIZE as u64;

/// madvise(2). Advice that asks for an effect has it; the rest is heard and changes nothing.
///
/// Not supported: `MADV_MERGEABLE`, `MADV_UNMERGEABLE`, `MADV_COLLAPSE`, `MADV_GUARD_INSTALL`, `MADV_GUARD_REMOVE`
/// (`EINVAL`).
///
/// # Errors
/// `EINVAL`: not of whole pages, no such advice, memory of the wrong kind, locked, or not accessible so. `ENOMEM`: a
/// hole, or want of memory. `EACCES`, `EPERM`, `EOPNOTSUPP`: `MADV_REMOVE` of what is not shared for writing, is
/// sealed, cannot lose pages. `EFAULT`: populating what cannot be had.
#[inline(never)]
pub fn madvise(current: &Thread, start: u64, len: u64, advice: u64) -> Result<usize, Errno> {
    if !start.is_multiple_of(PAGE) {
        return Err(Errno::EINVAL);
    }
    let len = len.checked_next_multiple_of(PAGE).ok_or(Errno::EINVAL)?;
    match advice as u32 {
        MADV_FREE if len > 0 => {
            check_anonymous(current, start, len)?;
            discard(current, start, len)?;
        }
        MADV_DONTNEED if len > 0 => discard(current, start, len)?,
        MADV_DONTNEED_LOCKED if len > 0 => discard_parts(current, start, len, AreaFlags::NONE)?,
        MADV_REMOVE if len > 0 => remove(current, start, len)?,
        MADV_POPULATE_READ => fault_in(current, start, len, Access::Read)?,
        MADV_POPULATE_WRITE => fault_in(current, start, len, Access::Write)?,
        MADV_COLD => send_away(current, start, len, Advice::Cold)?,
        MADV_PAGEOUT => send_away(current, start, len, Advice::PageOut)?,
        MADV_DONTNEED | MADV_DONTNEED_LOCKED | MADV_FREE | MADV_REMOVE | MADV_WILLNEED | MADV_HUGEPAGE
        | MADV_NOHUGEPAGE => covered(current, start, len)?,
        advice => {
            let change = kept_advice(advice).ok_or(Errno::EINVAL)?;
            keep(current, start, len, change)?;
        }
    }
    Ok(0)
}

/// Pages go out, as far as there is swap space. `EINVAL` for locked memory, `ENOMEM` if there is a hole.
fn send_away(current: &Thread, start: u64, len: u64, advice: Advice) -> Result<(), Errno> {
    check_unlocked(current, start, len, Errno::EINVAL)?;
    let range = PageRange::new(VirtAddr(start), len).ok_or(Errno::ENOMEM)?;
    swap::advise(&*space(current)?, range, advice);
    Ok(())
}

/// Flags that advice sets, and those that it takes away.
type FlagChange = [AreaFlags; 2];

/// Advice that the areas keep.
fn kept_advice(advice: u32) -> Option<FlagChange> {
    let order = AreaFlags::READ_AT_RANDOM.with(AreaFlags::READ_IN_ORDER);
    Some(match advice {
        MADV_NORMAL => [AreaFlags::NONE, order],
        MADV_RANDOM => [AreaFlags::READ_AT_RANDOM, order],
        MADV_SEQUENTIAL => [AreaFlags::READ_IN_ORDER, order],
        MADV_DONTFORK => [AreaFlags::DONT_FORK, AreaFlags::NONE],
        MADV_DOFORK => [AreaFlags::NONE, AreaFlags::DONT_FORK],
        MADV_WIPEONFORK => [AreaFlags::WIPE_ON_FORK, AreaFlags::NONE],
        MADV_KEEPONFORK => [AreaFlags::NONE, AreaFlags::WIPE_ON_FORK],
        MADV_DONTDUMP => [AreaFlags::DONT_DUMP, AreaFlags::NONE],
        MADV_DODUMP => [AreaFlags::NONE, AreaFlags::DONT_DUMP],
        _ => return None,
    })
}

/// Notes advice with the areas. `EINVAL` where memory that a child shares in any case, or that comes from a file, is to be wiped.
fn keep(current: &Thread, start: u64, len: u64, [set, taken]: FlagChange) -> Result<(), Errno> {
    if len == 0 {
        return Ok(());
    }
    let range = PageRange::new(VirtAddr(start), len).ok_or(Errno::ENOMEM)?;
    for_each_part(current, range, |space, area, part| {
        let is_own = matches!(area.backing, Backing::Anonymous);
        if set.has(AreaFlags::WIPE_ON_FORK) && !is_own {
            return Err(Errno::EINVAL);
        }
        change_flags(space, area, part, area.flags.without(taken).with(set))
    })
}

/// Faults a range in. `ENOMEM` where there is a hole, `EINVAL` where the protection forbids the access.
fn fault_in(current: &Thread, start: u64, len: u64, access: Access) -> Result<(), Errno> {
    covered(current, start, len)?;
    let range = PageRange::new(VirtAddr(start), len).ok_or(Errno::ENOMEM)?;
    let forbids = |area: &Area| match access {
        Access::Write => !area.protection.write,
        _ => !area.protection.read,
    };
    if any_area(current, range, forbids)? {
        return Err(Errno::EINVAL);
    }
    populate(current, range, access)
}

/// `EINVAL` if a file is mapped there, or memory that is shared.
fn check_anonymous(current: &Thread, start: u64, len: u64) -> Result<(), Errno> {
    let range = PageRange::new(VirtAddr(start), len).ok_or(Errno::ENOMEM)?;
    let has_source = |area: &Area| !matches!(area.backing, Backing::Anonymous);
    if any_area(current, range, has_source)? {
        Err(Errno::EINVAL)
    } else {
        Ok(())
    }
}

/// `ENOMEM` if there is a hole; what is mapped before and behind it is dropped all the same.
fn discard(current: &Thread, start: u64, len: u64) -> Result<(), Errno> {
    let range = PageRange::new(VirtAddr(start), len).ok_or(Errno::ENOMEM)?;
    let space = space(current)?;
    space.note_before_dropping(range.len());
    let mut at = range.start();
    let mut has_hole = false;
    if space.with(|space| space.has_fork_advice()) {
        return discard_parts(current, start, len, AreaFlags::LOCKED);
    }
    while let Some(part) = space.with(|space| next_covered(space, at, range.end())) {
        has_hole |= part.start() != at;
        let discarded = space.edit(|space| space.discard(memory::get(), part.start(), part.len()));
        match discarded {
            // Another thread has unmapped some of it: to look again finds the rest.
            Ok(()) | Err(MapError::NotMapped) => at = part.end(),
            Err(error) => return Err(map_errno(error)),
        }
        scheduler::cond_resched_killable()?;
    }
    if has_hole || at != range.end() {
        Err(Errno::ENOMEM)
    } else {
        Ok(())
    }
}

/// [`discard`] where areas have flags: `EINVAL` at the first that has one of `kept`.
fn discard_parts(current: &Thread, start: u64, len: u64, kept: AreaFlags) -> Result<(), Errno> {
    let range = PageRange::new(VirtAddr(start), len).ok_or(Errno::ENOMEM)?;
    for_each_part(current, range, |space, area, part| {
        if area.flags.has(kept) {
            return Err(Errno::EINVAL);
        }
        let discarded = space.discard(memory::get(), part.start(), part.len());
        discarded.map_err(map_errno)
    })
}

/// A hole is punched into the objects that are mapped there: whoever maps them finds zeros. `EINVAL` for locked memory and for
/// memory that is of no object, `EACCES` for what is not shared or may not become writable, `EPERM` for what is sealed; what lies
/// before is removed. `ENOMEM` if there is a hole.
fn remove(current: &Thread, start: u64, len: u64) -> Result<(), Errno> {
    let range = PageRange::new(VirtAddr(start), len).ok_or(Errno::ENOMEM)?;
    let space = space(current)?;
    let (mut at, mut has_hole) = (range.start(), false);
    while let Some(rest) = PageRange::between(at, range.end()).filter(|rest| !rest.is_empty()) {
        let found = space.with(|space| space.areas().overlapping(rest).next().cloned());
        let area = found.ok_or(Errno::ENOMEM)?;
        let part = area.range().intersection(rest);
        let (source, first) = area.source_page(part.start()).ok_or(Errno::EINVAL)?;
        if area.flags.has(AreaFlags::LOCKED) {
            return Err(Errno::EINVAL);
        }
        if area.sharing != Sharing::Shared || !source.may_write() {
            return Err(Errno::EACCES);
        }
        source
            .remove_pages(first..first + part.pages())
            .map_err(|error| match error {
                RemoveError::NotSupported => Errno::EOPNOTSUPP,
                RemoveError::Forbidden => Errno::EPERM,
                RemoveError::NoMemory => Errno::ENOMEM,
                RemoveError::Interrupted => Errno::EINTR,
            })?;
        let subject = Subject::new(current.process().credentials());
        source.note_change(&|mode, group| subject.mode_after_writing(mode, group));
        has_hole |= part.start() != at;
        at = part.end();
        scheduler::cond_resched_killable()?;
    }
    if has_hole { Err(Errno::ENOMEM) } else { Ok(()) }
}
