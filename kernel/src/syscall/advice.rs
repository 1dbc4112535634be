//! madvise(2).

use super::map_errno;
use super::memory::{covered, populate, space};
use crate::memory;
use crate::thread::Thread;
use abi::Errno;
use abi::memory::{
    MADV_COLD, MADV_DODUMP, MADV_DONTDUMP, MADV_DONTNEED, MADV_FREE, MADV_HUGEPAGE, MADV_NOHUGEPAGE,
    MADV_NORMAL, MADV_PAGEOUT, MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_RANDOM, MADV_SEQUENTIAL,
    MADV_WILLNEED,
};
use mm::{Access, Area, Backing, MapError, PAGE_SIZE, PageRange, VirtAddr};

const PAGE: u64 = PAGE_SIZE as u64;

/// madvise(2). Advice that asks for an effect has it; the rest is heard and changes nothing.
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
        MADV_POPULATE_READ => fault_in(current, start, len, Access::Read)?,
        MADV_POPULATE_WRITE => fault_in(current, start, len, Access::Write)?,
        MADV_DONTNEED | MADV_FREE | MADV_NORMAL | MADV_RANDOM | MADV_SEQUENTIAL | MADV_WILLNEED
        | MADV_HUGEPAGE | MADV_NOHUGEPAGE | MADV_DONTDUMP | MADV_DODUMP | MADV_COLD | MADV_PAGEOUT => {
            covered(current, start, len)?
        }
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

/// Faults a range in. `ENOMEM` where there is a hole, `EINVAL` where the protection forbids the access.
fn fault_in(current: &Thread, start: u64, len: u64, access: Access) -> Result<(), Errno> {
    covered(current, start, len)?;
    let range = PageRange::new(VirtAddr(start), len).ok_or(Errno::ENOMEM)?;
    let forbids = |area: &Area| match access {
        Access::Write => !area.protection.write,
        _ => !area.protection.read,
    };
    if space(current)?.with(|space| space.areas().overlapping(range).any(forbids)) {
        return Err(Errno::EINVAL);
    }
    populate(current, start, len, access);
    Ok(())
}

/// `EINVAL` if a file is mapped there, or memory that is shared.
fn check_anonymous(current: &Thread, start: u64, len: u64) -> Result<(), Errno> {
    let range = PageRange::new(VirtAddr(start), len).ok_or(Errno::ENOMEM)?;
    let has_source = |area: &Area| !matches!(area.backing, Backing::Anonymous);
    let is_refused = space(current)?.with(|space| space.areas().overlapping(range).any(has_source));
    if is_refused { Err(Errno::EINVAL) } else { Ok(()) }
}

fn discard(current: &Thread, start: u64, len: u64) -> Result<(), Errno> {
    let discarded = space(current)?.edit(|space| space.discard(memory::get(), VirtAddr(start), len));
    discarded.map_err(|error| match error {
        MapError::NotMapped => Errno::ENOMEM,
        error => map_errno(error),
    })
}
