//! Which pages are there, and whether a file has them: mincore(2), msync(2).

use super::area_flags::covered;
use super::flags::decode;
use super::mlock::check_unlocked;
use super::space::space;
use abi::Errno;
use abi::memory::MsyncFlags;
use mm::{AddressSpace, Area, Backing, PAGE_SIZE, PageRange, Sharing, VirtAddr, WriteBackError};
use sched::scheduler;
use task::thread::Thread;

const PAGE: u64 = PAGE_SIZE as u64;

/// Pages whose state mincore(2) reports at a time.
const MINCORE_PIECE: u64 = 512;

/// mincore(2): a page is there if it is mapped, or cached on its way to swap space or back, or if the object that the area shows has it.
///
/// # Errors
/// `EINVAL`: not of whole pages. `ENOMEM`: a hole, or want of memory. `EFAULT`: the vector.
#[inline(never)]
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
        uaccess::write_bytes(vector.wrapping_add(done), states)?;
        done += count;
    }
    Ok(0)
}

fn note_present(space: &AddressSpace, range: PageRange, states: &mut [u8]) {
    space.note_mapped(memory::get(), range, states);
    if !memory::get().swap().is_empty() {
        note_cached(space, range, states);
    }
    for area in space.areas().overlapping(range) {
        if let Backing::Source { .. } = &area.backing {
            note_in_object(area, range, states);
        }
    }
}

/// Of the pages in `range` that are in swap space, those that are in memory as well.
fn note_cached(space: &AddressSpace, range: PageRange, states: &mut [u8]) {
    let mut at = range.start();
    while let Some(rest) = PageRange::between(at, range.end()).filter(|rest| !rest.is_empty()) {
        at = space.visit_swapped(memory::get(), rest, |address, slot| {
            let is_cached = memory::get().swap().slot_state(slot).1.is_some();
            states[((address.0 - range.start().0) / PAGE) as usize] = u8::from(is_cached);
        });
    }
}

/// Of the pages in `range` that are not mapped, those that the area's object has.
fn note_in_object(area: &Area, range: PageRange, states: &mut [u8]) {
    let part = area.range().intersection(range);
    for address in (part.start().0..part.end().0).step_by(PAGE_SIZE) {
        let state = &mut states[((address - range.start().0) / PAGE) as usize];
        if let (0, Some((source, page))) = (*state, area.source_page(VirtAddr(address))) {
            *state = u8::from(source.has_page(page));
        }
    }
}

/// msync(2): with `MS_SYNC` what was stored stays when it returns, where the file lies on a device.
///
/// # Errors
/// `EINVAL`: not of whole pages, unknown flags, or both kinds. `EBUSY`: `MS_INVALIDATE` of locked pages. `ENOMEM`: a
/// hole. `EIO`, `ENOSPC`: what went wrong with writing back.
#[inline(never)]
pub fn msync(current: &Thread, start: u64, len: u64, flags: u64) -> Result<usize, Errno> {
    let flags = decode(flags as u32, MsyncFlags::all())?;
    let is_both = flags.contains(MsyncFlags::MS_ASYNC | MsyncFlags::MS_SYNC);
    if is_both || !start.is_multiple_of(PAGE) {
        return Err(Errno::EINVAL);
    }
    let len = len.checked_next_multiple_of(PAGE).ok_or(Errno::ENOMEM)?;
    if flags.contains(MsyncFlags::MS_INVALIDATE) {
        return check_unlocked(current, start, len, Errno::EBUSY).map(|()| 0);
    }
    covered(current, start, len)?;
    if flags.contains(MsyncFlags::MS_SYNC) {
        write_back(current, start, len)?;
    }
    Ok(0)
}

/// Writes back what is shared of a range, area by area, with no lock held.
fn write_back(current: &Thread, start: u64, len: u64) -> Result<(), Errno> {
    let space = space(current)?;
    let end = start + len;
    let mut at = start;
    while at < end {
        let range = PageRange::new(VirtAddr(at), end - at).ok_or(Errno::ENOMEM)?;
        let next = space.with(|space| {
            space.areas().overlapping(range).find_map(|area| {
                let part = area.range().intersection(range);
                let (source, first) = area.source_page(part.start())?;
                let pages = (part.end().0 - part.start().0) / PAGE;
                let is_shared = area.sharing == Sharing::Shared;
                is_shared.then(|| (source.clone(), first..first + pages, part.end().0))
            })
        });
        let Some((source, pages, behind)) = next else {
            return Ok(());
        };
        source.write_back(pages).map_err(|error| match error {
            WriteBackError::Device => Errno::EIO,
            WriteBackError::NoSpace => Errno::ENOSPC,
        })?;
        at = behind;
    }
    Ok(())
}
