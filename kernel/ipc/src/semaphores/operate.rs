//! semop(2): operations on the semaphores of one set, all of them or none.

use super::super::turns::pass;
use super::{LockedSet, SemaphoreSet, SetState, undo};
use abi::Errno;
use abi::ipc::IPC_NOWAIT;
use abi::process::Pid;
use abi::semaphore::{SEM_UNDO, SEMVMX, SemBuf};
use sched::wait::Interrupted;

/// Why the operations cannot be made now: the first that hinders.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Hindrance {
    number: usize,
    is_for_zero: bool,
}

/// What one look came to.
enum Look {
    Done,
    Hindered(Hindrance),
}

impl SemaphoreSet {
    /// Makes all of the operations, for a process; waits until it can, or the timer passes `deadline`.
    ///
    /// # Errors
    /// `EFBIG`: there is no such semaphore. `EAGAIN`: it would wait, or has long enough. `ERANGE`: a value would be too high. `EIDRM`:
    /// removed. `EINTR`, `ENOMEM`.
    #[inline]
    pub fn operate(&self, operations: &[SemBuf], process: Pid, deadline: Option<u64>) -> Result<(), Errno> {
        if operations
            .iter()
            .any(|one| usize::from(one.sem_num) >= self.size())
        {
            return Err(Errno::EFBIG);
        }
        let now = super::super::now();
        match self.look_and_do(self.lock()?, operations, process, now)? {
            Look::Done => Ok(()),
            Look::Hindered(hindrance) => self.wait(operations, process, deadline, hindrance),
        }
    }

    /// Makes them if nothing hinders. Whoever may go on for it is woken.
    fn look_and_do(
        &self,
        mut state: LockedSet<'_>,
        operations: &[SemBuf],
        process: Pid,
        now: i64,
    ) -> Result<Look, Errno> {
        if operations.iter().any(|one| one.sem_flg & SEM_UNDO != 0) {
            undo::prepare(&mut state, self.id, operations, process)?;
        }
        if let Some((count, stop)) = state.apply(operations, process) {
            state.take_back(&operations[..count]);
            let stop = stop?;
            if operations[count].sem_flg & IPC_NOWAIT as u16 != 0 {
                return Err(Errno::EAGAIN);
            }
            return Ok(Look::Hindered(stop));
        }
        state.operated_at = now;
        let is_anybody_waiting = state.note_operated(operations, process);
        drop(state);
        if is_anybody_waiting {
            for one in operations {
                let number = usize::from(one.sem_num);
                self.pass_turns(number..number + 1);
            }
        }
        Ok(Look::Done)
    }

    #[cold]
    fn wait(
        &self,
        operations: &[SemBuf],
        process: Pid,
        deadline: Option<u64>,
        first: Hindrance,
    ) -> Result<(), Errno> {
        let mut hindrance = first;
        loop {
            let number = hindrance.number;
            self.enter(hindrance);
            let moved = self.queues[number].wait_exclusive_deadline(deadline, || {
                let look = match self.lock() {
                    Ok(state) => self.look_and_do(state, operations, process, super::super::now()),
                    Err(error) => Err(error),
                };
                let owed = self.state.lock().semaphores[number].turns.take_owed();
                pass(&self.queues[number], owed);
                match look {
                    Ok(Look::Hindered(now)) if now == hindrance => None,
                    look => Some(look),
                }
            });
            self.leave(hindrance);
            match moved {
                Ok(Some(Ok(Look::Done))) => return Ok(()),
                Ok(Some(Ok(Look::Hindered(other)))) => hindrance = other,
                Ok(Some(Err(error))) => return Err(error),
                Ok(None) => return Err(Errno::EAGAIN),
                Err(Interrupted) => return Err(Errno::EINTR),
            }
        }
    }

    fn enter(&self, hindrance: Hindrance) {
        let mut state = self.state.lock();
        let semaphore = &mut state.semaphores[hindrance.number];
        semaphore.turns.enter();
        semaphore.zero_waiters += u32::from(hindrance.is_for_zero);
    }

    fn leave(&self, hindrance: Hindrance) {
        let mut state = self.state.lock();
        let semaphore = &mut state.semaphores[hindrance.number];
        semaphore.turns.leave();
        semaphore.zero_waiters -= u32::from(hindrance.is_for_zero);
    }
}

impl SetState {
    /// Makes the operations up to one that cannot be made: which it is, and why.
    #[inline]
    fn apply(&mut self, operations: &[SemBuf], process: Pid) -> Option<(usize, Result<Hindrance, Errno>)> {
        for (count, one) in operations.iter().enumerate() {
            let number = usize::from(one.sem_num);
            let value = i32::from(self.semaphores[number].value);
            let result = value + i32::from(one.sem_op);
            let is_for_zero = one.sem_op == 0;
            if is_for_zero && value != 0 || result < 0 {
                return Some((count, Ok(Hindrance { number, is_for_zero })));
            }
            let is_in_range = result as u32 <= SEMVMX
                && (one.sem_flg & SEM_UNDO == 0 || undo::fits(self, operations, count, process));
            if !is_in_range {
                return Some((count, Err(Errno::ERANGE)));
            }
            self.semaphores[number].value = result as u16;
        }
        None
    }

    /// Takes operations back that were made.
    fn take_back(&mut self, operations: &[SemBuf]) {
        for one in operations.iter().rev() {
            let semaphore = &mut self.semaphores[usize::from(one.sem_num)];
            semaphore.value = semaphore.value.wrapping_sub(one.sem_op as u16);
        }
    }

    /// They were made: whether anybody waits for any of these semaphores.
    #[inline]
    fn note_operated(&mut self, operations: &[SemBuf], process: Pid) -> bool {
        let mut is_anybody_waiting = false;
        for one in operations {
            let semaphore = &mut self.semaphores[usize::from(one.sem_num)];
            semaphore.last_user = process;
            if semaphore.turns.waiting() > 0 && one.sem_op != 0 {
                semaphore.turns.note_change();
                is_anybody_waiting = true;
            }
            if one.sem_flg & SEM_UNDO != 0 && one.sem_op != 0 {
                undo::note(&mut self.undo, one, process);
            }
        }
        is_anybody_waiting
    }
}
