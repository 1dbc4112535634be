//! Data of which each processor has its own.

use crate::cpu::{MAX_CPUS, number};

/// One `T` for each processor.
#[derive(Debug)]
pub struct PerCpu<T>([T; MAX_CPUS]);

impl<T> PerCpu<T> {
    /// The value for each processor, by number.
    pub const fn new(values: [T; MAX_CPUS]) -> PerCpu<T> {
        PerCpu(values)
    }

    /// The running processor's value. A thread that keeps the reference while it moves shares it with that processor.
    #[inline(always)]
    pub fn get(&self) -> &T {
        &self.0[number()]
    }

    /// The value of processor `number`.
    ///
    /// # Panics
    /// When there can be no such processor.
    #[inline(always)]
    pub fn of(&self, number: usize) -> &T {
        &self.0[number]
    }

    /// The values of all processors that there can be, by number.
    pub fn all(&self) -> &[T; MAX_CPUS] {
        &self.0
    }
}
