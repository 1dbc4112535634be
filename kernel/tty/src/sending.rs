//! Output on its way to the line: what programs and the echo have written waits here while output is stopped, and until it is
//! sent. Whoever puts something in sends it, unless somebody else is at it, who then sends that too.

use alloc::collections::{TryReserveError, VecDeque};

use super::Terminal;
use formats::line_discipline::push_within_capacity;

/// Bytes that wait at most.
const CAPACITY: usize = 1024;
/// poll(2) calls the terminal writable while fewer wait: `WAKEUP_CHARS`.
const WRITABLE_BELOW: usize = 256;
/// Bytes that go to the line under one look at what was typed.
const PIECE: usize = 64;

/// The bytes that wait.
pub(super) struct Sending {
    bytes: VecDeque<u8>,
    /// Somebody sends some, and looks for more afterwards.
    is_busy: bool,
    /// How many bytes have come, and how many have gone: to the line, or dropped.
    come: u64,
    gone: u64,
}

impl Sending {
    /// No bytes, and room for all that may wait.
    ///
    /// # Errors
    /// There is no memory for it.
    pub(super) fn try_new() -> Result<Self, TryReserveError> {
        let mut bytes = VecDeque::new();
        bytes.try_reserve_exact(CAPACITY)?;
        Ok(Sending {
            bytes,
            is_busy: false,
            come: 0,
            gone: 0,
        })
    }

    /// Bytes that wait: `TIOCOUTQ`.
    pub(super) fn len(&self) -> usize {
        (self.come - self.gone) as usize
    }

    pub(super) fn room(&self) -> usize {
        CAPACITY - self.bytes.len()
    }

    /// What poll(2) says.
    pub(super) fn is_writable(&self) -> bool {
        self.bytes.len() < WRITABLE_BELOW
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
        let len = bytes.len().min(self.room());
        for byte in &bytes[..len] {
            push_within_capacity(&mut self.bytes, *byte);
        }
        self.come += len as u64;
    }

    /// Drops the first `count` bytes that wait.
    pub(super) fn drop_first(&mut self, count: usize) {
        let count = count.min(self.bytes.len());
        self.bytes.drain(..count);
        self.gone += count as u64;
    }

    /// Drops all that waits: `TCOFLUSH`.
    pub(super) fn clear(&mut self) {
        self.drop_first(self.bytes.len());
    }

    /// Takes the next bytes to be sent, no more than there is room for in the line; 0 if there are none, or somebody else is at it.
    fn begin(&mut self, piece: &mut [u8; PIECE], room: usize) -> usize {
        if self.is_busy {
            return 0;
        }
        let len = self.bytes.len().min(PIECE).min(room);
        for (place, byte) in piece.iter_mut().zip(self.bytes.drain(..len)) {
            *place = byte;
        }
        self.is_busy = len > 0;
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

    /// Sends a piece of what waits; whether there was any. The lock is not held while the line, which is slow, takes the bytes.
    pub(super) fn send_piece(&self) -> bool {
        let mut piece = [0; PIECE];
        let len = {
            let mut state = self.state.lock();
            if state.discipline.is_stopped() {
                return false;
            }
            state.sending.begin(&mut piece, self.driver.room())
        };
        if len == 0 {
            return false;
        }
        self.driver.write(&piece[..len]);
        self.state.lock().sending.finish(len);
        self.writable.wake_all();
        true
    }
}
