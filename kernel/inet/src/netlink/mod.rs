//! AF_NETLINK, NETLINK_ROUTE: what `ip addr`, `ip route`, getifaddrs(3) and getaddrinfo(3) ask; NETLINK_SOCK_DIAG: what ss(8) asks
//! (`diag`). Requests are answered within the call that sends them, or as the answer is read; nothing can be changed by them.

mod answer;
mod diag;
mod ops;

use super::fifo::Fifo;
use abi::Errno;
use abi::diag::NETLINK_SOCK_DIAG;
use abi::netlink::NETLINK_ROUTE;
use abi::socket::{AF_NETLINK, SOCK_DGRAM, SOCK_RAW};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};
use diag::SocketDump;
use lock::{Mutex, rank};
use memory::fallible;
use net::{Family, Note, Request, SocketBase, SocketOps};
use sched::wait::WaitQueue;

/// The family.
struct Netlink;

/// The name of a socket that asks for none: the next one.
static NEXT_PORT: AtomicU32 = AtomicU32::new(1);

/// A socket of the family.
struct NetlinkSocket {
    base: SocketBase,
    inner: Mutex<NetlinkState, { rank::DATAGRAM }>,
    readers: WaitQueue,
}

#[derive(Default)]
struct NetlinkState {
    /// Its name: `nl_pid`.
    port: Option<u32>,
    answers: Fifo<Vec<u8>>,
    /// Bytes of all answers.
    queued: usize,
    /// What mq_notify(2) tells, and how many more will come, whose places are kept.
    notes: Vec<Note>,
    promised: usize,
    /// What of an answer is made when it is read.
    dump: Option<SocketDump>,
}

/// There are sockets of this family from now on.
///
/// # Errors
/// None: the number can be had.
pub(crate) fn register() -> Result<(), Errno> {
    net::family::register(&Netlink)
}

impl Family for Netlink {
    fn number(&self) -> u32 {
        AF_NETLINK
    }

    fn create(&self, _request: &Request<'_>, kind: u32, protocol: u32) -> Result<Arc<dyn SocketOps>, Errno> {
        if !matches!(kind, SOCK_RAW | SOCK_DGRAM) {
            return Err(Errno::ESOCKTNOSUPPORT);
        }
        if !matches!(protocol, NETLINK_ROUTE | NETLINK_SOCK_DIAG) {
            return Err(Errno::EPROTONOSUPPORT);
        }
        Ok(fallible::arc_with(|| NetlinkSocket {
            base: SocketBase::new(AF_NETLINK, kind, protocol),
            inner: Mutex::new(NetlinkState::default()),
            readers: WaitQueue::new(),
        })?)
    }
}

impl NetlinkState {
    /// Its name; it gets one if it has none.
    fn port(&mut self) -> u32 {
        *self
            .port
            .get_or_insert_with(|| NEXT_PORT.fetch_add(1, Ordering::Relaxed))
    }

    /// Queues an answer, if there is room within `limit`.
    ///
    /// # Errors
    /// `ENOBUFS`; `ENOMEM`.
    fn add(&mut self, answer: Vec<u8>, limit: usize) -> Result<(), Errno> {
        if self.queued + answer.len() > limit && !self.answers.is_empty() {
            return Err(Errno::ENOBUFS);
        }
        let len = answer.len();
        self.answers.push(answer)?;
        self.queued += len;
        Ok(())
    }
}
