//! The bytes of a pipe as pages that come and go whole, or in pieces: for `splice`.

use memory::FrameHandle;
use mm::PAGE_SIZE;

use super::frames::{FramePiece, PAGES};
use super::slots::Part;
use super::{PipeState, WRITER_AWAY, page_start};

impl PipeState {
    /// How many pages can be begun.
    pub(super) fn fresh_pages(&self) -> usize {
        let tail = if self.len() == 0 {
            page_start(self.tail)
        } else {
            self.tail
        };
        self.end.saturating_sub(tail.next_multiple_of(PAGE_SIZE as u64)) as usize / PAGE_SIZE
    }

    /// Puts a frame with bytes behind all others; what stood at its place. There is room, and parts are allowed.
    pub(super) fn push_page(&mut self, frame: FrameHandle, part: Part) -> Option<FrameHandle> {
        let begun = self.begin_packet();
        debug_assert!(begun.is_ok(), "parts are allowed: there was memory for it");
        let replaced = self.slots.place(self.tail).replace(frame);
        self.tail += part.len as u64;
        if part.is_packet {
            self.end_page(part);
        }
        replaced
    }

    /// Whether the `len` bytes from that one on are all of a page, which no writer that is away goes on in.
    pub(super) fn is_page_of_its_own(&self, at: u64, len: usize) -> bool {
        let is_whole = at == page_start(at) && len == self.front_at(at).0;
        let may_grow = self.special & WRITER_AWAY != 0 && at + len as u64 == self.tail;
        is_whole && !may_grow
    }

    /// A page that begins with those bytes, which lie in one page; `None`: there is no memory.
    pub(super) fn copy_of(&self, at: u64, len: usize) -> Option<FrameHandle> {
        let from = self.slots.get(at)?.frame();
        let copy = FrameHandle::allocate().ok()?;
        platform::frame::copy((from, at as usize % PAGE_SIZE), (copy.frame(), 0), len);
        Some(copy)
    }

    /// The number of the byte that comes behind `len` others of one page.
    pub(super) fn position_behind(&self, at: u64, len: usize) -> u64 {
        let (rest, part) = self.front_at(at);
        if part.is_some() && len == rest {
            page_start(at) + PAGE_SIZE as u64
        } else {
            at + len as u64
        }
    }

    /// Of the next bytes: how many lie in one page, and what is said of it.
    pub(super) fn front(&self) -> (usize, Option<Part>) {
        self.front_at(self.head)
    }

    pub(super) fn front_at(&self, position: u64) -> (usize, Option<Part>) {
        let offset = position as usize % PAGE_SIZE;
        let part = self.slots.part(position);
        let len = match part {
            Some(part) => part.len - offset,
            None => ((self.tail - position) as usize).min(PAGE_SIZE - offset),
        };
        (len, part)
    }

    /// The first bytes, `most` of them, or those of one packet; in how many pieces.
    pub(super) fn pieces(&self, most: usize, into: &mut [FramePiece; PAGES]) -> usize {
        let (mut position, mut left, mut count) = (self.head, most, 0);
        while left > 0 && position < self.tail && count < PAGES {
            let (len, part) = self.front_at(position);
            let is_packet = part.is_some_and(|part| part.is_packet);
            let Some(frame) = self.slots.get(position).filter(|_| count == 0 || !is_packet) else {
                break;
            };
            let len = len.min(left);
            into[count] = FramePiece {
                frame: frame.frame(),
                offset: position as usize % PAGE_SIZE,
                len,
            };
            count += 1;
            left -= len;
            position = self.position_behind(position, len);
            if is_packet {
                break;
            }
        }
        count
    }

    /// The next `len` bytes, all of one page, were read. Gives back a frame that is no longer needed.
    pub(super) fn advance(&mut self, len: usize) -> Option<FrameHandle> {
        let (rest, part) = self.front();
        let read = self.head;
        if part.is_some() && len == rest {
            return self.leave_part(read);
        }
        self.consume(len)
    }
}
