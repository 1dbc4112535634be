//! System V shared memory: shmget(2), shmat(2), shmdt(2), shmctl(2).

use super::memory_limits::{check_limits, is_full, mapped_in};
use super::mlock;
use super::space::space;
use abi::Errno;
use abi::capability::{CAP_IPC_LOCK, CAP_SYS_ADMIN};
use abi::ipc::{
    IPC_INFO, IPC_RMID, IPC_SET, IPC_STAT, SHM_INFO, SHM_LOCK, SHM_STAT, SHM_STAT_ANY, SHM_UNLOCK, SHMMIN,
    ShmAtFlags, ShmGetFlags, ShmIdDs, ShmInfo, ShmInfo64,
};
use abi::memory::MapFlags;
use abi::process::RLIMIT_MEMLOCK;
use alloc::sync::Arc;
use ipc::settings::{MOST_SEGMENTS, SHMALL, SHMMAX};
use ipc::{SharedSegment, Stores};
use memory::map_errno;
use mm::{
    AddressSpace, AreaFlags, Backing, MapRequest, PAGE_SIZE, PageRange, PageSource, Placement, Protection,
    Purpose, Sharing, VirtAddr,
};
use sched::scheduler;
use sched::space::Space;
use task::thread::{Thread, ThreadExt};

const PAGE: u64 = PAGE_SIZE as u64;
/// Areas looked at under one hold of a space's lock.
const AREAS: usize = 256;

/// Rights that are asked for: to read, to write, to execute, of whichever class the caller is.
const READ: u32 = 0o444;
const WRITE: u32 = 0o222;
const EXECUTE: u32 = 0o111;

/// shmget(2).
///
/// Not supported: `SHM_HUGETLB` (`ENOMEM`, as where no huge pages are reserved).
///
/// # Errors
/// `ENOENT`: none has that key, and none is to be made. `EEXIST`: one has it, and it is to be new. `EINVAL`: no size, or one
/// larger than allowed or than what is there. `EACCES`: rights that the caller has not. `ENOSPC`: too many, or too much in all.
/// `ENOMEM`.
#[inline(never)] // else every other call pays for its registers
pub fn shmget(current: &Thread, key: u64, bytes: u64, flags: u64) -> Result<usize, Errno> {
    memory::has_room()?;
    let flags = ShmGetFlags::from_bits_retain(flags as u32);
    let process = current.process();
    let id = ipc::find_or_make(key as i32, bytes, flags, (&process.credentials(), process.pid))?;
    Ok(id as usize)
}

/// shmat(2).
///
/// # Errors
/// `EINVAL`: no such segment, a place that is not of a page or not free, `SHM_REMAP` without a place. `EACCES`: rights that the
/// caller has not. `ENOMEM`: beyond the space, `RLIMIT_AS`, the number of areas, or memory. `EAGAIN`: locked, and beyond
/// `RLIMIT_MEMLOCK`.
#[inline(never)] // else every other call pays for its registers
pub fn shmat(current: &Thread, id: u64, address: u64, flags: u64) -> Result<usize, Errno> {
    memory::has_room()?;
    let flags = ShmAtFlags::from_bits_retain(flags as u32);
    if (id as i32) < 0 {
        return Err(Errno::EINVAL);
    }
    let at = place(address, flags)?;
    let is_read_only = flags.contains(ShmAtFlags::SHM_RDONLY);
    let protection = Protection {
        read: true,
        write: !is_read_only,
        execute: flags.contains(ShmAtFlags::SHM_EXEC),
    };
    let wanted = READ | if is_read_only { 0 } else { WRITE } | if protection.execute { EXECUTE } else { 0 };
    let segment = ipc::by_id(id as i32)?;
    let process = current.process();
    segment.check(&process.credentials(), wanted)?;
    let stores = if is_read_only {
        Stores::Denied
    } else {
        Stores::Allowed
    };
    let start = attach(current, &segment, (at, flags), protection, stores)?;
    segment.note_attached(process.pid);
    Ok(start as usize)
}

/// Where it is to be attached; `None`: anywhere.
fn place(address: u64, flags: ShmAtFlags) -> Result<Option<VirtAddr>, Errno> {
    let is_over = flags.contains(ShmAtFlags::SHM_REMAP);
    let rounded = address & !(PAGE - 1);
    if address == 0 {
        return if is_over { Err(Errno::EINVAL) } else { Ok(None) };
    }
    if rounded != address && !flags.contains(ShmAtFlags::SHM_RND) || rounded == 0 && is_over {
        return Err(Errno::EINVAL);
    }
    Ok(Some(VirtAddr(rounded)))
}

fn attach(
    current: &Thread,
    segment: &Arc<SharedSegment>,
    (at, flags): (Option<VirtAddr>, ShmAtFlags),
    protection: Protection,
    stores: Stores,
) -> Result<u64, Errno> {
    let space = space(current)?;
    let len = segment.pages().checked_mul(PAGE).ok_or(Errno::ENOMEM)?;
    let is_over = flags.contains(ShmAtFlags::SHM_REMAP);
    if let Some(at) = at {
        at.0.checked_add(len).ok_or(Errno::EINVAL)?;
        PageRange::new(at, len).ok_or(Errno::ENOMEM)?;
    }
    let request = MapRequest {
        placement: match at {
            None => Placement::Hint(VirtAddr(0)),
            Some(at) if is_over => Placement::Fixed(at),
            Some(at) => Placement::FixedNoReplace(at),
        },
        len,
        protection,
        sharing: Sharing::Shared,
        flags: mlock::flags_of_new(current, &space, len, MapFlags::empty())?,
        purpose: Purpose::Mapping,
        backing: Backing::Source {
            source: SharedSegment::source(segment, stores)?,
            first: 0,
        },
    };
    let is_locked = request.flags.has(AreaFlags::LOCK);
    let replaced = match request.placement {
        Placement::Fixed(at) => mapped_in(&space, at, len),
        _ => 0,
    };
    check_limits(current.process(), &space, &request, len.saturating_sub(replaced))?;
    let start = space.edit(|space| {
        if is_full(space) {
            return Err(Errno::ENOMEM);
        }
        space.map(memory::get(), request).map_err(map_errno)
    });
    let start = start.map_err(|error| match error {
        // Something is there.
        Errno::EEXIST => Errno::EINVAL,
        error => error,
    })?;
    if is_locked {
        mlock::populate_mapped(current, start.0, len);
    }
    Ok(start.0)
}

/// What is detached: the first area of an attachment that begins, or began, at the address.
struct FoundAttachment {
    source: Arc<dyn PageSource>,
    range: PageRange,
}

/// shmdt(2).
///
/// # Errors
/// `EINVAL`: no segment is attached there. `ENOMEM`: want of memory.
#[inline(never)] // else every other call pays for its registers
pub fn shmdt(current: &Thread, address: u64) -> Result<usize, Errno> {
    if !address.is_multiple_of(PAGE) {
        return Err(Errno::EINVAL);
    }
    let space = space(current)?;
    let mut at = VirtAddr(address);
    let mut first: Option<FoundAttachment> = None;
    // The first area says how far its attachment reaches; what is left of that goes as well.
    while let Some(found) = next_attached(&space, address, &mut at, first.as_ref()) {
        let range = found.range;
        space.note_before_dropping(range.len());
        space.edit(|space| {
            // Another thread may have mapped something else there meanwhile.
            match is_attached(space, address, &found) {
                true => space
                    .unmap(memory::get(), range.start(), range.len())
                    .map_err(map_errno),
                false => Ok(()),
            }
        })?;
        at = range.end();
        first.get_or_insert(found);
        scheduler::cond_resched_killable()?;
    }
    let first = first.ok_or(Errno::EINVAL)?;
    if let Some(attachment) = first.source.attachment() {
        attachment.note_detached(current.process().pid);
    }
    Ok(0)
}

fn next_attached(
    space: &Space,
    address: u64,
    at: &mut VirtAddr,
    first: Option<&FoundAttachment>,
) -> Option<FoundAttachment> {
    let end = match first {
        None => u64::MAX,
        Some(first) => address.saturating_add(first.source.attachment()?.pages().saturating_mul(PAGE)),
    };
    loop {
        let (found, next) = space.with(|space| search(space, address, *at, end, first));
        if found.is_some() {
            return found;
        }
        *at = next?;
        scheduler::cond_resched();
    }
}

/// Looks at the next areas below `end`; else says where to go on.
fn search(
    space: &AddressSpace,
    address: u64,
    from: VirtAddr,
    end: u64,
    first: Option<&FoundAttachment>,
) -> (Option<FoundAttachment>, Option<VirtAddr>) {
    let mut next = None;
    for area in space.areas().iter_from(from).take(AREAS) {
        let range = area.range();
        if range.end().0 > end {
            return (None, None);
        }
        next = Some(range.end());
        let Backing::Source { source, first: page } = &area.backing else {
            continue;
        };
        let is_in_place =
            range.start().0 >= address && range.start().0 - address == page.saturating_mul(PAGE);
        let is_same = first.is_none_or(|first| Arc::ptr_eq(&first.source, source));
        if is_in_place && is_same && source.attachment().is_some() {
            let source = Arc::clone(source);
            return (Some(FoundAttachment { source, range }), None);
        }
    }
    (None, next)
}

/// Whether that area is still there.
fn is_attached(space: &AddressSpace, address: u64, found: &FoundAttachment) -> bool {
    let area = space.areas().find(found.range.start());
    area.is_some_and(|area| {
        area.range() == found.range
            && matches!(&area.backing, Backing::Source { source, first }
                if Arc::ptr_eq(source, &found.source) && first * PAGE == found.range.start().0 - address)
    })
}

/// shmctl(2).
///
/// Not supported: `SHM_LOCK` counts no sum of all that a user has locked; times and process of the last use are those of shmat(2)
/// and shmdt(2) alone, not of fork(2), munmap(2), or the end of a process.
///
/// # Errors
/// `EINVAL`: an unknown command, or no such segment. `EACCES`: it may not be read. `EPERM`: it is somebody else's, or may not be
/// locked. `ENOMEM`: too large to be locked; want of memory. Those of user memory.
#[inline(never)] // else every other call pays for its registers
pub fn shmctl(current: &Thread, id: u64, command: u64, buffer: u64) -> Result<usize, Errno> {
    let id = id as i32;
    if id < 0 {
        return Err(Errno::EINVAL);
    }
    match command as u32 {
        IPC_INFO => limits(buffer),
        SHM_INFO => sums(buffer),
        command @ (IPC_STAT | SHM_STAT | SHM_STAT_ANY) => status(current, id, command, buffer),
        IPC_SET => {
            let wanted: ShmIdDs = uaccess::read_value(buffer)?;
            let segment = of_owner(current, id)?;
            segment.give(wanted.shm_perm.uid, wanted.shm_perm.gid, wanted.shm_perm.mode);
            Ok(0)
        }
        IPC_RMID => {
            ipc::remove(&of_owner(current, id)?);
            Ok(0)
        }
        command @ (SHM_LOCK | SHM_UNLOCK) => lock(current, id, command),
        _ => Err(Errno::EINVAL),
    }
}

/// The segment, for one who may change it.
fn of_owner(current: &Thread, id: i32) -> Result<Arc<SharedSegment>, Errno> {
    let segment = ipc::by_id(id)?;
    let who = current.process().credentials();
    match segment.is_owner(&who) || who.can(CAP_SYS_ADMIN) {
        true => Ok(segment),
        false => Err(Errno::EPERM),
    }
}

fn limits(buffer: u64) -> Result<usize, Errno> {
    let most = MOST_SEGMENTS.get();
    let limits = ShmInfo64 {
        shmmax: SHMMAX.get(),
        shmmin: SHMMIN,
        shmmni: most,
        shmseg: most,
        shmall: SHMALL.get(),
        unused: [0; 4],
    };
    uaccess::write_value(buffer, &limits)?;
    Ok(ipc::usage().2 as usize)
}

fn sums(buffer: u64) -> Result<usize, Errno> {
    let (count, pages, highest) = ipc::usage();
    let mut resident = 0;
    let mut next = 0;
    while let Some((index, segment)) = ipc::next_from(next) {
        resident += segment.resident_pages();
        next = index + 1;
        scheduler::cond_resched_killable()?;
    }
    let sums = ShmInfo {
        used_ids: count as i32,
        shm_tot: pages,
        shm_rss: resident,
        ..ShmInfo::default()
    };
    uaccess::write_value(buffer, &sums)?;
    Ok(highest as usize)
}

fn status(current: &Thread, id: i32, command: u32, buffer: u64) -> Result<usize, Errno> {
    let segment = match command {
        IPC_STAT => ipc::by_id(id)?,
        _ => ipc::by_index(id)?,
    };
    if command != SHM_STAT_ANY {
        segment.check(&current.process().credentials(), READ)?;
    }
    uaccess::write_value(buffer, &SharedSegment::status(&segment)?)?;
    Ok(if command == IPC_STAT {
        0
    } else {
        segment.id() as usize
    })
}

/// Nothing is ever paged out: who may lock it, and how much, is all that there is to it.
fn lock(current: &Thread, id: i32, command: u32) -> Result<usize, Errno> {
    let is_locked = command == SHM_LOCK;
    let segment = ipc::by_id(id)?;
    let process = current.process();
    let who = process.credentials();
    if !who.can(CAP_IPC_LOCK) {
        let limit = process.limit(RLIMIT_MEMLOCK);
        if !segment.is_owner(&who) || is_locked && limit == 0 {
            return Err(Errno::EPERM);
        }
        if is_locked && segment.bytes() > limit {
            return Err(Errno::ENOMEM);
        }
    }
    match is_locked {
        true => segment.note_locked(),
        false => segment.note_unlocked(),
    }
    Ok(0)
}
