//! Restartable sequences: rseq(2), `kernel/rseq.c` of Linux.
//!
//! A thread registers an area of its memory. When it goes back to its program after others may have run in the middle of it, or on another
//! processor than before (`ThreadCore::note_new_turn`), the area says which processor that is; and if the thread was interrupted in a
//! piece of code that the area names, it goes on where that piece wants to be left. The same before a handler of a signal runs.
//!
//! What the area says is written only where it changed: a child of fork that runs where its parent ran needs no copy of the page. A
//! thread that slept in a call, and goes on where it was, is not looked at: there may be no call in such a piece of code (rseq(2)).

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use abi::Errno;
use abi::rseq::{RseqArea, RseqSection};
use abi::signal::info::SI_KERNEL;
use abi::signal::{SigInfo, Signal};
use alloc::sync::Arc;
use core::mem::offset_of;
use mm::USER_END;
use platform::user::UserContext;
use uaccess::{read_value, write_value};

use crate::signal;
use crate::thread::{Thread, ThreadExt};

/// Bytes of the area as it was at first; a longer one tells that in its length.
pub const FIRST_LEN: u32 = 32;

/// Bytes of the area that the kernel knows: `AT_RSEQ_FEATURE_SIZE`.
pub const FEATURE_LEN: u32 = offset_of!(RseqArea, padding) as u32;

/// What a thread has registered.
#[derive(Default)]
pub struct RseqRegistration {
    /// Where the area is; 0: nothing is registered. All are written by the thread itself, or before it runs.
    area: AtomicU64,
    len: AtomicU32,
    signature: AtomicU32,
}

impl RseqRegistration {
    /// Nothing is registered.
    pub const fn new() -> RseqRegistration {
        RseqRegistration {
            area: AtomicU64::new(0),
            len: AtomicU32::new(0),
            signature: AtomicU32::new(0),
        }
    }

    fn get(&self) -> (u64, u32, u32) {
        (
            self.area.load(Ordering::Relaxed),
            self.len.load(Ordering::Relaxed),
            self.signature.load(Ordering::Relaxed),
        )
    }

    fn set(&self, (area, len, signature): (u64, u32, u32)) {
        self.area.store(area, Ordering::Relaxed);
        self.len.store(len, Ordering::Relaxed);
        self.signature.store(signature, Ordering::Relaxed);
    }
}

/// Registers an area for `thread`, which runs.
///
/// # Errors
/// `EINVAL`: another one is registered, or it is too short or not aligned. `EPERM`: it is registered with another signature. `EBUSY`: it
/// is registered. `EFAULT`: no memory of a program. Without an address nothing is registered, as in Linux.
pub fn register(thread: &Thread, area: u64, len: u32, signature: u32) -> Result<(), Errno> {
    let registration = thread.rseq();
    let (known, known_len, known_signature) = registration.get();
    if known != 0 {
        return Err(match () {
            () if (area, len) != (known, known_len) => Errno::EINVAL,
            () if signature != known_signature => Errno::EPERM,
            () => Errno::EBUSY,
        });
    }
    // Any area is aligned as the first one was.
    if len < FIRST_LEN || !area.is_multiple_of(FIRST_LEN.into()) {
        return Err(Errno::EINVAL);
    }
    uaccess::check_range(area, len as usize)?;
    if area != 0 {
        registration.set((area, len, signature));
        thread.begin_restartable();
        thread.note_new_turn();
    }
    Ok(())
}

/// The registration of `thread`, which runs, ends.
///
/// # Errors
/// `EINVAL`: that area is not registered. `EPERM`: with another signature. Those of user memory.
pub fn unregister(thread: &Thread, area: u64, len: u32, signature: u32) -> Result<(), Errno> {
    let (known, known_len, known_signature) = thread.rseq().get();
    if known == 0 || (area, len) != (known, known_len) {
        return Err(Errno::EINVAL);
    }
    if signature != known_signature {
        return Err(Errno::EPERM);
    }
    let nowhere = RseqArea {
        cpu_id: abi::rseq::RSEQ_CPU_ID_UNINITIALIZED,
        ..RseqArea::default()
    };
    write_processor(area, &nowhere)?;
    forget(thread);
    Ok(())
}

/// Nothing is registered any more: exec.
pub fn forget(thread: &Thread) {
    thread.end_restartable();
    thread.rseq().set((0, 0, 0));
}

/// The child of a fork has what its parent, which runs, has registered. Right before it begins: where it does is what the parent's area
/// says, unless the parent moved in this call or the child does later.
#[cold]
pub fn inherit(child: &Thread, parent: &Thread) {
    child.rseq().set(parent.rseq().get());
    child.begin_restartable();
    if parent.has_new_turn() {
        child.note_new_turn();
    }
}

/// `thread` has a new turn, and is about to go back to its program: the area says where it runs, and the piece of code that it was
/// interrupted in is left. What cannot be read or is no such piece ends the program by SIGSEGV. Its memory may be waited for: then
/// there is a new turn again.
#[cold]
pub fn restart(thread: &Arc<Thread>, context: &mut UserContext) {
    thread.take_new_turn();
    if try_restart(thread, context).is_err() {
        signal::force(thread, SigInfo::new(Signal::SIGSEGV, SI_KERNEL));
    }
}

/// As [`restart`], before a handler of a signal interrupts the thread.
///
/// # Errors
/// Those of user memory, `EINVAL`: the program is to end by SIGSEGV.
#[inline]
pub fn leave(thread: &Thread, context: &mut UserContext) -> Result<(), Errno> {
    if !thread.is_restartable() {
        return Ok(());
    }
    thread.take_new_turn();
    try_restart(thread, context)
}

fn try_restart(thread: &Thread, context: &mut UserContext) -> Result<(), Errno> {
    let (at, _, signature) = thread.rseq().get();
    if at == 0 {
        return Ok(());
    }
    let area: RseqArea = read_value(at)?;
    if area.section != 0 {
        leave_section(at, &area, signature, context)?;
    }
    let here = platform::cpu::number() as u32;
    let wanted = RseqArea {
        cpu_id_start: here,
        cpu_id: here,
        node_id: 0,
        // No two threads of a process run on one processor.
        mm_cid: here,
        ..area
    };
    if wanted == area {
        return Ok(());
    }
    write_processor(at, &wanted)
}

/// Writes what is told of the processor: the thread itself may write the rest meanwhile.
fn write_processor(at: u64, area: &RseqArea) -> Result<(), Errno> {
    write_value(at, &[area.cpu_id_start, area.cpu_id])?;
    write_value(
        at + offset_of!(RseqArea, node_id) as u64,
        &[area.node_id, area.mm_cid],
    )
}

/// The thread is in no piece of code from now on: if it was interrupted in one, it goes on where that one wants to be left.
fn leave_section(at: u64, area: &RseqArea, signature: u32, context: &mut UserContext) -> Result<(), Errno> {
    if area.section >= USER_END {
        return Err(Errno::EINVAL);
    }
    let section: RseqSection = read_value(area.section)?;
    check(&section)?;
    if read_value::<u32>(section.abort - size_of::<u32>() as u64)? != signature {
        return Err(Errno::EINVAL);
    }
    let is_inside = context.pc.wrapping_sub(section.start) < section.len;
    if is_inside && (section.flags, area.flags) != (0, 0) {
        return Err(Errno::EINVAL);
    }
    write_value(at + offset_of!(RseqArea, section) as u64, &0_u64)?;
    if is_inside {
        context.pc = section.abort;
    }
    Ok(())
}

/// Whether it is a piece of code of a program, and is left outside of itself. `EINVAL`.
fn check(section: &RseqSection) -> Result<(), Errno> {
    let end = section.start.checked_add(section.len).ok_or(Errno::EINVAL)?;
    let is_of_program = [section.start, end, section.abort]
        .iter()
        .all(|at| *at < USER_END);
    let is_left_inside = section.abort.wrapping_sub(section.start) < section.len;
    if !is_of_program || section.version > 0 || is_left_inside || section.abort < size_of::<u32>() as u64 {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: RseqSection = RseqSection {
        version: 0,
        flags: 0,
        start: 0x40_0000,
        len: 0x10,
        abort: 0x40_0010,
    };

    #[test]
    fn a_piece_of_code_is_left_outside_of_itself() {
        assert_eq!(check(&GOOD), Ok(()));
        for bad in [
            RseqSection { version: 1, ..GOOD },
            RseqSection {
                abort: 0x40_000f,
                ..GOOD
            },
            RseqSection {
                abort: 0x40_0000,
                ..GOOD
            },
            RseqSection {
                abort: USER_END,
                ..GOOD
            },
            RseqSection { abort: 3, ..GOOD },
            RseqSection {
                start: USER_END,
                ..GOOD
            },
            RseqSection {
                len: USER_END,
                ..GOOD
            },
            RseqSection {
                len: u64::MAX,
                ..GOOD
            },
        ] {
            assert_eq!(check(&bad), Err(Errno::EINVAL), "{bad:?}");
        }
    }
}
