//! The serial port: bytes out at once, bytes in through a ring that the receive interrupt fills, and whoever writes while they come.
//! Bytes are passed on as they are; line ends are the business of the terminal above.

pub use crate::devices::uart::LineErrors;

use crate::devices::mmio::Mmio;
use crate::devices::uart::Uart;
use crate::devices::{gic, likely};
use crate::lock::{Contention, Lock};
use crate::spin_lock::SpinGuard;
use crate::{arch, cpu, power, timer};
use core::sync::atomic::{AtomicUsize, Ordering};
use spin::Once;

/// Bytes that wait for a reader; a power of two. More than a line, less than a paste.
const RING: usize = 4096;

struct Ring {
    bytes: [u8; RING],
    /// Counts of bytes ever written and read.
    written: usize,
    read: usize,
}

impl Ring {
    /// Keeps a byte; one that does not fit is lost.
    fn push(&mut self, byte: u8) {
        if self.written.wrapping_sub(self.read) < RING {
            self.bytes[self.written % RING] = byte;
            self.written = self.written.wrapping_add(1);
        }
    }
}

/// Under it [`RECEIVED`] is taken.
static UART: Lock<Option<Uart<Mmio>>> = Lock::new(None);
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
pub(crate) fn install(uart: Uart<Mmio>) {
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

/// The console hears what is typed from now on, and tells it by its interrupt. What was typed before is lost, and so is what the
/// line picked up while its pins were routed.
pub fn listen() {
    if let Some(uart) = lock().as_ref() {
        uart.listen();
    }
}

/// Whether the UART hears what it sends to itself, and tells it by its interrupt, whose number `has_come` waits for; `None` if it has
/// none. What is typed meanwhile may be lost.
pub(crate) fn loops_back(has_come: impl FnOnce(u32) -> bool) -> Option<bool> {
    let number = interrupt()?;
    gic::enable(number);
    let mut guard = lock();
    let uart = guard.as_mut()?;
    Some(uart.loops_back(|| has_come(number), &mut |byte| RECEIVED.lock().push(byte)))
}

/// What the UART's clock is taken for, in Hz, and its divisors: IBRD and FBRD.
pub fn speed() -> Option<(u32, (u32, u32))> {
    lock().as_ref().map(Uart::speed)
}

/// What came in damaged so far.
pub fn line_errors() -> LineErrors {
    lock().as_ref().map_or_else(LineErrors::default, Uart::errors)
}

/// Sends `bytes`, waiting for room in the UART. The processor stops here when another one ends the machine: what that one says
/// comes out in one piece.
///
/// What is typed meanwhile goes to the ring, for the UART's own room is full long before a line is sent. That silences the interrupt,
/// which is raised anew.
pub fn write(bytes: &[u8]) {
    let mut guard = lock();
    if power::is_ended_elsewhere() {
        drop(guard);
        power::stop_here();
    }
    let Some(uart) = guard.as_mut() else { return };
    let mut has_received = false;
    uart.send(bytes, &mut |byte| {
        RECEIVED.lock().push(byte);
        has_received = true;
    });
    drop(guard);
    if let (true, Some(number)) = (has_received, interrupt()) {
        gic::raise(number);
    }
}

/// Waits until all that was written is on the line, but not for long: for the end of the machine, when the others have stopped or
/// are about to.
pub(crate) fn drain() {
    let end = timer::ticks().saturating_add(timer::second() / 50);
    while timer::ticks() < end {
        if let Some(uart) = UART.try_lock() {
            return uart.as_ref().map_or((), Uart::drain);
        }
        arch::relax();
    }
}

/// Takes the UART, and leaves word who has it.
fn lock() -> SpinGuard<'static, Option<Uart<Mmio>>> {
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

/// Answers the receive interrupt, and silences it: everything that the UART has goes to the ring. Somebody who writes does that
/// himself: nobody waits for him here with interrupts masked, and the interrupt comes again.
pub fn receive() {
    let Some(mut guard) = UART.try_lock() else {
        return;
    };
    HOLDER.store(cpu::number(), Ordering::Relaxed);
    let Some(uart) = guard.as_mut() else { return };
    let mut ring = RECEIVED.lock();
    uart.receive(&mut |byte| ring.push(byte));
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
