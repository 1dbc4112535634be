//! membarrier(2): a memory barrier on the processors that run other threads, so that these need none in their fast paths.

use abi::Errno;
use abi::process::{
    MEMBARRIER_CMD_GLOBAL, MEMBARRIER_CMD_GLOBAL_EXPEDITED, MEMBARRIER_CMD_PRIVATE_EXPEDITED,
    MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, MEMBARRIER_CMD_QUERY,
    MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED,
    MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE,
};
use sched::scheduler;
use task::thread::{Thread, ThreadExt};

/// The commands that there are, as `MEMBARRIER_CMD_QUERY` answers. Those for restartable sequences are missing as these are.
const KNOWN: u32 = MEMBARRIER_CMD_GLOBAL
    | MEMBARRIER_CMD_GLOBAL_EXPEDITED
    | MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED
    | MEMBARRIER_CMD_PRIVATE_EXPEDITED
    | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED
    | MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE
    | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE;

/// membarrier(2).
///
/// A processor is interrupted for it, and the return from an interrupt synchronises its context (Arm ARM D1.4.1): the
/// commands for memory and for instructions are one.
///
/// Not supported: the commands for restartable sequences, which are missing as well (`EINVAL`).
///
/// # Errors
/// `EINVAL`: a flag, or no such command. `EPERM`: an expedited command without its registration.
pub fn membarrier(current: &Thread, command: u64, flags: u64) -> Result<usize, Errno> {
    if flags as u32 != 0 {
        return Err(Errno::EINVAL);
    }
    let space = current.process().space().ok_or(Errno::EINVAL)?;
    match command as u32 {
        MEMBARRIER_CMD_QUERY => return Ok(KNOWN as usize),
        MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_GLOBAL_EXPEDITED => scheduler::synchronise(None),
        // Every process is served by the global command, registered or not.
        MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED => {}
        register @ (MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED
        | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE) => {
            // A registration stands one bit above what it is for.
            space.barriers.register(register >> 1);
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
