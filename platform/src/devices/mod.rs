//! Devices, and the one place that decides which of them this machine has: [`machine_devices`] from the device tree, `likely`
//! from the load address when there is none.

mod baud;
pub(crate) mod gic;
pub(crate) mod gic_v2;
pub(crate) mod gic_v3;
pub(crate) mod likely;
pub(crate) mod map;
pub(crate) mod mmio;
pub(crate) mod rpi4;
pub(crate) mod uart;
