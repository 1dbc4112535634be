//! Frames that come by a device: taken where it interrupts, some at a time. When more have come a timer goes on, so that others run in
//! between.

use super::delivery;
use super::input;
use super::link::{MAX_FRAME, NetworkLink};
use super::netif::Netif;
use super::outbox::Outbox;
use abi::Errno;
use alloc::boxed::Box;
use alloc::sync::Arc;
use lock::{Mutex, rank};
use memory::fallible;
use sched::interrupts::InterruptHandler;
use sched::time::{self, Expire, TimerPlace};

/// Frames that are taken at once.
const MOST: usize = 16;
/// How long others have the processor in between, in nanoseconds.
const PAUSE: u64 = 50_000;

/// Who takes the frames of one interface.
pub struct Receiver {
    netif: &'static Netif,
    link: Arc<dyn NetworkLink>,
    frame: Mutex<Box<[u8; MAX_FRAME]>, { rank::RECEIVED_FRAME }>,
    place: TimerPlace,
}

impl Receiver {
    /// That of an interface over `link`.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(crate) fn make(netif: &'static Netif, link: Arc<dyn NetworkLink>) -> Result<Arc<Receiver>, Errno> {
        fallible::arc(Receiver {
            netif,
            link,
            frame: Mutex::new(fallible::boxed_with(|| [0; MAX_FRAME])?),
            place: TimerPlace::new(),
        })
    }

    /// The interface.
    pub fn netif(&self) -> &'static Netif {
        self.netif
    }

    /// Takes some frames; whether that were all.
    pub fn take_some(&self) -> bool {
        let mut frame = self.frame.lock();
        for _ in 0..MOST {
            let Some(len) = self.link.receive(&mut frame) else {
                return true;
            };
            let mut outbox = Outbox::new();
            input::take_frame(self.netif, &frame[..len], &mut outbox);
            // Nothing that comes from outside is sent to this machine: the outbox stays empty.
            debug_assert!(outbox.is_empty());
            delivery::deliver(&mut outbox);
        }
        false
    }
}

/// The device's interrupt.
pub(crate) struct Interrupt(pub(crate) Arc<Receiver>);

impl InterruptHandler for Interrupt {
    fn handle(&self) {
        self.0.link.acknowledge();
        Expire::expire(self.0.clone());
    }
}

impl Expire for Receiver {
    fn place(&self) -> &TimerPlace {
        &self.place
    }

    fn expire(self: Arc<Self>) {
        if !self.take_some() {
            time::set(time::deadline_after(PAUSE), self);
        }
    }
}
