//! `SEM_UNDO`: what a process has done to semaphores is taken back when it ends.

use super::{AT_ONCE, SETS, SemaphoreSet, SetState};
use abi::Errno;
use abi::process::Pid;
use abi::semaphore::{SEM_UNDO, SEMVMX, SemBuf};
use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering};
use lock::{Mutex, rank};
use memory::fallible::map::Map;
use sched::scheduler;

/// Of which processes something is to be taken back, and of what: process, set, semaphore.
static ALL: Mutex<Map<(Pid, i32, u16), ()>, { rank::SEGMENTS }> = Mutex::new(Map::new());

/// How many there are, to be read without the lock: an end of a process that never used semaphores costs a look.
static KNOWN: AtomicUsize = AtomicUsize::new(0);

/// Makes room to note what is to be taken back of the operations; fails before anything has changed.
pub(super) fn prepare(
    state: &mut SetState,
    set: i32,
    operations: &[SemBuf],
    process: Pid,
) -> Result<(), Errno> {
    let undone = operations.iter().filter(|one| one.sem_flg & SEM_UNDO != 0);
    for number in undone.map(|one| one.sem_num) {
        if state.undo.get(&(number, process)).is_some() {
            continue;
        }
        let mut all = ALL.lock();
        all.insert((process, set, number), ())?;
        KNOWN.store(all.len(), Ordering::Relaxed);
        drop(all);
        state.undo.insert((number, process), 0)?;
    }
    Ok(())
}

/// Whether what is to be taken back of a semaphore stays in range after the operation `last`, and those before it.
pub(super) fn fits(state: &SetState, operations: &[SemBuf], last: usize, process: Pid) -> bool {
    let number = operations[last].sem_num;
    let known = state.undo.get(&(number, process)).copied().unwrap_or(0);
    let meant = |one: &&SemBuf| one.sem_num == number && one.sem_flg & SEM_UNDO != 0;
    let sum: i32 = operations[..=last]
        .iter()
        .filter(meant)
        .map(|one| i32::from(one.sem_op))
        .sum();
    i16::try_from(i32::from(known) - sum).is_ok()
}

/// The operation was made, which fits.
pub(super) fn note(undo: &mut Map<(u16, Pid), i16>, one: &SemBuf, process: Pid) {
    if let Some(known) = undo.get_mut(&(one.sem_num, process)) {
        *known = known.wrapping_sub(one.sem_op);
    }
}

/// A process has ended: what it did is taken back. Others may run in between.
#[inline]
pub fn process_ended(process: Pid) {
    if KNOWN.load(Ordering::Relaxed) > 0 {
        take_all_back(process);
    }
}

#[cold]
fn take_all_back(process: Pid) {
    while let Some((set, number)) = take_next(process) {
        if let Ok(set) = SETS.by_id(set) {
            set.take_back_of(number, process);
        }
        scheduler::cond_resched();
    }
}

fn take_next(process: Pid) -> Option<(i32, u16)> {
    let mut all = ALL.lock();
    let (&(found, set, number), ()) = all.range((process, i32::MIN, 0)..).next()?;
    if found != process {
        return None;
    }
    all.remove(&(process, set, number));
    KNOWN.store(all.len(), Ordering::Relaxed);
    Some((set, number))
}

impl SemaphoreSet {
    fn take_back_of(&self, number: u16, process: Pid) {
        let now = super::super::now();
        let mut state = self.state.lock();
        let adjustment = state.undo.remove(&(number, process));
        let number = usize::from(number);
        let Some(adjustment) = adjustment.filter(|&adjustment| adjustment != 0) else {
            return;
        };
        state.operated_at = now;
        let semaphore = &mut state.semaphores[number];
        let value = i32::from(semaphore.value) + i32::from(adjustment);
        semaphore.value = value.clamp(0, SEMVMX as i32) as u16;
        semaphore.last_user = process;
        semaphore.turns.note_change();
        drop(state);
        self.pass_turns(number..number + 1);
    }

    /// What was to be taken back of these semaphores is not any more.
    pub(super) fn forget_undo(&self, numbers: Range<usize>) {
        loop {
            let mut count = 0;
            let mut state = self.state.lock();
            while count < AT_ONCE
                && let Some(&(number, process)) = state
                    .undo
                    .range((numbers.start as u16, 0)..)
                    .next()
                    .map(|(key, _)| key)
                && usize::from(number) < numbers.end
            {
                state.undo.remove(&(number, process));
                let mut all = ALL.lock();
                all.remove(&(process, self.id, number));
                KNOWN.store(all.len(), Ordering::Relaxed);
                drop(all);
                count += 1;
            }
            drop(state);
            if count < AT_ONCE {
                return;
            }
            scheduler::cond_resched();
        }
    }
}
