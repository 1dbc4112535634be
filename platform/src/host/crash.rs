//! What follows an exception of the kernel. A host has none: there a panic is the test's.

#[path = "../crash/after.rs"]
mod after;

pub use after::AfterPanic;

/// There is no exception of the kernel that it could follow.
pub fn set_after_exception(_: AfterPanic) {}

/// No fault of the kernel is one.
pub fn spurious_faults() -> u64 {
    0
}

/// No memory of a host tells of errors.
#[derive(Clone, Copy, Debug)]
pub struct MemoryErrors;

impl core::fmt::Display for MemoryErrors {
    fn fmt(&self, _: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        Ok(())
    }
}
