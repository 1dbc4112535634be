//! What programs say about ranges and areas keep: the parts of a range, one area each, and their flags.

use super::memory_limits::is_full;
use super::space::{is_inside_area, space};
use abi::Errno;
use memory::map_errno;
use mm::{AddressSpace, Area, AreaFlags, PAGE_SIZE, PageRange, Portion, VirtAddr};
use sched::scheduler;
use task::thread::Thread;

/// Gives a part of an area other flags.
///
/// # Errors
/// `ENOMEM` if there are too many areas, or for want of memory.
pub fn change_flags(
    space: &mut AddressSpace,
    area: &Area,
    part: PageRange,
    flags: AreaFlags,
) -> Result<(), Errno> {
    if area.flags != flags {
        check_split(space, part)?;
        space.set_flags(memory::get(), part, flags).map_err(map_errno)?;
    }
    Ok(())
}

/// Works on each part of `range` that is of one area, lowest first, others run in between.
///
/// # Errors
/// `ENOMEM`, at the end: there was a hole. Whatever `work` refuses ends it.
pub fn for_each_part(
    current: &Thread,
    range: PageRange,
    mut work: impl FnMut(&mut AddressSpace, &Area, PageRange) -> Result<(), Errno>,
) -> Result<(), Errno> {
    let space = space(current)?;
    let (mut at, mut has_hole) = (range.start(), false);
    while let Some(rest) = PageRange::between(at, range.end()).filter(|rest| !rest.is_empty()) {
        let worked = space.edit(|space| {
            let area = space.areas().overlapping(rest).next()?.clone();
            let part = area.range().intersection(rest);
            let outcome = work(space, &area, part);
            Some((area, part, outcome))
        });
        let Some((_area, part, outcome)) = worked else {
            return Err(Errno::ENOMEM);
        };
        outcome?;
        has_hole |= part.start() != at;
        at = part.end();
        scheduler::cond_resched_killable()?;
    }
    if has_hole { Err(Errno::ENOMEM) } else { Ok(()) }
}

/// Whether one of the areas in `range` is as `is_so` says; others run in between.
///
/// # Errors
/// `ENOMEM`: the process ends. `EINTR`: it is to end.
pub fn any_area(current: &Thread, range: PageRange, is_so: impl Fn(&Area) -> bool) -> Result<bool, Errno> {
    let space = space(current)?;
    let mut at = range.start();
    while let Some(rest) = PageRange::between(at, range.end()).filter(|rest| !rest.is_empty()) {
        let (part, is_found) = space.with(|space| {
            let part = space.areas_at_once(rest, Portion::LOOKED_AT);
            (part, space.areas().overlapping(part).any(&is_so))
        });
        if is_found {
            return Ok(true);
        }
        at = part.end();
        scheduler::cond_resched_killable()?;
    }
    Ok(false)
}

/// The first part of `at..end` without a hole, or the beginning of it.
pub fn next_covered(space: &AddressSpace, at: VirtAddr, end: VirtAddr) -> Option<PageRange> {
    let first = space.areas().iter_from(at).next()?;
    let start = first.range().start().max(at);
    let rest = PageRange::between(start, end).filter(|rest| !rest.is_empty())?;
    let part = space.areas_at_once(rest, Portion::LOOKED_AT);
    PageRange::between(start, space.areas().covered_end(part))
}

/// Whether every page of the range belongs to some area.
///
/// # Errors
/// `ENOMEM`: one does not.
pub fn covered(current: &Thread, start: u64, len: u64) -> Result<(), Errno> {
    let range = PageRange::new(VirtAddr(start & !(PAGE_SIZE as u64 - 1)), len).ok_or(Errno::ENOMEM)?;
    let mut at = range.start();
    if range.is_empty() {
        return Ok(());
    }
    let space = space(current)?;
    while at < range.end() {
        let part = space.with(|space| next_covered(space, at, range.end()));
        at = part.filter(|part| part.start() == at).ok_or(Errno::ENOMEM)?.end();
        scheduler::cond_resched_killable()?;
    }
    Ok(())
}

/// `ENOMEM` if a change of `range` alone would make more areas than a space may have.
fn check_split(space: &AddressSpace, range: PageRange) -> Result<(), Errno> {
    let is_split = is_inside_area(space, range.start()) || is_inside_area(space, range.end());
    if is_full(space) && is_split {
        return Err(Errno::ENOMEM);
    }
    Ok(())
}
