//! A host has no network device: what drives one is tested over a link of the test's own.

use core::convert::Infallible;

/// Why a device cannot be used.
pub type NetworkError = Infallible;

/// A network device, of which there is none.
#[derive(Debug)]
pub enum NetworkDevice {}

impl NetworkDevice {
    /// There is none.
    pub fn take() -> Option<Result<NetworkDevice, NetworkError>> {
        None
    }

    /// The hardware address.
    pub fn address(&self) -> [u8; 6] {
        match *self {}
    }

    /// The interrupt that says that frames have come.
    pub fn interrupt(&self) -> u32 {
        match *self {}
    }

    /// The longest frame, in bytes.
    pub fn max_frame(&self) -> usize {
        match *self {}
    }

    /// Makes the device let go of its interrupt line.
    pub fn acknowledge_interrupt(&mut self) {
        match *self {}
    }

    /// Copies the next frame that came into `to`: its length.
    pub fn receive(&mut self, _to: &mut [u8]) -> Option<usize> {
        match *self {}
    }

    /// Sends a frame; whether there was room for it.
    pub fn transmit(&mut self, _frame: &[u8]) -> bool {
        match *self {}
    }
}
