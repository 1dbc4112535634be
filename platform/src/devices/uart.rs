//! The PL011 UART (Arm DDI 0183). Crate `arm_pl011` moves the bytes; what it leaves out stands here: baud rate, line control,
//! and the receive-timeout interrupt, without which single keys would wait in the FIFO of real hardware.

pub(crate) use super::baud::USUAL_CLOCK;
use super::baud::divisors;
use super::mmio::Mmio;
use crate::arch;
use arm_pl011::Pl011Uart;

const FR: usize = 0x18;
const IBRD: usize = 0x24;
const FBRD: usize = 0x28;
const LCR_H: usize = 0x2c;
const CR: usize = 0x30;
const IMSC: usize = 0x38;
/// Registers up to the last that is used.
pub(crate) const UART_LEN: usize = 0x48;

const FR_BUSY: u32 = 1 << 3;
/// 8 bits, no parity, one stop bit, FIFOs on.
const LCR_H_8N1_FIFO: u32 = 0x70;
const INTERRUPT_RECEIVE_TIMEOUT: u32 = 1 << 6;
/// Long enough for a full FIFO to leave at 9,600 baud, in polls of a register.
const BUSY_POLLS: usize = 1_000_000;

/// A UART that sends and receives, 115,200 baud 8n1.
pub(crate) struct Uart {
    port: Pl011Uart,
}

impl Uart {
    /// Sets up the UART, which is fed by a clock of `clock` Hz, and lets it raise interrupts for what it receives.
    pub(crate) fn new(registers: Mmio, clock: u32) -> Uart {
        let (integer, fraction) = divisors(clock);
        for _ in 0..BUSY_POLLS {
            if registers.read(FR) & FR_BUSY == 0 {
                break;
            }
            arch::relax();
        }
        registers.write(CR, 0);
        registers.write(IBRD, integer);
        registers.write(FBRD, fraction);
        // Only a write of LCR_H takes the divisors over.
        registers.write(LCR_H, LCR_H_8N1_FIFO);
        let mut port = Pl011Uart::new(core::ptr::with_exposed_provenance_mut(registers.base()));
        port.init();
        registers.modify(IMSC, INTERRUPT_RECEIVE_TIMEOUT, INTERRUPT_RECEIVE_TIMEOUT);
        Uart { port }
    }

    /// Sends the bytes as they are, waiting for room.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.port.putchar(byte);
        }
    }

    /// A received byte.
    pub(crate) fn read(&mut self) -> Option<u8> {
        self.port.getchar()
    }

    /// Silences the interrupt; bytes that arrive from now on raise it again.
    pub(crate) fn acknowledge(&mut self) {
        self.port.ack_interrupts();
    }
}
