//! Connections that a listening socket has made and nobody has accepted.

use super::super::address::SocketName;
use super::super::fifo::Fifo;
use super::Stream;
use abi::Errno;
use alloc::sync::Arc;

/// What a listening socket keeps.
pub(super) struct Backlog {
    /// Those that stand.
    ready: Fifo<Arc<Stream>>,
    /// How many have sent their SYN and are to send an ACK.
    half_open: usize,
    limit: usize,
    /// What the socket is bound to.
    name: SocketName,
}

impl Backlog {
    pub(super) fn new(limit: u32, name: SocketName) -> Backlog {
        Backlog {
            ready: Fifo::default(),
            half_open: 0,
            limit: limit as usize,
            name,
        }
    }

    /// listen(2) again: another limit.
    pub(super) fn set_limit(&mut self, limit: u32) {
        self.limit = limit as usize;
    }

    /// A SYN has come; whether there is room for it. Linux takes one more than it was told.
    #[inline(never)]
    pub(super) fn admit(&mut self) -> bool {
        let has_room = self.ready.len() + self.half_open <= self.limit;
        self.half_open += usize::from(has_room);
        has_room
    }

    /// One that was admitted came to nothing.
    pub(super) fn withdraw(&mut self) {
        self.half_open -= 1;
    }

    /// One that was admitted stands.
    ///
    /// # Errors
    /// `ENOMEM`: there is no memory to keep it.
    pub(super) fn add(&mut self, stream: Arc<Stream>) -> Result<(), Errno> {
        self.withdraw();
        self.ready.push(stream)
    }

    /// The one that waits longest.
    pub(super) fn take(&mut self) -> Option<Arc<Stream>> {
        self.ready.pop()
    }

    /// Whether one waits.
    pub(super) fn has_some(&self) -> bool {
        !self.ready.is_empty()
    }

    /// What the socket is bound to.
    pub(super) fn name(&self) -> SocketName {
        self.name
    }

    /// How many wait, and how many may.
    pub(super) fn fill(&self) -> (usize, usize) {
        (self.ready.len(), self.limit)
    }
}
