//! System V semaphores: semop(2).

use super::Result;
use super::raw::syscall;
use abi::ipc::{IPC_PRIVATE, IPC_RMID, IpcGetFlags};
use abi::nr;
use abi::semaphore::SemBuf;

/// One semaphore, which is removed when this is dropped.
pub struct Semaphore(i32);

impl Semaphore {
    /// A new one, of value 0.
    pub fn new() -> Result<Semaphore> {
        let flags = IpcGetFlags::IPC_CREAT.bits() | 0o600;
        // SAFETY: touches no memory.
        let id = unsafe { syscall(nr::SEMGET, [IPC_PRIVATE as usize, 1, flags as usize]) }?;
        Ok(Semaphore(id as i32))
    }

    /// Adds so much, or waits until it can take so much.
    pub fn add(&self, by: i16) -> Result<()> {
        let operation = SemBuf {
            sem_op: by,
            ..SemBuf::default()
        };
        let at = core::ptr::from_ref(&operation) as usize;
        // SAFETY: the kernel reads the operation.
        unsafe { syscall(nr::SEMOP, [self.0 as usize, at, 1]) }.map(drop)
    }
}

impl Drop for Semaphore {
    fn drop(&mut self) {
        // SAFETY: touches no memory.
        let _removed = unsafe { syscall(nr::SEMCTL, [self.0 as usize, 0, IPC_RMID as usize]) };
    }
}
