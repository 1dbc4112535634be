//! The devices of a host: the interrupt controller that all processors have, and drivers that run on registers of a test's own.

#[path = "../devices/baud.rs"]
mod baud;
#[path = "../devices/bus.rs"]
mod bus;
pub(crate) mod gic;
#[path = "../devices/registers.rs"]
pub(crate) mod registers;
#[path = "../devices/rng200.rs"]
pub(crate) mod rng200;
#[path = "../devices/sd/mod.rs"]
pub(crate) mod sd;
#[path = "../devices/uart.rs"]
pub(crate) mod uart;
#[path = "../devices/watchdog.rs"]
pub(crate) mod watchdog;
