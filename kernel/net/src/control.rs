//! Control messages: cmsg(3).

use abi::Errno;
use abi::socket::CMsgHdr;
use abi::zerocopy::FromBytes;
use alloc::sync::Arc;
use alloc::vec::Vec;
use vfs::OpenFile;

/// Control messages begin at multiples of it.
const ALIGNMENT: usize = size_of::<u64>();
/// Bytes of the head of each.
pub const HEAD_LEN: usize = size_of::<CMsgHdr>();

/// Bytes of a control message, without those between it and the next.
pub const fn message_len(data: usize) -> usize {
    HEAD_LEN + data
}

/// Bytes from one control message to the next.
pub const fn message_space(data: usize) -> usize {
    HEAD_LEN + data.next_multiple_of(ALIGNMENT)
}

/// Where received control messages go. What finds no room sets `MSG_CTRUNC` for the program.
pub trait ControlSink {
    /// Puts a message, or as much of it as there is room for.
    fn put(&mut self, level: u32, kind: u32, data: &[u8]);

    /// Gives the program a descriptor for each file, as many as there is room for, and lets go of the others: `SCM_RIGHTS`.
    /// No lock may be held.
    fn put_files(&mut self, files: Vec<Arc<OpenFile>>);
}

/// Nobody asks for control messages: read(2).
pub struct NoControl;

impl ControlSink for NoControl {
    fn put(&mut self, _level: u32, _kind: u32, _data: &[u8]) {}

    fn put_files(&mut self, _files: Vec<Arc<OpenFile>>) {}
}

/// The control messages in `bytes`, each with its data; the last may be `EINVAL`: it is longer than what is left, or than no
/// head would be.
pub fn messages(bytes: &[u8]) -> impl Iterator<Item = Result<(CMsgHdr, &[u8]), Errno>> {
    let mut rest = bytes;
    core::iter::from_fn(move || {
        let (head, _) = CMsgHdr::read_from_prefix(rest).ok()?;
        let len = usize::try_from(head.len).unwrap_or(usize::MAX);
        let Some(data) = rest.get(HEAD_LEN..len) else {
            rest = &[];
            return Some(Err(Errno::EINVAL));
        };
        rest = rest.get(message_space(data.len())..).unwrap_or(&[]);
        Some(Ok((head, data)))
    })
}
