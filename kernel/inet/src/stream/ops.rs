//! What the calls of sockets ask of TCP.

use super::super::ioctl;
use super::Stream;
use abi::Errno;
use abi::socket::{SIOCATMARK, SIOCOUTQ};
use abi::terminal::FIONREAD;
use alloc::sync::Arc;
use net::{Address, Half, OptionValue, ReceivedMessage, Request, SentMessage, SocketBase, SocketOps};
use vfs::file_ops::Queues;
use vfs::file_owner::Listeners;

impl SocketOps for Stream {
    fn base(&self) -> &SocketBase {
        &self.base
    }

    fn bind(&self, request: &Request<'_>, address: &[u8]) -> Result<(), Errno> {
        self.bind_to(request, address)
    }

    fn connect(&self, request: &Request<'_>, address: &[u8]) -> Result<(), Errno> {
        self.connect_to(request, address)
    }

    fn listen(&self, request: &Request<'_>, backlog: u32) -> Result<(), Errno> {
        self.listen_with(request, backlog)
    }

    fn accept(&self, request: &Request<'_>) -> Result<Arc<dyn SocketOps>, Errno> {
        Ok(self.accept_next(request)?)
    }

    fn name(&self) -> Result<Address, Errno> {
        self.local_name()
    }

    fn peer_name(&self) -> Result<Address, Errno> {
        self.remote_name()
    }

    fn send(&self, request: &Request<'_>, message: &mut SentMessage<'_>) -> Result<usize, Errno> {
        self.send_bytes(request, message)
    }

    fn receive(&self, message: &mut ReceivedMessage<'_>) -> Result<usize, Errno> {
        self.receive_bytes(message)
    }

    fn shutdown(&self, half: Half) -> Result<(), Errno> {
        self.shut(half)
    }

    fn close(&self) {
        self.close_last();
    }

    fn is_listening(&self) -> bool {
        super::PortHolder::is_listening(self)
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

    fn note_option(&self, name: u32) {
        self.note_set(name);
    }

    fn ioctl(&self, _request: &Request<'_>, command: u32, argument: u64) -> Result<usize, Errno> {
        let count = match command {
            FIONREAD if self.is_listening() => return Err(Errno::EINVAL),
            FIONREAD => self.unread(),
            SIOCOUTQ => self.unsent(),
            SIOCATMARK => usize::from(self.is_at_mark()),
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
