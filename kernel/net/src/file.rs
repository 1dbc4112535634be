//! Sockets as open files: sockfs, where socket(2) puts them, and reading and writing without the calls of sockets.

use abi::Errno;
use abi::file::{OpenFlags, S_IFSOCK};
use abi::process::Pid;
use abi::socket::{MessageFlags, SOCK_SEQPACKET};
use alloc::sync::{Arc, Weak};
use core::any::Any;
use core::sync::atomic::Ordering;
use memory::fallible;
use sched::shortage;
use spin::Once;
use uaccess::{Sink, Source};
use vfs::caller::Caller;
use vfs::file_ops::{FileOps, Io, Queues};
use vfs::file_owner::{HasOwner, Listeners};
use vfs::filesystem::{self, FileSystem};
use vfs::inode::{Attributes, Inode};
use vfs::special::SocketFile;
use vfs::super_block::SuperBlock;
use vfs::{Credentials, Dentry, FsContext, OpenFile};

use super::control::NoControl;
use super::request::{ProgramContext, ReceivedMessage, Request, SentMessage};
use super::socket_ops::SocketOps;

/// `st_dev` of sockets.
const DEVICE: u64 = 8;

/// What all sockets have in common.
struct SocketFs {
    super_block: Arc<SuperBlock>,
    inode_ops: Arc<SocketFile>,
}

static SOCKETS: Once<SocketFs> = Once::new();

/// sockfs.
struct SocketFsKind;

impl FileSystem for SocketFsKind {
    fn name(&self) -> &'static str {
        "sockfs"
    }

    fn magic(&self) -> u64 {
        0x534F_434B
    }

    fn mount(&'static self, _device: u64, _options: &[u8]) -> Result<Arc<Dentry>, Errno> {
        Err(Errno::ENODEV)
    }
}

/// Registers sockfs.
///
/// # Errors
/// `ENOMEM`.
pub fn register() -> Result<(), Errno> {
    filesystem::register(&SocketFsKind)
}

/// How many sockets there are.
pub fn count() -> u64 {
    SOCKETS
        .get()
        .map_or(0, |file_system| file_system.super_block.inode_count())
}

fn make_file_system() -> Result<SocketFs, Errno> {
    Ok(SocketFs {
        super_block: SuperBlock::new(&SocketFsKind, DEVICE, 0)?,
        inode_ops: fallible::arc(SocketFile)?,
    })
}

/// A socket as an open file, or one that is to become it. Dropped, it is closed.
pub struct Socket {
    ops: Arc<dyn SocketOps>,
}

impl Socket {
    /// That socket.
    pub fn new(ops: Arc<dyn SocketOps>) -> Self {
        Socket { ops }
    }

    /// What its family answers for it.
    #[inline]
    pub fn ops(&self) -> &Arc<dyn SocketOps> {
        &self.ops
    }
}

/// An open file of that socket, which is closed if that fails. `flags`: `O_NONBLOCK` or nothing.
///
/// # Errors
/// `ENOMEM`.
pub fn open(
    ops: Arc<dyn SocketOps>,
    credentials: &Credentials,
    flags: OpenFlags,
) -> Result<Arc<OpenFile>, Errno> {
    open_socket(Socket::new(ops), credentials, flags)
}

/// As [`open`].
///
/// # Errors
/// `ENOMEM`.
pub fn open_socket(
    socket: Socket,
    credentials: &Credentials,
    flags: OpenFlags,
) -> Result<Arc<OpenFile>, Errno> {
    let file_system = SOCKETS.try_call_once(make_file_system)?;
    let attributes = Attributes::new(0o777, credentials.fsuid, credentials.fsgid);
    // An accepted one is out of its queue: each step is tried again by itself where memory is short, and not the call.
    let inode = shortage::with_room(|| {
        let ops = file_system.inode_ops.clone();
        Inode::new(&file_system.super_block, S_IFSOCK, ops, attributes)
    })?;
    let base = socket.ops.base();
    base.inode.store(inode.number, Ordering::Relaxed);
    base.user.store(credentials.fsuid, Ordering::Relaxed);
    let dentry = shortage::with_room(|| {
        let name = fallible::text(format_args!("socket:[{}]", inode.number))?;
        Dentry::detached(name.as_bytes(), inode.clone())
    })?;
    let ops = shortage::with_room(fallible::arc_place)?.fill(|| socket);
    shortage::with_room(|| OpenFile::new(dentry.clone(), ops.clone(), flags | OpenFlags::O_RDWR))
}

/// The socket that is open.
///
/// # Errors
/// `ENOTSOCK`.
#[inline]
pub fn of(file: &OpenFile) -> Result<&Socket, Errno> {
    let ops: &dyn Any = file.ops();
    ops.downcast_ref().ok_or(Errno::ENOTSOCK)
}

/// read(2) and write(2) name no descriptors and no paths.
struct NoProgram;

impl ProgramContext for NoProgram {
    fn fs_context(&self) -> Result<Arc<FsContext>, Errno> {
        Err(Errno::ENOENT)
    }

    fn file(&self, _descriptor: i32) -> Result<Arc<OpenFile>, Errno> {
        Err(Errno::EBADF)
    }

    fn descriptor_limit(&self) -> usize {
        0
    }

    fn process_exists(&self, _id: Pid) -> bool {
        false
    }
}

/// `MSG_DONTWAIT` for a file that does not wait.
fn message_flags(io: &Io) -> MessageFlags {
    if io.is_nonblocking() {
        MessageFlags::MSG_DONTWAIT
    } else {
        MessageFlags::empty()
    }
}

impl FileOps for Socket {
    fn read(&self, io: &mut Io, to: &mut dyn Sink) -> Result<usize, Errno> {
        if to.room() == 0 {
            return Ok(0);
        }
        self.ops.receive(&mut ReceivedMessage {
            data: to,
            name: None,
            control: &mut NoControl,
            flags: message_flags(io),
            told: MessageFlags::empty(),
        })
    }

    fn write(&self, caller: &Caller<'_>, io: &mut Io, from: &mut dyn Source) -> Result<usize, Errno> {
        let request = Request {
            caller,
            program: &NoProgram,
            is_nonblocking: io.is_nonblocking(),
        };
        let mut flags = message_flags(io);
        if self.ops.base().kind == SOCK_SEQPACKET {
            flags |= MessageFlags::MSG_EOR;
        }
        self.ops.send(
            &request,
            &mut SentMessage {
                name: None,
                data: from,
                control: &[],
                flags,
            },
        )
    }

    fn poll(&self) -> i16 {
        self.ops.poll()
    }

    fn queues(&self) -> Queues<'_> {
        self.ops.queues()
    }

    fn listeners(&self) -> [Option<&Listeners>; 2] {
        self.ops.listeners()
    }

    fn note_owned(&self, file: Weak<dyn HasOwner>) {
        self.ops.base().note_owned(file);
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.ops.close();
    }
}
