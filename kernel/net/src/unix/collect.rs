//! Collection of sockets that only messages hold, and only messages that nobody can receive: `net/unix/garbage.c` of Linux.
//!
//! A socket in flight whose open file has as many references as there are messages with it has no descriptor. It can still be
//! received if one of those messages stands in the queue of a socket that has one, or that can itself be received. What is left
//! is garbage, and stays it: nobody can reach it to change that.
//!
//! The registry's lock is released now and then. If anything changed meanwhile all begins anew, a few times; then a thread of the
//! kernel's own tries again ([`collector`]), and so it does for one who finds somebody else at it.

use abi::Errno;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};
use memory::fallible::{self, TryVec};
use sched::scheduler;
use vfs::OpenFile;

use super::collector;
use super::rights::{REGISTRY, Registry, Rights, socket_of};
use super::socket::UnixSocket;

/// Entries looked at under one hold of the lock.
const STEP: usize = 64;
/// Messages looked at under one hold of the lock: many, as chains among them are followed at once.
const EDGE_STEP: usize = 1024;
/// How often it begins anew.
const ATTEMPTS: usize = 4;

/// Somebody collects.
pub(super) static IS_RUNNING: AtomicBool = AtomicBool::new(false);

/// Something changed, or there is no memory.
struct Disturbed;

impl From<Errno> for Disturbed {
    fn from(_: Errno) -> Self {
        Disturbed
    }
}

/// Finds garbage and lets go of what it holds, or leaves that to the thread.
pub(super) fn collect() {
    if !try_collect() {
        collector::want();
    }
}

/// As [`collect`]; `false` if it was disturbed each time, or somebody else is at it, who may have looked already.
pub(super) fn try_collect() -> bool {
    if IS_RUNNING.swap(true, Ordering::Acquire) {
        return false;
    }
    let garbage = (0..ATTEMPTS).find_map(|_| find().ok());
    IS_RUNNING.store(false, Ordering::Release);
    let is_whole = garbage.is_some();
    for file in garbage.into_iter().flatten() {
        if let Some(socket) = socket_of(&file) {
            empty(socket);
        }
        drop(file);
        scheduler::cond_resched();
    }
    is_whole
}

/// The open files of all garbage.
fn find() -> Result<Vec<Arc<OpenFile>>, Disturbed> {
    let changes = REGISTRY.lock().changes;
    mark_open(changes)?;
    while mark_further(changes)? {}
    take_unmarked(changes)
}

/// Does `step` under the lock, with the first key that it is to look at, until it says that there is none.
fn in_steps(
    changes: u64,
    mut step: impl FnMut(&mut Registry, u64) -> Result<Option<u64>, Disturbed>,
) -> Result<(), Disturbed> {
    let mut next = Some(0);
    while let Some(from) = next {
        let mut registry = REGISTRY.lock();
        if registry.changes != changes {
            return Err(Disturbed);
        }
        let made = step(&mut registry, from);
        drop(registry);
        next = made?;
        scheduler::cond_resched();
    }
    Ok(())
}

/// The keys of the next sockets, and from where on there are more.
fn next_sockets(registry: &Registry, from: u64) -> Result<(Vec<usize>, Option<u64>), Disturbed> {
    let mut keys = fallible::with_room(STEP)?;
    for (key, _) in registry.sockets.range(from as usize..).take(STEP) {
        keys.try_push(*key)?;
    }
    let next = keys
        .last()
        .filter(|_| keys.len() == STEP)
        .map(|last| *last as u64 + 1);
    Ok((keys, next))
}

/// Marks those who have a descriptor, or are in use by a call.
fn mark_open(changes: u64) -> Result<(), Disturbed> {
    in_steps(changes, |registry, from| {
        let (keys, next) = next_sockets(registry, from)?;
        for key in keys {
            if let Some(socket) = registry.sockets.get_mut(&key) {
                socket.is_reachable = socket.file.strong_count() > socket.count;
            }
        }
        Ok(next)
    })
}

/// Marks those who stand in the queue of one that can be reached; whether there was one.
fn mark_further(changes: u64) -> Result<bool, Disturbed> {
    let mut has_marked = false;
    in_steps(changes, |registry, from| {
        let mut found = fallible::with_room(EDGE_STEP)?;
        let mut last = None;
        for (number, edge) in registry.edges.range(from..).take(EDGE_STEP) {
            last = Some(*number);
            found.try_push((queue_of(&edge.holder), edge.target))?;
        }
        // Chains mostly go one way or the other.
        for (holder, target) in found.iter().chain(found.iter().rev()) {
            has_marked |= registry.mark(*holder, *target);
        }
        let is_full = found.len() == EDGE_STEP;
        Ok(last.filter(|_| is_full).map(|last| last + 1))
    })?;
    Ok(has_marked)
}

impl Registry {
    /// Marks a socket in the queue of another if that one can be reached; whether it was not marked before.
    fn mark(&mut self, holder: usize, target: usize) -> bool {
        let holder = self.sockets.get(&holder);
        if holder.is_some_and(|holder| !holder.is_reachable) {
            return false;
        }
        match self.sockets.get_mut(&target) {
            Some(target) => !core::mem::replace(&mut target.is_reachable, true),
            None => false,
        }
    }
}

/// The socket that must be reached for that one's queue to be read: itself, or the one that listens.
fn queue_of(holder: &UnixSocket) -> usize {
    match holder.listener.load(Ordering::SeqCst) {
        0 => holder.address(),
        listener => listener,
    }
}

/// Those who are not marked.
fn take_unmarked(changes: u64) -> Result<Vec<Arc<OpenFile>>, Disturbed> {
    let mut garbage = Vec::new();
    in_steps(changes, |registry, from| {
        let (keys, next) = next_sockets(registry, from)?;
        for key in keys {
            if let Some(socket) = registry.sockets.get(&key)
                && !socket.is_reachable
                && let Some(file) = socket.file.upgrade()
            {
                garbage.try_push(file)?;
            }
        }
        Ok(next)
    })?;
    Ok(garbage)
}

/// Takes the descriptors out of what waits in a socket, and in those that wait to be accepted there.
fn empty(socket: &UnixSocket) {
    take_rights(socket);
    let mut index = 0;
    loop {
        let connection = socket.lock().connections.get(index).cloned();
        let Some(connection) = connection else {
            return;
        };
        take_rights(&connection);
        index += 1;
        scheduler::cond_resched();
    }
}

fn take_rights(socket: &UnixSocket) {
    while let Some(rights) = first_rights(socket) {
        drop(rights);
        scheduler::cond_resched();
    }
}

/// The first descriptors that wait there.
fn first_rights(socket: &UnixSocket) -> Option<Rights> {
    let mut state = socket.lock();
    let mut first = None;
    state.messages.for_each_mut(|message| {
        if first.is_none() {
            first = message.rights.take();
        }
    });
    first
}
