//! Sleeps of those who take what they wait for, but not for ever: receive timeouts of sockets.

use super::{Interrupted, Interruption, WaitKind, WaitQueue};

impl WaitQueue {
    /// As [`WaitQueue::wait_exclusive`], until the timer passes `deadline`: then `Ok(None)`.
    ///
    /// # Errors
    /// As [`WaitQueue::wait_until`].
    pub fn wait_exclusive_deadline<T>(
        &self,
        deadline: Option<u64>,
        ready: impl FnMut() -> Option<T>,
    ) -> Result<Option<T>, Interrupted> {
        self.sleep(WaitKind::Exclusive, deadline, Interruption::Signal, ready)
    }
}
