//! A host is no board: nothing is known of it.

#[path = "../board/check.rs"]
mod check;
#[path = "../board/rates.rs"]
mod rates;

pub use check::{Check, passed, set_duration};
pub use rates::Rates;

/// Nobody can be asked.
pub fn rates() -> Option<Rates> {
    None
}

/// Nothing is measured.
pub fn measured_rate() -> Option<u64> {
    None
}

/// None is known.
pub fn registers() -> [(&'static str, u64); 0] {
    []
}

/// As the loader of most boards has it.
pub fn exception_level() -> u8 {
    1
}

/// Nowhere.
pub fn image_start() -> u64 {
    0
}

/// It says nothing of itself.
pub fn interrupt_controller() -> Option<(u32, u32)> {
    None
}

/// Nothing runs ahead of itself.
pub fn clear_branch_history() {}

/// This is no such processor.
pub fn work_around_859971() -> bool {
    false
}

/// A host's counters are not the kernel's to give.
pub fn count_for_programs() -> bool {
    false
}

/// The host's programs do not ask.
pub fn counts_for_programs() -> bool {
    false
}

/// A counter that a program reads: there is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Counter {}

impl Counter {
    /// No instruction is trapped.
    pub fn decode(_: u64) -> Option<(Counter, usize)> {
        None
    }

    /// Of nobody.
    pub fn read(self) -> u64 {
        match self {}
    }
}

/// Neither is.
pub fn hardening() -> (bool, bool) {
    (false, false)
}
