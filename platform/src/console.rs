//! The serial port: bytes out at once, bytes in through a ring that the receive interrupt fills. Bytes are passed on as they
//! are; line ends are the business of the terminal above.

use crate::devices::likely;
use crate::devices::uart::Uart;
use crate::lock::{Contention, Lock};
use crate::{arch, cpu, power, timer};
use core::sync::atomic::{AtomicUsize, Ordering};
use spin::{MutexGuard, Once};

/// Bytes that wait for a reader; a power of two. More than a line, less than a paste.
const RING: usize = 4096;

struct Ring {
    bytes: [u8; RING],
    /// Counts of bytes ever written and read.
    written: usize,
    read: usize,
}

/// Under it the receive interrupt takes [`RECEIVED`].
static UART: Lock<Option<Uart>> = Lock::new(None);
/// The processor that had the UART last.
static HOLDER: AtomicUsize = AtomicUsize::new(0);
static RECEIVED: Lock<Ring> = Lock::new(Ring {
    bytes: [0; RING],
    written: 0,
    read: 0,
});

/// The interrupt (INTID) of what is received.
static INTERRUPT: Once<u32> = Once::new();

/// What waiting for the UART has cost.
pub(crate) fn contention() -> Contention {
    UART.contention("console")
}

/// From now on `uart` is the console.
pub(crate) fn install(uart: Uart) {
    *UART.lock() = Some(uart);
}

/// What the UART receives is told by that interrupt.
pub(crate) fn set_interrupt(number: u32) {
    INTERRUPT.call_once(|| number);
}

/// The interrupt by which the UART tells that it received something; `None` if it has none.
pub fn interrupt() -> Option<u32> {
    INTERRUPT.get().copied()
}

/// Sends `bytes`, waiting for room in the UART. The processor stops here when another one ends the machine: what that one says
/// comes out in one piece.
pub fn write(bytes: &[u8]) {
    let mut uart = lock();
    if power::is_ended_elsewhere() {
        drop(uart);
        power::stop_here();
    }
    if let Some(uart) = uart.as_mut() {
        uart.write(bytes);
    }
}

/// Takes the UART, and leaves word who has it.
fn lock() -> MutexGuard<'static, Option<Uart>> {
    let uart = UART.lock();
    HOLDER.store(cpu::number(), Ordering::Relaxed);
    uart
}

/// The next byte that was typed, if one is there.
pub fn read_byte() -> Option<u8> {
    let mut ring = RECEIVED.lock();
    if ring.read == ring.written {
        return None;
    }
    let byte = ring.bytes[ring.read % RING];
    ring.read = ring.read.wrapping_add(1);
    Some(byte)
}

/// Answers the receive interrupt, and silences it: everything that the UART has goes to the ring. What does not fit is lost.
pub fn receive() {
    let mut uart = lock();
    let Some(uart) = uart.as_mut() else { return };
    uart.acknowledge();
    let mut ring = RECEIVED.lock();
    while let Some(byte) = uart.read() {
        if ring.written.wrapping_sub(ring.read) < RING {
            let at = ring.written % RING;
            ring.bytes[at] = byte;
            ring.written = ring.written.wrapping_add(1);
        }
    }
}

/// The console for last words: where there is none yet the likely UART is used. Line ends become CR LF.
pub(crate) struct LastWords;

impl LastWords {
    /// Takes the console. The kernel is about to end, and the others stop: one that is saying something may finish, but not
    /// for ever.
    pub(crate) fn new() -> LastWords {
        let start = timer::ticks();
        while UART.is_locked() {
            let is_own = HOLDER.load(Ordering::Relaxed) == cpu::number();
            let patience = timer::second() / if is_own { 1000 } else { 1 };
            if timer::ticks() > start.saturating_add(patience) {
                // SAFETY: the holder is this processor, which will not go back to it, or another one that hangs; if it does
                // not, its bytes and ours may mix: the UART itself takes single stores.
                unsafe { UART.force_unlock() }
            }
            arch::relax();
        }
        let mut uart = lock();
        if uart.is_none() {
            *uart = likely::uart();
        }
        LastWords
    }
}

impl core::fmt::Write for LastWords {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        for part in text.split_inclusive('\n') {
            match part.strip_suffix('\n') {
                Some(line) => {
                    write(line.as_bytes());
                    write(b"\r\n");
                }
                None => write(part.as_bytes()),
            }
        }
        Ok(())
    }
}
