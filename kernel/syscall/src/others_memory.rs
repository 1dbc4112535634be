//! Memory of another process: process_vm_readv(2), process_vm_writev(2).

use abi::Errno;
use abi::file::IoVec;
use alloc::sync::Arc;
use memory::fallible;
use mm::PAGE_SIZE;
use sched::space::Space;
use task::process::{self, Pid};
use task::thread::{Thread, ThreadExt};
use uaccess::{Sink, Source, UserBuffer, read_ranges};

/// process_vm_readv(2): from the other process's ranges to the caller's. How many bytes; fewer than asked for in front of memory that
/// cannot be read or written.
///
/// # Errors
/// `EINVAL`: flags, more than `IOV_MAX` ranges, or one of a negative length. `ESRCH`: no such process. `EPERM`: the caller may not look
/// into it. `EFAULT`: of the first byte. `EINTR`: the caller is to end. `ENOMEM`.
pub fn process_vm_readv(current: &Thread, arguments: [u64; 6]) -> Result<usize, Errno> {
    transfer(current, arguments, |space, at, own, bytes| {
        let len = space.read(at, bytes)?;
        own.put(&bytes[..len])
    })
}

/// process_vm_writev(2): from the caller's ranges to the other process's. A page that is shared is copied, as at a store of the other
/// process; its protection holds.
///
/// # Errors
/// As for [`process_vm_readv`].
pub fn process_vm_writev(current: &Thread, arguments: [u64; 6]) -> Result<usize, Errno> {
    transfer(current, arguments, |space, at, own, bytes| {
        let len = own.take(bytes)?;
        space.write(at, &bytes[..len])
    })
}

/// `step` moves bytes between the caller's memory and what the other process has at an address, as many as there is room for.
fn transfer(
    current: &Thread,
    [pid, own, own_count, others, others_count, flags]: [u64; 6],
    step: impl FnMut(&Space, u64, &mut UserBuffer, &mut [u8]) -> Result<usize, Errno>,
) -> Result<usize, Errno> {
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    let mut own = UserBuffer::from_list(own, own_count)?;
    if own.room() == 0 {
        return Ok(0);
    }
    let ranges = read_ranges(others, others_count)?;
    if ranges.iter().all(|range| range.len == 0) {
        return Ok(0);
    }
    let mut piece = fallible::filled(PAGE_SIZE.min(own.room()), 0)?;
    let space = memory_of(current, pid)?;
    let moved = transfer_ranges(&space, &ranges, &mut own, &mut piece, step);
    space.let_go();
    moved
}

/// The memory of a process into which the caller may look. It is asked for first: if exec replaces it meanwhile, the check is about what
/// replaced it, and what is had is that of a program which is over.
fn memory_of(current: &Thread, pid: u64) -> Result<Arc<Space>, Errno> {
    let pid = Pid::try_from(pid as i32).map_err(|_| Errno::ESRCH)?;
    let process = process::find(pid).ok_or(Errno::ESRCH)?;
    let space = process.space().ok_or(Errno::ESRCH)?;
    match process.check_inspection_by(current.process()) {
        Ok(()) => Ok(space),
        Err(error) => {
            space.let_go();
            Err(error)
        }
    }
}

/// How many bytes were moved; an error only if none was.
fn transfer_ranges(
    space: &Space,
    ranges: &[IoVec],
    own: &mut UserBuffer,
    piece: &mut [u8],
    mut step: impl FnMut(&Space, u64, &mut UserBuffer, &mut [u8]) -> Result<usize, Errno>,
) -> Result<usize, Errno> {
    let mut all = 0;
    for range in ranges {
        let mut done = 0;
        while done < range.len && own.room() > 0 {
            let at = range.base.wrapping_add(done);
            let wanted = piece_at(at, range.len - done, piece.len()).min(own.room());
            match step(space, at, own, &mut piece[..wanted]) {
                Ok(moved) if moved < wanted => return Ok(all + moved),
                Ok(moved) => (all, done) = (all + moved, done + moved as u64),
                Err(error) if all == 0 => return Err(error),
                Err(_) => return Ok(all),
            }
        }
    }
    Ok(all)
}

/// Bytes of a range that are moved at once: they lie in one page.
fn piece_at(at: u64, left: u64, room: usize) -> usize {
    let in_page = PAGE_SIZE - at as usize % PAGE_SIZE;
    usize::try_from(left).unwrap_or(usize::MAX).min(in_page).min(room)
}
