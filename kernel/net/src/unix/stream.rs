//! Sending to a stream: bytes go in messages, of which each is read at once or in pieces.

use abi::Errno;
use abi::socket::MessageFlags;
use alloc::sync::Arc;
use sched::scheduler;
use vfs::caller::IoFailure;
use vfs::file_owner::Event;

use super::connection::wait;
use super::message::{Charge, Data, Message};
use super::rights::Rights;
use super::scm::Ancillary;
use super::socket::{ConnectionState, SocketState, UnixSocket};
use crate::request::{Request, SentMessage};

/// Bytes of one message at most: others may send between two.
const MOST_BYTES: usize = 32 * 1024;

/// Waits until there is room for one more message of that socket.
///
/// # Errors
/// `EPIPE`: it sends no more. The error that waits. `EAGAIN`, `EINTR`, `RESTART`.
pub(super) fn wait_for_room(socket: &UnixSocket, flags: MessageFlags) -> Result<(), Errno> {
    socket.base.take_error()?;
    if socket.has_send_room() {
        return Ok(());
    }
    if flags.contains(MessageFlags::MSG_DONTWAIT) {
        return Err(Errno::EAGAIN);
    }
    let is_ready = || {
        let is_over = || socket.lock().is_send_shut || socket.base.has_error();
        (socket.has_send_room() || is_over()).then_some(())
    };
    wait(&socket.writable, socket.base.send_deadline(), is_ready)?;
    if socket.lock().is_send_shut {
        return Err(Errno::EPIPE);
    }
    socket.base.take_error()
}

/// sendmsg(2).
///
/// # Errors
/// `EOPNOTSUPP`, `EISCONN`: an address. `ENOTCONN`. `EPIPE`: nobody receives. Those of [`Ancillary::of`], [`Rights::new`],
/// [`wait_for_room`]; of the first byte.
pub(super) fn send(
    socket: &Arc<UnixSocket>,
    request: &Request<'_>,
    message: &mut SentMessage<'_>,
) -> Result<usize, Errno> {
    let ancillary = Ancillary::of(request, message)?;
    let peer = peer_of(socket, message)?;
    let mut sent = 0;
    let result = send_all(socket, &peer, request, message, ancillary, &mut sent);
    if sent > 0 {
        return Ok(sent);
    }
    if result == Err(Errno::EPIPE) && !message.flags.contains(MessageFlags::MSG_NOSIGNAL) {
        request.caller.note_failure(IoFailure::BrokenPipe);
    }
    result.map(|()| 0)
}

/// Whom it goes to.
fn peer_of(socket: &UnixSocket, message: &SentMessage<'_>) -> Result<Arc<UnixSocket>, Errno> {
    let state = socket.lock();
    if message.name.is_some() {
        let is_connected = state.connection == ConnectionState::Connected;
        return Err(if is_connected {
            Errno::EISCONN
        } else {
            Errno::EOPNOTSUPP
        });
    }
    match &state.peer {
        Some(peer) => Ok(peer.clone()),
        None => Err(Errno::ENOTCONN),
    }
}

fn send_all(
    socket: &Arc<UnixSocket>,
    peer: &Arc<UnixSocket>,
    request: &Request<'_>,
    message: &mut SentMessage<'_>,
    mut ancillary: Ancillary,
    sent: &mut usize,
) -> Result<(), Errno> {
    if socket.lock().is_send_shut {
        return Err(Errno::EPIPE);
    }
    let is_urgent = message.flags.contains(MessageFlags::MSG_OOB);
    let whole = message.data.left();
    // The last byte is the urgent one, and goes alone.
    let usual = whole - usize::from(is_urgent && whole > 0);
    while *sent < whole {
        ancillary.add_credentials(request, socket, peer);
        let len = if *sent < usual {
            (usual - *sent).min(MOST_BYTES).min(half_of_room(socket))
        } else {
            1
        };
        wait_for_room(socket, message.flags)?;
        let data = Data::take(message.data, len)?;
        let files = core::mem::take(&mut ancillary.files);
        let piece = Message {
            data,
            len,
            start: 0,
            charge: Charge::new(socket.clone(), len),
            credentials: ancillary.credentials,
            rights: Rights::new(request, files, peer)?,
        };
        if is_urgent && *sent == usual {
            queue_urgent(peer, piece)?;
        } else {
            queue(peer, piece, |_| {})?;
        }
        *sent += len;
        if *sent < whole {
            scheduler::cond_resched_killable()?;
        }
    }
    Ok(())
}

/// A message takes half of the room at most.
fn half_of_room(socket: &UnixSocket) -> usize {
    (socket.base.send_buffer() as usize / 2).max(1)
}

/// Puts a message behind the others of the peer, and does `then` with its state.
///
/// # Errors
/// `EPIPE`: it receives no more. `ENOMEM`.
fn queue(peer: &UnixSocket, message: Message, then: impl FnOnce(&mut SocketState)) -> Result<(), Errno> {
    let mut state = peer.lock();
    if state.is_dead || state.is_receive_shut {
        drop(state);
        return Err(Errno::EPIPE);
    }
    let refused = state.queue(message).err();
    if refused.is_none() {
        then(&mut state);
    }
    drop(state);
    if let Some((message, error)) = refused {
        drop(message);
        return Err(error);
    }
    peer.readable.wake_one();
    tell_readers(peer);
    Ok(())
}

/// The same with the urgent byte: one that came before is an ordinary one from now on.
#[cold]
fn queue_urgent(peer: &UnixSocket, message: Message) -> Result<(), Errno> {
    queue(peer, message, |state| {
        state.urgent = Some(state.taken + state.messages.len() as u64 - 1);
    })?;
    peer.base.tell_urgent();
    peer.readers.tell(Event::Priority, scheduler::cond_resched);
    Ok(())
}

/// Owners of files are told of input.
#[inline]
pub(super) fn tell_readers(socket: &UnixSocket) {
    if socket.readers.exist() {
        socket.readers.tell(Event::Input, scheduler::cond_resched);
    }
}
