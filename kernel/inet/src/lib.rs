//! The Internet protocols: interfaces, and sockets of AF_INET and AF_INET6. The protocols themselves are crate `smoltcp`'s; here is what
//! a kernel makes of them.
//!
//! * Each connection is a set of one socket (`stream`), with a lock of its own: a packet finds it by a table, and nothing goes through
//!   all sockets. The interface (`netif`), of which there is one lock each, is asked to work on that one set.
//! * There is no thread of the network's own. What a call sends goes out within the call, and what it sends to this machine is
//!   delivered within it, behind the sender's lock (`delivery`). What comes by a device is taken in its interrupt (`receive`), and
//!   what is to happen later is a timer of the socket that it is for. Each does a bounded part at a time.
//! * Buffers are made when a connection is, within a part of memory (`buffer`); each allocation may fail.
//!
//! Its locks, in order: the frame that came, a stream, connections, ports, a backlog, datagrams, an interface, its device.
//!
//! For boot and for what shows interfaces and sockets (`/proc/net`). Registers itself with `net`.
//!
//! Where to read on: `stream`, `input`; kernel/README.md, Seams.
#![warn(clippy::missing_errors_doc)]
#![cfg_attr(target_os = "none", no_std)]
#![feature(allocator_api)]
#![forbid(unsafe_code)]

extern crate alloc;

mod address;
mod asker;
mod buffer;
mod clock;
mod counts;
mod datagram;
mod delivery;
mod dhcp;
mod family;
mod fifo;
mod input;
mod ioctl;
pub mod link;
mod neighbours;
pub mod netif;
mod netlink;
mod options;
mod outbox;
mod packet;
mod port;
mod ports;
mod receive;
pub mod report;
mod route;
mod single;
mod station;
mod stream;
mod tally;
pub mod totals;

pub use dhcp::Wish;
pub use family::{ping_groups, set_ping_groups};
pub use receive::Receiver;

use abi::Errno;
use alloc::sync::Arc;
use klog::{error, info};
use link::{Device, NetworkLink};
use memory::fallible;
use netif::Netif;
use platform::network::NetworkDevice;
use sched::interrupts;

/// The number of the first interface that has a device.
const FIRST_DEVICE: u32 = netif::LOOPBACK + 1;
/// What the interfaces of devices are called.
const NAMES: [&str; 3] = ["eth0", "eth1", "eth2"];

/// Starts the loopback interface, and has sockets made from now on.
///
/// # Errors
/// `ENOMEM`.
pub fn register() -> Result<(), Errno> {
    delivery::start(input::take_packet)?;
    stream::start()?;
    netif::add(Netif::loopback()?);
    net::interfaces::register(ioctl::perform);
    netlink::register()?;
    family::register()
}

/// Finds the network devices of the machine. The first one gets the address that `wish` says.
pub fn find_devices(wish: Wish) {
    for (index, name) in (FIRST_DEVICE..).zip(NAMES) {
        match NetworkDevice::take() {
            None => return,
            Some(Err(reason)) => error!("virtio-net: {reason}"),
            Some(Ok(device)) => {
                if let Err(reason) = start_device(device, index, name, wish) {
                    error!("{name}: {}", reason.message());
                }
            }
        }
    }
}

fn start_device(device: NetworkDevice, index: u32, name: &'static str, wish: Wish) -> Result<(), Errno> {
    let interrupt = device.interrupt();
    let link: Arc<dyn NetworkLink> = fallible::arc(Device::new(device))?;
    let receiver = attach(link, index, name)?;
    let netif = receiver.netif();
    let [a, b, c, d, e, f] = netif.hardware_address();
    info!("{name}: virtio-net, {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}, interrupt {interrupt}");
    let handler = fallible::arc(receive::Interrupt(receiver))?;
    if let Err(reason) = interrupts::register(interrupt, name, handler) {
        error!("{name}: nothing can be received: {reason}");
    }
    if index == FIRST_DEVICE {
        dhcp::configure(netif, wish)?;
    }
    Ok(())
}

/// Makes an interface over `link`, without an address, and who takes the frames that come by it.
///
/// # Errors
/// `ENOMEM`; `EEXIST`: there can be no interface of that number.
pub fn attach(link: Arc<dyn NetworkLink>, index: u32, name: &'static str) -> Result<Arc<Receiver>, Errno> {
    let netif = netif::add(Netif::over(name, index, link.clone())?).ok_or(Errno::EEXIST)?;
    netif.ask_neighbours()?;
    Receiver::make(netif, link)
}
