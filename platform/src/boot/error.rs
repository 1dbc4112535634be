//! Why the kernel cannot start.

use crate::memory::plan::PlanError;
use core::fmt;
use formats::dtb::DtbError;

/// What stops boot before `main`.
#[derive(Debug)]
pub(super) enum BootError {
    /// The processor lacks 4 KiB pages or 16-bit ASIDs.
    Processor,
    /// The loader passed no device tree: what was in x0.
    NoDeviceTree(u64),
    /// The device tree cannot be used.
    DeviceTree(DtbError),
    /// The device tree lacks something that the kernel needs.
    Missing(&'static str),
    /// There is not the memory.
    Memory(PlanError),
}

impl fmt::Display for BootError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BootError::Processor => f.write_str("this processor has no 4 KiB pages or no 16-bit ASIDs"),
            BootError::NoDeviceTree(x0) => write!(f, "the loader passed no device tree (x0 = {x0:#x})"),
            BootError::DeviceTree(error) => write!(f, "{error}"),
            BootError::Missing(what) => write!(f, "the device tree has no {what} that can be used"),
            BootError::Memory(error) => write!(f, "{error}"),
        }
    }
}
