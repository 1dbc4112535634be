//! Who asks for something of a socket, and the messages that are asked to be sent or received.

use abi::Errno;
use abi::process::Pid;
use abi::socket::MessageFlags;
use alloc::sync::Arc;
use uaccess::{Sink, Source};
use vfs::caller::Caller;
use vfs::{FsContext, OpenFile};

use super::address::Address;
use super::control::ControlSink;

/// What a family asks about the program that makes a request.
pub trait ProgramContext {
    /// Where its paths begin.
    ///
    /// # Errors
    /// `ENOMEM`.
    fn fs_context(&self) -> Result<Arc<FsContext>, Errno>;

    /// The open file of a descriptor.
    ///
    /// # Errors
    /// `EBADF`.
    fn file(&self, descriptor: i32) -> Result<Arc<OpenFile>, Errno>;

    /// How many descriptors its process may have: `RLIMIT_NOFILE`.
    fn descriptor_limit(&self) -> usize;

    /// Whether there is such a process.
    fn process_exists(&self, id: Pid) -> bool;
}

/// One request.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// By which rights it is made; a failure that brings a signal goes back by it.
    pub caller: &'a Caller<'a>,
    /// Which program makes it.
    pub program: &'a dyn ProgramContext,
    /// `EAGAIN`, or `EINPROGRESS`, instead of waiting: for connect(2) and accept(2). Messages say it by `MSG_DONTWAIT`.
    pub is_nonblocking: bool,
}

/// A message to be sent.
pub struct SentMessage<'a> {
    /// Where to; `None`: to the peer.
    pub name: Option<&'a [u8]>,
    /// Its bytes. No lock may be held when they are taken.
    pub data: &'a mut dyn Source,
    /// Control messages, as they stood in the program's memory: [`control::messages`](super::control::messages).
    pub control: &'a [u8],
    /// How: send(2). `MSG_DONTWAIT` is among them if the file is `O_NONBLOCK`.
    pub flags: MessageFlags,
}

/// A message to be received.
pub struct ReceivedMessage<'a> {
    /// Where its bytes go. No lock may be held when they are put.
    pub data: &'a mut dyn Sink,
    /// Who sent it, if that is wanted: it comes empty, and stays so where nobody is known.
    pub name: Option<&'a mut Address>,
    /// Where its control messages go.
    pub control: &'a mut dyn ControlSink,
    /// How: recv(2). `MSG_DONTWAIT` is among them if the file is `O_NONBLOCK`.
    pub flags: MessageFlags,
    /// What is said of it: `MSG_TRUNC`, `MSG_EOR`, `MSG_OOB`. Comes empty.
    pub told: MessageFlags,
}
