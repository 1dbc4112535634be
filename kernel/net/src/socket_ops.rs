//! What a family answers for its sockets: `proto_ops` of Linux.
//!
//! A method that a family does not have answers as Linux does for such sockets. No lock is held when one is called, so all but
//! [`SocketOps::poll`] and [`SocketOps::queues`] may sleep. Several threads may call at once.

use abi::Errno;
use abi::posix_queue::NOTIFY_COOKIE_LEN;
use alloc::sync::Arc;
use core::any::Any;
use vfs::file_ops::Queues;
use vfs::file_owner::Listeners;

use super::address::Address;
use super::base::SocketBase;
use super::option::OptionValue;
use super::request::{ReceivedMessage, Request, SentMessage};

/// Which ways of a socket shutdown(2) ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Half {
    /// Nothing more is received.
    Receive,
    /// Nothing more is sent.
    Send,
    /// Neither.
    Both,
}

impl Half {
    /// Whether nothing more is received.
    pub fn receives(self) -> bool {
        self != Half::Send
    }

    /// Whether nothing more is sent.
    pub fn sends(self) -> bool {
        self != Half::Receive
    }
}

/// What mq_notify(2) tells a thread of libc's by.
pub type Note = [u8; NOTIFY_COOKIE_LEN];

/// A socket, as its family sees it.
pub trait SocketOps: Any + Send + Sync {
    /// What all families keep of it.
    fn base(&self) -> &SocketBase;

    /// bind(2). The address may be of any length up to 128 bytes, and of any family.
    ///
    /// # Errors
    /// `EOPNOTSUPP`; what the family says.
    fn bind(&self, _request: &Request<'_>, _address: &[u8]) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// connect(2). As [`SocketOps::bind`].
    ///
    /// # Errors
    /// `EOPNOTSUPP`; what the family says.
    fn connect(&self, _request: &Request<'_>, _address: &[u8]) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// listen(2). `backlog` is within net.core.somaxconn.
    ///
    /// # Errors
    /// `EOPNOTSUPP`; what the family says.
    fn listen(&self, _request: &Request<'_>, _backlog: u32) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// accept(2): the socket of the next connection.
    ///
    /// # Errors
    /// `EOPNOTSUPP`; what the family says.
    fn accept(&self, _request: &Request<'_>) -> Result<Arc<dyn SocketOps>, Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// getsockname(2).
    ///
    /// # Errors
    /// What the family says.
    fn name(&self) -> Result<Address, Errno>;

    /// getpeername(2).
    ///
    /// # Errors
    /// `ENOTCONN`; what the family says.
    fn peer_name(&self) -> Result<Address, Errno>;

    /// sendmsg(2) and kin: how many bytes went.
    ///
    /// # Errors
    /// What the family says. `EPIPE` that brings SIGPIPE is noted with the caller ([`vfs::caller::IoFailure::BrokenPipe`]).
    fn send(&self, request: &Request<'_>, message: &mut SentMessage<'_>) -> Result<usize, Errno>;

    /// recvmsg(2) and kin: how many bytes came, or how many there were if `MSG_TRUNC` asks for that.
    ///
    /// # Errors
    /// What the family says.
    fn receive(&self, message: &mut ReceivedMessage<'_>) -> Result<usize, Errno>;

    /// shutdown(2).
    ///
    /// # Errors
    /// `ENOTCONN`; what the family says.
    fn shutdown(&self, half: Half) -> Result<(), Errno>;

    /// The last descriptor is closed: nothing more is asked of it. What is queued may live on.
    fn close(&self);

    /// Whether it listens: `SO_ACCEPTCONN`.
    fn is_listening(&self) -> bool {
        false
    }

    /// getsockopt(2) of a level that is not `SOL_SOCKET`, and of its options that not all families have (`SO_PEERCRED`).
    ///
    /// # Errors
    /// `EOPNOTSUPP` of another level, `ENOPROTOOPT` of `SOL_SOCKET`: there is no such option.
    fn get_option(
        &self,
        _request: &Request<'_>,
        level: u32,
        _name: u32,
        _value: &mut OptionValue,
    ) -> Result<(), Errno> {
        Err(no_option(level))
    }

    /// setsockopt(2) of a level that is not `SOL_SOCKET`, and of its options that not all families have (`SO_BINDTODEVICE`).
    /// Longer values than a family knows are cut by the caller, at 256 bytes.
    ///
    /// # Errors
    /// As [`SocketOps::get_option`]; `EINVAL`: fewer bytes than the option has.
    fn set_option(&self, _request: &Request<'_>, level: u32, _name: u32, _value: &[u8]) -> Result<(), Errno> {
        Err(no_option(level))
    }

    /// An option of [`SocketBase`] was set: `SO_*`.
    fn note_option(&self, _name: u32) {}

    /// Whether it has `SO_PEEK_OFF`.
    fn has_peek_offset(&self) -> bool {
        false
    }

    /// ioctl(2).
    ///
    /// # Errors
    /// `ENOTTY` for requests that are not known, of which [`interfaces`](crate::interfaces) is asked next; what the family says.
    fn ioctl(&self, _request: &Request<'_>, _command: u32, _argument: u64) -> Result<usize, Errno> {
        Err(Errno::ENOTTY)
    }

    /// What poll(2) would answer now.
    fn poll(&self) -> i16;

    /// Queues that are woken when the answer of [`SocketOps::poll`] changes.
    fn queues(&self) -> Queues<'_>;

    /// A note for whoever reads the socket will come: keeps a place, so that it will not be lost ([`SocketOps::put_note`]).
    ///
    /// # Errors
    /// `EINVAL`: the family has none. `ENOMEM`.
    fn keep_place_for_note(&self) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }

    /// A note that a place was kept for: it is received as one message, before others. No lock may be held.
    fn put_note(&self, _note: Note) {}

    /// Whose owners are told when it can be read, and when it can be written (`O_ASYNC`).
    fn listeners(&self) -> [Option<&Listeners>; 2] {
        [None, None]
    }
}

fn no_option(level: u32) -> Errno {
    if level == abi::socket::option::SOL_SOCKET {
        Errno::ENOPROTOOPT
    } else {
        Errno::EOPNOTSUPP
    }
}
