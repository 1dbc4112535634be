//! membarrier(2): a memory barrier on the processors that run other threads, so that these need none in their fast paths.

use abi::Errno;
use abi::process::{
    MEMBARRIER_CMD_FLAG_CPU, MEMBARRIER_CMD_GET_REGISTRATIONS, MEMBARRIER_CMD_GLOBAL,
    MEMBARRIER_CMD_GLOBAL_EXPEDITED, MEMBARRIER_CMD_PRIVATE_EXPEDITED, MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ,
    MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, MEMBARRIER_CMD_QUERY,
    MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED,
    MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE,
};
use sched::scheduler;
use task::thread::{Thread, ThreadExt};

/// The commands that there are, as `MEMBARRIER_CMD_QUERY` answers.
const KNOWN: u32 = MEMBARRIER_CMD_GLOBAL
    | MEMBARRIER_CMD_GLOBAL_EXPEDITED
    | MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED
    | MEMBARRIER_CMD_PRIVATE_EXPEDITED
    | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED
    | MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE
    | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE
    | MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ
    | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ
    | MEMBARRIER_CMD_GET_REGISTRATIONS;

/// membarrier(2).
///
/// A processor is interrupted for it, and the return from an interrupt synchronises its context (Arm ARM D1.4.1): the
/// commands for memory and for instructions are one.
///
/// # Errors
/// `EINVAL`: a flag, or no such command. `EPERM`: an expedited command without its registration.
pub fn membarrier(current: &Thread, command: u64, flags: u64, processor: u64) -> Result<usize, Errno> {
    let is_for_one =
        (command as u32, flags as u32) == (MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, MEMBARRIER_CMD_FLAG_CPU);
    if flags as u32 != 0 && !is_for_one {
        return Err(Errno::EINVAL);
    }
    let space = current.process().space().ok_or(Errno::EINVAL)?;
    match command as u32 {
        MEMBARRIER_CMD_QUERY => return Ok(KNOWN as usize),
        MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_GLOBAL_EXPEDITED => scheduler::synchronise(None),
        MEMBARRIER_CMD_GET_REGISTRATIONS => return Ok((space.barriers.all() << 1) as usize),
        // Every process is served by the global command, registered or not.
        register @ (MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED
        | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED
        | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ
        | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE) => {
            // A registration stands one bit above what it is for.
            space.barriers.register(register >> 1);
        }
        MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ => {
            if !space.barriers.has(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ) {
                return Err(Errno::EPERM);
            }
            let processors = match processor as i32 {
                number @ 0..64 if is_for_one => 1 << number,
                64.. if is_for_one => 0,
                _ => u64::MAX,
            };
            scheduler::restart_sequences(&space, processors);
        }
        command @ (MEMBARRIER_CMD_PRIVATE_EXPEDITED | MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE) => {
            if !space.barriers.has(command) {
                return Err(Errno::EPERM);
            }
            scheduler::synchronise(Some(&space));
        }
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}
