//! Descriptors on their way: how many a user has in flight, and which sockets are kept by messages alone.
//!
//! A message may hold the socket in whose queue it stands, or one that leads there: nobody could ever receive it, and nobody would
//! let go of it. So all sockets in flight are noted here with the queue that each message stands in ([`collect`]).
//!
//! Closing a file may close a socket with descriptors in its queue, and so on: the files are closed one after the other by whoever
//! came first ([`let_go`]), so that no chain of sockets is a chain of calls.

use abi::Errno;
use abi::capability::{CAP_SYS_ADMIN, CAP_SYS_RESOURCE};
use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use lock::{Mutex, rank};
use memory::fallible;
use memory::fallible::map::Map;
use sched::scheduler;
use vfs::OpenFile;

use super::socket::{UnixHandle, UnixSocket};
use super::{collect, collector};
use crate::file;
use crate::request::Request;

/// Descriptors of one message.
struct Parcel {
    files: Vec<Arc<OpenFile>>,
    /// Whose they were counted as.
    user: u32,
    /// Edges of the sockets among them: this number and the next ones.
    first_edge: u64,
    edges: u64,
    /// The next one to be let go.
    next: Option<Box<Parcel>>,
}

/// Descriptors on their way. Dropped, they are let go of.
pub(super) struct Rights(Option<Box<Parcel>>);

/// A socket that stands in messages.
pub(super) struct InFlight {
    /// Its open file.
    pub(super) file: Weak<OpenFile>,
    /// In how many messages.
    pub(super) count: usize,
    /// Whether [`collect`] has found a way to it.
    pub(super) is_reachable: bool,
}

/// A socket in a message, which stands in the queue of another.
pub(super) struct Edge {
    pub(super) holder: Arc<UnixSocket>,
    /// The one in the message, by address.
    pub(super) target: usize,
}

/// All of them.
pub(super) struct Registry {
    /// By address.
    pub(super) sockets: Map<usize, InFlight>,
    pub(super) edges: Map<u64, Edge>,
    /// Descriptors in flight by user.
    users: Map<u32, usize>,
    next_edge: u64,
    /// How often anything changed that decides who is reachable.
    pub(super) changes: u64,
}

pub(super) static REGISTRY: Mutex<Registry, { rank::IN_FLIGHT }> = Mutex::new(Registry {
    sockets: Map::new(),
    edges: Map::new(),
    users: Map::new(),
    next_edge: 0,
    changes: 0,
});

/// Sockets in messages: mostly there are none.
static SOCKETS_IN_FLIGHT: AtomicUsize = AtomicUsize::new(0);

/// What is to be let go of.
static PENDING: Mutex<Option<Box<Parcel>>> = Mutex::new(None);
/// Somebody does so.
static IS_LETTING_GO: AtomicBool = AtomicBool::new(false);

/// The socket of this family that is open.
pub(super) fn socket_of(file: &OpenFile) -> Option<&Arc<UnixSocket>> {
    let ops: &dyn Any = &**file::of(file).ok()?.ops();
    ops.downcast_ref::<UnixHandle>().map(|handle| &handle.0)
}

impl Rights {
    /// These descriptors, on their way to the queue of `holder`; none: nothing.
    ///
    /// # Errors
    /// `ETOOMANYREFS`: the user has too many in flight. `ENOMEM`.
    #[inline]
    pub(super) fn new(
        request: &Request<'_>,
        files: Vec<Arc<OpenFile>>,
        holder: &Arc<UnixSocket>,
    ) -> Result<Option<Rights>, Errno> {
        if files.is_empty() {
            return Ok(None);
        }
        Self::note(request, files, holder).map(Some)
    }

    #[cold]
    fn note(
        request: &Request<'_>,
        files: Vec<Arc<OpenFile>>,
        holder: &Arc<UnixSocket>,
    ) -> Result<Rights, Errno> {
        if files.iter().any(|file| socket_of(file).is_some()) {
            collector::prepare()?;
        }
        let credentials = request.caller.credentials();
        let is_limited = !credentials.can(CAP_SYS_RESOURCE) && !credentials.can(CAP_SYS_ADMIN);
        let limit = if is_limited {
            request.program.descriptor_limit()
        } else {
            usize::MAX
        };
        let parcel = fallible::boxed(Parcel {
            files,
            user: credentials.uid,
            first_edge: 0,
            edges: 0,
            next: None,
        })?;
        // The files may be the last references by now: nothing is dropped under the lock.
        let mut registry = REGISTRY.lock();
        if let Err(error) = registry.count_user(credentials.uid, parcel.files.len(), limit) {
            drop(registry);
            return Err(error);
        }
        // From here on dropping it takes back what was noted.
        let mut rights = Rights(Some(parcel));
        let noted = rights
            .0
            .as_mut()
            .map_or(Ok(()), |parcel| registry.note_sockets(parcel, holder));
        drop(registry);
        noted.map(|()| rights)
    }

    /// The files.
    fn files(&self) -> &[Arc<OpenFile>] {
        self.0.as_ref().map_or(&[], |parcel| &parcel.files)
    }

    /// The files, which are in flight no more.
    pub(super) fn into_files(mut self) -> Vec<Arc<OpenFile>> {
        match self.0.take() {
            Some(mut parcel) => {
                let forgotten = REGISTRY.lock().forget(&parcel);
                drop(forgotten);
                core::mem::take(&mut parcel.files)
            }
            None => Vec::new(),
        }
    }

    /// The same descriptors for one who looks at them only: counted as nobody's, noted nowhere.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(super) fn peek(&self) -> Result<Vec<Arc<OpenFile>>, Errno> {
        let files = fallible::collect(self.files().iter().cloned())?;
        REGISTRY.lock().changes += 1;
        Ok(files)
    }
}

impl Drop for Rights {
    fn drop(&mut self) {
        if let Some(parcel) = self.0.take() {
            let forgotten = REGISTRY.lock().forget(&parcel);
            drop(forgotten);
            let_go(parcel);
        }
    }
}

impl Registry {
    /// Counts descriptors of a user.
    ///
    /// # Errors
    /// `ETOOMANYREFS`: it has more than `limit` already. `ENOMEM`.
    fn count_user(&mut self, user: u32, more: usize, limit: usize) -> Result<(), Errno> {
        let Some(count) = self.users.get_mut(&user) else {
            self.users.insert(user, more)?;
            return Ok(());
        };
        if *count > limit {
            return Err(Errno::ETOOMANYREFS);
        }
        *count += more;
        Ok(())
    }

    /// Notes the sockets among the files, which come next.
    ///
    /// # Errors
    /// `ENOMEM`: some are noted.
    fn note_sockets(&mut self, parcel: &mut Parcel, holder: &Arc<UnixSocket>) -> Result<(), Errno> {
        parcel.first_edge = self.next_edge;
        for file in &parcel.files {
            let Some(socket) = socket_of(file) else {
                continue;
            };
            let target = socket.address();
            let edge = Edge {
                holder: holder.clone(),
                target,
            };
            self.edges.insert(self.next_edge, edge)?;
            self.next_edge += 1;
            parcel.edges += 1;
            match self.sockets.get_mut(&target) {
                Some(known) => known.count += 1,
                None => {
                    let file = Arc::downgrade(file);
                    let noted = self.sockets.insert(
                        target,
                        InFlight {
                            file,
                            count: 1,
                            is_reachable: false,
                        },
                    );
                    if let Err(error) = noted {
                        parcel.edges -= 1;
                        self.edges.remove(&(self.next_edge - 1));
                        return Err(error);
                    }
                }
            }
            SOCKETS_IN_FLIGHT.fetch_add(1, Ordering::Relaxed);
        }
        self.changes += 1;
        Ok(())
    }

    /// The descriptors are in flight no more. What comes back is to be dropped without the lock.
    fn forget(&mut self, parcel: &Parcel) -> Option<Arc<UnixSocket>> {
        let mut holder = None;
        for edge in parcel.first_edge..parcel.first_edge + parcel.edges {
            let Some(edge) = self.edges.remove(&edge) else {
                continue;
            };
            SOCKETS_IN_FLIGHT.fetch_sub(1, Ordering::Relaxed);
            let is_last = self.sockets.get_mut(&edge.target).is_some_and(|known| {
                known.count -= 1;
                known.count == 0
            });
            if is_last {
                self.sockets.remove(&edge.target);
            }
            holder = Some(edge.holder);
        }
        self.changes += u64::from(parcel.edges > 0);
        let is_last = self.users.get_mut(&parcel.user).is_some_and(|count| {
            *count -= parcel.files.len();
            *count == 0
        });
        if is_last {
            self.users.remove(&parcel.user);
        }
        holder
    }
}

/// Closes the files of a message that nobody received, and of all further ones that this brings to an end.
fn let_go(parcel: Box<Parcel>) {
    push(parcel);
    while !IS_LETTING_GO.swap(true, Ordering::Acquire) {
        while let Some(parcel) = pop() {
            for file in parcel.files {
                drop(file);
                scheduler::cond_resched();
            }
        }
        IS_LETTING_GO.store(false, Ordering::Release);
        if PENDING.lock().is_none() {
            return;
        }
    }
}

fn push(mut parcel: Box<Parcel>) {
    let mut pending = PENDING.lock();
    parcel.next = pending.take();
    *pending = Some(parcel);
}

fn pop() -> Option<Box<Parcel>> {
    let mut pending = PENDING.lock();
    let mut first = pending.take()?;
    *pending = first.next.take();
    Some(first)
}

/// A connection was accepted: it is kept by its file from now on, not by who listened.
pub(super) fn note_accepted(accepted: &UnixSocket) {
    accepted.listener.store(0, Ordering::SeqCst);
    if SOCKETS_IN_FLIGHT.load(Ordering::SeqCst) > 0 {
        REGISTRY.lock().changes += 1;
    }
}

/// A socket was closed: others may have been kept by it alone.
pub(super) fn collect_if_needed() {
    if SOCKETS_IN_FLIGHT.load(Ordering::Relaxed) > 0 {
        collect::collect();
    }
}
