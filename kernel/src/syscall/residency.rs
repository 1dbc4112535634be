//! Which pages are there, and which stay: mincore(2), msync(2), mlock(2) and its kin.

use super::memory::{covered, populate, space};
use crate::thread::Thread;
use crate::{memory, scheduler, user_memory};
use abi::Errno;
use abi::memory::{MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT, MLOCK_ONFAULT, MS_ASYNC, MS_INVALIDATE, MS_SYNC};
use mm::{Access, AddressSpace, PAGE_SIZE, PageRange, VirtAddr};

const PAGE: u64 = PAGE_SIZE as u64;

/// Pages whose state mincore(2) reports at a time.
const MINCORE_PIECE: u64 = 256;

/// mincore(2): a page is there if it is mapped, or if the object that the area shows has it.
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
        let mut states = [0; MINCORE_PIECE as usize];
        let states = &mut states[..count as usize];
        let range = PageRange::new(VirtAddr(start + done * PAGE), count * PAGE).ok_or(Errno::ENOMEM)?;
        space.with(|space| note_present(space, range, states));
        user_memory::write_bytes(vector.wrapping_add(done), states)?;
        done += count;
    }
    Ok(0)
}

fn note_present(space: &AddressSpace, range: PageRange, states: &mut [u8]) {
    let index = |address: VirtAddr| ((address.0 - range.start().0) / PAGE) as usize;
    space.for_each_page(memory::get(), range, |page| states[index(page.address)] = 1);
    let areas = space.areas().iter_from(range.start());
    for area in areas.take_while(|area| area.range().start() < range.end()) {
        let part = area.range().intersection(range);
        for address in (part.start().0..part.end().0).step_by(PAGE_SIZE).map(VirtAddr) {
            let state = &mut states[index(address)];
            if let (0, Some((source, page))) = (*state, area.source_page(address)) {
                *state = u8::from(source.has_page(page));
            }
        }
    }
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
        // Pages that cannot be had are as bad as a hole.
        populate(current, first, len, Access::Read).map_err(|error| match error {
            Errno::EFAULT => Errno::ENOMEM,
            Errno::ENOMEM => Errno::EAGAIN,
            error => error,
        })?;
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
