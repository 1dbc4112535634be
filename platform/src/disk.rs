//! Disks of the machine. What stands above looks for them once, and serves their interrupts.

pub use crate::devices::sd::{CardError, SdCard};
#[cfg(target_os = "none")]
pub use crate::devices::sd::{find as find_card, places as places_for_cards};
#[cfg(target_os = "none")]
pub use crate::devices::virtio::disk::VirtioDisk;
#[cfg(not(target_os = "none"))]
pub use crate::host::disk::{VirtioDisk, find_card, places_for_cards};

use core::fmt;
use mm::Frame;

/// What a disk is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskCommand {
    /// Fill the pieces.
    Read,
    /// Keep the bytes of the pieces.
    Write,
    /// Make everything stay that was written.
    Flush,
    /// Forget so many sectors.
    Discard(u32),
    /// Say the serial number.
    Identify,
}

/// Some bytes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The frame.
    pub frame: Frame,
    /// Where in it they begin.
    pub offset: u16,
    /// How many they are.
    pub len: u16,
}

/// Requests that a disk may have at a time.
pub const TICKETS: usize = 16;

/// A request that a disk has, by a number below [`TICKETS`] that the caller chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(pub u8);

/// A request that a disk is done with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completion {
    /// Which.
    pub ticket: Ticket,
    /// How it went.
    pub result: Result<(), DiskError>,
}

/// What is wrong with a disk, or with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskError {
    /// What it says of itself cannot be.
    Configuration,
    /// There is no memory for its queue, or the queue is too short.
    NoMemory,
    /// The device could not do it.
    Failed,
    /// The device does not know the command.
    Unsupported,
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DiskError::Configuration => "what it says of itself cannot be",
            DiskError::NoMemory => "its queue cannot be set up",
            DiskError::Failed => "it failed",
            DiskError::Unsupported => "it does not know the command",
        })
    }
}
