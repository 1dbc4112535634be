//! shutdown(2), close(2), and the end of a connection that its peer is not asked about.

use super::super::outbox::Outbox;
use super::super::{buffer, delivery};
use super::poll::note_closed;
use super::{PORTS, Stream};
use abi::Errno;
use net::Half;
use smoltcp::socket::tcp::State;

impl Stream {
    /// shutdown(2).
    ///
    /// # Errors
    /// `ENOTCONN`.
    pub(super) fn shut(&self, half: Half) -> Result<(), Errno> {
        if self.backlog.lock().is_some() {
            // Linux: it listens no more.
            return if half.receives() {
                self.stop_listening()
            } else {
                Ok(())
            };
        }
        let mut inner = self.inner.lock();
        let Some(connection) = &mut inner.connection else {
            return Err(Errno::ENOTCONN);
        };
        if connection.view().state == State::Closed {
            return Err(Errno::ENOTCONN);
        }
        if half.sends() {
            connection.socket_mut().close();
        }
        inner.is_receive_shut |= half.receives();
        let mut outbox = Outbox::new();
        let effects = self.run(&mut inner, None, &mut outbox);
        self.finish(inner, effects, &mut outbox);
        self.readers.wake_all();
        self.writers.wake_all();
        Ok(())
    }

    /// The last descriptor is closed. The peer is told by a FIN, or, where bytes that came were not read or `SO_LINGER` says so, by a
    /// reset (RFC 2525, 2.17). The connection lives on until that is done.
    pub(super) fn close_last(&self) {
        let _ = self.stop_listening();
        let linger = self.base.linger();
        let mut inner = self.inner.lock();
        inner.is_orphan = true;
        let bound = inner.bound.take();
        let mut outbox = Outbox::new();
        let is_reset = inner.connection.as_mut().is_some_and(|connection| {
            let is_reset = connection.view().received > 0
                || linger.on != 0 && linger.seconds == 0
                || buffer::is_scarce();
            if is_reset {
                note_closed(connection.view().state);
                connection.socket_mut().abort();
            } else {
                connection.socket_mut().close();
            }
            is_reset
        });
        let effects = self.run(&mut inner, None, &mut outbox);
        self.finish(inner, effects, &mut outbox);
        if let Some(name) = bound {
            PORTS.unbind(self, name.port);
        }
        if linger.on != 0 && linger.seconds > 0 && !is_reset {
            self.wait_for_end(linger.seconds as u64);
        }
    }

    /// `SO_LINGER`: waits until everything that was sent is acknowledged, or the time is over.
    fn wait_for_end(&self, seconds: u64) {
        let deadline = sched::time::deadline_after(seconds.saturating_mul(sched::time::SECOND));
        let is_done = || {
            let inner = self.inner.lock();
            let state = inner
                .connection
                .as_ref()
                .map(|connection| connection.view().state);
            (!matches!(state, Some(State::FinWait1 | State::LastAck | State::Closing))).then_some(())
        };
        // A signal ends the wait: the connection goes on by itself.
        let _ = self.writers.wait_until_deadline(Some(deadline), is_done);
    }

    /// Resets the connection.
    pub(super) fn abort(&self) {
        let mut outbox = Outbox::new();
        let mut inner = self.inner.lock();
        if let Some(connection) = &mut inner.connection {
            note_closed(connection.view().state);
            connection.socket_mut().abort();
        }
        let effects = self.run(&mut inner, None, &mut outbox);
        drop(inner);
        self.perform(effects);
        delivery::deliver(&mut outbox);
    }

    /// connect(2) with no family: the connection is reset, the socket can be used again.
    ///
    /// # Errors
    /// None.
    pub(super) fn disconnect(&self) -> Result<(), Errno> {
        self.stop_listening()?;
        self.abort();
        let mut inner = self.inner.lock();
        let removed = self.forget(&mut inner);
        inner.is_connecting = false;
        inner.is_receive_shut = false;
        drop(inner);
        drop(removed);
        Ok(())
    }

    /// It listens no more; who waits to be accepted is reset.
    pub(super) fn stop_listening(&self) -> Result<(), Errno> {
        let backlog = self.backlog.lock().take();
        if let Some(mut backlog) = backlog {
            while let Some(child) = backlog.take() {
                child.close_as_refused();
                sched::scheduler::cond_resched();
            }
            self.readers.wake_all();
        }
        Ok(())
    }

    /// Nobody accepted it.
    fn close_as_refused(&self) {
        self.inner.lock().is_orphan = true;
        self.abort();
    }
}
