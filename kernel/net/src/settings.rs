//! /proc/sys/net/core: how much a socket may have waiting.

use abi::Errno;
use core::sync::atomic::{AtomicU32, Ordering};

/// Bytes that a message costs beside its own: what Linux counts for one, so that limits mean the same (`SKB_TRUESIZE`).
pub const MESSAGE_COST: u32 = 576;
/// The least [`SO_SNDBUF`](abi::socket::option::SO_SNDBUF).
pub const LEAST_SEND_BUFFER: u32 = 4608;
/// The least [`SO_RCVBUF`](abi::socket::option::SO_RCVBUF).
pub const LEAST_RECEIVE_BUFFER: u32 = 2304;
/// Bytes of control messages of one message: net.core.optmem_max.
pub const MOST_CONTROL: usize = 131_072;

/// A number of /proc/sys/net.
pub struct NetSetting {
    /// The file.
    pub name: &'static str,
    value: AtomicU32,
    least: u32,
}

/// Connections that a listening socket may have waiting.
pub static SOMAXCONN: NetSetting = NetSetting::new("somaxconn", 4096, 0);
/// What a socket may have waiting to be sent if it says nothing.
pub static WMEM_DEFAULT: NetSetting = NetSetting::new("wmem_default", 212_992, LEAST_SEND_BUFFER);
/// The most that it may ask for.
pub static WMEM_MAX: NetSetting = NetSetting::new("wmem_max", 212_992, LEAST_SEND_BUFFER);
/// What a socket may have waiting to be received if it says nothing.
pub static RMEM_DEFAULT: NetSetting = NetSetting::new("rmem_default", 212_992, LEAST_RECEIVE_BUFFER);
/// The most that it may ask for.
pub static RMEM_MAX: NetSetting = NetSetting::new("rmem_max", 212_992, LEAST_RECEIVE_BUFFER);

impl NetSetting {
    /// A number that is `value` at boot and never below `least`.
    pub const fn new(name: &'static str, value: u32, least: u32) -> Self {
        NetSetting {
            name,
            value: AtomicU32::new(value),
            least,
        }
    }

    /// What it is.
    pub fn get(&self) -> u32 {
        self.value.load(Ordering::Relaxed)
    }

    /// Changes it.
    ///
    /// # Errors
    /// `EINVAL`: it cannot be that.
    pub fn set(&self, value: i64) -> Result<(), Errno> {
        let value = i32::try_from(value).map_err(|_| Errno::EINVAL)?;
        let value = u32::try_from(value).map_err(|_| Errno::EINVAL)?;
        if value < self.least {
            return Err(Errno::EINVAL);
        }
        self.value.store(value, Ordering::Relaxed);
        Ok(())
    }
}
