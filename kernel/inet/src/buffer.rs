//! Buffers of connections. They are made when a connection is, and all of them together have a part of memory at most.

use abi::Errno;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};
use memory::fallible;

/// The least and the most bytes of one buffer, whatever a program asks for.
const LEAST: usize = 2048;
const MOST: usize = 4 << 20;
/// The part of memory that all buffers may take: an eighth (as net.ipv4.tcp_mem of Linux).
const PART: u64 = 8;

/// Bytes of all buffers.
static USED: AtomicUsize = AtomicUsize::new(0);

/// A buffer for what is received, and one for what is sent.
///
/// # Errors
/// `ENOBUFS`: all connections together have as much as they may. `ENOMEM`.
pub(crate) fn take_pair(received: usize, sent: usize) -> Result<(Vec<u8>, Vec<u8>), Errno> {
    let (received, sent) = (received.clamp(LEAST, MOST), sent.clamp(LEAST, MOST));
    let bytes = received + sent;
    if USED.fetch_add(bytes, Ordering::Relaxed) + bytes > limit() {
        note_freed(bytes);
        return Err(Errno::ENOBUFS);
    }
    let pair = fallible::filled(received, 0).and_then(|first| Ok((first, fallible::filled(sent, 0)?)));
    if pair.is_err() {
        note_freed(bytes);
    }
    pair
}

/// So many bytes of buffers were freed.
pub(crate) fn note_freed(bytes: usize) {
    USED.fetch_sub(bytes, Ordering::Relaxed);
}

/// Whether more than half of what they may have is used: nobody lingers then behind its last descriptor.
pub(crate) fn is_scarce() -> bool {
    used() > limit() / 2
}

/// Bytes of all buffers.
pub(crate) fn used() -> usize {
    USED.load(Ordering::Relaxed)
}

fn limit() -> usize {
    (platform::memory::ram_bytes() / PART) as usize
}
