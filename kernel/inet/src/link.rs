//! What an interface sends its frames through: a device, or what a test puts in its place.

use lock::{Mutex, rank};
use platform::network::NetworkDevice;

/// Bytes of the longest frame that an interface sends or receives.
pub const MAX_FRAME: usize = 1514;

/// A wire with somebody at its other end.
pub trait NetworkLink: Send + Sync {
    /// The hardware address of this end.
    fn address(&self) -> [u8; 6];

    /// Sends a frame; whether there was room for it.
    fn transmit(&self, frame: &[u8]) -> bool;

    /// Copies the next frame that came into `to`: its length; `None` if none has come.
    fn receive(&self, to: &mut [u8; MAX_FRAME]) -> Option<usize>;

    /// Lets go of the interrupt that said that frames have come.
    fn acknowledge(&self);
}

/// A device of the machine.
pub struct Device(Mutex<NetworkDevice, { rank::NETWORK_DEVICE }>);

impl Device {
    /// That device.
    pub fn new(device: NetworkDevice) -> Device {
        Device(Mutex::new(device))
    }
}

impl NetworkLink for Device {
    fn address(&self) -> [u8; 6] {
        self.0.lock().address()
    }

    fn transmit(&self, frame: &[u8]) -> bool {
        self.0.lock().transmit(frame)
    }

    fn receive(&self, to: &mut [u8; MAX_FRAME]) -> Option<usize> {
        self.0.lock().receive(to)
    }

    fn acknowledge(&self) {
        self.0.lock().acknowledge_interrupt();
    }
}
