//! A socket of the family: what it has waiting, whom it talks to, and its end.
//!
//! Its state has one lock. Two of them are taken in the order of their addresses ([`lock_both`]). User memory is touched with none
//! of them held: a message is made before it is queued, and the bytes of one that is read are out of it meanwhile, while
//! [`UnixSocket::reading`] keeps other readers away.

use abi::Errno;
use abi::socket::{AF_UNIX, SOCK_DGRAM, UCred};
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use lock::{Mutex, MutexGuard, rank};
use memory::fallible;
use sched::SleepingMutex;
use sched::wait::WaitQueue;
use vfs::file_owner::Listeners;
use vfs::{Credentials, Groups};

use super::message::Message;
use super::name::UnixName;
use super::ring::GrowingRing;
use crate::base::SocketBase;
use crate::request::Request;

/// Datagrams that a socket may have waiting from those that it does not talk to itself (net.unix.max_dgram_qlen).
pub const MOST_DATAGRAMS: u32 = 10;

/// How far a connection is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ConnectionState {
    /// There is none.
    Closed,
    /// It is waited for one.
    Listening,
    /// There is one, or was.
    Connected,
}

/// Who is at the other end of a connection.
#[derive(Clone)]
pub(super) struct PeerCredentials {
    pub(super) who: UCred,
    pub(super) groups: Groups,
}

impl PeerCredentials {
    /// Whoever makes that request.
    pub(super) fn of(request: &Request<'_>) -> Self {
        let credentials: Arc<Credentials> = request.caller.credentials();
        PeerCredentials {
            who: UCred {
                pid: request.caller.process_id(),
                uid: credentials.euid,
                gid: credentials.egid,
            },
            groups: credentials.groups.clone(),
        }
    }
}

/// What is under the lock.
pub(super) struct SocketState {
    pub(super) connection: ConnectionState,
    /// Whom it talks to.
    pub(super) peer: Option<Arc<UnixSocket>>,
    pub(super) is_receive_shut: bool,
    pub(super) is_send_shut: bool,
    /// It was closed.
    pub(super) is_dead: bool,
    /// Messages that wait.
    pub(super) messages: GrowingRing<Message>,
    /// Bytes of them.
    pub(super) unread: usize,
    /// Connections that wait.
    pub(super) connections: GrowingRing<Arc<UnixSocket>>,
    /// How many of either may wait before the next one waits itself.
    pub(super) backlog: u32,
    pub(super) name: Option<Arc<UnixName>>,
    pub(super) peer_credentials: Option<PeerCredentials>,
    /// How many messages were ever taken: with the index of a message, its number.
    pub(super) taken: u64,
    /// The number of the message that holds the urgent byte.
    pub(super) urgent: Option<u64>,
}

pub(super) type Locked<'a> = MutexGuard<'a, SocketState, { rank::SOCKET }>;

/// A socket.
pub(super) struct UnixSocket {
    pub(super) base: SocketBase,
    state: Mutex<SocketState, { rank::SOCKET }>,
    /// Held by the one who reads, and may touch user memory meanwhile.
    pub(super) reading: SleepingMutex,
    /// Held by the one who gives it a name.
    pub(super) naming: SleepingMutex,
    /// What its messages cost that others have not read.
    pub(super) queued: AtomicU32,
    /// Woken when there is something to receive or to accept.
    pub(super) readable: WaitQueue,
    /// Woken when there is room for what it sends.
    pub(super) writable: WaitQueue,
    /// Woken when there is room for what others send to it, or for connections.
    pub(super) room: WaitQueue,
    /// Whose owners are told (`O_ASYNC`).
    pub(super) readers: Listeners,
    pub(super) writers: Listeners,
    /// Who looked in vain whether there is room for a datagram to it.
    pub(super) wanting: Mutex<Vec<Weak<UnixSocket>>>,
    /// It stands there with its peer.
    pub(super) is_wanting: AtomicBool,
    /// The socket in whose queue it waits to be accepted, by address; 0: none.
    pub(super) listener: AtomicUsize,
    /// Its number in the list of all; 0: it is not there.
    pub(super) number: AtomicU64,
    /// Nobody has accepted it yet.
    pub(super) is_embryo: AtomicBool,
}

impl UnixSocket {
    /// A socket of that type.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(super) fn new(kind: u32) -> Result<Arc<Self>, Errno> {
        let state = SocketState {
            connection: ConnectionState::Closed,
            peer: None,
            is_receive_shut: false,
            is_send_shut: false,
            is_dead: false,
            messages: GrowingRing::new(),
            unread: 0,
            connections: GrowingRing::new(),
            backlog: MOST_DATAGRAMS,
            name: None,
            peer_credentials: None,
            taken: 0,
            urgent: None,
        };
        fallible::arc_with(|| UnixSocket {
            base: SocketBase::new(AF_UNIX, kind, 0),
            state: Mutex::new(state),
            reading: SleepingMutex::new(),
            naming: SleepingMutex::new(),
            queued: AtomicU32::new(0),
            readable: WaitQueue::new(),
            writable: WaitQueue::new(),
            room: WaitQueue::new(),
            readers: Listeners::new(),
            writers: Listeners::new(),
            wanting: Mutex::new(Vec::new()),
            is_wanting: AtomicBool::new(false),
            listener: AtomicUsize::new(0),
            number: AtomicU64::new(0),
            is_embryo: AtomicBool::new(false),
        })
    }

    /// Two that are connected with each other.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(super) fn pair(request: &Request<'_>, kind: u32) -> Result<[Arc<Self>; 2], Errno> {
        let pair = [Self::new(kind)?, Self::new(kind)?];
        for (socket, peer) in [(&pair[0], &pair[1]), (&pair[1], &pair[0])] {
            let mut state = socket.lock();
            state.peer = Some(peer.clone());
            state.connection = ConnectionState::Connected;
            state.peer_credentials = Some(PeerCredentials::of(request));
        }
        Ok(pair)
    }

    /// The state, locked.
    #[inline]
    pub(super) fn lock(&self) -> Locked<'_> {
        self.state.lock()
    }

    /// Its address, which tells it from all others.
    pub(super) fn address(&self) -> usize {
        core::ptr::from_ref(self).addr()
    }

    /// Whether what is sent goes to the peer alone.
    #[inline]
    pub(super) fn is_connection_based(&self) -> bool {
        self.base.kind != SOCK_DGRAM
    }

    /// Whether it has a name.
    pub(super) fn has_name(&self) -> bool {
        self.lock().name.is_some()
    }

    /// Gives it one.
    pub(super) fn set_name(&self, name: Arc<UnixName>) {
        self.lock().name = Some(name);
    }

    /// The name, if it has one.
    pub(super) fn name(&self) -> Option<Arc<UnixName>> {
        self.lock().name.clone()
    }

    /// Whether there is room for one more message that it sends.
    #[inline]
    pub(super) fn has_send_room(&self) -> bool {
        self.queued.load(Ordering::SeqCst) < self.base.send_buffer()
    }

    /// Whether poll(2) says that there is room: a quarter of it is used at most.
    #[inline]
    pub(super) fn is_writable(&self) -> bool {
        self.queued.load(Ordering::SeqCst) <= self.base.send_buffer() / 4
    }

    /// Some of what it sent was read: who waits for room is woken when three quarters are free.
    #[inline]
    pub(super) fn note_room(&self, before: u32, after: u32) {
        let quarter = self.base.send_buffer() / 4;
        if before > quarter && after <= quarter {
            self.writable.wake_all();
        }
    }

    /// Somebody looks at it anew, whatever he waits for.
    pub(super) fn wake_everybody(&self) {
        self.readable.wake_all();
        self.writable.wake_all();
        self.room.wake_all();
    }
}

/// A socket that is open. The socket itself lives on in what it has sent.
pub(super) struct UnixHandle(pub(super) Arc<UnixSocket>);

/// Locks both, of which they may be one.
pub(super) fn lock_both<'a>(
    first: &'a UnixSocket,
    second: &'a UnixSocket,
) -> (Locked<'a>, Option<Locked<'a>>) {
    match first.address().cmp(&second.address()) {
        core::cmp::Ordering::Equal => (first.lock(), None),
        core::cmp::Ordering::Less => {
            let locked = first.lock();
            (locked, Some(second.state.lock_second()))
        }
        core::cmp::Ordering::Greater => {
            let locked = second.lock();
            (first.state.lock_second(), Some(locked))
        }
    }
}

impl SocketState {
    /// Whether so many messages wait that others wait with theirs.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.messages.len() > self.backlog as usize
    }

    /// Puts a message behind the others.
    ///
    /// # Errors
    /// `ENOMEM`: the message is not queued.
    #[inline]
    pub(super) fn queue(&mut self, message: Message) -> Result<(), (Message, Errno)> {
        if let Err(error) = self.messages.reserve() {
            return Err((message, error));
        }
        self.unread += message.left();
        self.messages.push(message);
        Ok(())
    }

    /// Takes the first message.
    #[inline]
    pub(super) fn take(&mut self) -> Option<Message> {
        let message = self.messages.pop()?;
        self.taken += 1;
        self.unread -= message.left();
        Some(message)
    }
}
