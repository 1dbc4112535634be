//! Drivers that need no hardware: the devices that are memory alone (`memory_devices`) and the kernel's log (`kmsg`).

mod kmsg;
mod memory_devices;

pub use memory_devices::register;
