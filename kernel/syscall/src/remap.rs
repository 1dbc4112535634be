//! mremap(2).

use super::flags::decode;
use super::memory_limits::check_room;
use super::mlock;
use super::space::space;
use abi::Errno;
use abi::memory::MremapFlags;
use memory::map_errno;
use mm::{
    AddressSpace, AreaFlags, Backing, MapRequest, PAGE_SIZE, Placement, Portion, Purpose, RemapPlacement,
    Remapped, Sharing, VirtAddr,
};
use sched::space::Space;
use sched::space::mappings;
use task::thread::{Thread, ThreadExt};

const PAGE: u64 = PAGE_SIZE as u64;

/// mremap(2).
///
/// # Errors
/// `EINVAL`: not of whole pages, no new length, flags that do not go together, a part of an area or several, private
/// memory to be mapped again. `EFAULT`: nothing is mapped there. `EAGAIN`: locked, and beyond `RLIMIT_MEMLOCK`.
/// `ENOMEM`: no room where it is; beyond a limit; want of memory.
#[inline(never)]
pub fn mremap(current: &Thread, [old, old_len, new_len, flags, new, _]: [u64; 6]) -> Result<usize, Errno> {
    memory::has_room()?;
    let placement = remap_placement(flags as u32, old_len, new_len, new)?;
    if !old.is_multiple_of(PAGE) || new_len == 0 {
        return Err(Errno::EINVAL);
    }
    let space = space(current)?;
    let seen = space.with(|space| {
        let area = space.areas().find(VirtAddr(old))?;
        Some((area.flags.has(AreaFlags::LOCKED), area.is_data(), area.purpose))
    });
    let (is_locked, is_data, purpose) = seen.ok_or(Errno::EFAULT)?;
    let is_left = matches!(placement, RemapPlacement::Leaving(_));
    if is_left && purpose == Purpose::Kernel {
        return Err(Errno::EINVAL);
    }
    let [old_pages, new_pages] = [old_len, new_len].map(|len| len.checked_next_multiple_of(PAGE));
    let old_len = old_pages.ok_or(Errno::EINVAL)?;
    let new_len = new_pages.ok_or(Errno::EINVAL)?;
    if old_len >= new_len && matches!(placement, RemapPlacement::MayMove | RemapPlacement::InPlace) {
        return shrink(&space, old, old_len, new_len);
    }
    let grown = new_len.saturating_sub(old_len);
    if is_locked {
        mlock::check_more(current, &space, grown)?;
    }
    let more = if is_left { new_len } else { grown };
    check_room(current.process(), &space, more, if is_data { more } else { 0 })?;
    let start = match old_len {
        0 => space.edit(|space| map_again(space, VirtAddr(old), new_len, placement))?,
        _ => remap(&space, old, old_len, new_len, placement)?,
    };
    if is_locked {
        mlock::populate_mapped(current, start.saturating_add(old_len), grown);
    }
    Ok(start as usize)
}

fn remap(space: &Space, old: u64, old_len: u64, new_len: u64, to: RemapPlacement) -> Result<u64, Errno> {
    let begin = |space: &mut AddressSpace| {
        space.begin_remap(memory::get(), VirtAddr(old), old_len, new_len, to, Portion::USUAL)
    };
    let begun = match space.edit(|space| unless_walked(space, begin)) {
        Some(begun) => begun,
        None => {
            let _alone = mappings::keep_walks_away()?;
            space.edit(begin)
        }
    };
    let moved = match begun.map_err(map_errno)? {
        Remapped::Done(start) => start,
        Remapped::Moving(moving) => space.finish_move(moving).map_err(map_errno)?,
    };
    Ok(moved.0)
}

/// `None` while somebody takes pages of a file from all spaces: nothing may move behind his back, and he would find the space's lock
/// taken.
fn unless_walked<R>(space: &mut AddressSpace, work: impl FnOnce(&mut AddressSpace) -> R) -> Option<R> {
    (!mappings::walks().is_one_under_way()).then(|| work(space))
}

/// Where mremap(2) is asked to put the mapping. `EINVAL` for flags that do not go together.
fn remap_placement(flags: u32, old_len: u64, new_len: u64, new: u64) -> Result<RemapPlacement, Errno> {
    let flags = decode(flags, MremapFlags::all())?;
    let has = |flag| flags.intersects(flag);
    let is_wrong = has(MremapFlags::MREMAP_FIXED | MremapFlags::MREMAP_DONTUNMAP)
        && (!has(MremapFlags::MREMAP_MAYMOVE) || !new.is_multiple_of(PAGE))
        || has(MremapFlags::MREMAP_DONTUNMAP) && old_len != new_len;
    let at = VirtAddr(new);
    match () {
        () if is_wrong => Err(Errno::EINVAL),
        () if has(MremapFlags::MREMAP_DONTUNMAP) && has(MremapFlags::MREMAP_FIXED) => {
            Ok(RemapPlacement::Leaving(Placement::Fixed(at)))
        }
        () if has(MremapFlags::MREMAP_DONTUNMAP) => Ok(RemapPlacement::Leaving(Placement::Hint(at))),
        () if has(MremapFlags::MREMAP_FIXED) => Ok(RemapPlacement::Fixed(at)),
        () if has(MremapFlags::MREMAP_MAYMOVE) => Ok(RemapPlacement::MayMove),
        () => Ok(RemapPlacement::InPlace),
    }
}

/// What lies behind the new end is unmapped, however many areas that are.
fn shrink(space: &Space, at: u64, old_len: u64, new_len: u64) -> Result<usize, Errno> {
    if old_len > new_len {
        let tail = VirtAddr(at.saturating_add(new_len));
        space.note_before_dropping(old_len - new_len);
        space
            .edit(|space| space.unmap(memory::get(), tail, old_len - new_len))
            .map_err(map_errno)?;
    }
    Ok(at as usize)
}

/// An old length of 0: the object that is mapped shared at `old` is mapped a second time. `EINVAL` for private memory.
fn map_again(
    space: &mut AddressSpace,
    old: VirtAddr,
    len: u64,
    placement: RemapPlacement,
) -> Result<u64, Errno> {
    let area = space.areas().find(old).ok_or(Errno::EFAULT)?;
    let shown = area.source_page(old).filter(|_| area.sharing == Sharing::Shared);
    let (source, first) = shown.ok_or(Errno::EINVAL)?;
    let request = MapRequest {
        placement: match placement {
            RemapPlacement::InPlace => return Err(Errno::ENOMEM),
            RemapPlacement::MayMove => Placement::Hint(VirtAddr(0)),
            RemapPlacement::Fixed(at) => Placement::Fixed(at),
            RemapPlacement::Leaving(placement) => placement,
        },
        len,
        protection: area.protection,
        sharing: area.sharing,
        flags: area.flags,
        backing: Backing::Source {
            source: source.clone(),
            first,
        },
        purpose: area.purpose,
    };
    let start = space.map(memory::get(), request).map_err(map_errno)?;
    Ok(start.0)
}
