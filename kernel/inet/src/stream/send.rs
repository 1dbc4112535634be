//! send(2) and kin.

use super::super::outbox::Outbox;
use super::connection::Connection;
use super::{Stream, StreamState};
use abi::Errno;
use abi::socket::MessageFlags;
use net::{Request, SentMessage};
use platform::user_copy::UserFault;
use sched::{scheduler, time};
use uaccess::Source;
use vfs::caller::IoFailure;

/// For how long bytes wait for more at most, with `TCP_CORK` or `MSG_MORE`.
const CORK_TIME: u64 = time::SECOND / 5;

/// What came of one look at the socket.
enum SendStep {
    /// So many bytes were queued; what stopped it, if it was a fault.
    Moved(usize, Option<UserFault>),
    /// There is no room, or no connection yet.
    Wait,
    /// Nothing can be sent.
    Failed(Errno),
}

impl Stream {
    /// Queues bytes to be sent: how many.
    ///
    /// # Errors
    /// `EPIPE`, with SIGPIPE unless `MSG_NOSIGNAL`: not connected, or shut down. `ECONNRESET` and kin; `EAGAIN`; `EFAULT`;
    /// `EOPNOTSUPP`: `MSG_FASTOPEN`. `EISCONN`: it names somebody.
    pub(super) fn send_bytes(
        &self,
        request: &Request<'_>,
        message: &mut SentMessage<'_>,
    ) -> Result<usize, Errno> {
        if message.flags.contains(MessageFlags::MSG_FASTOPEN) {
            return Err(Errno::EOPNOTSUPP);
        }
        let deadline = self.base.send_deadline();
        let is_nonblocking = message.flags.contains(MessageFlags::MSG_DONTWAIT);
        let mut sent = 0;
        loop {
            let failed = match self.send_some(message.data, message.flags) {
                SendStep::Moved(moved, fault) => {
                    sent += moved;
                    match fault.as_ref().map_or(Ok(()), uaccess::serve) {
                        Ok(()) if message.data.left() == 0 => return Ok(sent),
                        Ok(()) => scheduler::cond_resched_killable().err(),
                        Err(error) => Some(error),
                    }
                }
                SendStep::Wait if is_nonblocking => Some(Errno::EAGAIN),
                SendStep::Wait => self.wait_for_room(deadline).err(),
                SendStep::Failed(error) => Some(error),
            };
            match failed {
                None => {}
                Some(_) if sent > 0 => return Ok(sent),
                Some(error) => {
                    if error == Errno::EPIPE && !message.flags.contains(MessageFlags::MSG_NOSIGNAL) {
                        request.caller.note_failure(IoFailure::BrokenPipe);
                    }
                    return Err(error);
                }
            }
        }
    }

    /// Queues as much as there is room for, and sends it.
    fn send_some(&self, data: &mut dyn Source, flags: MessageFlags) -> SendStep {
        if let Err(error) = self.base.take_error() {
            return SendStep::Failed(error);
        }
        let mut inner = self.inner.lock();
        let StreamState {
            connection: Some(connection),
            pace,
            options,
            ..
        } = &mut *inner
        else {
            return SendStep::Failed(Errno::EPIPE);
        };
        let view = connection.view();
        if !view.may_send() {
            return if view.is_past_opening() {
                SendStep::Failed(Errno::EPIPE)
            } else {
                SendStep::Wait
            };
        }
        if view.queued == view.capacity {
            return SendStep::Wait;
        }
        let mut fault = None;
        let moved = fill(connection, data, &mut fault);
        if moved > 0 {
            pace.note_sent();
            connection
                .socket_mut()
                .set_ack_delay(pace.acknowledgement_delay());
            connection.tally.given += moved as u64;
            if flags.contains(MessageFlags::MSG_OOB) {
                connection.tally.note_urgent();
            } else if (options.is_corked || flags.contains(MessageFlags::MSG_MORE))
                && connection.may_hold_back()
            {
                // Nothing is to be delivered. What makes the connection work first takes the bytes along.
                self.set_alarm(&mut inner, time::deadline_after(CORK_TIME));
                return SendStep::Moved(moved, fault);
            }
            let mut outbox = Outbox::new();
            let effects = self.run(&mut inner, None, &mut outbox);
            self.finish(inner, effects, &mut outbox);
        }
        SendStep::Moved(moved, fault)
    }

    /// Waits until there is room enough to go on.
    fn wait_for_room(&self, deadline: Option<u64>) -> Result<(), Errno> {
        let waited = self
            .writers
            .wait_until_deadline(deadline, || self.may_go_on().then_some(()));
        match waited {
            Ok(Some(())) => Ok(()),
            Ok(None) => Err(Errno::EAGAIN),
            Err(_) if deadline.is_some() => Err(Errno::EINTR),
            Err(interrupted) => Err(interrupted.into()),
        }
    }

    /// Whether a sender has something to do: room, or an end.
    fn may_go_on(&self) -> bool {
        let inner = self.inner.lock();
        self.base.has_error()
            || inner.connection.as_ref().is_none_or(|connection| {
                let view = connection.view();
                view.is_past_opening() && (!view.may_send() || view.has_room())
            })
    }

    /// Bytes that are not acknowledged: `SIOCOUTQ`.
    pub(super) fn unsent(&self) -> usize {
        let inner = self.inner.lock();
        inner
            .connection
            .as_ref()
            .map_or(0, |connection| connection.view().queued)
    }
}

/// Copies bytes into the send buffer, up to its end or to a fault.
fn fill(connection: &mut Connection, data: &mut dyn Source, fault: &mut Option<UserFault>) -> usize {
    let socket = connection.socket_mut();
    let mut moved = 0;
    while data.left() > 0 && fault.is_none() {
        let piece = socket.send(|room| {
            let taken = data.try_take(room, fault);
            (taken, taken)
        });
        match piece {
            Ok(0) | Err(_) => break,
            Ok(taken) => moved += taken,
        }
    }
    moved
}
