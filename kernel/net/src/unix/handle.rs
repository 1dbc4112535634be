//! What the family answers for a socket that is open: from the calls to what does the work.

use abi::Errno;
use abi::socket::option::{SO_PEERCRED, SO_PEERGROUPS, SOL_SOCKET};
use abi::socket::{SIOCATMARK, SIOCOUTQ, SOCK_DGRAM, SOCK_STREAM, UCred};
use abi::terminal::FIONREAD;
use abi::zerocopy::IntoBytes;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use sched::shortage;
use uaccess::write_value;
use vfs::file_ops::Queues;
use vfs::file_owner::Listeners;

use super::close::{close, shut};
use super::socket::{ConnectionState, UnixHandle, UnixSocket};
use super::{connection, datagram, list, name, poll, stream, stream_receive, urgent};
use crate::address::Address;
use crate::base::SocketBase;
use crate::option::OptionValue;
use crate::request::{ReceivedMessage, Request, SentMessage};
use crate::socket_ops::{Half, SocketOps};

/// Who is at the other end where nobody is.
const NOBODY: UCred = UCred {
    pid: 0,
    uid: u32::MAX,
    gid: u32::MAX,
};

impl SocketOps for UnixHandle {
    fn base(&self) -> &SocketBase {
        &self.0.base
    }

    fn bind(&self, request: &Request<'_>, address: &[u8]) -> Result<(), Errno> {
        connection::bind(&self.0, request, address)
    }

    fn connect(&self, request: &Request<'_>, address: &[u8]) -> Result<(), Errno> {
        connection::connect(&self.0, request, address)
    }

    fn listen(&self, request: &Request<'_>, backlog: u32) -> Result<(), Errno> {
        connection::listen(&self.0, request, backlog)
    }

    fn accept(&self, request: &Request<'_>) -> Result<Arc<dyn SocketOps>, Errno> {
        let place = shortage::with_room(memory::fallible::arc_place)?;
        let accepted = connection::accept(&self.0, request)?;
        let entered = shortage::with_room(|| list::enter(&accepted));
        entered.inspect_err(|_| close(&accepted))?;
        Ok(place.fill(|| UnixHandle(accepted)))
    }

    fn name(&self) -> Result<Address, Errno> {
        address_of(&self.0)
    }

    fn peer_name(&self) -> Result<Address, Errno> {
        let peer = self.0.lock().peer.clone();
        address_of(&*peer.ok_or(Errno::ENOTCONN)?)
    }

    fn send(&self, request: &Request<'_>, message: &mut SentMessage<'_>) -> Result<usize, Errno> {
        if self.0.base.kind == SOCK_STREAM {
            stream::send(&self.0, request, message)
        } else {
            datagram::send(&self.0, request, message)
        }
    }

    fn receive(&self, message: &mut ReceivedMessage<'_>) -> Result<usize, Errno> {
        if self.0.base.kind == SOCK_STREAM {
            stream_receive::receive(&self.0, message)
        } else {
            datagram::receive(&self.0, message)
        }
    }

    fn shutdown(&self, half: Half) -> Result<(), Errno> {
        shut(&self.0, half);
        Ok(())
    }

    fn close(&self) {
        close(&self.0);
    }

    fn is_listening(&self) -> bool {
        self.0.lock().connection == ConnectionState::Listening
    }

    fn get_option(
        &self,
        _request: &Request<'_>,
        level: u32,
        name: u32,
        value: &mut OptionValue,
    ) -> Result<(), Errno> {
        if level != SOL_SOCKET {
            return Err(Errno::EOPNOTSUPP);
        }
        let peer = self.0.lock().peer_credentials.clone();
        match name {
            SO_PEERCRED => value.set(&peer.map_or(NOBODY, |peer| peer.who)),
            SO_PEERGROUPS => value.set_whole(peer.ok_or(Errno::ENODATA)?.groups.as_bytes())?,
            _ => return Err(Errno::ENOPROTOOPT),
        }
        Ok(())
    }

    fn note_option(&self, _name: u32) {
        self.0.writable.wake_all();
    }

    fn has_peek_offset(&self) -> bool {
        true
    }

    fn ioctl(&self, _request: &Request<'_>, command: u32, argument: u64) -> Result<usize, Errno> {
        let socket = &self.0;
        let answer = match command {
            FIONREAD => unread(socket)?,
            SIOCOUTQ => socket.queued.load(Ordering::Relaxed),
            SIOCATMARK if socket.base.kind == SOCK_STREAM => u32::from(urgent::is_at_mark(&socket.lock())),
            _ => return Err(Errno::ENOTTY),
        };
        write_value(argument, &answer)?;
        Ok(0)
    }

    fn poll(&self) -> i16 {
        poll::poll(&self.0)
    }

    fn queues(&self) -> Queues<'_> {
        [Some(&self.0.readable), Some(&self.0.writable)]
    }

    fn listeners(&self) -> [Option<&Listeners>; 2] {
        [Some(&self.0.readers), Some(&self.0.writers)]
    }
}

fn address_of(socket: &UnixSocket) -> Result<Address, Errno> {
    match socket.name() {
        Some(name) => Ok(name.address.clone()),
        None => name::unnamed(),
    }
}

/// Bytes that wait; of datagrams those of the first.
///
/// # Errors
/// `EINVAL`: it listens.
fn unread(socket: &UnixSocket) -> Result<u32, Errno> {
    let state = socket.lock();
    if state.connection == ConnectionState::Listening {
        return Err(Errno::EINVAL);
    }
    let bytes = if socket.base.kind == SOCK_DGRAM {
        state.messages.get(0).map_or(0, |first| first.len)
    } else {
        state.unread
    };
    Ok(bytes as u32)
}
