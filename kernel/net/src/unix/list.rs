//! All sockets that have a file: /proc/net/unix.

use abi::Errno;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};
use lock::Mutex;
use memory::fallible::map::Map;
use memory::fallible::{self, TryVec};
use sched::scheduler;

use super::socket::{ConnectionState, UnixSocket};

/// Sockets looked at under one hold of the lock.
const STEP: usize = 32;
/// In the flags: it listens.
const LISTENS: u32 = 1 << 16;
/// States of a socket, whether it is connected.
const UNCONNECTED: u32 = 1;
const CONNECTED: u32 = 3;

static SOCKETS: Mutex<Map<u64, Arc<UnixSocket>>> = Mutex::new(Map::new());

/// The next number.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// Enters a socket, until it is closed.
///
/// # Errors
/// `ENOMEM`.
pub(super) fn enter(socket: &Arc<UnixSocket>) -> Result<(), Errno> {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    SOCKETS.lock().insert(number, socket.clone())?;
    socket.number.store(number, Ordering::Relaxed);
    Ok(())
}

/// Takes it out.
pub(super) fn leave(socket: &UnixSocket) {
    let number = socket.number.swap(0, Ordering::Relaxed);
    let left = if number == 0 {
        None
    } else {
        SOCKETS.lock().remove(&number)
    };
    drop(left);
}

/// The next sockets from that number on, and their last number.
fn next(from: u64) -> Result<(Vec<Arc<UnixSocket>>, u64), Errno> {
    let mut sockets = fallible::with_room(STEP)?;
    let mut last = from;
    for (number, socket) in SOCKETS.lock().range(from..).take(STEP) {
        last = *number;
        sockets.try_push(socket.clone())?;
    }
    Ok((sockets, last))
}

/// Shows all of them: `line` is given the beginning of each line, and the name that ends it.
///
/// # Errors
/// `ENOMEM`.
pub fn show(line: &mut dyn FnMut(fmt::Arguments<'_>, &[u8])) -> Result<(), Errno> {
    let mut from = 0;
    loop {
        let (sockets, last) = next(from)?;
        for socket in &sockets {
            show_one(socket, line);
        }
        if sockets.len() < STEP {
            return Ok(());
        }
        from = last + 1;
        scheduler::cond_resched_killable()?;
    }
}

/// What is told of one socket.
pub struct UnixReport<'a> {
    /// `SOCK_*`.
    pub kind: u32,
    /// As `linux/tcp_states.h` counts.
    pub state: u8,
    /// The number of its inode, and of its peer's.
    pub inode: u64,
    /// See [`UnixReport::inode`].
    pub peer: Option<u64>,
    /// As it stands in an address; an abstract one begins with a NUL.
    pub name: Option<&'a [u8]>,
    /// Bytes to be read, and sent and not read; of a listening socket the connections that wait, and may wait.
    pub queues: [u32; 2],
    /// 1: nothing more is received. 2: nothing more is sent.
    pub shut: u8,
}

/// Calls `look` with what is told of each socket; no lock is held meanwhile.
///
/// # Errors
/// `ENOMEM`; `EINTR`: the process is to end.
pub fn visit(look: &mut dyn FnMut(&UnixReport<'_>)) -> Result<(), Errno> {
    let mut from = 0;
    loop {
        let (sockets, last) = next(from)?;
        for socket in &sockets {
            report(socket, look);
        }
        if sockets.len() < STEP {
            return Ok(());
        }
        from = last + 1;
        scheduler::cond_resched_killable()?;
    }
}

fn report(socket: &Arc<UnixSocket>, look: &mut dyn FnMut(&UnixReport<'_>)) {
    const ESTABLISHED: u8 = 1;
    const CLOSE: u8 = 7;
    const LISTEN: u8 = 10;
    let state = socket.lock();
    let (number, queues) = match state.connection {
        ConnectionState::Listening => (LISTEN, [state.connections.len() as u32, state.backlog]),
        ConnectionState::Connected => (ESTABLISHED, [state.unread as u32, 0]),
        _ => (CLOSE, [state.unread as u32, 0]),
    };
    let name = state.name.clone();
    let peer = state.peer.clone();
    let shut = u8::from(state.is_receive_shut) | u8::from(state.is_send_shut) << 1;
    drop(state);
    let bytes = name.as_ref().map(|name| name.bytes());
    look(&UnixReport {
        kind: socket.base.kind,
        state: number,
        inode: socket.base.inode.load(Ordering::Relaxed),
        peer: peer.as_ref().map(|peer| peer.base.inode.load(Ordering::Relaxed)),
        name: bytes,
        queues: match queues {
            [received, 0] => [received, socket.queued.load(Ordering::Relaxed)],
            queues => queues,
        },
        shut,
    });
}

fn show_one(socket: &Arc<UnixSocket>, line: &mut dyn FnMut(fmt::Arguments<'_>, &[u8])) {
    let state = socket.lock();
    let flags = if state.connection == ConnectionState::Listening {
        LISTENS
    } else {
        0
    };
    let connection = if state.connection == ConnectionState::Connected {
        CONNECTED
    } else {
        UNCONNECTED
    };
    let name = state.name.clone();
    drop(state);
    // Addresses of the kernel are nobody's business; references are those of its list and its file.
    let head = format_args!(
        "{:016x}: {:08X} {:08X} {:08X} {:04X} {:02X} {:5}{}",
        0,
        2,
        0,
        flags,
        socket.base.kind,
        connection,
        socket.base.inode.load(Ordering::Relaxed),
        name.as_ref().map_or("", |name| name.mark()),
    );
    line(head, name.as_ref().map_or(&[], |name| name.shown()));
}
