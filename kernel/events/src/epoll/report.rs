//! Which files are ready: epoll_wait(2).

use super::Epoll;
use super::lists::STEPS;
use abi::Errno;
use abi::events::EpollEvent;
use sched::scheduler;

/// Takes an event to the program.
pub type Put<'a> = &'a mut dyn FnMut(&EpollEvent) -> Result<(), Errno>;

impl Epoll {
    /// Gives events to `put`, `most` of them at most; waits for the first one until the timer passes `deadline`. How many there
    /// were.
    ///
    /// # Errors
    /// `EINTR`: a signal came before an event. What `put` says of the first one.
    pub fn wait(&self, deadline: Option<u64>, most: usize, put: Put<'_>) -> Result<usize, Errno> {
        loop {
            if self.lists.has_notes() {
                let count = self.report(most, put)?;
                if count > 0 {
                    return Ok(count);
                }
            }
            let is_over = deadline.is_some_and(|at| platform::timer::ticks() >= at);
            if is_over || !self.lists.sleep(deadline).map_err(|_| Errno::EINTR)? {
                return Ok(0);
            }
        }
    }

    /// Reports those files of the ready list that are ready, each once.
    fn report(&self, most: usize, put: Put<'_>) -> Result<usize, Errno> {
        let _reporting = self.lists.reporting.lock()?;
        let round = self.lists.new_round();
        let (mut count, mut failure) = (0, None);
        for looked in 1..=self.lists.notes() {
            let Some((item, seen)) = self.lists.look_at_next() else {
                break;
            };
            // The list comes round early when one of its files ends, or somebody polls this epoll, meanwhile.
            if !item.is_new_in(round) {
                continue;
            }
            let events = item.ready(seen.event.events);
            if events.is_empty() {
                self.lists.found_nothing(&item, &seen);
            } else if let Err(error) = put(&EpollEvent { events, ..seen.event }) {
                failure = Some(error);
                break;
            } else {
                self.lists.reported(&item, &seen);
                count += 1;
            }
            if count == most {
                break;
            }
            if looked % STEPS == 0 {
                scheduler::cond_resched_killable()?;
            }
        }
        self.lists.wake_next();
        match failure {
            Some(error) if count == 0 => Err(error),
            _ => Ok(count),
        }
    }
}
