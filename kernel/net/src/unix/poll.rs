//! What poll(2) says: `unix_poll` and `unix_dgram_poll` of Linux.

use abi::file::{POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI, POLLRDHUP, POLLRDNORM, POLLWRBAND, POLLWRNORM};
use abi::socket::SOCK_STREAM;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use memory::fallible::TryVec;

use super::socket::{ConnectionState, SocketState, UnixSocket};

/// There is room.
const WRITABLE: i16 = POLLOUT | POLLWRNORM | POLLWRBAND;

/// The events of a socket.
pub(super) fn poll(socket: &Arc<UnixSocket>) -> i16 {
    let state = socket.lock();
    let mut events = input(socket, &state);
    let is_listening = state.connection == ConnectionState::Listening;
    let peer = state.peer.clone().filter(|_| socket.base.kind != SOCK_STREAM);
    drop(state);
    if !is_listening && socket.is_writable() && peer.is_none_or(|peer| has_room_for(&peer, socket)) {
        events |= WRITABLE;
    }
    events
}

fn input(socket: &UnixSocket, state: &SocketState) -> i16 {
    let mut events = 0;
    if socket.base.has_error() {
        events |= POLLERR;
    }
    if state.is_receive_shut {
        events |= POLLRDHUP | POLLIN | POLLRDNORM;
    }
    let is_unconnected = socket.is_connection_based() && state.connection == ConnectionState::Closed;
    if (state.is_receive_shut && state.is_send_shut) || is_unconnected {
        events |= POLLHUP;
    }
    if !state.messages.is_empty() || !state.connections.is_empty() {
        events |= POLLIN | POLLRDNORM;
    }
    if state.urgent.is_some() {
        events |= POLLPRI;
    }
    events
}

/// Whether a datagram of `socket` finds room at its peer; if not, it is woken when it will.
fn has_room_for(peer: &UnixSocket, socket: &Arc<UnixSocket>) -> bool {
    let is_full = || {
        let state = peer.lock();
        let is_answered = state
            .peer
            .as_ref()
            .is_some_and(|other| Arc::ptr_eq(other, socket));
        !is_answered && state.is_full() && !state.is_dead
    };
    if !is_full() {
        return true;
    }
    if !socket.is_wanting.swap(true, Ordering::SeqCst) {
        let noted = peer.wanting.lock().try_push(Arc::downgrade(socket));
        if noted.is_err() {
            // Better told too early than never.
            socket.is_wanting.store(false, Ordering::SeqCst);
            return true;
        }
    }
    // A reader that came before it was noted has not woken it.
    !is_full()
}

/// There is room for datagrams again: those who asked in vain look anew.
pub(super) fn wake_wanting(socket: &UnixSocket) {
    let wanting = core::mem::take(&mut *socket.wanting.lock());
    for sender in wanting {
        if let Some(sender) = sender.upgrade() {
            sender.is_wanting.store(false, Ordering::SeqCst);
            sender.writable.wake_all();
        }
    }
}
