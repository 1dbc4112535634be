//! Packets from this machine to itself are delivered by whoever had them sent, some of them at a time: what is left is done by a timer
//! that rings at once, behind others.

use super::netif::{self, Netif};
use super::outbox::{Outbox, Packet};
use abi::Errno;
use alloc::sync::Arc;
use arrayvec::ArrayVec;
use lock::Mutex;
use memory::fallible;
use sched::time::{self, Expire, TimerPlace};
use spin::Once;

/// Packets of one delivery.
const MOST: usize = 32;
/// Packets that wait for the timer. Further ones are lost, as on a wire that is full.
const MOST_WAITING: usize = 64;
/// How long the timer leaves others alone, in nanoseconds.
const PAUSE: u64 = 100_000;

/// What is left to be delivered.
struct Rest {
    packets: Mutex<ArrayVec<Packet, MOST_WAITING>>,
    place: TimerPlace,
}

/// Who finds the socket that a packet is for.
type TakePacket = fn(&'static Netif, &[u8], &[u8], &mut Outbox);

static TAKE: Once<TakePacket> = Once::new();
static REST: Once<Arc<Rest>> = Once::new();

/// Prepares the timer. Packets go to `take`, which stands above sockets as these above the delivery.
///
/// # Errors
/// `ENOMEM`.
pub(crate) fn start(take: TakePacket) -> Result<(), Errno> {
    TAKE.call_once(|| take);
    REST.try_call_once(|| {
        fallible::arc(Rest {
            packets: Mutex::new(ArrayVec::new_const()),
            place: TimerPlace::new(),
        })
    })
    .map(drop)
}

/// Delivers the packets of `outbox`, and those that are sent in answer. No lock is held.
#[inline]
pub(crate) fn deliver(outbox: &mut Outbox) {
    if !outbox.is_empty() {
        deliver_some(outbox);
    }
}

fn deliver_some(outbox: &mut Outbox) {
    let (Ok(loopback), Some(take)) = (netif::loopback(), TAKE.get()) else {
        return;
    };
    for _ in 0..MOST {
        let Some(packet) = outbox.take_first() else {
            return;
        };
        let netif = packet.netif().unwrap_or(loopback);
        take(netif, packet.bytes(), packet.bytes(), outbox);
    }
    if !outbox.is_empty() {
        defer(outbox);
    }
}

fn defer(outbox: &mut Outbox) {
    let Some(rest) = REST.get() else {
        return;
    };
    let mut waiting = rest.packets.lock();
    while !waiting.is_full() {
        let Some(packet) = outbox.take_first() else {
            break;
        };
        waiting.push(packet);
    }
    drop(waiting);
    ring(rest);
}

fn ring(rest: &Arc<Rest>) {
    time::set(time::deadline_after(PAUSE), rest.clone());
}

impl Expire for Rest {
    fn place(&self) -> &TimerPlace {
        &self.place
    }

    fn expire(self: Arc<Self>) {
        let mut outbox = Outbox::new();
        let mut waiting = self.packets.lock();
        while outbox.has_room()
            && let Some(packet) = waiting.pop_at(0)
        {
            outbox.push(packet);
        }
        let is_more = !waiting.is_empty();
        drop(waiting);
        deliver(&mut outbox);
        if is_more {
            ring(&self);
        }
    }
}
