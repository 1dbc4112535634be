//! What goes along with a message: descriptors and credentials (unix(7), "Ancillary messages").

use abi::Errno;
use abi::capability::{CAP_SETGID, CAP_SETUID, CAP_SYS_ADMIN};
use abi::socket::option::{SO_PASSCRED, SOL_SOCKET};
use abi::socket::{SCM_CREDENTIALS, SCM_MAX_FD, SCM_RIGHTS, UCred};
use abi::zerocopy::{FromBytes, IntoBytes};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use memory::fallible::TryVec;
use vfs::OpenFile;

use super::socket::UnixSocket;
use crate::control;
use crate::request::{ReceivedMessage, Request, SentMessage};

/// The user and group of a message whose sender nobody asked for.
const NOBODY: u32 = 65534;
/// An id that stands for none.
const NO_ID: u32 = u32::MAX;

/// What a program wants to go along.
#[derive(Default)]
pub(super) struct Ancillary {
    pub(super) files: Vec<Arc<OpenFile>>,
    pub(super) credentials: Option<UCred>,
}

impl Ancillary {
    /// What the control messages say.
    ///
    /// # Errors
    /// `EINVAL`: what none is. `EBADF`: a descriptor among them. `EPERM`: not who the program says that it is. `ESRCH`: no such
    /// process. `ENOMEM`.
    #[inline]
    pub(super) fn of(request: &Request<'_>, message: &SentMessage<'_>) -> Result<Self, Errno> {
        let mut ancillary = Ancillary::default();
        if !message.control.is_empty() {
            ancillary.read(request, message.control)?;
        }
        Ok(ancillary)
    }

    #[cold]
    fn read(&mut self, request: &Request<'_>, bytes: &[u8]) -> Result<(), Errno> {
        for message in control::messages(bytes) {
            let (head, data) = message?;
            match (head.level, head.kind) {
                (SOL_SOCKET, SCM_RIGHTS) => self.add_files(request, data)?,
                (SOL_SOCKET, SCM_CREDENTIALS) => {
                    let who = UCred::read_from_bytes(data).map_err(|_| Errno::EINVAL)?;
                    check(request, &who)?;
                    self.credentials = Some(who);
                }
                (SOL_SOCKET, _) => return Err(Errno::EINVAL),
                _ => {}
            }
        }
        Ok(())
    }

    fn add_files(&mut self, request: &Request<'_>, data: &[u8]) -> Result<(), Errno> {
        let descriptors = data.as_chunks::<4>().0;
        if self.files.len() + descriptors.len() > SCM_MAX_FD {
            return Err(Errno::EINVAL);
        }
        for descriptor in descriptors {
            let descriptor = i32::from_ne_bytes(*descriptor);
            self.files.try_push(request.program.file(descriptor)?)?;
        }
        Ok(())
    }

    /// Says who sends, if one of both sides wants to know and the program has not said it.
    #[inline]
    pub(super) fn add_credentials(&mut self, request: &Request<'_>, from: &UnixSocket, to: &UnixSocket) {
        let is_wanted =
            |socket: &UnixSocket| socket.base.is_on(SO_PASSCRED) || socket.is_embryo.load(Ordering::Relaxed);
        if self.credentials.is_none() && (is_wanted(from) || is_wanted(to)) {
            let credentials = request.caller.credentials();
            self.credentials = Some(UCred {
                pid: request.caller.process_id(),
                uid: credentials.uid,
                gid: credentials.gid,
            });
        }
    }
}

/// Whether the program may say that it is that one.
///
/// # Errors
/// `EINVAL`: an id that stands for none. `EPERM`. `ESRCH`: no such process.
fn check(request: &Request<'_>, who: &UCred) -> Result<(), Errno> {
    if who.uid == NO_ID || who.gid == NO_ID {
        return Err(Errno::EINVAL);
    }
    let own = request.caller.credentials();
    let is_self = who.pid == request.caller.process_id();
    let is_allowed = (is_self || own.can(CAP_SYS_ADMIN))
        && (own.has_user(who.uid) || own.can(CAP_SETUID))
        && (own.has_group(who.gid) || own.can(CAP_SETGID));
    if !is_allowed {
        return Err(Errno::EPERM);
    }
    if is_self || request.program.process_exists(who.pid) {
        Ok(())
    } else {
        Err(Errno::ESRCH)
    }
}

/// Gives a program what came along: who sent it, if it asks for that, and descriptors.
pub(super) fn deliver(
    socket: &UnixSocket,
    message: &mut ReceivedMessage<'_>,
    credentials: Option<UCred>,
    files: Vec<Arc<OpenFile>>,
) {
    if socket.base.is_on(SO_PASSCRED) {
        let who = credentials.unwrap_or(UCred {
            pid: 0,
            uid: NOBODY,
            gid: NOBODY,
        });
        message.control.put(SOL_SOCKET, SCM_CREDENTIALS, who.as_bytes());
    }
    if !files.is_empty() {
        message.control.put_files(files);
    }
}
