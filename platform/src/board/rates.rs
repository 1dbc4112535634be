//! How fast the processors run.

/// How fast the processors run, in Hz.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rates {
    /// As the firmware left them.
    pub before: u32,
    /// As they were asked to run.
    pub asked: u32,
}
