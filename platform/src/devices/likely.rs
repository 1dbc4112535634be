//! The board by guess, for messages before the device tree was read or when there is none: who is loaded below 1 GiB is on a
//! Raspberry Pi 4, whose RAM begins at 0; below 2 GiB this is QEMU virt, whose RAM begins at 1 GiB; elsewhere nothing is touched.
//! `boot/early.s` guesses the same.

use super::mmio::Mmio;
use super::rpi4;
use super::uart::{UART_LEN, USUAL_CLOCK, Uart};
use super::watchdog::Watchdog;
use crate::boot::{self, window};
use crate::power::PowerControl;
use formats::dtb::Conduit;

const VIRT_RAM: u64 = 0x4000_0000;
const VIRT_RAM_END: u64 = 0x8000_0000;
const VIRT_UART: u64 = 0x0900_0000;

const RPI4_PERIPHERALS: u64 = 0xfe00_0000;
const RPI4_PERIPHERALS_LEN: usize = 4 << 20;
const RPI4_MAILBOX: usize = 0x00_b880;
const RPI4_WATCHDOG: usize = 0x10_0000;
const RPI4_GPIO: usize = 0x20_0000;
const RPI4_UART: usize = 0x20_1000;

/// What the load address suggests.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Board {
    Rpi4,
    Virt,
}

fn board() -> Option<Board> {
    match boot::image_start() {
        ..VIRT_RAM => Some(Board::Rpi4),
        VIRT_RAM..VIRT_RAM_END => Some(Board::Virt),
        _ => None,
    }
}

/// Says on a Raspberry Pi 4 how far boot has come. head.s has set up the UART, and maps it where it is.
pub(crate) fn stage(letters: &[u8]) {
    const DR: usize = 0x00;
    if board() != Some(Board::Rpi4) || boot::is_mapped() {
        return;
    }
    // SAFETY: the identity map of boot holds the Pi's last GiB as Device memory until the final map is installed; these are the
    // registers of its PL011, whose FIFO has room for all stages together.
    let uart = unsafe { Mmio::new(RPI4_PERIPHERALS as usize + RPI4_UART, UART_LEN) };
    letters.iter().for_each(|&letter| uart.write(DR, letter.into()));
}

/// The Pi's peripherals in a boot slot.
fn rpi4_peripherals() -> Mmio {
    let base = window::show(
        window::Slot::Devices,
        RPI4_PERIPHERALS,
        RPI4_PERIPHERALS_LEN as u64,
        window::Memory::Device,
    );
    // SAFETY: mapped as Device memory, and used only while the boot tables are (the callers check); all of it is registers.
    unsafe { Mmio::new(base, RPI4_PERIPHERALS_LEN) }
}

/// The UART that the device tree names, if it was read, else the likely one, set up. `None` once the final map has replaced the boot
/// tables.
pub(crate) fn uart() -> Option<Uart<Mmio>> {
    if boot::is_mapped() {
        return None;
    }
    if board() == Some(Board::Rpi4) {
        let peripherals = rpi4_peripherals();
        rpi4::route_uart(peripherals.from(RPI4_GPIO));
        let clock = rpi4::uart_clock(peripherals.from(RPI4_MAILBOX)).unwrap_or(USUAL_CLOCK);
        return Some(Uart::new(peripherals.from(RPI4_UART), clock));
    }
    let named = boot::known_machine().and_then(|machine| machine.uart);
    let guessed = (board() == Some(Board::Virt)).then_some(VIRT_UART);
    let start = named.map(|uart| uart.registers.start).or(guessed)?;
    let base = window::show(
        window::Slot::Devices,
        start,
        UART_LEN as u64,
        window::Memory::Device,
    );
    // SAFETY: mapped as Device memory, and used only while the boot tables are; the tree, or the board that it probably is, has its
    // UART there.
    let registers = unsafe { Mmio::new(base, UART_LEN) };
    let clock = named.and_then(|uart| uart.clock_hz).unwrap_or(USUAL_CLOCK);
    Some(Uart::new(registers, clock))
}

/// How the machine is turned off: as the device tree says, if it was read, else as the likely board. QEMU virt's PSCI is called by SMC
/// where the kernel was entered at EL2, else by HVC.
pub(crate) fn power_control() -> Option<PowerControl> {
    if let Some(conduit) = boot::known_machine().and_then(|machine| machine.psci) {
        return Some(PowerControl::Psci(conduit));
    }
    match board()? {
        Board::Virt if boot::exception_level() == 2 => Some(PowerControl::Psci(Conduit::Smc)),
        Board::Virt => Some(PowerControl::Psci(Conduit::Hvc)),
        Board::Rpi4 if boot::is_mapped() => None,
        Board::Rpi4 => Some(PowerControl::Watchdog(Watchdog(
            rpi4_peripherals().from(RPI4_WATCHDOG),
        ))),
    }
}
