//! What the calls of sockets ask of sockets of messages.

use super::super::address::{self, SocketName};
use super::super::ioctl;
use super::Datagram;
use abi::Errno;
use abi::socket::SIOCOUTQ;
use abi::terminal::FIONREAD;
use net::{Address, Half, OptionValue, ReceivedMessage, Request, SentMessage, SocketBase, SocketOps};
use vfs::file_ops::Queues;
use vfs::file_owner::Listeners;

impl SocketOps for Datagram {
    fn base(&self) -> &SocketBase {
        &self.base
    }

    fn bind(&self, request: &Request<'_>, address: &[u8]) -> Result<(), Errno> {
        self.bind_to(request, address)
    }

    fn connect(&self, request: &Request<'_>, address: &[u8]) -> Result<(), Errno> {
        self.connect_to(request, address)
    }

    fn name(&self) -> Result<Address, Errno> {
        let inner = self.inner.lock();
        let bound = inner.bound.unwrap_or(SocketName {
            address: None,
            port: 0,
        });
        let name = SocketName {
            address: bound.address.or(inner.source),
            ..bound
        };
        address::show(self.base.family, name)
    }

    fn peer_name(&self) -> Result<Address, Errno> {
        let peer = self.inner.lock().peer.ok_or(Errno::ENOTCONN)?;
        address::show(self.base.family, peer.into())
    }

    fn send(&self, request: &Request<'_>, message: &mut SentMessage<'_>) -> Result<usize, Errno> {
        self.send_message(request, message)
    }

    fn receive(&self, message: &mut ReceivedMessage<'_>) -> Result<usize, Errno> {
        self.receive_message(message)
    }

    fn shutdown(&self, half: Half) -> Result<(), Errno> {
        self.shut(half)
    }

    fn close(&self) {
        self.close_last();
    }

    fn get_option(
        &self,
        _request: &Request<'_>,
        level: u32,
        name: u32,
        value: &mut OptionValue,
    ) -> Result<(), Errno> {
        self.get(level, name, value)
    }

    fn set_option(&self, _request: &Request<'_>, level: u32, name: u32, value: &[u8]) -> Result<(), Errno> {
        self.set(level, name, value)
    }

    fn ioctl(&self, _request: &Request<'_>, command: u32, argument: u64) -> Result<usize, Errno> {
        let count = match command {
            FIONREAD => self.next_len(),
            // What was sent has left the socket.
            SIOCOUTQ => 0,
            _ => return Err(Errno::ENOTTY),
        };
        ioctl::put_count(argument, count)
    }

    fn poll(&self) -> i16 {
        self.readiness()
    }

    fn queues(&self) -> Queues<'_> {
        [Some(&self.readers), Some(&self.writers)]
    }

    fn listeners(&self) -> [Option<&Listeners>; 2] {
        [Some(&self.listeners[0]), Some(&self.listeners[1])]
    }
}
