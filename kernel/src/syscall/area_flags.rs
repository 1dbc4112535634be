//! What programs say about ranges and areas keep: the parts of a range, one area each, and their flags.

use super::map_errno;
use super::memory::{is_inside_area, space};
use super::memory_limits::is_full;
use crate::scheduler;
use crate::thread::Thread;
use abi::Errno;
use mm::{AddressSpace, Area, AreaFlags, PageRange};

/// Gives a part of an area other flags. `ENOMEM` if there are too many areas, or for want of memory.
pub fn change_flags(
    space: &mut AddressSpace,
    area: &Area,
    part: PageRange,
    flags: AreaFlags,
) -> Result<(), Errno> {
    if area.flags != flags {
        check_split(space, part)?;
        space.set_flags(part, flags).map_err(map_errno)?;
    }
    Ok(())
}

/// Works on each part of `range` that is of one area, lowest first, others run in between. `ENOMEM` at the end if there was a hole;
/// whatever `work` refuses ends it.
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

/// `ENOMEM` if a change of `range` alone would make more areas than a space may have.
fn check_split(space: &AddressSpace, range: PageRange) -> Result<(), Errno> {
    let is_split = is_inside_area(space, range.start()) || is_inside_area(space, range.end());
    if is_full(space) && is_split {
        return Err(Errno::ENOMEM);
    }
    Ok(())
}
