//! The threads of a process: how they join, end, and how exec(2) gets rid of the others.
//!
//! A thread ends in two steps: it is told to (`ThreadCore::end`), and leaves on its own way back to EL0 (`end`). The first
//! thread stays in the list after its end, for its id is the process's: it leaves with the last one.

use super::usage::Totals;
use super::{Pid, Process, table};
use crate::core_dump::Registers;
use crate::signal;
use crate::thread::{Thread, ThreadExt};
use abi::Errno;
use abi::process::WaitStatus;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use lock::{Mutex, rank};
use memory::fallible::TryVec;
use sched::scheduler;
use sched::wait::WaitQueue;

/// The threads of one process.
pub(super) struct Threads {
    group: Mutex<ThreadGroup, { rank::THREADS }>,
    /// Woken when a thread left, for which exec waits; and at the end of the process, for descriptors that name it.
    left: WaitQueue,
    /// 0, or [`ENDING`] and the wait status with which the process is to end.
    ending: AtomicU32,
    /// The same for the thread that was the last to end by itself: the process's status if nothing else decides it.
    last_ending: AtomicU32,
    /// Whether a thread dumps the process.
    is_dumping: AtomicBool,
    /// The registers of threads that have ended since.
    dumped: Mutex<Vec<Registers>>,
}

impl Threads {
    /// Woken when a thread left, and at the end of the process if a descriptor names it.
    pub(super) fn left(&self) -> &WaitQueue {
        &self.left
    }

    /// None yet.
    pub(super) const fn new() -> Threads {
        let all = ThreadList {
            first: None,
            further: Vec::new(),
        };
        Threads {
            group: Mutex::new(ThreadGroup {
                all,
                living: 0,
                past: Totals::NONE,
            }),
            left: WaitQueue::new(),
            ending: AtomicU32::new(0),
            last_ending: AtomicU32::new(0),
            is_dumping: AtomicBool::new(false),
            dumped: Mutex::new(Vec::new()),
        }
    }
}

struct ThreadGroup {
    all: ThreadList,
    /// Those that have not left.
    living: usize,
    /// What those used that are in the list no more.
    past: Totals,
}

/// The threads that did not leave, and the first one in any case. Most processes have one thread: it needs no allocation.
#[derive(Default)]
struct ThreadList {
    /// Until the last one leaves.
    first: Option<Arc<Thread>>,
    further: Vec<Arc<Thread>>,
}

/// Marks a status as present.
const ENDING: u32 = 1 << 31;

impl ThreadList {
    /// The first thread first.
    fn iter(&self) -> impl Iterator<Item = &Arc<Thread>> {
        self.first.iter().chain(&self.further)
    }

    fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.further.len()
    }

    /// Takes out one that is not the first.
    fn remove(&mut self, thread: &Thread) {
        self.further
            .retain(|other| !core::ptr::eq(Arc::as_ptr(other), thread));
    }
}

impl ThreadGroup {
    fn charge(&mut self, thread: &Thread) {
        self.past = self.past.plus(&thread.totals());
    }
}

impl Process {
    /// The thread with the lowest id from `first` on.
    pub fn next_thread(&self, first: Pid) -> Option<Arc<Thread>> {
        let group = self.threads.group.lock();
        let later = group.all.iter().filter(|thread| thread.tid() >= first);
        later.min_by_key(|thread| thread.tid()).cloned()
    }

    /// How many there are, with a first one that has ended before others.
    pub fn thread_count(&self) -> usize {
        self.threads.group.lock().all.len()
    }

    /// The first thread; `None` once all have ended.
    pub fn first_thread(&self) -> Option<Arc<Thread>> {
        self.threads.group.lock().all.first.clone()
    }

    /// Does something with each thread, under the lock of their list.
    pub fn for_each_thread(&self, mut action: impl FnMut(&Arc<Thread>)) {
        self.threads.group.lock().all.iter().for_each(&mut action);
    }

    /// Adds all threads to a list.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn list_threads(&self, to: &mut Vec<Arc<Thread>>) -> Result<(), Errno> {
        loop {
            let group = self.threads.group.lock();
            let count = group.all.len();
            if to.capacity() - to.len() >= count {
                return group
                    .all
                    .iter()
                    .try_for_each(|thread| to.try_push(thread.clone()));
            }
            drop(group);
            to.try_reserve(count).map_err(|_| Errno::ENOMEM)?;
        }
    }

    /// Whether `wanted` holds for a thread. It is asked under the lock of their list.
    pub fn any_thread(&self, wanted: impl FnMut(&Arc<Thread>) -> bool) -> bool {
        self.threads.group.lock().all.iter().any(wanted)
    }

    /// Adds the first thread of a process that nobody knows yet.
    pub fn add_first_thread(&self, thread: Arc<Thread>) {
        let mut group = self.threads.group.lock();
        group.living += 1;
        self.watch_time_of(&thread);
        group.all.first = Some(thread);
    }

    /// A thread that was just added is looked at the processor time of the process, if anybody is.
    #[inline]
    fn watch_time_of(&self, thread: &Thread) {
        if self.processor_time.is_watched() {
            scheduler::watch(thread);
        }
    }

    /// Adds a thread that `creator`, a thread of this process, has made.
    ///
    /// # Errors
    /// A restart marker: a signal waits for the creator, or its end. Whoever sends to all threads reaches the new one or is seen by
    /// its creator. `ENOMEM`.
    pub fn add_thread(&self, creator: &Thread, thread: &Arc<Thread>) -> Result<(), Errno> {
        let mut group = self.threads.group.lock();
        if signal::is_pending(creator) {
            return Err(Errno::RESTART_ALWAYS);
        }
        let further = &mut group.all.further;
        further.try_push(thread.clone())?;
        group.living += 1;
        // Under the lock: who asks for looks from now on finds the thread, and who asked before is seen.
        self.watch_time_of(thread);
        Ok(())
    }

    /// The last of what a thread does in its process. Whether it was the last one: then the process is empty.
    pub(super) fn remove_thread(&self, thread: &Thread) -> bool {
        let mut group = self.threads.group.lock();
        group.living -= 1;
        if group.living == 0 {
            let all = core::mem::take(&mut group.all);
            all.iter().for_each(|thread| group.charge(thread));
            drop(group);
            if let Some(first) = &all.first {
                self.usage.note_part(first.scheduling.part());
            }
            self.settle_status();
            return true;
        }
        if !thread.is_first() {
            group.all.remove(thread);
            group.charge(thread);
        }
        drop(group);
        let (user, system) = thread.scheduling.ticks();
        let part = thread.scheduling.part();
        self.usage
            .add_left_over(scheduler::beyond_part(user + system, part));
        self.signals.thread_left(self);
        self.threads.left.wake_all();
        false
    }

    /// Who inherits the children of a thread that has left: the first of those that have not, and marked so. The process itself
    /// if all are about to.
    pub(super) fn heir_of(&self, thread: &Thread) -> Pid {
        let group = self.threads.group.lock();
        let lives = |other: &&Arc<Thread>| !core::ptr::eq(Arc::as_ptr(other), thread) && !other.is_ending();
        let heir = group.all.iter().find(lives);
        heir.inspect(|heir| heir.note_fork())
            .map_or(self.pid, |heir| heir.tid())
    }

    /// What all threads used so far, those that have left too.
    pub(super) fn thread_totals(&self) -> Totals {
        let group = self.threads.group.lock();
        let add = |sum: Totals, thread: &Arc<Thread>| sum.plus(&thread.totals());
        group.all.iter().fold(group.past, add)
    }

    /// Whether it is to end, or has.
    #[inline]
    pub fn is_ending(&self) -> bool {
        self.threads.ending.load(Ordering::Acquire) != 0
    }

    /// The wait status with which it ended; 0 while it lives.
    pub fn exit_status(&self) -> u32 {
        self.threads.ending.load(Ordering::Acquire) & !ENDING
    }

    /// Tells the process to end. Its threads do so before they next return to EL0; who says it first decides the status. Whether
    /// this was the first.
    pub fn end(&self, status: WaitStatus) -> bool {
        let is_first = self.decide_status(ENDING | status.encode());
        if is_first {
            self.for_each_thread(|thread| {
                thread.end();
                scheduler::alert(thread);
            });
        }
        is_first
    }

    /// Tells one thread of this process, the caller, to end: exit(2).
    pub fn end_thread(&self, current: &Thread, status: WaitStatus) {
        self.threads
            .last_ending
            .store(ENDING | status.encode(), Ordering::Relaxed);
        current.end();
    }

    /// All threads ended one by one: the last one's status is the process's.
    fn settle_status(&self) {
        self.decide_status(ENDING | self.threads.last_ending.load(Ordering::Relaxed));
    }

    fn decide_status(&self, status: u32) -> bool {
        self.threads
            .ending
            .compare_exchange(0, status, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// exec(2): ends all threads but `current`, waits until they have left, and makes it the first.
    ///
    /// # Errors
    /// The process is to end, or `current` by another thread's exec: the error itself is seen by nobody.
    pub fn end_other_threads(&self, current: &Arc<Thread>) -> Result<(), Errno> {
        if self.tell_others_to_end(current)? {
            self.threads
                .left
                .wait_killable(|| (self.threads.group.lock().living == 1).then_some(()))?;
        }
        if !current.is_first() {
            table::replace_first_thread(self, current);
            self.children.lock().belong_to(current.tid());
        }
        Ok(())
    }

    /// Ends all threads but `current`, which dumps core, and waits until they have left. Their registers.
    ///
    /// # Errors
    /// `EINTR`: the process, or `current`, is to end.
    pub fn end_others_for_dump(&self, current: &Arc<Thread>) -> Result<Vec<Registers>, Errno> {
        self.threads.is_dumping.store(true, Ordering::Release);
        if self.tell_others_to_end(current)? {
            self.threads
                .left
                .wait_killable(|| (self.threads.group.lock().living == 1).then_some(()))?;
        }
        Ok(core::mem::take(&mut *self.threads.dumped.lock()))
    }

    /// Whether a thread dumps the process.
    #[inline]
    pub fn is_being_dumped(&self) -> bool {
        self.threads.is_dumping.load(Ordering::Acquire)
    }

    /// Keeps the registers of a thread that ends, for the dump.
    pub fn keep_registers(&self, registers: Registers) {
        let mut dumped = self.threads.dumped.lock();
        // Without memory the core lacks this thread.
        let _kept = dumped.try_push(registers);
    }

    /// Whether there are others that have not left.
    fn tell_others_to_end(&self, current: &Arc<Thread>) -> Result<bool, Errno> {
        let group = self.threads.group.lock();
        if current.is_ending() {
            return Err(Errno::EINTR);
        }
        for other in group.all.iter().filter(|other| !Arc::ptr_eq(other, current)) {
            other.end();
            scheduler::alert(other);
        }
        Ok(group.living > 1)
    }

    /// The only living thread takes the place and id of the first. Returns its old id.
    pub(super) fn take_first_place(&self, current: &Arc<Thread>) -> Pid {
        let mut group = self.threads.group.lock();
        let old = current.tid();
        group.all.remove(current);
        if let Some(first) = group.all.first.replace(current.clone()) {
            group.charge(&first);
        }
        current.become_first();
        old
    }
}
