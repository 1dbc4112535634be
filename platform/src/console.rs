//! The serial port: bytes out at once, bytes in through a ring that the receive interrupt fills. Bytes are passed on as they
//! are; line ends are the business of the terminal above.

use crate::devices::likely;
use crate::devices::uart::Uart;
use spin::Mutex;

/// Bytes that wait for a reader; a power of two. More than a line, less than a paste.
const RING: usize = 4096;

struct Ring {
    bytes: [u8; RING],
    /// Counts of bytes ever written and read.
    written: usize,
    read: usize,
}

static UART: Mutex<Option<Uart>> = Mutex::new(None);
static RECEIVED: Mutex<Ring> = Mutex::new(Ring {
    bytes: [0; RING],
    written: 0,
    read: 0,
});

/// From now on `uart` is the console.
pub(crate) fn install(uart: Uart) {
    *UART.lock() = Some(uart);
}

/// Sends `bytes`, waiting for room in the UART.
pub fn write(bytes: &[u8]) {
    if let Some(uart) = UART.lock().as_mut() {
        uart.write(bytes);
    }
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

/// Answers the receive interrupt: everything that the UART has goes to the ring. What does not fit is lost.
pub(crate) fn receive() {
    let mut uart = UART.lock();
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

/// The console for last words: whoever holds it is not waited for, and where there is none yet the likely UART is used. Line
/// ends become CR LF.
pub(crate) struct LastWords;

impl LastWords {
    /// Takes the console away from whoever has it. The kernel is about to end.
    pub(crate) fn new() -> LastWords {
        if UART.is_locked() {
            // SAFETY: the holder is this processor, which will not go back to it, or another one, whose bytes and ours may
            // mix: the UART itself takes single stores.
            unsafe { UART.force_unlock() }
        }
        let mut uart = UART.lock();
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
