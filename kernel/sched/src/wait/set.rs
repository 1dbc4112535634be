//! Waiting in many queues at once: poll(2), select(2).

use super::{Interrupted, WaitKind, WaitQueue};
use crate::Thread;
use crate::paged::Paged;
use crate::scheduler;
use crate::thread;
use crate::time::timers;
use abi::Errno;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ptr;
use memory::fallible::TryVec;
use mm::PAGE_SIZE;
use platform::heap;
use platform::queue::{Node, Nodes};

/// After so many steps others may run.
const STEPS: usize = 256;

/// Some queues, each once, and a place in each. Who waits here only looks.
pub struct WaitSet<'a> {
    pieces: Vec<WaitPiece<'a>>,
    len: usize,
    /// Where the queues stand in `pieces`, from 1 on, found by their addresses; 0 where none is.
    found: Paged<u32>,
}

/// Some of the queues, with a node for each.
struct WaitPiece<'a> {
    queues: Vec<&'a WaitQueue>,
    nodes: Nodes<Arc<Thread>>,
}

/// Queues in a piece.
const PER_PIECE: usize = PAGE_SIZE / size_of::<Node<Arc<Thread>>>();

impl WaitPiece<'_> {
    fn try_new() -> Result<Self, Errno> {
        Ok(WaitPiece {
            queues: memory::try_with_capacity(PER_PIECE)?,
            nodes: Nodes::try_new(PER_PIECE).ok_or(Errno::ENOMEM)?,
        })
    }

    fn places(&self) -> impl Iterator<Item = (&WaitQueue, &Node<Arc<Thread>>)> {
        let places = self.queues.iter().enumerate();
        places.filter_map(|(index, queue)| Some((*queue, self.nodes.get(index)?)))
    }
}

impl<'a> WaitSet<'a> {
    /// A set for up to `most` queues.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn try_new(most: usize) -> Result<WaitSet<'a>, Errno> {
        Ok(WaitSet {
            pieces: Vec::new(),
            len: 0,
            found: Paged::try_new((most * 2).next_power_of_two())?,
        })
    }

    /// Adds a queue unless it is there.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn add(&mut self, queue: &'a WaitQueue) -> Result<(), Errno> {
        let Some(place) = self.free_place(queue) else {
            return Ok(());
        };
        if self.len.is_multiple_of(PER_PIECE) {
            self.pieces.try_push(WaitPiece::try_new()?)?;
        }
        if let Some(piece) = self.pieces.last_mut() {
            heap::push_within_capacity(&mut piece.queues, queue);
        }
        self.len += 1;
        if let Some(entry) = self.found.get_mut(place) {
            *entry = self.len as u32;
        }
        Ok(())
    }

    /// Where the queue is to be noted; `None` if it is. At least half of the places are free.
    fn free_place(&self, queue: &WaitQueue) -> Option<usize> {
        let mask = self.found.len() - 1;
        // Fibonacci hashing, Knuth 6.4; queues are aligned to 8 bytes.
        let hash = (ptr::from_ref(queue).addr() as u64 >> 3).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut place = (hash >> 32) as usize & mask;
        loop {
            match self.found.get(place).copied().unwrap_or(0) {
                0 => return Some(place),
                number if ptr::eq(self.queue(number as usize - 1)?, queue) => return None,
                _ => place = (place + 1) & mask,
            }
        }
    }

    fn queue(&self, index: usize) -> Option<&'a WaitQueue> {
        let piece = self.pieces.get(index / PER_PIECE)?;
        piece.queues.get(index % PER_PIECE).copied()
    }

    /// Sleeps until `look` answers with something, looking again whenever one of the queues is woken; `Ok(None)` when the timer
    /// passes `deadline`. `look` is called with no lock held and may let others run.
    ///
    /// The thread calls itself asleep only after it has looked, for it may be long in doing so. Whoever would have woken it in
    /// between says so to the thread itself (`Thread::missed_wakeup`).
    ///
    /// # Errors
    /// [`Interrupted`]: the sleep ended because of a signal, or the thread is to end.
    pub fn wait<T>(
        &self,
        deadline: Option<u64>,
        mut look: impl FnMut() -> Option<T>,
    ) -> Result<Option<T>, Interrupted> {
        let current = scheduler::current();
        let alarm = deadline.map(|at| timers::wake_at(at, &current));
        let answer = loop {
            current.forget_missed_wakeup();
            self.enter(&current);
            if let Some(answer) = look() {
                break Ok(Some(answer));
            }
            if let Some(answer) = reason_to_end(&current, deadline) {
                break answer;
            }
            current.prepare_to_sleep();
            if !current.has_missed_wakeup() {
                scheduler::block(&current);
            }
            current.end_sleep();
        };
        if let Some(alarm) = alarm {
            alarm.take_back(&current);
        }
        answer
    }

    fn places(&self) -> impl Iterator<Item = (usize, (&WaitQueue, &Node<Arc<Thread>>))> {
        self.pieces.iter().flat_map(WaitPiece::places).enumerate()
    }

    fn enter(&self, current: &Arc<Thread>) {
        for (index, (queue, node)) in self.places() {
            queue.enter(WaitKind::Shared, node, current);
            let_others_run(index);
        }
    }
}

impl Drop for WaitSet<'_> {
    /// Leaves all queues.
    fn drop(&mut self) {
        for (index, (queue, node)) in self.places() {
            queue.leave(WaitKind::Shared, node);
            let_others_run(index);
        }
    }
}

#[inline]
fn let_others_run(index: usize) {
    if index % STEPS == STEPS - 1 {
        scheduler::cond_resched();
    }
}

/// Why the sleep is over though nothing was found.
fn reason_to_end<T>(current: &Thread, deadline: Option<u64>) -> Option<Result<Option<T>, Interrupted>> {
    if deadline.is_some_and(|at| platform::timer::ticks_behind_stores() >= at) {
        return Some(Ok(None));
    }
    thread::is_interrupted(current).then_some(Err(Interrupted))
}
