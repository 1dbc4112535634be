//! Network devices of the machine. What stands above looks for them once, and serves their interrupts.

pub use crate::devices::virtio::net::{NetworkDevice, NetworkError};
