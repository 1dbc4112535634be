//! What can be set for a point in time, and what tells that it was.

use super::tree::TimerPlace;
use alloc::sync::Arc;

/// A timer that was set, for [`super::cancel`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Alarm {
    pub(super) deadline: u64,
    /// Tells equal deadlines in one list apart.
    pub(super) sequence: u64,
    /// The list it stands in.
    pub(super) processor: usize,
}

/// What can be set for a point in time.
pub trait Expire: Send + Sync {
    /// Where it stands until then.
    fn place(&self) -> &TimerPlace;
    /// The point in time has come. Called in the timer's interrupt, with no lock held; it must be short.
    fn expire(self: Arc<Self>);
}

pub(super) type Due = Arc<dyn Expire>;
