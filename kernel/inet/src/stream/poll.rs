//! What moves a connection: a packet, a timer, or a call lets the protocol do what it wants, and others are told what came of it.

use super::super::clock;
use super::super::counts;
use super::super::delivery;
use super::super::outbox::Outbox;
use super::connection::{Connection, View};
use super::options::{self, ConnectionHolder};
use super::past::PastConnection;
use super::urgent::{self, UrgentPlace};
use super::{PORTS, Stream, StreamState, connections};
use abi::Errno;
use abi::file::{POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI, POLLRDHUP, POLLRDNORM, POLLWRNORM};
use alloc::sync::Arc;
use lock::{MutexGuard, rank};
use platform::timer;
use sched::time::{self, Expire, TimerPlace};
use smoltcp::socket::tcp::State;
use smoltcp::time::Instant;
use vfs::file_owner::Event;

/// What is to be done when the lock is released.
#[derive(Default)]
#[must_use]
pub(super) struct Effects {
    wakes_readers: bool,
    wakes_writers: bool,
    /// An urgent byte was announced.
    is_urgent: bool,
    /// A listening socket has a connection more.
    accepted_by: Option<Arc<Stream>>,
    /// It stands, and nobody will accept it.
    is_refused: bool,
    /// What the table of connections kept.
    removed: Option<Arc<Stream>>,
}

/// What made a connection change.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// A packet of the other side.
    Packet,
    /// Time, or a call.
    Timer,
}

/// The lock of a socket.
pub(super) type Guard<'a> = MutexGuard<'a, StreamState, { rank::STREAM }>;

impl Stream {
    /// Lets the connection do what it wants, after a packet if one came. Does nothing without a connection.
    pub(super) fn run(
        &self,
        inner: &mut StreamState,
        incoming: Option<&[u8]>,
        outbox: &mut Outbox,
    ) -> Effects {
        let StreamState {
            connection: Some(connection),
            options,
            is_orphan,
            ..
        } = inner
        else {
            return Effects::default();
        };
        let before = connection.view();
        let holder = if *is_orphan {
            ConnectionHolder::Nobody
        } else {
            ConnectionHolder::Program
        };
        options.set_timers(connection.socket_mut(), &self.base, holder);
        let cause = incoming.map_or(Cause::Timer, |_| Cause::Packet);
        let class = options.traffic_class;
        let Connection {
            set, netif, tally, ..
        } = connection;
        if let Some(packet) = incoming {
            tally.note_received(packet);
        }
        let next = netif.poll(set, incoming, outbox, class, Some(tally));
        let [is_urgent, is_urgent_here] = incoming.map_or([false; 2], |packet| {
            urgent::note_packet(connection, packet, before.received, self.urgent_place())
        });
        let after = connection.view();
        let mut effects = self.note_change(inner, before, after, cause, next);
        effects.is_urgent = is_urgent;
        effects.wakes_readers |= is_urgent_here;
        effects
    }

    fn note_change(
        &self,
        inner: &mut StreamState,
        before: View,
        after: View,
        cause: Cause,
        next: Option<Instant>,
    ) -> Effects {
        let mut effects = Effects::default();
        let is_orphan = inner.is_orphan;
        if before.state != after.state {
            self.note_state(inner, before.state, after.state, cause, &mut effects);
        }
        if inner.options.defer_accept != 0 {
            self.note_deferred(inner, &mut effects);
        }
        let is_more = after.received > before.received;
        effects.wakes_readers |= is_more && after.received >= self.base.low_mark() as usize;
        effects.wakes_writers |= after.queued < before.queued && after.has_room();
        let is_over =
            |connection: &Connection| connection.is_over() || is_orphan && connection.is_forgettable();
        if inner.connection.as_ref().is_some_and(is_over) {
            effects.removed = self.end(inner);
        } else if let Some(next) = next {
            self.set_alarm(inner, clock::tick_of(next));
        }
        effects
    }

    /// The protocol's state is another: those who wait look again, and an end that nobody wanted is an error.
    fn note_state(
        &self,
        inner: &mut StreamState,
        from: State,
        to: State,
        cause: Cause,
        effects: &mut Effects,
    ) {
        effects.wakes_readers = true;
        effects.wakes_writers = true;
        if to == State::TimeWait {
            inner.past_since = Some(timer::ticks());
        }
        if to == State::Closed {
            note_closed(from);
        }
        if to == State::Closed
            && let Some(error) = error_of_end(from, cause)
        {
            self.base.set_error(error);
        }
        let is_open = !matches!(to, State::SynReceived | State::Closed | State::Listen);
        let is_deferred = to == State::Established && inner.options.defer_accept != 0;
        if let Some(connection) = &mut inner.connection
            && (is_open && !is_deferred || matches!(to, State::Closed | State::Listen))
            && let Some(parent) = connection.parent.take()
        {
            if is_open {
                self.hand_over(parent, inner, effects);
            } else {
                parent.withdraw();
            }
        }
    }

    /// `TCP_DEFER_ACCEPT`: a connection that stands is not accepted until bytes have come, or the time is over.
    #[cold]
    #[inline(never)]
    fn note_deferred(&self, inner: &mut StreamState, effects: &mut Effects) {
        let StreamState {
            connection: Some(connection),
            options,
            deferred_until,
            ..
        } = inner
        else {
            return;
        };
        if connection.parent.is_none() || !connection.view().is_past_opening() {
            return;
        }
        let tick = *deferred_until.get_or_insert_with(|| {
            let seconds = options::seconds_of_tries(options.defer_accept);
            time::deadline_after(u64::from(seconds) * time::SECOND)
        });
        if connection.view().received == 0 && timer::ticks() < tick {
            return self.set_alarm(inner, tick);
        }
        if let Some(parent) = connection.parent.take() {
            self.hand_over(parent, inner, effects);
        }
    }

    /// The connection stands: it waits to be accepted.
    fn hand_over(&self, parent: Arc<Stream>, inner: &mut StreamState, effects: &mut Effects) {
        let added = self.own().is_ok_and(|own| parent.queue_accepted(own));
        if added {
            effects.accepted_by = Some(parent);
        } else {
            inner.is_orphan = true;
            effects.is_refused = true;
        }
    }

    /// The connection is over: nobody finds it any more. A reference that was kept is to be dropped behind the lock.
    pub(super) fn end(&self, inner: &mut StreamState) -> Option<Arc<Stream>> {
        let connection = inner.connection.as_ref()?;
        let (key, sharing) = (connection.key, connection.sharing);
        let past = inner.past_since.take();
        let past = past.map(|since| PastConnection::new(since, sharing, self.base.family));
        if let Some((_, alarm)) = inner.alarm.take() {
            time::cancel(alarm);
        }
        let (removed, is_kept) = connections::remove(&key, self, past)?;
        if !is_kept {
            PORTS.disconnect(key.local().port, sharing);
        }
        Some(removed)
    }

    /// Has the timer ring at `tick` at the latest. One that rings sooner is left to.
    pub(super) fn set_alarm(&self, inner: &mut StreamState, tick: u64) {
        if inner.alarm.is_some_and(|(rings, _)| rings <= tick) {
            return;
        }
        if let Ok(own) = self.own() {
            inner.alarm = Some((tick, time::set(tick, own)));
        }
    }

    /// Releases the lock, tells others, and delivers what was sent.
    pub(super) fn finish(&self, guard: Guard<'_>, effects: Effects, outbox: &mut Outbox) {
        drop(guard);
        self.perform(effects);
        delivery::deliver(outbox);
    }

    /// Tells others. No lock is held.
    pub(super) fn perform(&self, effects: Effects) {
        if effects.is_urgent {
            self.base.tell_urgent();
            self.listeners[0].tell(Event::Priority, || {});
        }
        if effects.wakes_readers {
            self.readers.wake_all();
            self.listeners[0].tell(Event::Input, || {});
        }
        if effects.wakes_writers {
            self.writers.wake_all();
            self.listeners[1].tell(Event::Output, || {});
        }
        if let Some(parent) = effects.accepted_by {
            parent.readers.wake_all();
            parent.listeners[0].tell(Event::Input, || {});
        }
        if effects.is_refused {
            self.abort();
        }
        drop(effects.removed);
    }

    /// What poll(2) answers (`tcp_poll` of Linux).
    pub(super) fn readiness(&self) -> i16 {
        if let Some(backlog) = &*self.backlog.lock() {
            return if backlog.has_some() {
                POLLIN | POLLRDNORM
            } else {
                0
            };
        }
        let error = if self.base.has_error() { POLLERR } else { 0 };
        let inner = self.inner.lock();
        error
            | match &inner.connection {
                None => POLLOUT | POLLWRNORM | POLLHUP,
                Some(connection) => self.readiness_of(&inner, connection.view()),
            }
    }

    fn readiness_of(&self, inner: &StreamState, view: View) -> i16 {
        let mut events = 0;
        let has_ended = view.has_ended() || inner.is_receive_shut;
        let is_send_shut = view.is_past_opening() && !view.may_send();
        if view.state == State::Closed || has_ended && is_send_shut {
            events |= POLLHUP;
        }
        if has_ended {
            events |= POLLIN | POLLRDNORM | POLLRDHUP;
        }
        if view.is_past_opening() {
            if let Some(connection) = &inner.connection
                && connection.urgent.is_known()
            {
                events |= self.readiness_beside_urgent(connection, view);
            } else if view.received >= self.base.low_mark() as usize {
                events |= POLLIN | POLLRDNORM;
            }
            if is_send_shut || view.has_room() {
                events |= POLLOUT | POLLWRNORM;
            }
        }
        events
    }
}

impl Stream {
    /// Who has read up to the urgent byte does not read that one.
    #[cold]
    fn readiness_beside_urgent(&self, connection: &Connection, view: View) -> i16 {
        let is_passed = connection.urgent.is_at(connection.tally.next_taken())
            && self.urgent_place() == UrgentPlace::Apart;
        let wanted = self.base.low_mark() as usize + usize::from(is_passed);
        let mut events = 0;
        if view.received >= wanted {
            events |= POLLIN | POLLRDNORM;
        }
        if connection.urgent.is_here() {
            events |= POLLPRI;
        }
        events
    }
}

/// A connection that was in that state is closed at once.
pub(super) fn note_closed(from: State) {
    match from {
        State::SynSent | State::SynReceived => counts::ATTEMPT_FAILS.note(),
        State::Established | State::CloseWait => counts::ESTAB_RESETS.note(),
        _ => {}
    }
}

/// The error that an end means to who has the connection; `None` if both sides had closed it.
fn error_of_end(from: State, cause: Cause) -> Option<Errno> {
    match (from, cause) {
        (State::LastAck | State::TimeWait | State::Listen, _) => None,
        (State::SynSent, Cause::Packet) => Some(Errno::ECONNREFUSED),
        (State::CloseWait, Cause::Packet) => Some(Errno::EPIPE),
        (_, Cause::Packet) => Some(Errno::ECONNRESET),
        (_, Cause::Timer) => Some(Errno::ETIMEDOUT),
    }
}

impl Expire for Stream {
    fn place(&self) -> &TimerPlace {
        &self.place
    }

    fn expire(self: Arc<Stream>) {
        let mut outbox = Outbox::new();
        let mut inner = self.inner.lock();
        inner.alarm = None;
        let is_read_later = !inner.is_orphan
            && inner
                .connection
                .as_ref()
                .is_some_and(|connection| connection.has_unread_past());
        let effects = if is_read_later {
            // The end of TIME-WAIT would empty the buffer.
            self.set_alarm(&mut inner, time::deadline_after(time::SECOND));
            Effects::default()
        } else {
            self.run(&mut inner, None, &mut outbox)
        };
        self.finish(inner, effects, &mut outbox);
    }
}
