//! Connections: bind(2), connect(2), listen(2), accept(2).

use abi::Errno;
use abi::socket::AF_UNSPEC;
use abi::socket::option::SO_PASSCRED;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use sched::wait::WaitQueue;

use super::close::drop_messages;
use super::name::{self, Meaning};
use super::rights;
use super::ring::GrowingRing;
use super::socket::{ConnectionState, PeerCredentials, UnixSocket, lock_both};
use crate::address::Address;
use crate::request::Request;

/// Waits in the queue, as one of several of whom each takes what it waits for, until `ready` answers.
///
/// # Errors
/// `EAGAIN`: not longer than until `deadline`. `EINTR`, `RESTART`: a signal is to be delivered.
pub(super) fn wait<T>(
    queue: &WaitQueue,
    deadline: Option<u64>,
    mut ready: impl FnMut() -> Option<T>,
) -> Result<T, Errno> {
    match queue.wait_exclusive_deadline(deadline, &mut ready) {
        Ok(Some(answer)) => Ok(answer),
        Ok(None) => Err(Errno::EAGAIN),
        // A call that waits for some time only is not made again, as its time would begin anew.
        Err(_) if deadline.is_some() => Err(Errno::EINTR),
        Err(interrupted) => Err(interrupted.into()),
    }
}

/// bind(2).
///
/// # Errors
/// As [`name::bind`].
pub(super) fn bind(socket: &Arc<UnixSocket>, request: &Request<'_>, address: &[u8]) -> Result<(), Errno> {
    let _naming = socket.naming.lock()?;
    name::bind(socket, request, address)
}

/// Gives it a name if what it sends says who sends it: such a one can be answered.
pub(super) fn name_if_told(socket: &Arc<UnixSocket>) -> Result<(), Errno> {
    if !socket.base.is_on(SO_PASSCRED) {
        return Ok(());
    }
    let _naming = socket.naming.lock()?;
    name::bind_any(socket)
}

/// listen(2).
///
/// # Errors
/// `EOPNOTSUPP`: datagrams. `EINVAL`: it has no name, or is connected.
pub(super) fn listen(socket: &UnixSocket, request: &Request<'_>, backlog: u32) -> Result<(), Errno> {
    if !socket.is_connection_based() {
        return Err(Errno::EOPNOTSUPP);
    }
    let credentials = PeerCredentials::of(request);
    let mut state = socket.lock();
    if state.name.is_none() || state.connection == ConnectionState::Connected {
        return Err(Errno::EINVAL);
    }
    state.connection = ConnectionState::Listening;
    state.backlog = backlog;
    let replaced = state.peer_credentials.replace(credentials);
    drop(state);
    drop(replaced);
    socket.room.wake_all();
    Ok(())
}

/// connect(2).
///
/// # Errors
/// `EINVAL`: no address, or it listens. `ECONNREFUSED`: nobody listens there. `EISCONN`. `EAGAIN`: too many wait. `EPERM`: that one
/// talks to somebody else. `EPROTOTYPE`, `EACCES` and others of [`name::find`].
pub(super) fn connect(socket: &Arc<UnixSocket>, request: &Request<'_>, address: &[u8]) -> Result<(), Errno> {
    if socket.is_connection_based() {
        return connect_stream(socket, request, address);
    }
    if address.len() < 2 {
        return Err(Errno::EINVAL);
    }
    if Address::family_of(address) == Some(AF_UNSPEC) {
        change_peer(socket, None);
        return Ok(());
    }
    if matches!(name::decode(address)?, Meaning::Any) {
        return Err(Errno::EINVAL);
    }
    name_if_told(socket)?;
    let peer = name::find(request, address, socket.base.kind)?;
    if !may_send(socket, &peer) {
        return Err(Errno::EPERM);
    }
    change_peer(socket, Some(peer));
    Ok(())
}

/// Whether datagrams of `socket` may go to `other`: it talks to nobody, or to that one.
pub(super) fn may_send(socket: &UnixSocket, other: &UnixSocket) -> bool {
    let state = other.lock();
    let peer = state.peer.as_ref();
    peer.is_none_or(|peer| core::ptr::eq(&**peer, socket))
}

/// Whom datagrams go to from now on. What the old one sent, and was not read, is lost, of which it hears.
fn change_peer(socket: &Arc<UnixSocket>, peer: Option<Arc<UnixSocket>>) {
    let mut state = socket.lock();
    state.connection = if peer.is_some() {
        ConnectionState::Connected
    } else {
        ConnectionState::Closed
    };
    let is_same = match (&state.peer, &peer) {
        (Some(old), Some(new)) => Arc::ptr_eq(old, new),
        _ => false,
    };
    let old = core::mem::replace(&mut state.peer, peer);
    socket.is_wanting.store(false, Ordering::SeqCst);
    let lost = match &old {
        Some(_) if !is_same => {
            state.taken += state.messages.len() as u64;
            state.unread = 0;
            core::mem::replace(&mut state.messages, GrowingRing::new())
        }
        _ => GrowingRing::new(),
    };
    drop(state);
    let Some(old) = old.filter(|_| !lost.is_empty()) else {
        return;
    };
    drop_messages(lost);
    socket.room.wake_all();
    if old
        .lock()
        .peer
        .as_ref()
        .is_some_and(|peer| Arc::ptr_eq(peer, socket))
    {
        old.base.set_error(Errno::ECONNRESET);
        old.wake_everybody();
    }
}

/// What a step towards a connection came to.
enum Step {
    Done,
    /// The listener is closed: perhaps another has its name by now.
    Again,
    /// Too many wait there.
    Full,
}

fn connect_stream(socket: &Arc<UnixSocket>, request: &Request<'_>, address: &[u8]) -> Result<(), Errno> {
    if matches!(name::decode(address)?, Meaning::Any) {
        return Err(Errno::EINVAL);
    }
    name_if_told(socket)?;
    let accepted = UnixSocket::new(socket.base.kind)?;
    let deadline = socket.base.send_deadline();
    loop {
        let listener = name::find(request, address, socket.base.kind)?;
        accepted.prepare(socket, &listener, PeerCredentials::of(request));
        match connect_to(socket, &listener, &accepted)? {
            Step::Done => return Ok(()),
            Step::Again => sched::scheduler::cond_resched_killable()?,
            Step::Full if request.is_nonblocking => return Err(Errno::EAGAIN),
            Step::Full => wait(&listener.room, deadline, || {
                let state = listener.lock();
                let is_full = state.connections.len() > state.backlog as usize;
                let is_over = state.is_dead || state.is_receive_shut;
                (!is_full || is_over).then_some(())
            })?,
        }
    }
}

/// Connects with that listener, if there is room: `accepted` becomes what accept(2) will give.
fn connect_to(
    socket: &Arc<UnixSocket>,
    listener: &Arc<UnixSocket>,
    accepted: &Arc<UnixSocket>,
) -> Result<Step, Errno> {
    let (mut own, other) = lock_both(socket, listener);
    let Some(mut other) = other else {
        // It would connect with itself.
        let is_refused = own.connection != ConnectionState::Listening;
        return Err(if is_refused {
            Errno::ECONNREFUSED
        } else {
            Errno::EINVAL
        });
    };
    if other.is_dead {
        return Ok(Step::Again);
    }
    if other.connection != ConnectionState::Listening || other.is_receive_shut {
        return Err(Errno::ECONNREFUSED);
    }
    if other.connections.len() > other.backlog as usize {
        return Ok(Step::Full);
    }
    match own.connection {
        ConnectionState::Closed => {}
        ConnectionState::Connected => return Err(Errno::EISCONN),
        ConnectionState::Listening => return Err(Errno::EINVAL),
    }
    other.connections.reserve()?;
    own.connection = ConnectionState::Connected;
    own.peer = Some(accepted.clone());
    own.peer_credentials = other.peer_credentials.clone();
    other.connections.push(accepted.clone());
    drop(other);
    drop(own);
    listener.readable.wake_one();
    socket.writable.wake_all();
    Ok(Step::Done)
}

impl UnixSocket {
    /// It is about to wait to be accepted: nobody else knows it yet.
    fn prepare(&self, peer: &Arc<UnixSocket>, listener: &UnixSocket, credentials: PeerCredentials) {
        let name = listener.name();
        let mut state = self.lock();
        state.connection = ConnectionState::Connected;
        state.peer = Some(peer.clone());
        state.name = name;
        state.peer_credentials = Some(credentials);
        drop(state);
        self.is_embryo.store(true, Ordering::Relaxed);
        self.listener.store(listener.address(), Ordering::Relaxed);
        let tells = i32::from(listener.base.is_on(SO_PASSCRED));
        self.base.switch(SO_PASSCRED, tells);
    }
}

/// accept(2).
///
/// # Errors
/// `EOPNOTSUPP`: datagrams. `EINVAL`: it does not listen, or was shut down. `EAGAIN`: nobody waits. `EINTR`, `RESTART`.
pub(super) fn accept(socket: &UnixSocket, request: &Request<'_>) -> Result<Arc<UnixSocket>, Errno> {
    if !socket.is_connection_based() {
        return Err(Errno::EOPNOTSUPP);
    }
    if socket.lock().connection != ConnectionState::Listening {
        return Err(Errno::EINVAL);
    }
    let take = || {
        let mut state = socket.lock();
        match state.connections.pop() {
            Some(accepted) => Some(Ok(accepted)),
            None if state.is_receive_shut => Some(Err(Errno::EINVAL)),
            None => None,
        }
    };
    let accepted = match take() {
        Some(outcome) => outcome?,
        None if request.is_nonblocking => return Err(Errno::EAGAIN),
        None => wait(&socket.readable, socket.base.receive_deadline(), take)??,
    };
    socket.room.wake_one();
    accepted.is_embryo.store(false, Ordering::Relaxed);
    rights::note_accepted(&accepted);
    Ok(accepted)
}
