//! Names: unix(7), "Address format". Who has which is kept here by name, for abstract ones, and by inode, for those in the file tree.

use abi::Errno;
use abi::file::{AccessFlags, S_IFSOCK};
use abi::socket::{AF_UNIX, UNIX_PATH_MAX};
use alloc::sync::Arc;
use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering};
use lock::Mutex;
use memory::fallible;
use memory::fallible::map::Map;
use vfs::inode_ops::NewFile;
use vfs::path_lookup::{LastComponent, LookupResult};
use vfs::tree;
use vfs::{Dentry, FsContext, LastLink, LookupContext, Subject};

use super::socket::UnixSocket;
use crate::address::Address;
use crate::request::Request;

/// Bytes of the family in an address.
const FAMILY_LEN: usize = 2;
/// Names that a socket is given when it wants any: five digits of the base 16.
const NAMES: u32 = 1 << 20;

/// The name of a socket.
pub(super) struct UnixName {
    /// As getsockname(2) gives it.
    pub(super) address: Address,
    place: NamePlace,
}

impl UnixName {
    /// What stands in front of it where it is shown.
    pub(super) fn mark(&self) -> &'static str {
        match self.place {
            NamePlace::Abstract(_) => " @",
            NamePlace::Path(_) => " ",
        }
    }

    /// As it stands in an address, without the NUL behind a path.
    pub(super) fn bytes(&self) -> &[u8] {
        let bytes = &self.address.bytes()[FAMILY_LEN..];
        match self.place {
            NamePlace::Abstract(_) => bytes,
            NamePlace::Path(_) => &bytes[..bytes.len() - 1],
        }
    }

    /// As it is shown: without the NUL in front of it, or behind it.
    pub(super) fn shown(&self) -> &[u8] {
        let bytes = &self.address.bytes()[FAMILY_LEN..];
        match self.place {
            NamePlace::Abstract(_) => &bytes[1..],
            NamePlace::Path(_) => &bytes[..bytes.len() - 1],
        }
    }
}

/// Where it is kept.
enum NamePlace {
    Abstract(AbstractKey),
    Path(Arc<Dentry>),
}

/// The type of the socket, and the bytes behind the NUL. A stream and a datagram socket may have one name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct AbstractKey(u32, Arc<[u8; UNIX_PATH_MAX]>, usize);

struct Names {
    bound: Map<AbstractKey, Arc<UnixSocket>>,
    /// By the address of the inode, which the name keeps.
    inodes: Map<usize, Arc<UnixSocket>>,
}

static NAMES_IN_USE: Mutex<Names> = Mutex::new(Names {
    bound: Map::new(),
    inodes: Map::new(),
});

/// What an address of a program means.
pub(super) enum Meaning<'a> {
    /// Any abstract name: the family alone.
    Any,
    /// An abstract name: the bytes behind the NUL.
    Abstract(&'a [u8]),
    /// A path.
    Path(&'a [u8]),
}

/// What the bytes of an address mean.
///
/// # Errors
/// `EINVAL`: too few, too many, or another family's.
pub(super) fn decode(address: &[u8]) -> Result<Meaning<'_>, Errno> {
    if Address::family_of(address) != Some(AF_UNIX) || address.len() > FAMILY_LEN + UNIX_PATH_MAX {
        return Err(Errno::EINVAL);
    }
    let name = &address[FAMILY_LEN..];
    match name.first() {
        None => Ok(Meaning::Any),
        Some(0) => Ok(Meaning::Abstract(&name[1..])),
        Some(_) => {
            let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
            Ok(Meaning::Path(&name[..end]))
        }
    }
}

/// The address of a socket without a name.
pub(super) fn unnamed() -> Result<Address, Errno> {
    Address::of(&[&(AF_UNIX as u16).to_ne_bytes()])
}

fn address_of(parts: [&[u8]; 2]) -> Result<Address, Errno> {
    Address::of(&[&(AF_UNIX as u16).to_ne_bytes(), parts[0], parts[1]])
}

/// Gives the socket a name. The caller keeps others from naming it meanwhile.
///
/// # Errors
/// `EINVAL`: it has one, or the address is none. `EADDRINUSE`: another has it. `ENOSPC`: all names are taken. Those of paths.
pub(super) fn bind(socket: &Arc<UnixSocket>, request: &Request<'_>, address: &[u8]) -> Result<(), Errno> {
    match decode(address)? {
        Meaning::Any => bind_any(socket),
        Meaning::Abstract(name) => bind_abstract(socket, name),
        Meaning::Path(path) => bind_path(socket, request, path),
    }
}

fn key_of(kind: u32, name: &[u8]) -> Result<AbstractKey, Errno> {
    let mut bytes = [0; UNIX_PATH_MAX];
    bytes
        .get_mut(..name.len())
        .ok_or(Errno::EINVAL)?
        .copy_from_slice(name);
    Ok(AbstractKey(kind, fallible::arc(bytes)?, name.len()))
}

fn bind_abstract(socket: &Arc<UnixSocket>, name: &[u8]) -> Result<(), Errno> {
    if socket.has_name() {
        return Err(Errno::EINVAL);
    }
    let key = key_of(socket.base.kind, name)?;
    let name = fallible::arc(UnixName {
        address: address_of([&[0], name])?,
        place: NamePlace::Abstract(key.clone()),
    })?;
    let mut names = NAMES_IN_USE.lock();
    if names.bound.contains_key(&key) {
        return Err(Errno::EADDRINUSE);
    }
    names.bound.insert(key, socket.clone())?;
    drop(names);
    socket.set_name(name);
    Ok(())
}

/// Gives the socket an abstract name that nobody has, unless it has a name.
///
/// # Errors
/// `ENOSPC`: all are taken. `ENOMEM`.
pub(super) fn bind_any(socket: &Arc<UnixSocket>) -> Result<(), Errno> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    if socket.has_name() {
        return Ok(());
    }
    for _ in 0..NAMES {
        let number = NEXT.fetch_add(1, Ordering::Relaxed) % NAMES;
        let digit = |place: u32| b"0123456789abcdef"[(number >> (4 * place) & 15) as usize];
        match bind_abstract(socket, &[digit(4), digit(3), digit(2), digit(1), digit(0)]) {
            Err(Errno::EADDRINUSE) => sched::scheduler::cond_resched_killable()?,
            other => return other,
        }
    }
    Err(Errno::ENOSPC)
}

/// Does `work` with where the paths of the program begin.
fn with_lookup<R>(
    request: &Request<'_>,
    work: impl FnOnce(&LookupContext<'_>, &FsContext) -> Result<R, Errno>,
) -> Result<R, Errno> {
    let fs_context = request.program.fs_context()?;
    let subject = Subject::of(request.caller);
    work(&LookupContext::current(&fs_context, subject), &fs_context)
}

fn bind_path(socket: &Arc<UnixSocket>, request: &Request<'_>, path: &[u8]) -> Result<(), Errno> {
    let (end, dentry, subject) = with_lookup(request, |context, fs_context| {
        let end = context.lookup().walk(path, LastLink::Keep)?;
        check_free(&end)?;
        let mode = 0o777 & !fs_context.umask;
        let made = tree::create(&end.directory, &end.name, NewFile::Socket, mode, &context.subject);
        let dentry = made.map_err(|error| match error {
            Errno::EEXIST => Errno::EADDRINUSE,
            other => other,
        })?;
        Ok((end, dentry, context.subject.clone()))
    })?;
    name_by_inode(socket, path, &dentry).inspect_err(|_| {
        // What was made is removed; who removed it meanwhile has done so.
        let end = LookupResult {
            entry: Some(dentry),
            ..end
        };
        let _gone = tree::unlink(&end, &subject);
    })
}

/// A name can be made there: nothing stands there, and no slash follows.
fn check_free(end: &LookupResult) -> Result<(), Errno> {
    if end.entry.is_some() || end.last != LastComponent::Name {
        return Err(Errno::EADDRINUSE);
    }
    if end.has_trailing_slash {
        return Err(Errno::ENOENT);
    }
    Ok(())
}

fn name_by_inode(socket: &Arc<UnixSocket>, path: &[u8], dentry: &Arc<Dentry>) -> Result<(), Errno> {
    if socket.has_name() {
        return Err(Errno::EINVAL);
    }
    // The NUL counts; a path without room for it has it all the same.
    let name = fallible::arc(UnixName {
        address: address_of([path, &[0]])?,
        place: NamePlace::Path(dentry.clone()),
    })?;
    let key = Arc::as_ptr(&dentry.inode).addr();
    NAMES_IN_USE.lock().inodes.insert(key, socket.clone())?;
    socket.set_name(name);
    Ok(())
}

/// Nobody finds the socket by that name any more. One that was accepted shares the name of another.
pub(super) fn unbind(name: &UnixName, socket: &UnixSocket) {
    let is_own = |found: Option<&Arc<UnixSocket>>| found.is_some_and(|found| ptr::eq(&**found, socket));
    let mut names = NAMES_IN_USE.lock();
    let removed = match &name.place {
        NamePlace::Abstract(key) if is_own(names.bound.get(key)) => names.bound.remove(key),
        NamePlace::Path(dentry) => {
            let key = Arc::as_ptr(&dentry.inode).addr();
            if is_own(names.inodes.get(&key)) {
                names.inodes.remove(&key)
            } else {
                None
            }
        }
        NamePlace::Abstract(_) => None,
    };
    drop(names);
    drop(removed);
}

/// The socket of that type that has the name.
///
/// # Errors
/// `EINVAL`: no address. `ECONNREFUSED`: nobody has it. `EPROTOTYPE`: one of another type has it. `EACCES` and others of paths.
pub(super) fn find(request: &Request<'_>, address: &[u8], kind: u32) -> Result<Arc<UnixSocket>, Errno> {
    match decode(address)? {
        Meaning::Any => Err(Errno::EINVAL),
        Meaning::Abstract(name) => {
            let key = key_of(kind, name)?;
            let found = NAMES_IN_USE.lock().bound.get(&key).cloned();
            found.ok_or(Errno::ECONNREFUSED)
        }
        Meaning::Path(path) => find_by_path(request, path, kind),
    }
}

fn find_by_path(request: &Request<'_>, path: &[u8], kind: u32) -> Result<Arc<UnixSocket>, Errno> {
    let dentry = with_lookup(request, |context, _| {
        let dentry = context.lookup().find(path, LastLink::Follow)?;
        context.subject.check(&dentry.inode, AccessFlags::W_OK)?;
        Ok(dentry)
    })?;
    if dentry.inode.kind() != S_IFSOCK {
        return Err(Errno::ECONNREFUSED);
    }
    let key = Arc::as_ptr(&dentry.inode).addr();
    let found = NAMES_IN_USE.lock().inodes.get(&key).cloned();
    let socket = found.ok_or(Errno::ECONNREFUSED)?;
    if socket.base.kind != kind {
        return Err(Errno::EPROTOTYPE);
    }
    dentry.inode.note_accessed();
    Ok(socket)
}
