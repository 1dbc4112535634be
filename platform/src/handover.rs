//! What the kernel is given when it starts.

use core::fmt;
use formats::dtb::Machine;

/// What the kernel is given when it starts. MMU, console, heap, interrupt controller and timer are ready.
#[derive(Debug)]
pub struct Boot {
    /// What the device tree says.
    pub machine: &'static Machine,
    /// The kernel command line.
    pub command_line: &'static str,
    /// The initramfs that the boot loader loaded, if it loaded one that can be used.
    pub initrd: Result<Option<&'static [u8]>, InitrdError>,
    /// What the image tool appended to the kernel; maybe nothing.
    pub payload: &'static [u8],
    /// Seconds since 1970 now, if the machine has a clock that runs while the power is off.
    pub wall_clock_seconds: Option<u64>,
    /// The exception level at which the kernel was entered.
    pub exception_level: u8,
}

/// Why the initrd cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InitrdError {
    /// The device tree's two properties do not make a range.
    Malformed,
    /// It is not in RAM that the kernel may use.
    OutsideRam,
    /// It lies over the kernel or what is appended to it.
    OverKernel,
}

impl fmt::Display for InitrdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            InitrdError::Malformed => "the device tree does not say properly where it is",
            InitrdError::OutsideRam => "it is not in usable RAM",
            InitrdError::OverKernel => "it lies over the kernel",
        })
    }
}
