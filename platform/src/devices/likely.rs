//! The board by guess, for messages before the device tree was read or when there is none: who is loaded below 1 GiB is on a
//! Raspberry Pi 4, whose RAM begins at 0; else this is QEMU virt, whose RAM begins at 1 GiB.

use super::mmio::Mmio;
use super::rpi4;
use super::uart::{UART_LEN, USUAL_CLOCK, Uart};
use crate::boot::{self, window};
use crate::power::PowerControl;
use formats::dtb::Conduit;

const VIRT_RAM: u64 = 0x4000_0000;
const VIRT_UART: u64 = 0x0900_0000;

const RPI4_PERIPHERALS: u64 = 0xfe00_0000;
const RPI4_PERIPHERALS_LEN: usize = 4 << 20;
const RPI4_MAILBOX: usize = 0x00_b880;
const RPI4_WATCHDOG: usize = 0x10_0000;
const RPI4_GPIO: usize = 0x20_0000;
const RPI4_UART: usize = 0x20_1000;

fn is_rpi4() -> bool {
    boot::image_start() < VIRT_RAM
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

/// The likely UART, set up. `None` once the final map has replaced the boot tables.
pub(crate) fn uart() -> Option<Uart<Mmio>> {
    if boot::is_mapped() {
        return None;
    }
    if is_rpi4() {
        let peripherals = rpi4_peripherals();
        rpi4::route_uart(peripherals.from(RPI4_GPIO));
        let clock = rpi4::uart_clock(peripherals.from(RPI4_MAILBOX)).unwrap_or(USUAL_CLOCK);
        return Some(Uart::new(peripherals.from(RPI4_UART), clock));
    }
    let base = window::show(
        window::Slot::Devices,
        VIRT_UART,
        UART_LEN as u64,
        window::Memory::Device,
    );
    // SAFETY: mapped as Device memory, and used only while the boot tables are.
    let registers = unsafe { Mmio::new(base, UART_LEN) };
    Some(Uart::new(registers, USUAL_CLOCK))
}

/// How the likely board is turned off. QEMU virt's PSCI is called by SMC where the kernel was entered at EL2, else by HVC.
pub(crate) fn power_control() -> Option<PowerControl> {
    if !is_rpi4() {
        let conduit = if boot::exception_level() == 2 {
            Conduit::Smc
        } else {
            Conduit::Hvc
        };
        return Some(PowerControl::Psci(conduit));
    }
    (!boot::is_mapped()).then(|| PowerControl::Watchdog(rpi4_peripherals().from(RPI4_WATCHDOG)))
}
