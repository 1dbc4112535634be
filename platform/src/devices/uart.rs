//! The PL011 UART (Arm DDI 0183): 115,200 baud, 8n1. Its FIFOs hold 32 bytes each, which is 2.8 ms of the line: so who sends looks at
//! what was received before each byte, and who ends the machine waits for the last one (`platform/README.md`, rules 21 and 22).

#[cfg(target_os = "none")]
pub(crate) use super::baud::USUAL_CLOCK;
use super::baud::divisors;
use super::registers::Registers;
use crate::arch;

const DR: usize = 0x00;
const FR: usize = 0x18;
const IBRD: usize = 0x24;
const FBRD: usize = 0x28;
const LCR_H: usize = 0x2c;
const CR: usize = 0x30;
const IFLS: usize = 0x34;
const IMSC: usize = 0x38;
const ICR: usize = 0x44;
/// Registers up to the last that is used.
pub(crate) const UART_LEN: usize = 0x48;

const DR_FRAMING_ERROR: u32 = 1 << 8;
const DR_PARITY_ERROR: u32 = 1 << 9;
const DR_BREAK: u32 = 1 << 10;
const DR_OVERRUN: u32 = 1 << 11;
const FR_BUSY: u32 = 1 << 3;
const FR_RECEIVE_EMPTY: u32 = 1 << 4;
const FR_TRANSMIT_FULL: u32 = 1 << 5;
/// 8 bits, no parity, one stop bit, FIFOs on.
const LCR_H_8N1_FIFO: u32 = 0x70;
const CR_ENABLE: u32 = 1;
/// What is sent is what is received.
const CR_LOOP_BACK: u32 = 1 << 7;
const CR_TRANSMIT: u32 = 1 << 8;
const CR_RECEIVE: u32 = 1 << 9;
/// The receive interrupt at an eighth of the FIFO: four bytes.
const IFLS_RECEIVE_EIGHTH: u32 = 0;
const INTERRUPT_RECEIVE: u32 = 1 << 4;
/// Without it fewer than four bytes would wait in the FIFO for ever.
const INTERRUPT_RECEIVE_TIMEOUT: u32 = 1 << 6;
const INTERRUPTS: u32 = 0x7ff;
/// Bytes that the largest FIFO of the family holds.
const FIFO: usize = 64;
/// What is sent to the UART itself. The pin may have it too, where it moves no terminal.
const LOOPED: u8 = b'\r';
/// Long enough for a full FIFO to leave at 9,600 baud, in polls of a register.
const BUSY_POLLS: usize = 1_000_000;

/// What came in damaged, or did not.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct LineErrors {
    /// Times that the FIFO was full when a byte came, and nobody knows how many came then.
    pub overruns: u32,
    /// Bytes without a stop bit: another speed, or noise.
    pub framing: u32,
    /// Bytes with the wrong parity.
    pub parity: u32,
    /// Times that the line was held low for longer than a byte lasts. They are not passed on.
    pub breaks: u32,
}

/// A UART that sends, and receives from [`Uart::listen`] on.
pub(crate) struct Uart<R> {
    registers: R,
    clock: u32,
    errors: LineErrors,
    /// The line takes nothing: nobody waits for it any more.
    is_stuck: bool,
}

impl<R: Registers> Uart<R> {
    /// Sets up the UART, which is fed by a clock of `clock` Hz, to send. It is deaf: its pins may not be routed yet.
    pub(crate) fn new(registers: R, clock: u32) -> Uart<R> {
        let (integer, fraction) = divisors(clock);
        let uart = Uart {
            registers,
            clock,
            errors: LineErrors::default(),
            is_stuck: false,
        };
        uart.drain();
        let registers = &uart.registers;
        registers.write(CR, 0);
        registers.write(IMSC, 0);
        // Without FEN the FIFOs are empty: what the firmware, or noise, left there is gone.
        registers.write(LCR_H, 0);
        registers.write(IBRD, integer);
        registers.write(FBRD, fraction);
        // Only a write of LCR_H takes the divisors over.
        registers.write(LCR_H, LCR_H_8N1_FIFO);
        registers.write(CR, CR_ENABLE | CR_TRANSMIT);
        uart
    }

    /// Receives from now on, and interrupts when it did. What came while the pins were routed is no input.
    pub(crate) fn listen(&self) {
        let registers = &self.registers;
        registers.write(CR, CR_ENABLE | CR_TRANSMIT | CR_RECEIVE);
        for _ in 0..FIFO {
            if registers.read(FR) & FR_RECEIVE_EMPTY != 0 {
                break;
            }
            registers.read(DR);
        }
        registers.write(ICR, INTERRUPTS);
        registers.write(IFLS, IFLS_RECEIVE_EIGHTH);
        registers.write(IMSC, INTERRUPT_RECEIVE | INTERRUPT_RECEIVE_TIMEOUT);
    }

    /// Whether a byte that is sent comes back inside the UART, and raises its interrupt, for which `has_come` waits. What else is received
    /// meanwhile goes to `received`; then all is as it was.
    pub(crate) fn loops_back(
        &mut self,
        has_come: impl FnOnce() -> bool,
        received: &mut impl FnMut(u8),
    ) -> bool {
        self.drain();
        self.receive(received);
        let registers = &self.registers;
        let (control, mask) = (registers.read(CR), registers.read(IMSC));
        registers.write(CR, CR_ENABLE | CR_TRANSMIT | CR_RECEIVE | CR_LOOP_BACK);
        registers.write(IMSC, INTERRUPT_RECEIVE | INTERRUPT_RECEIVE_TIMEOUT);
        registers.write(DR, LOOPED.into());
        let is_told = has_come();
        let mut is_back = false;
        self.receive(&mut |byte| {
            if byte == LOOPED && !is_back {
                is_back = true;
            } else {
                received(byte);
            }
        });
        self.registers.write(IMSC, mask);
        self.registers.write(CR, control);
        is_told && is_back
    }

    /// Sends the bytes as they are, waiting for room. What is received meanwhile goes to `received`. On a line that takes nothing for
    /// too long they are lost, and so are all that follow until it takes some again.
    pub(crate) fn send(&mut self, bytes: &[u8], received: &mut impl FnMut(u8)) {
        for &byte in bytes {
            self.send_byte(byte, received);
        }
    }

    fn send_byte(&mut self, byte: u8, received: &mut impl FnMut(u8)) {
        let polls = if self.is_stuck { 1 } else { BUSY_POLLS };
        for _ in 0..polls {
            let flags = self.registers.read(FR);
            if flags & FR_RECEIVE_EMPTY == 0 {
                self.take(received);
            }
            if flags & FR_TRANSMIT_FULL == 0 {
                self.registers.write(DR, byte.into());
                self.is_stuck = false;
                return;
            }
            arch::relax();
        }
        self.is_stuck = true;
    }

    /// Hands over everything that the FIFO holds, which also silences the interrupt.
    pub(crate) fn receive(&mut self, received: &mut impl FnMut(u8)) {
        self.registers.write(ICR, INTERRUPTS);
        while self.registers.read(FR) & FR_RECEIVE_EMPTY == 0 {
            self.take(received);
        }
    }

    /// Takes one byte out of the FIFO, which has one.
    fn take(&mut self, received: &mut impl FnMut(u8)) {
        let word = self.registers.read(DR);
        let is = |bit: u32| u32::from(word & bit != 0);
        let errors = &mut self.errors;
        errors.overruns += is(DR_OVERRUN);
        if word & DR_BREAK != 0 {
            errors.breaks += 1;
            return;
        }
        errors.framing += is(DR_FRAMING_ERROR);
        errors.parity += is(DR_PARITY_ERROR);
        received(word as u8);
    }

    /// Waits until the last bit is on the line, but not for ever.
    pub(crate) fn drain(&self) {
        for _ in 0..BUSY_POLLS {
            if self.registers.read(FR) & FR_BUSY == 0 {
                return;
            }
            arch::relax();
        }
    }

    /// The clock that it was set up for, and the divisors that this gave.
    pub(crate) fn speed(&self) -> (u32, (u32, u32)) {
        (self.clock, divisors(self.clock))
    }

    /// What came in damaged so far.
    pub(crate) fn errors(&self) -> LineErrors {
        self.errors
    }
}

#[cfg(test)]
#[path = "uart_line.rs"]
mod line;

#[cfg(test)]
mod tests {
    use super::line::{BYTE_NANOS, Line};
    use super::{FIFO, LineErrors, Uart};
    use std::vec::Vec;

    fn text(len: usize) -> Vec<u8> {
        (b' '..b'~').cycle().take(len).collect()
    }

    #[test]
    fn the_last_byte_is_on_the_line_before_the_machine_may_end() {
        let line = Line::new();
        let mut uart = Uart::new(&line, 48_000_000);
        let text = text(100);
        uart.send(&text, &mut |_| {});
        assert!(line.sent().len() < text.len(), "the FIFO holds the end of it");
        uart.drain();
        assert_eq!(line.sent(), text);
    }

    #[test]
    fn nothing_that_is_typed_while_a_long_line_is_sent_is_lost() {
        let line = Line::new();
        let mut uart = Uart::new(&line, 48_000_000);
        uart.listen();
        let typed = text(900);
        line.type_bytes(&typed);
        let mut received = Vec::new();
        uart.send(&text(1000), &mut |byte| received.push(byte));
        line.pass(FIFO as u64 * BYTE_NANOS / 4);
        uart.receive(&mut |byte| received.push(byte));
        assert_eq!(received, typed);
        assert_eq!(uart.errors(), LineErrors::default());
    }

    #[test]
    fn bytes_that_nobody_took_in_time_are_counted_as_an_overrun() {
        let line = Line::new();
        let mut uart = Uart::new(&line, 48_000_000);
        uart.listen();
        line.type_bytes(&text(40));
        line.pass(50 * BYTE_NANOS);
        let mut received = Vec::new();
        uart.receive(&mut |byte| received.push(byte));
        assert_eq!(received, text(32));
        line.type_bytes(b"x");
        line.pass(2 * BYTE_NANOS);
        uart.receive(&mut |byte| received.push(byte));
        assert_eq!(received.last(), Some(&b'x'));
        assert_eq!(uart.errors().overruns, 1);
    }

    #[test]
    fn damage_is_counted_and_a_break_is_no_byte() {
        let line = Line::new();
        let mut uart = Uart::new(&line, 48_000_000);
        uart.listen();
        for word in [0x400, 0x100 | u32::from(b'f'), 0x200 | u32::from(b'p')] {
            line.put(word);
        }
        let mut received = Vec::new();
        uart.receive(&mut |byte| received.push(byte));
        assert_eq!(received, b"fp");
        let expected = LineErrors {
            overruns: 0,
            framing: 1,
            parity: 1,
            breaks: 1,
        };
        assert_eq!(uart.errors(), expected);
    }

    #[test]
    fn what_came_before_the_pins_were_routed_is_no_input() {
        let line = Line::new();
        line.put(0xff);
        let mut uart = Uart::new(&line, 48_000_000);
        assert!(!line.is_interrupting());
        line.type_bytes(b"?");
        line.pass(2 * BYTE_NANOS);
        uart.listen();
        assert!(!line.is_interrupting());
        let mut received = Vec::new();
        uart.receive(&mut |byte| received.push(byte));
        assert_eq!(received, b"");
        line.type_bytes(b"k");
        line.pass(40 * BYTE_NANOS);
        assert!(line.is_interrupting(), "a single key is told of");
        uart.receive(&mut |byte| received.push(byte));
        assert_eq!(received, b"k");
        assert!(!line.is_interrupting());
    }

    #[test]
    fn a_uart_hears_itself_and_then_the_line_again() {
        let line = Line::new();
        let mut uart = Uart::new(&line, 48_000_000);
        uart.listen();
        let wait = || {
            line.pass(10 * BYTE_NANOS);
            line.is_interrupting()
        };
        let mut received = Vec::new();
        line.put(u32::from(b'a'));
        assert!(uart.loops_back(wait, &mut |byte| received.push(byte)));
        assert_eq!(received, b"a", "its own byte is no input");
        line.type_bytes(b"k");
        line.pass(40 * BYTE_NANOS);
        assert!(line.is_interrupting());
        uart.receive(&mut |byte| received.push(byte));
        assert_eq!(received, b"ak");
        // One whose byte does not leave, and one whose interrupt goes nowhere.
        line.hold_up(true);
        assert!(!uart.loops_back(wait, &mut |_| {}));
        line.hold_up(false);
        line.pass(10 * BYTE_NANOS);
        let never = || {
            line.pass(10 * BYTE_NANOS);
            false
        };
        assert!(!uart.loops_back(never, &mut |_| {}));
        assert!(!line.is_interrupting());
    }

    #[test]
    fn a_line_that_takes_nothing_holds_nobody_up_for_ever() {
        let line = Line::new();
        let mut uart = Uart::new(&line, 48_000_000);
        line.hold_up(true);
        uart.send(&text(200), &mut |_| {});
        let accesses = line.accesses();
        uart.send(&text(100), &mut |_| {});
        assert!(line.accesses() - accesses < 300, "it is asked once for each byte");
        line.hold_up(false);
        line.pass(100 * BYTE_NANOS);
        uart.send(b"!", &mut |_| {});
        uart.drain();
        assert_eq!(line.sent().last(), Some(&b'!'));
    }
}
