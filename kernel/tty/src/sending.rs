//! Output on its way to the line: what programs and the echo have written waits here while output is stopped, and until it is
//! sent. Whoever puts something in sends it, unless somebody else is at it, who then sends that too.

use abi::Errno;
use alloc::boxed::Box;
use memory::fallible;

use super::{Terminal, TerminalState};

/// Bytes that wait at most; a power of two.
const CAPACITY: usize = 1024;
/// poll(2) calls the terminal writable while fewer wait: `WAKEUP_CHARS`.
const WRITABLE_BELOW: usize = 256;
/// Bytes that go to the line under one look at what was typed.
const PIECE: usize = 16;
/// Bytes that are copied one by one, as those of a key's echo: a call that copies would cost more.
const FEW: usize = 8;

/// The bytes that wait.
pub(super) struct Sending {
    /// A byte stands where its number is, modulo the length.
    ring: Box<[u8; CAPACITY]>,
    /// Somebody sends some, and looks for more afterwards.
    is_busy: bool,
    /// How many bytes have come, how many of them do not wait any more, and how many have gone: to the line, or dropped.
    come: u64,
    taken: u64,
    gone: u64,
}

impl Sending {
    /// No bytes, and room for all that may wait.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(super) fn try_new() -> Result<Self, Errno> {
        Ok(Sending {
            ring: fallible::boxed([0; CAPACITY])?,
            is_busy: false,
            come: 0,
            taken: 0,
            gone: 0,
        })
    }

    /// Bytes that were not sent yet: `TIOCOUTQ`.
    pub(super) fn len(&self) -> usize {
        (self.come - self.gone) as usize
    }

    /// Bytes that nobody has begun to send.
    pub(super) fn waiting(&self) -> usize {
        (self.come - self.taken) as usize
    }

    pub(super) fn room(&self) -> usize {
        CAPACITY - self.waiting()
    }

    /// What poll(2) says.
    pub(super) fn is_writable(&self) -> bool {
        self.waiting() < WRITABLE_BELOW
    }

    /// How many bytes have come up to now; see [`Sending::has_sent`].
    pub(super) fn mark(&self) -> u64 {
        self.come
    }

    /// Whether all that had come at `mark` is gone.
    pub(super) fn has_sent(&self, mark: u64) -> bool {
        self.gone >= mark
    }

    /// Puts bytes at the end. An echo for which there is no room is lost; programs ask for room first.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let bytes = &bytes[..bytes.len().min(self.room())];
        if bytes.len() <= FEW {
            for byte in bytes {
                self.ring[self.come as usize % CAPACITY] = *byte;
                self.come += 1;
            }
            return;
        }
        let at = self.come as usize % CAPACITY;
        let (upper, lower) = bytes.split_at(bytes.len().min(CAPACITY - at));
        self.ring[at..][..upper.len()].copy_from_slice(upper);
        self.ring[..lower.len()].copy_from_slice(lower);
        self.come += bytes.len() as u64;
    }

    /// Drops the first `count` bytes that wait.
    pub(super) fn drop_first(&mut self, count: usize) {
        let count = count.min(self.waiting()) as u64;
        self.taken += count;
        self.gone += count;
    }

    /// Drops all that waits: `TCOFLUSH`.
    pub(super) fn clear(&mut self) {
        self.drop_first(self.waiting());
    }

    /// Takes the next bytes to be sent, no more than there is room for in the line.
    fn begin(&mut self, piece: &mut [u8; PIECE], room: usize) -> usize {
        let len = self.waiting().min(PIECE).min(room);
        self.is_busy = len > 0;
        if len <= FEW {
            for place in &mut piece[..len] {
                *place = self.ring[self.taken as usize % CAPACITY];
                self.taken += 1;
            }
            return len;
        }
        let at = self.taken as usize % CAPACITY;
        let (upper, lower) = piece[..len].split_at_mut(len.min(CAPACITY - at));
        upper.copy_from_slice(&self.ring[at..][..upper.len()]);
        lower.copy_from_slice(&self.ring[..lower.len()]);
        self.taken += len as u64;
        len
    }

    fn finish(&mut self, len: usize) {
        self.is_busy = false;
        self.gone += len as u64;
    }
}

impl Terminal {
    /// Sends what waits, as far as the line has room, unless output is stopped. No lock may be held.
    pub(super) fn send(&self) {
        while self.send_piece() {}
    }

    /// Sends a piece of what waits; whether there is more to send. The lock is not held while the line, which is slow, takes the bytes.
    pub(super) fn send_piece(&self) -> bool {
        let mut state = self.state.lock();
        if !state.has_work() {
            return false;
        }
        let mut piece = [0; PIECE];
        let len = state.sending.begin(&mut piece, self.driver.room());
        drop(state);
        if len == 0 {
            return false;
        }
        self.driver.write(&piece[..len]);
        let mut state = self.state.lock();
        state.sending.finish(len);
        let has_more = state.has_work();
        drop(state);
        self.writable.wake_all();
        has_more
    }
}

impl TerminalState {
    /// Whether there is something to send that is not stopped, and nobody else is at it.
    fn has_work(&self) -> bool {
        let sending = &self.sending;
        !sending.is_busy && sending.waiting() > 0 && !self.discipline.is_stopped()
    }
}
