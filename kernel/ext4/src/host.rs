//! What a file system needs beside its disk.

/// A moment, as inodes keep it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Moment {
    /// Since 1970.
    pub seconds: i64,
    /// Below a thousand million.
    pub nanoseconds: u32,
}

/// A clock, a source of random numbers, and a way to let others run.
pub trait Surroundings: Send + Sync {
    /// What time it is.
    fn now(&self) -> Moment;

    /// A number that nobody guesses.
    fn random(&self) -> u32;

    /// Called where work may take long, with no spin lock held: `cond_resched`.
    fn breathe(&self) {}
}
