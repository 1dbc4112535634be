//! recvmsg(2) and kin, and poll(2).

use super::super::address;
use super::super::counts;
use super::arrive::cost;
use super::{Datagram, DatagramState, Kind, QueuedMessage};
use abi::Errno;
use abi::file::{POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP, POLLRDNORM, POLLWRNORM};
use abi::socket::MessageFlags;
use memory::fallible;
use net::ReceivedMessage;

impl Datagram {
    /// Receives a message.
    ///
    /// # Errors
    /// `EAGAIN`; errors about earlier messages of this socket; `EFAULT`.
    pub(super) fn receive_message(&self, wanted: &mut ReceivedMessage<'_>) -> Result<usize, Errno> {
        if wanted.flags.contains(MessageFlags::MSG_OOB) {
            return Err(Errno::EOPNOTSUPP);
        }
        if wanted.flags.contains(MessageFlags::MSG_ERRQUEUE) {
            return self.receive_error(wanted);
        }
        let Some(message) = self.next_message(wanted.flags)? else {
            return Ok(0);
        };
        if self.kind == Kind::Udp && !wanted.flags.contains(MessageFlags::MSG_PEEK) {
            counts::UDP_IN.note();
        }
        self.give(&message, wanted)
    }

    /// The next message, waited for; `None`: nothing is received any more.
    fn next_message(&self, flags: MessageFlags) -> Result<Option<QueuedMessage>, Errno> {
        let look = || match self.base.take_error() {
            Err(error) => Some(Err(error)),
            Ok(()) => self.inner.lock().next(flags),
        };
        if flags.contains(MessageFlags::MSG_DONTWAIT) {
            return look().unwrap_or(Err(Errno::EAGAIN));
        }
        let deadline = self.base.receive_deadline();
        match self.readers.wait_until_deadline(deadline, look) {
            Ok(Some(answer)) => answer,
            Ok(None) => Err(Errno::EAGAIN),
            Err(_) if deadline.is_some() => Err(Errno::EINTR),
            Err(interrupted) => Err(interrupted.into()),
        }
    }

    pub(super) fn give(
        &self,
        message: &QueuedMessage,
        wanted: &mut ReceivedMessage<'_>,
    ) -> Result<usize, Errno> {
        let len = message.bytes.len();
        let fitting = &message.bytes[..len.min(wanted.data.room())];
        let mut put = 0;
        while put < fitting.len() {
            match wanted.data.put(&fitting[put..])? {
                0 => break,
                more => put += more,
            }
        }
        if let Some(name) = &mut wanted.name {
            **name = address::show(self.base.family, message.from.into())?;
        }
        let options = self.inner.lock().options.clone();
        options.describe(message, wanted.control);
        if put == len {
            return Ok(len);
        }
        wanted.told |= MessageFlags::MSG_TRUNC;
        let asks_for_all = wanted.flags.contains(MessageFlags::MSG_TRUNC);
        Ok(if asks_for_all { len } else { put })
    }

    /// Bytes of the next message: `FIONREAD`.
    pub(super) fn next_len(&self) -> usize {
        let inner = self.inner.lock();
        inner.queue.first().map_or(0, |message| message.bytes.len())
    }

    /// What poll(2) answers (`datagram_poll` of Linux).
    pub(super) fn readiness(&self) -> i16 {
        let inner = self.inner.lock();
        let has_error = self.base.has_error() || !inner.errors.is_empty();
        let mut events = if has_error { POLLERR } else { 0 };
        if inner.is_receive_shut && inner.is_send_shut {
            events |= POLLHUP;
        }
        if inner.is_receive_shut {
            events |= POLLRDHUP | POLLIN | POLLRDNORM;
        }
        if !inner.queue.is_empty() {
            events |= POLLIN | POLLRDNORM;
        }
        events | POLLOUT | POLLWRNORM
    }
}

impl DatagramState {
    /// The first message, or a copy of it; `Some(None)` at the end of all.
    fn next(&mut self, flags: MessageFlags) -> Option<Result<Option<QueuedMessage>, Errno>> {
        if flags.contains(MessageFlags::MSG_PEEK)
            && let Some(first) = self.queue.first()
        {
            return Some(first.copy().map(Some));
        }
        match self.queue.pop() {
            Some(message) => {
                self.queued -= cost(&message);
                Some(Ok(Some(message)))
            }
            None => self.is_receive_shut.then_some(Ok(None)),
        }
    }
}

impl QueuedMessage {
    /// # Errors
    /// `ENOMEM`.
    fn copy(&self) -> Result<QueuedMessage, Errno> {
        Ok(QueuedMessage {
            from: self.from,
            to: self.to,
            hop_limit: self.hop_limit,
            traffic_class: self.traffic_class,
            interface: self.interface,
            came_at: self.came_at,
            bytes: fallible::boxed_bytes(&self.bytes)?,
        })
    }
}
