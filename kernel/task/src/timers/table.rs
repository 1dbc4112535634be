//! The timers of one process. A child does not inherit them, and a new program does not keep them.

use super::Timer;
use super::{TimerClock, TimerNotice};
use crate::process::{self, Pid, Process};
use crate::signal;
use abi::Errno;
use abi::process::RLIMIT_SIGPENDING;
use alloc::sync::Arc;
use lock::Mutex;
use memory::fallible;
use memory::fallible::map::Map;
use sched::{scheduler, shortage};

/// The timers of one process, by id.
pub struct ProcessTimers(Mutex<TimerTable>);

struct TimerTable {
    all: Map<i32, Arc<Timer>>,
    next: i32,
}

impl Default for ProcessTimers {
    fn default() -> Self {
        Self::new()
    }
}

impl ProcessTimers {
    /// None.
    pub const fn new() -> ProcessTimers {
        ProcessTimers(Mutex::new(TimerTable {
            all: Map::new(),
            next: 0,
        }))
    }

    /// How many there are: each keeps a place for one signal.
    pub fn len(&self) -> usize {
        self.0.lock().all.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The timer of that id.
    ///
    /// # Errors
    /// `EINVAL`: there is none.
    pub fn find(&self, id: i32) -> Result<Arc<Timer>, Errno> {
        self.0.lock().all.get(&id).cloned().ok_or(Errno::EINVAL)
    }

    /// Whether there are timers, or were.
    fn were_used(&self) -> bool {
        let table = self.0.lock();
        table.next != 0 || !table.all.is_empty()
    }

    fn next_from(&self, id: i32) -> Option<Arc<Timer>> {
        self.0
            .lock()
            .all
            .range(id..)
            .next()
            .map(|(_, timer)| timer.clone())
    }

    fn claim_id(&self) -> i32 {
        let mut table = self.0.lock();
        loop {
            let id = table.next;
            table.next = id.checked_add(1).unwrap_or(0);
            if !table.all.contains_key(&id) {
                return id;
            }
        }
    }
}

impl Process {
    /// Makes a timer that is off; `describe` says what it does, from its id.
    ///
    /// # Errors
    /// `EAGAIN` if too many signals could wait (`RLIMIT_SIGPENDING`), or for want of memory.
    pub fn make_timer(
        self: &Arc<Process>,
        source: TimerClock,
        describe: impl FnOnce(i32) -> TimerNotice,
    ) -> Result<i32, Errno> {
        if (self.timers.len() + self.signals.waiting()) as u64 >= self.limit(RLIMIT_SIGPENDING) {
            return Err(Errno::EAGAIN);
        }
        let id = self.timers.claim_id();
        let place = shortage::with_room(fallible::arc_place);
        let place = place.map_err(|_| Errno::EAGAIN)?;
        let timer = place.fill(|| Timer::new(id, source, describe(id), self));
        signal::keep_place(self, &timer)?;
        if let Err(error) = self.enlist(id, &timer) {
            signal::give_up_place(self, &timer);
            return Err(error);
        }
        Ok(id)
    }

    fn enlist(&self, id: i32, timer: &Arc<Timer>) -> Result<(), Errno> {
        let measured = timer.meter().and_then(|meter| meter.process());
        if let Some(process) = &measured {
            process.processor_time.add(timer)?;
        }
        let insert = || self.timers.0.lock().all.insert(id, timer.clone());
        let added = shortage::with_room(insert);
        if let (Err(_), Some(process)) = (&added, &measured) {
            process.processor_time.remove(timer);
        }
        added.map(drop).map_err(|_| Errno::EAGAIN)
    }

    /// timer_delete(2). A signal of it that waits is still delivered.
    ///
    /// # Errors
    /// `EINVAL`: there is no such timer.
    pub fn delete_timer(&self, id: i32) -> Result<(), Errno> {
        let timer = self.timers.0.lock().all.remove(&id).ok_or(Errno::EINVAL)?;
        timer.stop();
        if let Some(process) = timer.meter().and_then(|meter| meter.process()) {
            process.processor_time.remove(&timer);
        }
        signal::give_up_place(self, &timer);
        Ok(())
    }

    /// Deletes all of them, with the signals of them that wait: exec, and the end of the process.
    #[inline]
    pub fn delete_timers(&self) {
        if self.timers.were_used() {
            self.delete_all_timers();
        }
    }

    #[cold]
    fn delete_all_timers(&self) {
        while let Some(timer) = self.timers.next_from(0) {
            // Nobody else deletes them: the process has one thread left.
            let _ = self.delete_timer(timer.id);
            scheduler::cond_resched();
        }
        signal::drop_signals_of_timers(self);
    }
}

/// The clock was set: timers of all processes that wait for a time of day follow it.
pub fn clock_was_set() {
    let mut pid: Pid = 0;
    while let Some(process) = process::next_from(pid) {
        pid = process.pid + 1;
        let mut id = 0;
        while let Some(timer) = process.timers.next_from(id) {
            timer.clock_was_set();
            let Some(next) = timer.id.checked_add(1) else {
                break;
            };
            id = next;
        }
        // A program that sets the clock may also be told to end meanwhile: the clock is set all the same.
        let _ = sched::scheduler::cond_resched_killable();
    }
}
