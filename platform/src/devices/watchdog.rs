//! The watchdog of the Raspberry Pi, by which it also restarts and turns off (BCM2711 ARM Peripherals; Linux,
//! drivers/watchdog/bcm2835_wdt.c). It counts 20 bits of 1/65536 s down to a reset.

use super::registers::{Registers, apart};
use core::fmt;

const RSTC: usize = 0x1c;
const RSTS: usize = 0x20;
const WDOG: usize = 0x24;
const PASSWORD: u32 = 0x5a00_0000;
const NOT_PASSWORD: u32 = 0x00ff_ffff;
const RSTC_CONFIGURATION: u32 = 0x30;
const RSTC_FULL_RESET: u32 = 0x20;
/// What Linux writes to stop it: no reset, and the rest as after power-on.
const RSTC_STOPPED: u32 = 0x102;
/// Boot partition 63, its six bits spread over the even bits 0 to 10: the firmware halts (Linux, RPI_WDT halt).
const RSTS_HALT: u32 = 0x555;
const RSTS_POWER_ON: u32 = 1 << 12;
const RSTS_SOFTWARE: u32 = 0x700;
const RSTS_WATCHDOG: u32 = 0x70;
const RSTS_DEBUGGER: u32 = 0x7;
const TICKS_PER_SECOND: u32 = 1 << 16;
/// Watchdog ticks until the reset that ends the machine.
const AT_ONCE: u32 = 10;
/// The most seconds that fit into its counter.
pub(crate) const MOST_SECONDS: u32 = 15;

/// Why the board was reset last: RSTS.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResetReason {
    /// Power came.
    PowerOn,
    /// Somebody asked for it.
    Software,
    /// The watchdog: nobody fed it, or a restart, which is done by it.
    Watchdog,
    /// A debugger.
    Debugger,
    /// The register says nothing that is known.
    Unknown(u32),
}

impl ResetReason {
    /// From RSTS. The boot partition's bits and those of a debugger's reset overlap: it is asked for last.
    const fn of(status: u32) -> ResetReason {
        match status {
            _ if status & RSTS_WATCHDOG & !RSTS_HALT != 0 => ResetReason::Watchdog,
            _ if status & RSTS_SOFTWARE & !RSTS_HALT != 0 => ResetReason::Software,
            _ if status & RSTS_POWER_ON != 0 => ResetReason::PowerOn,
            _ if status & RSTS_DEBUGGER & !RSTS_HALT != 0 => ResetReason::Debugger,
            _ => ResetReason::Unknown(status),
        }
    }
}

impl fmt::Display for ResetReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ResetReason::PowerOn => f.write_str("power-on"),
            ResetReason::Software => f.write_str("software"),
            ResetReason::Watchdog => f.write_str("watchdog or restart"),
            ResetReason::Debugger => f.write_str("debugger"),
            ResetReason::Unknown(status) => write!(f, "unknown, RSTS {status:#x}"),
        }
    }
}

/// The watchdog.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watchdog<R>(pub(crate) R);

impl<R: Registers> Watchdog<R> {
    /// Why the board was reset last.
    pub(crate) fn reset_reason(&self) -> ResetReason {
        let status = apart(|| self.0.read(RSTS));
        ResetReason::of(status & NOT_PASSWORD)
    }

    /// Stops it if somebody has armed it before us, as the firmware does for `kernel_watchdog_timeout`: whether it was so.
    pub(crate) fn disarm(&self) -> bool {
        apart(|| {
            let is_armed = self.0.read(RSTC) & RSTC_CONFIGURATION == RSTC_FULL_RESET;
            if is_armed {
                self.0.write(RSTC, PASSWORD | RSTC_STOPPED);
            }
            is_armed
        })
    }

    /// Resets the board when this was not called again for so many seconds, [`MOST_SECONDS`] at most.
    pub(crate) fn feed(&self, seconds: u32) {
        apart(|| self.start(seconds.min(MOST_SECONDS) * TICKS_PER_SECOND));
    }

    /// Resets the board, which then boots again.
    pub(crate) fn restart(&self) {
        apart(|| {
            let status = self.0.read(RSTS) & !RSTS_HALT & NOT_PASSWORD;
            self.0.write(RSTS, PASSWORD | status);
            self.start(AT_ONCE);
        });
    }

    /// Resets the board, whose firmware then halts it.
    pub(crate) fn power_off(&self) {
        apart(|| {
            self.0.write(RSTS, PASSWORD | RSTS_HALT);
            self.start(AT_ONCE);
        });
    }

    fn start(&self, ticks: u32) {
        self.0.write(WDOG, PASSWORD | ticks);
        let configuration = self.0.read(RSTC) & !RSTC_CONFIGURATION & NOT_PASSWORD;
        self.0.write(RSTC, PASSWORD | configuration | RSTC_FULL_RESET);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    /// Takes nothing without the password, and shows none of it.
    #[derive(Default)]
    struct Board {
        control: RefCell<u32>,
        status: RefCell<u32>,
        counter: RefCell<u32>,
    }

    impl Board {
        fn register(&self, offset: usize) -> &RefCell<u32> {
            match offset {
                RSTC => &self.control,
                RSTS => &self.status,
                WDOG => &self.counter,
                _ => panic!("no register at {offset:#x}"),
            }
        }

        fn is_armed(&self) -> bool {
            *self.control.borrow() & RSTC_CONFIGURATION == RSTC_FULL_RESET
        }
    }

    impl Registers for &Board {
        fn read(&self, offset: usize) -> u32 {
            *self.register(offset).borrow()
        }

        fn write(&self, offset: usize, value: u32) {
            if value & !NOT_PASSWORD == PASSWORD {
                self.register(offset).replace(value & NOT_PASSWORD);
            }
        }
    }

    #[test]
    fn one_that_the_firmware_armed_is_stopped() {
        let board = Board::default();
        Watchdog(&board).feed(60);
        assert!(board.is_armed());
        assert_eq!(
            *board.counter.borrow(),
            15 << 16,
            "no more than the counter holds"
        );
        assert!(Watchdog(&board).disarm());
        assert!(!board.is_armed());
        assert!(!Watchdog(&board).disarm(), "there was nothing to stop");
    }

    #[test]
    fn power_off_halts_the_firmware_and_restart_does_not() {
        let board = Board::default();
        Watchdog(&board).power_off();
        assert!(board.is_armed() && *board.status.borrow() == RSTS_HALT);
        Watchdog(&board).restart();
        assert_eq!(*board.status.borrow() & RSTS_HALT, 0);
        assert_eq!(*board.counter.borrow(), AT_ONCE);
    }

    #[test]
    fn the_last_reset_has_a_reason() {
        for (status, reason) in [
            (0x1000, ResetReason::PowerOn),
            (0x1020, ResetReason::Watchdog),
            (0x1200, ResetReason::Software),
            (0x1002, ResetReason::PowerOn),
            (0x0002, ResetReason::Debugger),
            (0, ResetReason::Unknown(0)),
        ] {
            assert_eq!(ResetReason::of(status), reason, "{status:#x}");
        }
    }
}
