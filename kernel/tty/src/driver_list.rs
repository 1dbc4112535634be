//! The drivers of terminals that there are, for /proc/tty/drivers.

use core::ops::RangeInclusive;

/// A line of /proc/tty/drivers.
pub struct TtyDriverLine {
    /// What the driver is called.
    pub name: &'static str,
    /// How the names of its nodes in /dev begin.
    pub node: &'static str,
    /// Its major number.
    pub major: u32,
    /// Its terminals.
    pub minors: RangeInclusive<u32>,
    /// What they are.
    pub kind: &'static str,
}
