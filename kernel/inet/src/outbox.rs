//! Packets on their way from one socket of the machine to another. Whoever makes them sent, a system call, an interrupt, a timer,
//! delivers them itself when it has released the sender's lock (`delivery`): so no packet waits for a thread, none is reordered,
//! and no lock of a socket is taken under another's.

use super::netif::Netif;
use alloc::vec::Vec;
use arrayvec::ArrayVec;
use lock::Mutex;
use memory::fallible;

/// Bytes of the longest packet of the loopback interface: the length field of IPv4 knows no longer one.
pub(crate) const MAX_PACKET: usize = 65_535;
/// Packets that one delivery holds. When it is full the sender keeps what it has, and is polled again soon.
const MOST: usize = 16;
/// Buffers that are kept for later.
const KEPT: usize = 8;

/// Buffers of [`MAX_PACKET`] bytes that nobody uses.
static SPARE: Mutex<ArrayVec<Vec<u8>, KEPT>> = Mutex::new(ArrayVec::new_const());

/// A packet of the loopback interface.
pub(crate) struct Packet {
    buffer: Vec<u8>,
    len: usize,
    /// The interface by which it seems to come; `None`: that of the loopback.
    netif: Option<&'static Netif>,
}

impl Packet {
    /// Room for any packet.
    fn try_new() -> Option<Packet> {
        let kept = SPARE.lock().pop();
        let buffer = kept.or_else(|| fallible::filled(MAX_PACKET, 0).ok())?;
        Some(Packet {
            buffer,
            len: 0,
            netif: None,
        })
    }

    /// Its bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    /// The interface by which it seems to come, unless it is that of the loopback.
    pub(crate) fn netif(&self) -> Option<&'static Netif> {
        self.netif
    }

    /// It seems to come by that interface: a message to a group, of which this machine has members there.
    pub(crate) fn come_by(&mut self, netif: &'static Netif) {
        self.netif = Some(netif);
    }

    /// The first `len` bytes of its room, which are the packet from now on.
    fn resize(&mut self, len: usize) -> &mut [u8] {
        self.len = len;
        &mut self.buffer[..len]
    }
}

impl Drop for Packet {
    fn drop(&mut self) {
        let buffer = core::mem::take(&mut self.buffer);
        // What finds no place is freed behind the lock.
        let rest = SPARE.lock().try_push(buffer);
        drop(rest);
    }
}

/// The packets of one delivery, in order.
#[derive(Default)]
pub(crate) struct Outbox {
    packets: ArrayVec<Packet, MOST>,
}

impl Outbox {
    /// None.
    pub(crate) fn new() -> Outbox {
        Outbox::default()
    }

    /// Adds a packet behind the others, of no bytes so far; whether there was room, and memory.
    pub(crate) fn add(&mut self) -> bool {
        if self.packets.is_full() {
            return false;
        }
        let packet = Packet::try_new();
        let is_there = packet.is_some();
        self.packets.extend(packet);
        is_there
    }

    /// Where the last one is to be written, which has that many bytes.
    pub(crate) fn fill_last(&mut self, len: usize) -> &mut [u8] {
        let last = self.packets.last_mut().expect("a packet was added");
        last.resize(len)
    }

    /// Takes back the last one, which was not filled.
    pub(crate) fn withdraw(&mut self) {
        self.packets.pop();
    }

    /// Takes the first one.
    pub(crate) fn take_first(&mut self) -> Option<Packet> {
        self.packets.pop_at(0)
    }

    /// Whether there is room for another.
    pub(crate) fn has_room(&self) -> bool {
        !self.packets.is_full()
    }

    /// Adds a packet that was made elsewhere, if there is room.
    pub(crate) fn push(&mut self, packet: Packet) {
        // What finds no room is dropped, as on a wire that is full.
        let _ = self.packets.try_push(packet);
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }
}
