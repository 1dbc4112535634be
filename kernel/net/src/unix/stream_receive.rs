//! ReadOn a stream, across the messages that it was sent in.
//!
//! The bytes of a message are out of it while they are copied; that others wait meanwhile keeps their order.

use abi::Errno;
use abi::socket::option::SO_PASSCRED;
use abi::socket::{MessageFlags, UCred};
use alloc::sync::Arc;
use alloc::vec::Vec;
use sched::scheduler;
use vfs::OpenFile;

use super::connection::wait;
use super::message::{Data, Message};
use super::scm;
use super::socket::{ConnectionState, UnixSocket};
use super::urgent;
use crate::request::ReceivedMessage;

/// What a reader has so far.
struct Progress {
    copied: usize,
    /// As whom what it has was sent; nothing else is read together with it.
    credentials: Option<Option<UCred>>,
    files: Vec<Arc<OpenFile>>,
    /// The number of the next message to look at, for one who only looks.
    next: u64,
    /// Bytes to pass over, for the same.
    skip: usize,
}

/// What there is to be read.
enum NextPiece {
    /// A message, whose bytes were taken out: they are given back.
    Bytes(Piece),
    /// Nothing, but others may be sent.
    Nothing,
    /// What has been read is all that belongs together.
    Enough,
}

/// The bytes of a message, out of it.
struct Piece {
    data: Data,
    /// The message's number.
    number: u64,
    start: usize,
    len: usize,
    sender: Option<Arc<UnixSocket>>,
}

/// How it goes on behind a message.
#[derive(PartialEq, Eq)]
enum ReadOn {
    Further,
    Over,
}

/// recvmsg(2).
///
/// # Errors
/// `EINVAL`: it is not connected; no urgent byte. The error that waits. `EAGAIN`, `EINTR`, `RESTART`. Those of user memory, of the
/// first byte.
pub(super) fn receive(socket: &UnixSocket, message: &mut ReceivedMessage<'_>) -> Result<usize, Errno> {
    if socket.lock().connection != ConnectionState::Connected {
        return Err(Errno::EINVAL);
    }
    if message.flags.contains(MessageFlags::MSG_OOB) {
        return urgent::receive(socket, message);
    }
    let is_peeking = message.flags.contains(MessageFlags::MSG_PEEK);
    let mut progress = Progress {
        copied: 0,
        credentials: None,
        files: Vec::new(),
        next: 0,
        skip: if is_peeking {
            socket.base.peek_offset().max(0) as usize
        } else {
            0
        },
    };
    let result = receive_all(socket, message, &mut progress);
    if progress.copied == 0 {
        result?;
    }
    note_peeked(socket, message.flags, progress.copied);
    let credentials = progress.credentials.flatten();
    scm::deliver(socket, message, credentials, progress.files);
    Ok(progress.copied)
}

/// Where `MSG_PEEK` looks next moves with what is looked at and what is read (socket(7), `SO_PEEK_OFF`).
pub(super) fn note_peeked(socket: &UnixSocket, flags: MessageFlags, len: usize) {
    let offset = socket.base.peek_offset();
    if offset < 0 {
        return;
    }
    let offset = if flags.contains(MessageFlags::MSG_PEEK) {
        offset.saturating_add(len as i32)
    } else {
        offset.saturating_sub(len as i32).max(0)
    };
    socket.base.set_peek_offset(offset);
}

fn receive_all(
    socket: &UnixSocket,
    message: &mut ReceivedMessage<'_>,
    progress: &mut Progress,
) -> Result<(), Errno> {
    let wanted = message.data.room();
    let low = socket.base.receive_low(message.flags, wanted);
    let deadline = socket.base.receive_deadline();
    let mut reading = socket.reading.lock_interruptible()?;
    loop {
        match find(socket, message, progress) {
            NextPiece::Bytes(piece) => {
                if read_piece(socket, message, progress, piece)? == ReadOn::Over {
                    return Ok(());
                }
                if progress.copied == wanted {
                    return Ok(());
                }
                scheduler::cond_resched_killable()?;
            }
            NextPiece::Enough => return Ok(()),
            NextPiece::Nothing if progress.copied >= low => return Ok(()),
            NextPiece::Nothing => {
                if is_over(socket)? {
                    return Ok(());
                }
                if message.flags.contains(MessageFlags::MSG_DONTWAIT) {
                    return Err(Errno::EAGAIN);
                }
                drop(reading);
                wait_for_message(socket, progress, message.flags, deadline)?;
                reading = socket.reading.lock_interruptible()?;
            }
        }
    }
}

/// Whether nothing more will come.
///
/// # Errors
/// The error that waits.
fn is_over(socket: &UnixSocket) -> Result<bool, Errno> {
    socket.base.take_error()?;
    Ok(socket.lock().is_receive_shut)
}

fn wait_for_message(
    socket: &UnixSocket,
    progress: &Progress,
    flags: MessageFlags,
    deadline: Option<u64>,
) -> Result<(), Errno> {
    let is_peeking = flags.contains(MessageFlags::MSG_PEEK);
    wait(&socket.readable, deadline, || {
        let state = socket.lock();
        let seen = if is_peeking {
            progress.next.saturating_sub(state.taken)
        } else {
            0
        };
        let has_more = state.messages.len() as u64 > seen;
        (has_more || state.is_receive_shut || socket.base.has_error()).then_some(())
    })
}

/// Finds the next message that has something to be read, and takes its bytes out.
fn find(socket: &UnixSocket, message: &ReceivedMessage<'_>, progress: &mut Progress) -> NextPiece {
    let is_peeking = message.flags.contains(MessageFlags::MSG_PEEK);
    loop {
        let mut state = socket.lock();
        let number = progress.next.max(state.taken);
        progress.next = number;
        let index = (number - state.taken) as usize;
        let Some(next) = state.messages.get(index) else {
            return NextPiece::Nothing;
        };
        let (left, credentials) = (next.left(), next.credentials);
        if left == 0 || state.urgent == Some(number) {
            match urgent::pass(&mut state, &socket.base, number, progress.copied, message.flags) {
                urgent::Passing::Stop => return NextPiece::Enough,
                urgent::Passing::Next => {
                    progress.next += 1;
                    continue;
                }
                urgent::Passing::Dropped(old) => {
                    drop(state);
                    drop(old);
                    continue;
                }
                urgent::Passing::Read => {}
            }
        }
        if is_peeking && progress.skip >= left {
            progress.skip -= left;
            progress.next += 1;
            continue;
        }
        match progress.credentials {
            Some(known) if known != credentials && socket.base.is_on(SO_PASSCRED) => {
                return NextPiece::Enough;
            }
            Some(_) => {}
            None => progress.credentials = Some(credentials),
        }
        let is_named = message.name.as_ref().filter(|_| progress.copied == 0).map(|_| ());
        return match state.messages.get_mut(index) {
            Some(next) => NextPiece::Bytes(Piece::out_of(next, number, is_named)),
            None => NextPiece::Nothing,
        };
    }
}

impl Piece {
    /// The bytes of that message, and who sent it if its name is wanted.
    fn out_of(message: &mut Message, number: u64, is_named: Option<()>) -> Self {
        Piece {
            data: core::mem::replace(&mut message.data, Data::empty()),
            number,
            start: message.start,
            len: message.left(),
            sender: is_named.map(|()| message.charge.sender.clone()),
        }
    }
}

/// Copies bytes of a message to the reader's memory, and gives the message back the others. `Over`: nothing is read behind it.
///
/// # Errors
/// Those of user memory; `ENOMEM`.
fn read_piece(
    socket: &UnixSocket,
    message: &mut ReceivedMessage<'_>,
    progress: &mut Progress,
    piece: Piece,
) -> Result<ReadOn, Errno> {
    let skip = core::mem::take(&mut progress.skip);
    if let (Some(name), Some(sender)) = (message.name.as_deref_mut(), &piece.sender)
        && let Some(known) = sender.name()
    {
        *name = known.address.clone();
    }
    let len = (piece.len - skip).min(message.data.room());
    let put = piece.data.put(message.data, piece.start + skip, len);
    let mut state = socket.lock();
    let index = piece.number.saturating_sub(state.taken) as usize;
    let Some(read) = state.messages.get_mut(index) else {
        // It was closed meanwhile.
        return Ok(ReadOn::Over);
    };
    read.data = piece.data;
    let put = put?;
    progress.copied += put;
    let has_rights = read.rights.is_some();
    if message.flags.contains(MessageFlags::MSG_PEEK) {
        if let Some(rights) = &read.rights {
            progress.files = rights.peek()?;
        }
        progress.next += 1;
        let is_over = has_rights || put < piece.len - skip;
        return Ok(if is_over { ReadOn::Over } else { ReadOn::Further });
    }
    read.start += put;
    let rights = read.rights.take();
    let is_whole = read.left() == 0;
    state.unread -= put;
    let old = if is_whole { state.take() } else { None };
    let leaves_some = !state.messages.is_empty();
    drop(state);
    drop(old);
    if let Some(rights) = rights {
        progress.files = rights.into_files();
    }
    if leaves_some && is_whole {
        socket.readable.wake_one();
    }
    Ok(if is_whole && !has_rights {
        ReadOn::Further
    } else {
        ReadOn::Over
    })
}
