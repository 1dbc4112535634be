//! Datagrams, and the records of `SOCK_SEQPACKET`: what is sent together is received together, or lost in part.

use abi::Errno;
use abi::socket::{MessageFlags, SOCK_SEQPACKET, UCred};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::connection::{name_if_told, wait};
use super::message::{Charge, Data, Message};
use super::name::{self, Meaning};
use super::poll;
use super::rights::Rights;
use super::scm::{self, Ancillary};
use super::socket::{ConnectionState, SocketState, UnixSocket};
use super::stream::{tell_readers, wait_for_room};
use super::stream_receive::note_peeked;
use vfs::OpenFile;

use crate::request::{ReceivedMessage, Request, SentMessage};

/// Bytes of the send buffer that no datagram has.
const RESERVED: usize = 32;

/// sendmsg(2).
///
/// # Errors
/// `EOPNOTSUPP`: `MSG_OOB`. `EINVAL`: no address. `ENOTCONN`: nobody to send to. `EMSGSIZE`: longer than the send buffer. `EPERM`: the
/// other one talks to somebody else. `ECONNREFUSED`: it is closed. `EPIPE`: it receives no more. `EAGAIN`: it has too many waiting.
/// Those of [`name::find`], [`Ancillary::of`], [`Rights::new`], [`wait_for_room`].
pub(super) fn send(
    socket: &Arc<UnixSocket>,
    request: &Request<'_>,
    message: &mut SentMessage<'_>,
) -> Result<usize, Errno> {
    if socket.base.kind == SOCK_SEQPACKET {
        socket.base.take_error()?;
        if socket.lock().connection != ConnectionState::Connected {
            return Err(Errno::ENOTCONN);
        }
        message.name = None;
    }
    let mut ancillary = Ancillary::of(request, message)?;
    if message.flags.contains(MessageFlags::MSG_OOB) {
        return Err(Errno::EOPNOTSUPP);
    }
    check_name(message.name)?;
    if message.name.is_none() && socket.lock().peer.is_none() {
        return Err(Errno::ENOTCONN);
    }
    name_if_told(socket)?;
    let len = message.data.left();
    if len > (socket.base.send_buffer() as usize).saturating_sub(RESERVED) {
        return Err(Errno::EMSGSIZE);
    }
    if socket.lock().is_send_shut {
        return Err(Errno::EPIPE);
    }
    wait_for_room(socket, message.flags)?;
    let charge = Charge::new(socket.clone(), len);
    let data = Data::take(message.data, len)?;
    let peer = find_peer(socket, request, message.name)?;
    ancillary.add_credentials(request, socket, &peer);
    let rights = Rights::new(request, core::mem::take(&mut ancillary.files), &peer)?;
    let mut datagram = Message {
        data,
        len,
        start: 0,
        charge,
        credentials: ancillary.credentials,
        rights,
    };
    let deadline = socket.base.send_deadline();
    loop {
        match offer(socket, &peer, datagram)? {
            Offered::Queued => return Ok(len),
            Offered::Full(back) => datagram = back,
        }
        if message.flags.contains(MessageFlags::MSG_DONTWAIT) {
            return Err(Errno::EAGAIN);
        }
        wait(&peer.room, deadline, || {
            let state = peer.lock();
            (!state.is_full() || state.is_receive_shut).then_some(())
        })?;
    }
}

/// `EINVAL`: no address.
fn check_name(name: Option<&[u8]>) -> Result<(), Errno> {
    match name.map(name::decode).transpose()? {
        Some(Meaning::Any) => Err(Errno::EINVAL),
        _ => Ok(()),
    }
}

/// Whom it goes to.
fn find_peer(
    socket: &UnixSocket,
    request: &Request<'_>,
    name: Option<&[u8]>,
) -> Result<Arc<UnixSocket>, Errno> {
    match name {
        Some(name) => name::find(request, name, socket.base.kind),
        None => socket.lock().peer.clone().ok_or(Errno::ENOTCONN),
    }
}

/// What came of it.
enum Offered {
    Queued,
    /// Too many wait already.
    Full(Message),
}

/// Queues a datagram, if there is room.
fn offer(socket: &Arc<UnixSocket>, peer: &Arc<UnixSocket>, datagram: Message) -> Result<Offered, Errno> {
    let mut state = peer.lock();
    if let Err(error) = check(&state, socket) {
        drop(state);
        drop(datagram);
        if error == Errno::ECONNREFUSED {
            leave(socket, peer);
        }
        return Err(error);
    }
    let is_answered = state.peer.is_some() || Arc::ptr_eq(socket, peer);
    if !is_answered && state.is_full() {
        return Ok(Offered::Full(datagram));
    }
    let refused = state.queue(datagram).err();
    drop(state);
    if let Some((datagram, error)) = refused {
        drop(datagram);
        return Err(error);
    }
    peer.readable.wake_one();
    tell_readers(peer);
    Ok(Offered::Queued)
}

/// Whether `socket` may send to the one with that state.
///
/// # Errors
/// `EPERM`: it talks to somebody else. `ECONNREFUSED`: it is closed. `EPIPE`: it receives no more.
fn check(state: &SocketState, socket: &Arc<UnixSocket>) -> Result<(), Errno> {
    let is_open = state.peer.as_ref().is_none_or(|peer| Arc::ptr_eq(peer, socket));
    if !is_open {
        return Err(Errno::EPERM);
    }
    if state.is_dead && !socket.is_connection_based() {
        return Err(Errno::ECONNREFUSED);
    }
    if state.is_receive_shut {
        return Err(Errno::EPIPE);
    }
    Ok(())
}

/// Its peer is closed: it talks to nobody from now on.
fn leave(socket: &UnixSocket, peer: &Arc<UnixSocket>) {
    let mut state = socket.lock();
    let is_peer = state.peer.as_ref().is_some_and(|known| Arc::ptr_eq(known, peer));
    let old = if is_peer {
        state.connection = ConnectionState::Closed;
        state.peer.take()
    } else {
        None
    };
    drop(state);
    drop(old);
}

/// recvmsg(2).
///
/// # Errors
/// `EOPNOTSUPP`: `MSG_OOB`. `ENOTCONN`: records, and it is not connected. The error that waits. `EAGAIN`, `EINTR`, `RESTART`. Those of
/// user memory: the datagram is lost.
pub(super) fn receive(socket: &UnixSocket, message: &mut ReceivedMessage<'_>) -> Result<usize, Errno> {
    let is_connected = socket.lock().connection == ConnectionState::Connected;
    if socket.base.kind == SOCK_SEQPACKET && !is_connected {
        return Err(Errno::ENOTCONN);
    }
    if message.flags.contains(MessageFlags::MSG_OOB) {
        return Err(Errno::EOPNOTSUPP);
    }
    if message.flags.contains(MessageFlags::MSG_PEEK) {
        return peek(socket, message);
    }
    let Some(datagram) = take(socket, message.flags)? else {
        return Ok(0);
    };
    let Message {
        data,
        len,
        charge,
        credentials,
        rights,
        ..
    } = datagram;
    note_sender(message, &charge.sender);
    let copied = put(&data, 0, len, message)?;
    note_peeked(socket, message.flags, len);
    drop(charge);
    let files = rights.map_or(Vec::new(), Rights::into_files);
    scm::deliver(socket, message, credentials, files);
    Ok(answer(message.flags, len, copied))
}

/// Bytes that there were, or that found room.
fn answer(flags: MessageFlags, len: usize, copied: usize) -> usize {
    if flags.contains(MessageFlags::MSG_TRUNC) {
        len
    } else {
        copied
    }
}

fn note_sender(message: &mut ReceivedMessage<'_>, sender: &UnixSocket) {
    if let Some(name) = message.name.as_deref_mut()
        && let Some(known) = sender.name()
    {
        *name = known.address.clone();
    }
}

/// Copies what there is room for; the rest is told of.
fn put(data: &Data, start: usize, len: usize, message: &mut ReceivedMessage<'_>) -> Result<usize, Errno> {
    let wanted = len.min(message.data.room());
    if wanted < len {
        message.told |= MessageFlags::MSG_TRUNC;
    }
    if wanted == 0 {
        return Ok(0);
    }
    match data.put(message.data, start, wanted)? {
        put if put < wanted => Err(Errno::EFAULT),
        put => Ok(put),
    }
}

/// Waits for a datagram by `look`; `None`: no more will come.
fn wait_for<T>(
    socket: &UnixSocket,
    flags: MessageFlags,
    mut look: impl FnMut(&mut SocketState) -> Option<T>,
) -> Result<Option<T>, Errno> {
    socket.base.take_error()?;
    if let Some(found) = look(&mut socket.lock()) {
        return Ok(Some(found));
    }
    let is_shut = socket.lock().is_receive_shut;
    if flags.contains(MessageFlags::MSG_DONTWAIT) {
        return if is_shut && socket.base.kind == SOCK_SEQPACKET {
            Ok(None)
        } else {
            Err(Errno::EAGAIN)
        };
    }
    let found = wait(&socket.readable, socket.base.receive_deadline(), || {
        let mut state = socket.lock();
        match look(&mut state) {
            Some(found) => Some(Some(found)),
            None => (state.is_receive_shut || socket.base.has_error()).then_some(None),
        }
    })?;
    if found.is_none() {
        socket.base.take_error()?;
    }
    Ok(found)
}

/// Takes the first datagram.
fn take(socket: &UnixSocket, flags: MessageFlags) -> Result<Option<Message>, Errno> {
    let taken = wait_for(socket, flags, SocketState::take)?;
    socket.room.wake_one();
    poll::wake_wanting(socket);
    Ok(taken)
}

/// What is to be known of a datagram by one who only looks.
struct Looked {
    data: Data,
    start: usize,
    len: usize,
    sender: Arc<UnixSocket>,
    credentials: Option<UCred>,
    files: Vec<Arc<OpenFile>>,
}

impl Looked {
    fn at(message: &Message, start: usize) -> Result<Self, Errno> {
        Ok(Looked {
            data: message.data.share()?,
            start,
            len: message.len - start,
            sender: message.charge.sender.clone(),
            credentials: message.credentials,
            files: message.rights.as_ref().map_or(Ok(Vec::new()), Rights::peek)?,
        })
    }
}

/// recvmsg(2) with `MSG_PEEK`: the datagram stays, or the one at `SO_PEEK_OFF`.
fn peek(socket: &UnixSocket, message: &mut ReceivedMessage<'_>) -> Result<usize, Errno> {
    let offset = socket.base.peek_offset().max(0) as usize;
    let looked = wait_for(socket, message.flags, |state| {
        let mut skip = offset;
        for datagram in state.messages.iter() {
            if skip > 0 && skip >= datagram.len {
                skip -= datagram.len;
                continue;
            }
            return Some(Looked::at(datagram, skip));
        }
        None
    })?;
    let Some(looked) = looked.transpose()? else {
        return Ok(0);
    };
    note_sender(message, &looked.sender);
    let copied = put(&looked.data, looked.start, looked.len, message)?;
    note_peeked(socket, message.flags, copied);
    scm::deliver(socket, message, looked.credentials, looked.files);
    Ok(answer(message.flags, looked.len, copied))
}
