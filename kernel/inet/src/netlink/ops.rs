//! What the calls of sockets ask of netlink.

use super::answer::AnswerBuilder;
use super::diag::SocketDump;
use super::{NetlinkSocket, answer};
use abi::Errno;
use abi::diag::NETLINK_SOCK_DIAG;
use abi::file::{POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM};
use abi::socket::{AF_NETLINK, MessageFlags};
use alloc::vec::Vec;
use memory::fallible::{self, TryVec};
use net::{Address, Half, Note, ReceivedMessage, Request, SentMessage, SocketBase, SocketOps};
use vfs::file_ops::Queues;

/// Bytes of `struct sockaddr_nl`.
const ADDRESS_LEN: usize = 12;
/// Bytes of one call's requests at most.
const MOST_BYTES: usize = 4096;

fn address(port: u32) -> Result<Address, Errno> {
    Address::of(&[
        &(AF_NETLINK as u16).to_ne_bytes(),
        &[0; 2],
        &port.to_ne_bytes(),
        &[0; 4],
    ])
}

/// The port and the groups of an address.
///
/// # Errors
/// `EINVAL`.
fn parse(bytes: &[u8]) -> Result<[u32; 2], Errno> {
    if bytes.len() < ADDRESS_LEN || Address::family_of(bytes) != Some(AF_NETLINK) {
        return Err(Errno::EINVAL);
    }
    let word = |at: usize| u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    Ok([word(4), word(8)])
}

impl NetlinkSocket {
    /// The next answer, or a copy of it.
    fn take(&self, flags: MessageFlags) -> Option<Result<Vec<u8>, Errno>> {
        let mut inner = self.inner.lock();
        if let Some(note) = inner.notes.first() {
            let copy = fallible::bytes(note);
            if copy.is_ok() && !flags.contains(MessageFlags::MSG_PEEK) {
                inner.notes.remove(0);
            }
            return Some(copy);
        }
        if flags.contains(MessageFlags::MSG_PEEK) {
            return inner.answers.first().map(|answer| fallible::bytes(answer));
        }
        let answer = inner.answers.pop()?;
        inner.queued -= answer.len();
        Some(Ok(answer))
    }

    /// Takes questions about sockets: what is answered at once, which are errors.
    fn begin_dump(&self, bytes: &[u8], port: u32) -> Result<Vec<u8>, Errno> {
        let mut answer = Vec::new();
        answer::each_request(bytes, |head, body| {
            let begun = SocketDump::new(head, body).and_then(|dump| {
                let mut inner = self.inner.lock();
                if inner.dump.is_some() {
                    return Err(Errno::EBUSY);
                }
                inner.dump = Some(dump);
                Ok(())
            });
            match begun {
                Ok(()) => Ok(()),
                Err(error) => AnswerBuilder::new(&mut answer, head.sequence, port).error(head, Some(error)),
            }
        })?;
        Ok(answer)
    }

    /// Makes the next part of an answer where none waits.
    fn go_on(&self) -> Result<(), Errno> {
        let mut inner = self.inner.lock();
        if !inner.answers.is_empty() {
            return Ok(());
        }
        let Some(mut dump) = inner.dump.take() else {
            return Ok(());
        };
        let port = inner.port();
        drop(inner);
        let (part, is_last) = dump.next_part(port)?;
        let mut inner = self.inner.lock();
        if !is_last {
            inner.dump = Some(dump);
        }
        inner.add(part, usize::MAX)?;
        drop(inner);
        self.readers.wake_all();
        Ok(())
    }

    fn wait(&self, flags: MessageFlags) -> Result<Vec<u8>, Errno> {
        self.go_on()?;
        if flags.contains(MessageFlags::MSG_DONTWAIT) {
            return self.take(flags).unwrap_or(Err(Errno::EAGAIN));
        }
        let deadline = self.base.receive_deadline();
        match self.readers.wait_until_deadline(deadline, || self.take(flags)) {
            Ok(Some(answer)) => answer,
            Ok(None) => Err(Errno::EAGAIN),
            Err(_) if deadline.is_some() => Err(Errno::EINTR),
            Err(interrupted) => Err(interrupted.into()),
        }
    }
}

impl SocketOps for NetlinkSocket {
    fn base(&self) -> &SocketBase {
        &self.base
    }

    fn bind(&self, _request: &Request<'_>, bytes: &[u8]) -> Result<(), Errno> {
        let [port, groups] = parse(bytes)?;
        if groups != 0 {
            // Changes are not told.
            return Err(Errno::EOPNOTSUPP);
        }
        let mut inner = self.inner.lock();
        match (inner.port, port) {
            (None, 0) => {
                inner.port();
            }
            (None, port) => inner.port = Some(port),
            (Some(own), port) if port != 0 && port != own => return Err(Errno::EINVAL),
            (Some(_), _) => {}
        }
        Ok(())
    }

    fn connect(&self, _request: &Request<'_>, bytes: &[u8]) -> Result<(), Errno> {
        match parse(bytes)? {
            [0, 0] => Ok(()),
            _ => Err(Errno::ECONNREFUSED),
        }
    }

    fn name(&self) -> Result<Address, Errno> {
        address(self.inner.lock().port.unwrap_or(0))
    }

    fn peer_name(&self) -> Result<Address, Errno> {
        address(0)
    }

    fn send(&self, _request: &Request<'_>, message: &mut SentMessage<'_>) -> Result<usize, Errno> {
        if let Some(name) = message.name
            && parse(name)? != [0, 0]
        {
            return Err(Errno::ECONNREFUSED);
        }
        let len = message.data.left();
        if len > MOST_BYTES {
            return Err(Errno::EMSGSIZE);
        }
        let mut bytes = fallible::filled(len, 0)?;
        let taken = message.data.take(&mut bytes)?;
        let port = self.inner.lock().port();
        let answer = if self.base.protocol == NETLINK_SOCK_DIAG {
            self.begin_dump(&bytes[..taken], port)?
        } else {
            answer::to(&bytes[..taken], port)?
        };
        if !answer.is_empty() {
            let limit = self.base.receive_buffer() as usize;
            self.inner.lock().add(answer, limit)?;
        }
        self.readers.wake_all();
        Ok(taken)
    }

    fn receive(&self, message: &mut ReceivedMessage<'_>) -> Result<usize, Errno> {
        let answer = self.wait(message.flags)?;
        let put = message.data.put(&answer)?;
        if let Some(name) = &mut message.name {
            **name = address(0)?;
        }
        if put == answer.len() {
            return Ok(put);
        }
        message.told |= MessageFlags::MSG_TRUNC;
        let asks_for_all = message.flags.contains(MessageFlags::MSG_TRUNC);
        Ok(if asks_for_all { answer.len() } else { put })
    }

    fn shutdown(&self, _half: Half) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    fn close(&self) {
        let answers = core::mem::take(&mut self.inner.lock().answers);
        drop(answers);
    }

    fn poll(&self) -> i16 {
        let inner = self.inner.lock();
        let has_some = !inner.answers.is_empty() || !inner.notes.is_empty() || inner.dump.is_some();
        let input = if has_some { POLLIN | POLLRDNORM } else { 0 };
        input | POLLOUT | POLLWRNORM
    }

    fn keep_place_for_note(&self) -> Result<(), Errno> {
        let mut inner = self.inner.lock();
        let places = inner.promised + 1;
        inner.notes.try_reserve(places).map_err(|_| Errno::ENOMEM)?;
        inner.promised = places;
        Ok(())
    }

    fn put_note(&self, note: Note) {
        let mut inner = self.inner.lock();
        inner.promised -= 1;
        // Its place was kept: nothing is allocated.
        let put = inner.notes.try_push(note);
        drop(inner);
        debug_assert!(put.is_ok());
        self.readers.wake_all();
    }

    fn queues(&self) -> Queues<'_> {
        [Some(&self.readers), None]
    }
}
