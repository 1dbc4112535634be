//! Messages that wait in a socket: their bytes, copied from the sender's memory before a lock is taken; who sent them; descriptors.

use abi::Errno;
use abi::socket::UCred;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use memory::{FrameHandle, fallible};
use mm::PAGE_SIZE;
use uaccess::{Sink, Source};

use super::rights::Rights;
use super::socket::UnixSocket;
use crate::settings::MESSAGE_COST;

/// So many bytes lie in the heap; more of them in frames.
const MOST_SMALL: usize = 1024;
/// Units of the heap.
const UNIT: usize = 64;

/// The bytes of a message.
pub(super) enum Data {
    /// Some.
    Small(Vec<u8>),
    /// Many: all frames but the last are full.
    Pages(Vec<FrameHandle>),
}

impl Data {
    /// No bytes.
    pub(super) const fn empty() -> Self {
        Data::Small(Vec::new())
    }

    /// `len` bytes of `from`; if there are fewer, how many is answered too.
    ///
    /// # Errors
    /// `ENOMEM`. Those of the source: of the first byte that could not be had.
    pub(super) fn take(from: &mut dyn Source, len: usize) -> Result<Self, Errno> {
        if len <= MOST_SMALL {
            let mut bytes = fallible::filled(len, 0)?;
            take_all(len, |done| from.take(&mut bytes[done..]))?;
            return Ok(Data::Small(bytes));
        }
        let mut pages = fallible::with_room(len.div_ceil(PAGE_SIZE))?;
        for start in (0..len).step_by(PAGE_SIZE) {
            let page = FrameHandle::allocate().map_err(|_| Errno::ENOMEM)?;
            let part = (len - start).min(PAGE_SIZE);
            take_all(part, |done| from.take_into_frame(page.frame(), done, part - done))?;
            platform::heap::push_within_capacity(&mut pages, page);
        }
        Ok(Data::Pages(pages))
    }

    /// Puts bytes `start..start + len`; how many.
    ///
    /// # Errors
    /// Those of the sink, of the first byte.
    pub(super) fn put(&self, to: &mut dyn Sink, start: usize, len: usize) -> Result<usize, Errno> {
        match self {
            Data::Small(bytes) => to.put(&bytes[start..start + len]),
            Data::Pages(pages) => put_pages(pages, to, start, len),
        }
    }

    /// The same bytes for one who only looks.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(super) fn share(&self) -> Result<Self, Errno> {
        match self {
            Data::Small(bytes) => fallible::bytes(bytes).map(Data::Small),
            Data::Pages(pages) => fallible::collect(pages.iter().cloned()).map(Data::Pages),
        }
    }

    /// What it costs beside the message itself.
    fn cost(len: usize) -> usize {
        if len <= MOST_SMALL {
            len.next_multiple_of(UNIT)
        } else {
            len.next_multiple_of(PAGE_SIZE)
        }
    }
}

fn take_all(len: usize, mut take: impl FnMut(usize) -> Result<usize, Errno>) -> Result<(), Errno> {
    let mut done = 0;
    while done < len {
        match take(done)? {
            0 => return Err(Errno::EFAULT),
            more => done += more,
        }
    }
    Ok(())
}

fn put_pages(pages: &[FrameHandle], to: &mut dyn Sink, start: usize, len: usize) -> Result<usize, Errno> {
    let mut done = 0;
    while done < len {
        let at = start + done;
        let offset = at % PAGE_SIZE;
        let part = (len - done).min(PAGE_SIZE - offset);
        let Some(page) = pages.get(at / PAGE_SIZE) else {
            break;
        };
        match to.put_frame(page.frame(), offset, part) {
            Err(error) if done == 0 => return Err(error),
            Ok(put) if put == part => done += put,
            Ok(put) => return Ok(done + put),
            Err(_) => break,
        }
    }
    Ok(done)
}

/// What a message takes of its sender's room for as long as it waits.
pub(super) struct Charge {
    /// Who sent it.
    pub(super) sender: Arc<UnixSocket>,
    cost: u32,
}

impl Charge {
    /// Takes the room that a message of `len` bytes needs.
    pub(super) fn new(sender: Arc<UnixSocket>, len: usize) -> Self {
        let cost = MESSAGE_COST + Data::cost(len) as u32;
        sender.queued.fetch_add(cost, Ordering::Relaxed);
        Charge { sender, cost }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        let before = self.sender.queued.fetch_sub(self.cost, Ordering::SeqCst);
        self.sender.note_room(before, before - self.cost);
    }
}

/// A message.
pub(super) struct Message {
    /// Its bytes. They are out of it while a reader copies them.
    pub(super) data: Data,
    /// How many bytes it was sent with.
    pub(super) len: usize,
    /// The first that was not read.
    pub(super) start: usize,
    /// Who sent it.
    pub(super) charge: Charge,
    /// As whom, if that was of interest when it was sent.
    pub(super) credentials: Option<UCred>,
    /// Descriptors.
    pub(super) rights: Option<Rights>,
}

impl Message {
    /// Bytes that were not read.
    #[inline]
    pub(super) fn left(&self) -> usize {
        self.len - self.start
    }
}
