//! The drivers. Which devices this machine has is decided by `boot::devices` from the device tree, and by [`likely`] from the
//! load address when there is none.

mod baud;
mod bus;
pub(crate) mod gic;
pub(crate) mod gic_v2;
pub(crate) mod gic_v3;
pub(crate) mod likely;
pub(crate) mod map;
pub(crate) mod mmio;
pub(crate) mod pl031;
pub(crate) mod registers;
pub(crate) mod rng200;
pub(crate) mod rpi4;
pub(crate) mod sd;
pub(crate) mod uart;
pub(crate) mod virtio;
pub(crate) mod watchdog;
