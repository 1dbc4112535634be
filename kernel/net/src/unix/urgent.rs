//! The urgent byte of a stream: `MSG_OOB` (send(2), recv(2)). It is a message of its own, which a reader of the others does not
//! pass unseen, and of which a mark stays when it was received.

use abi::Errno;
use abi::socket::MessageFlags;
use abi::socket::option::SO_OOBINLINE;

use super::message::{Data, Message};
use super::socket::{SocketState, UnixSocket};
use crate::base::SocketBase;
use crate::request::ReceivedMessage;

/// What a reader does at the urgent byte, or at its mark.
pub(super) enum Passing {
    /// It has read up to here, and goes no further.
    Stop,
    /// It looks at the next message.
    Next,
    /// This one is gone.
    Dropped(Option<Message>),
    /// It is read as all others are.
    Read,
}

/// A reader that has `copied` bytes comes to the message of that number, which is the urgent byte or its mark (`manage_oob` of
/// Linux).
pub(super) fn pass(
    state: &mut SocketState,
    base: &SocketBase,
    number: u64,
    copied: usize,
    flags: MessageFlags,
) -> Passing {
    let is_peeking = flags.contains(MessageFlags::MSG_PEEK);
    if state.urgent != Some(number) {
        return match is_peeking {
            _ if copied > 0 && state.urgent.is_none() => Passing::Stop,
            true => Passing::Next,
            false => Passing::Dropped(state.take()),
        };
    }
    if copied > 0 {
        return Passing::Stop;
    }
    let is_inline = base.is_on(SO_OOBINLINE);
    match (is_peeking, is_inline) {
        (true, true) => Passing::Read,
        (true, false) => Passing::Next,
        (false, true) => {
            state.urgent = None;
            Passing::Read
        }
        (false, false) => {
            state.urgent = None;
            Passing::Dropped(state.take())
        }
    }
}

/// recvmsg(2) with `MSG_OOB`.
///
/// # Errors
/// `EINVAL`: there is none, or it is among the others. Those of user memory.
pub(super) fn receive(socket: &UnixSocket, message: &mut ReceivedMessage<'_>) -> Result<usize, Errno> {
    let _reading = socket.reading.lock_interruptible()?;
    let mut state = socket.lock();
    let number = state.urgent.filter(|_| !socket.base.is_on(SO_OOBINLINE));
    let index = number.ok_or(Errno::EINVAL)?.saturating_sub(state.taken);
    let Some(urgent) = state.messages.get_mut(index as usize) else {
        return Err(Errno::EINVAL);
    };
    let byte = match &urgent.data {
        Data::Small(bytes) => bytes.first().copied().unwrap_or(0),
        Data::Pages(_) => 0,
    };
    if !message.flags.contains(MessageFlags::MSG_PEEK) {
        urgent.start = urgent.len;
        state.unread -= 1;
        state.urgent = None;
    }
    drop(state);
    if message.data.put(&[byte])? == 0 {
        return Err(Errno::EFAULT);
    }
    message.told |= MessageFlags::MSG_OOB;
    Ok(1)
}

/// Whether the next byte to be read is the urgent one: `SIOCATMARK`.
pub(super) fn is_at_mark(state: &SocketState) -> bool {
    let Some(first) = state.messages.get(0) else {
        return false;
    };
    let is_mark = first.left() == 0;
    match state.urgent {
        Some(number) => number == state.taken || (is_mark && number == state.taken + 1),
        None => is_mark,
    }
}
