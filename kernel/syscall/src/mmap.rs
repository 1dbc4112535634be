//! brk(2), mmap(2) and everything that works on mappings. What a range means is decided in `mm`; here arguments are decoded
//! and limits checked.

use super::backing::{file_backing, zeros};
use super::lookup::file;
use super::memory_limits::{check_limits, check_sums, is_full, mapped_in};
use super::mlock;
use super::space::{edit_space, is_inside_area, space};
use abi::Errno;
use abi::memory::{MAP_PRIVATE, MAP_SHARED, MAP_SHARED_VALIDATE, MAP_TYPE, MapFlags, ProtFlags};
use abi::process::{RLIMIT_AS, RLIMIT_DATA};
use memory::map_errno;
use mm::{
    AddressSpace, AreaFlags, Backing, MapRequest, PAGE_SIZE, PageRange, Placement, Protection, Purpose,
    Sharing, VirtAddr,
};
use sched::space::Space;
use task::thread::{Thread, ThreadExt};

const PAGE: u64 = PAGE_SIZE as u64;

/// brk(2), as the system call: the break in any case, moved or not.
///
/// # Errors
/// Never fails: the old break is the answer where it cannot move.
pub fn brk(current: &Thread, end: u64) -> Result<usize, Errno> {
    let process = current.process();
    let space = space(current)?;
    let ((start, old), is_full) = space.with(|space| (space.break_range(), is_full(space)));
    let limits = process.limits_of([RLIMIT_AS, RLIMIT_DATA]);
    let grown = end.saturating_sub(old.0);
    let may_grow =
        || !is_full && check_sums(&space, [grown, grown], limits).is_ok() && memory::has_room().is_ok();
    if end.saturating_sub(start.0) > limits[1] || (grown > 0 && !may_grow()) {
        return Ok(old.0 as usize);
    }
    let flags = match grown {
        0 => Ok(AreaFlags::NONE),
        _ => mlock::flags_of_new(current, &space, grown, MapFlags::empty()),
    };
    let Ok(flags) = flags else {
        return Ok(old.0 as usize);
    };
    let new = loop {
        let new = space.edit(|space| space.set_break(memory::get(), VirtAddr(end), flags));
        // It says no error by which the call would be made again.
        if new.0 == end || !current.has_found_room() {
            break new;
        }
    };
    if flags.has(AreaFlags::LOCK) {
        mlock::populate_mapped(current, old.0 & !(PAGE - 1), new.0.saturating_sub(old.0));
    }
    Ok(new.0 as usize)
}

/// mmap(2).
///
/// Not supported: `MAP_HUGETLB` (`ENOMEM`, as where no huge pages are reserved); `MAP_SYNC` (`EOPNOTSUPP`).
///
/// # Errors
/// `EINVAL`: no length, no kind, an offset or a fixed address that is not of a page, flags that do not go together.
/// `EBADF`: no such descriptor, or a place. `EACCES`: not open for it. `EPERM`: a seal, or a mount without programs.
/// `ENODEV`: what is open cannot be mapped. `EEXIST`: `MAP_FIXED_NOREPLACE`, and something is there. `EOVERFLOW`:
/// beyond all offsets. `EOPNOTSUPP`: flags that `MAP_SHARED_VALIDATE` does not know. `EAGAIN`: `MAP_LOCKED` beyond
/// `RLIMIT_MEMLOCK`. `ENOMEM`: beyond the space, `RLIMIT_AS`, `RLIMIT_DATA`, the number of areas, or memory.
pub fn mmap(
    current: &Thread,
    [address, len, protection, flags, descriptor, offset]: [u64; 6],
) -> Result<usize, Errno> {
    memory::has_room()?;
    let kind = flags as u32 & MAP_TYPE;
    let flags = MapFlags::from_bits_retain(flags as u32);
    if !offset.is_multiple_of(PAGE) {
        return Err(Errno::EINVAL);
    }
    let file = match flags.contains(MapFlags::MAP_ANONYMOUS) {
        false => Some(file(current, descriptor as i32)?),
        true => None,
    };
    if file.as_ref().is_some_and(|file| file.is_path()) {
        return Err(Errno::EBADF);
    }
    let sharing = match kind {
        MAP_PRIVATE => Sharing::Private,
        MAP_SHARED | MAP_SHARED_VALIDATE => Sharing::Shared,
        _ => return Err(Errno::EINVAL),
    };
    let wanted = protection_of(ProtFlags::from_bits_retain(protection as u32));
    if len == 0 {
        return Err(Errno::EINVAL);
    }
    if flags.contains(MapFlags::MAP_GROWSDOWN) && (file.is_some() || sharing == Sharing::Shared) {
        return Err(Errno::EINVAL);
    }
    let rounded = len.checked_next_multiple_of(PAGE).ok_or(Errno::ENOMEM)?;
    offset.checked_add(rounded).ok_or(Errno::EOVERFLOW)?;
    if flags.contains(MapFlags::MAP_HUGETLB) {
        return Err(Errno::ENOMEM);
    }
    if kind == MAP_SHARED_VALIDATE {
        check_validated(flags)?;
    }
    let backing = match file {
        Some(file) => file_backing(&file, wanted, sharing, offset..offset + rounded)?,
        None => zeros(sharing, rounded, None)?,
    };
    let space = space(current)?;
    let request = MapRequest {
        placement: placement(address, rounded, flags)?,
        len: rounded,
        protection: wanted,
        sharing,
        flags: mlock::flags_of_new(current, &space, rounded, flags)?,
        purpose: purpose(flags, &backing),
        backing,
    };
    let is_locked = request.flags.has(AreaFlags::LOCK);
    let replaced = match request.placement {
        Placement::Fixed(at) => mapped_in(&space, at, rounded),
        _ => 0,
    };
    check_limits(
        current.process(),
        &space,
        &request,
        rounded.saturating_sub(replaced),
    )?;
    let start = space.edit(|space| {
        if is_full(space) {
            return Err(Errno::ENOMEM);
        }
        space.map(memory::get(), request).map_err(map_errno)
    })?;
    if is_locked || flags.contains(MapFlags::MAP_POPULATE) && !flags.contains(MapFlags::MAP_NONBLOCK) {
        mlock::populate_mapped(current, start.0, rounded);
    }
    Ok(start.0 as usize)
}

/// `MAP_SHARED_VALIDATE` is for files, and takes no flag that it does not know (Linux's `LEGACY_MAP_MASK`).
fn check_validated(flags: MapFlags) -> Result<(), Errno> {
    /// Those of 2 MiB and 1 GiB (`MAP_HUGE_2MB`, `MAP_HUGE_1GB`).
    const HUGE_PAGE_SIZES: u32 = (21 | 30) << 26;
    const KNOWN: MapFlags = MapFlags::from_bits_retain(MAP_TYPE | HUGE_PAGE_SIZES)
        .union(MapFlags::MAP_FIXED)
        .union(MapFlags::MAP_FIXED_NOREPLACE)
        .union(MapFlags::MAP_GROWSDOWN)
        .union(MapFlags::MAP_DENYWRITE)
        .union(MapFlags::MAP_EXECUTABLE)
        .union(MapFlags::MAP_LOCKED)
        .union(MapFlags::MAP_NORESERVE)
        .union(MapFlags::MAP_POPULATE)
        .union(MapFlags::MAP_NONBLOCK)
        .union(MapFlags::MAP_STACK)
        .union(MapFlags::MAP_HUGETLB);
    match flags {
        flags if flags.contains(MapFlags::MAP_ANONYMOUS) => Err(Errno::EINVAL),
        flags if !KNOWN.contains(flags) => Err(Errno::EOPNOTSUPP),
        _ => Ok(()),
    }
}

fn placement(address: u64, len: u64, flags: MapFlags) -> Result<Placement, Errno> {
    let at = VirtAddr(address);
    if !flags.intersects(MapFlags::MAP_FIXED | MapFlags::MAP_FIXED_NOREPLACE) {
        return Ok(Placement::Hint(at));
    }
    if !at.is_page_aligned() {
        return Err(Errno::EINVAL);
    }
    PageRange::new(at, len).ok_or(Errno::ENOMEM)?;
    Ok(if flags.contains(MapFlags::MAP_FIXED_NOREPLACE) {
        Placement::FixedNoReplace(at)
    } else {
        Placement::Fixed(at)
    })
}

fn purpose(flags: MapFlags, backing: &Backing) -> Purpose {
    match backing {
        Backing::Anonymous if flags.contains(MapFlags::MAP_GROWSDOWN) => Purpose::Stack,
        _ => Purpose::Mapping,
    }
}

/// The protection in those bits; mmap(2) does not look at others.
pub fn protection_of(bits: ProtFlags) -> Protection {
    Protection {
        read: bits.contains(ProtFlags::PROT_READ),
        write: bits.contains(ProtFlags::PROT_WRITE),
        execute: bits.contains(ProtFlags::PROT_EXEC),
    }
}

/// munmap(2).
///
/// # Errors
/// `EINVAL`: no length, not of whole pages, beyond the space. `ENOMEM`: it would leave two areas where there was one,
/// and the space has too many; want of memory.
pub fn munmap(current: &Thread, start: u64, len: u64) -> Result<usize, Errno> {
    let end = VirtAddr(
        start
            .saturating_add(len)
            .checked_next_multiple_of(PAGE)
            .unwrap_or(u64::MAX),
    );
    let is_split =
        |space: &AddressSpace| is_inside_area(space, VirtAddr(start)) && is_inside_area(space, end);
    if Space::notes_dropping(len) {
        space(current)?.note_before_dropping(len);
    }
    edit_space(current, |space| {
        if is_full(space) && is_split(space) {
            return Err(Errno::ENOMEM);
        }
        space
            .unmap(memory::get(), VirtAddr(start), len)
            .map_err(map_errno)
    })??;
    Ok(0)
}
