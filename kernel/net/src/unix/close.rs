//! The end of a socket: shutdown(2), and the last close(2).

use abi::Errno;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use sched::scheduler;

use super::message::Message;
use super::ring::GrowingRing;
use super::socket::UnixSocket;
use super::{list, name, poll, rights};
use crate::socket_ops::Half;

/// shutdown(2).
pub(super) fn shut(socket: &UnixSocket, half: Half) {
    let mut state = socket.lock();
    state.is_receive_shut |= half.receives();
    state.is_send_shut |= half.sends();
    let peer = state.peer.clone().filter(|_| socket.is_connection_based());
    drop(state);
    if let Some(peer) = peer {
        let mut state = peer.lock();
        state.is_receive_shut |= half.sends();
        state.is_send_shut |= half.receives();
        drop(state);
        peer.wake_everybody();
    }
    socket.wake_everybody();
}

/// The last descriptor is closed, or nobody will accept it: what waits is lost, and the peer hears of it.
pub(super) fn close(socket: &UnixSocket) {
    list::leave(socket);
    let mut state = socket.lock();
    state.is_dead = true;
    state.is_receive_shut = true;
    state.is_send_shut = true;
    state.unread = 0;
    state.urgent = None;
    let messages = core::mem::replace(&mut state.messages, GrowingRing::new());
    let connections = core::mem::replace(&mut state.connections, GrowingRing::new());
    let (peer, name) = (state.peer.take(), state.name.clone());
    drop(state);
    if let Some(name) = name {
        name::unbind(&name, socket);
    }
    socket.wake_everybody();
    poll::wake_wanting(socket);
    if let Some(peer) = peer.filter(|_| socket.is_connection_based()) {
        if !messages.is_empty() || socket.is_embryo.load(Ordering::Relaxed) {
            peer.base.set_error(Errno::ECONNRESET);
        }
        note_end_of_peer(&peer);
    }
    drop_messages(messages);
    drop_connections(connections);
    rights::collect_if_needed();
}

/// The peer is gone.
fn note_end_of_peer(socket: &UnixSocket) {
    let mut state = socket.lock();
    state.is_receive_shut = true;
    state.is_send_shut = true;
    drop(state);
    socket.wake_everybody();
}

/// Lets go of messages, between which others may run.
pub(super) fn drop_messages(mut messages: GrowingRing<Message>) {
    while let Some(message) = messages.pop() {
        drop(message);
        scheduler::cond_resched();
    }
}

/// Ends connections that nobody will accept.
fn drop_connections(mut connections: GrowingRing<Arc<UnixSocket>>) {
    while let Some(connection) = connections.pop() {
        close(&connection);
        scheduler::cond_resched();
    }
}
