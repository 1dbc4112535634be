//! The console: what is written is kept until somebody takes it, what is typed comes from a test.

pub use crate::devices::uart::LineErrors;

use crate::devices::gic;
use crate::lock::{Contention, Lock};
use std::collections::VecDeque;
use std::vec::Vec;

static WRITTEN: Lock<Vec<u8>> = Lock::new(Vec::new());
static TYPED: Lock<VecDeque<u8>> = Lock::new(VecDeque::new());
static RECEIVED: Lock<VecDeque<u8>> = Lock::new(VecDeque::new());

/// What waiting for what was written has cost.
pub(crate) fn contention() -> Contention {
    WRITTEN.contention("console")
}

/// Sends `bytes`.
pub fn write(bytes: &[u8]) {
    WRITTEN.lock().extend_from_slice(bytes);
}

/// The next byte that was received, if one is there.
pub fn read_byte() -> Option<u8> {
    RECEIVED.lock().pop_front()
}

/// The interrupt by which the console tells that something was typed.
pub fn interrupt() -> Option<u32> {
    Some(super::CONSOLE)
}

/// It always listens.
pub fn listen() {}

/// It has no clock.
pub fn speed() -> Option<(u32, (u32, u32))> {
    None
}

/// Nothing comes in damaged.
pub fn line_errors() -> LineErrors {
    LineErrors::default()
}

/// Answers the interrupt: what was typed is there to be read.
pub fn receive() {
    let mut typed = TYPED.lock();
    RECEIVED.lock().extend(typed.drain(..));
}

/// For tests: what was written since this was called last.
pub fn take_written() -> Vec<u8> {
    core::mem::take(&mut *WRITTEN.lock())
}

/// For tests: somebody types `bytes`.
pub fn type_bytes(bytes: &[u8]) {
    TYPED.lock().extend(bytes);
    gic::raise(super::CONSOLE);
}
