//! What the Raspberry Pi 4 needs that no other board has: the pins of the UART, its clock from the VideoCore, and power-off by
//! the watchdog (BCM2711 ARM Peripherals; Linux drivers/watchdog/bcm2835_wdt.c).

use super::mmio::Mmio;
use crate::arch;
use crate::boot;
use core::cell::UnsafeCell;
use spin::Mutex;

const GPFSEL1: usize = 0x04;
const GPFSEL3: usize = 0x0c;
const GPIO_PUP_PDN_CNTRL_REG0: usize = 0xe4;
/// Registers up to the pull-ups of the BCM2711; Linux's device tree ends before them.
pub(crate) const GPIO_LEN: usize = 0xf4;

/// Gives GPIO14 and GPIO15 to the PL011 (ALT0), and makes GPIO30 to 33, where the firmware routes it for Bluetooth, inputs:
/// the Bluetooth chip would drive the receive line too. GPIO15 is pulled up, so that an open line is idle.
pub(crate) fn route_uart(gpio: Mmio) {
    const ALT0: u32 = 0b100;
    // Three bits for each pin: 14 and 15 are fields 4 and 5 of GPFSEL1, 30 to 33 fields 0 to 3 of GPFSEL3.
    gpio.modify(GPFSEL3, 0xfff, 0);
    gpio.modify(GPFSEL1, 0b111_111 << 12, (ALT0 | ALT0 << 3) << 12);
    // Two bits for each pin: 0 none, 1 up.
    gpio.modify(GPIO_PUP_PDN_CNTRL_REG0, 0b11_11 << 28, 0b01_00 << 28);
    arch::dsb_sy();
}

const MAILBOX_READ: usize = 0x00;
const MAILBOX_STATUS: usize = 0x18;
const MAILBOX_WRITE: usize = 0x20;
const STATUS_FULL: u32 = 1 << 31;
const STATUS_EMPTY: u32 = 1 << 30;
const PROPERTY_CHANNEL: u32 = 8;
/// RAM as the VideoCore sees it, uncached.
const BUS_ALIAS: u64 = 0xc000_0000;
/// Polls of a register until an answer is given up.
const POLLS: usize = 10_000_000;

const TAG_GET_CLOCK_RATE: u32 = 0x0003_0002;
const CLOCK_UART: u32 = 2;
const RESPONSE_SUCCESS: u32 = 0x8000_0000;

/// A message to the firmware. The mailbox transfers its address without the low four bits; alone in its cache lines.
#[repr(C, align(64))]
struct Message(UnsafeCell<[u32; 16]>);

// SAFETY: used under `MAILBOX` only.
unsafe impl Sync for Message {}

static MESSAGE: Message = Message(UnsafeCell::new([0; 16]));
static MAILBOX: Mutex<()> = Mutex::new(());

/// The frequency of the UART's clock in Hz, as the firmware set it; `None` when it does not answer, or with 0.
pub(crate) fn uart_clock(mailbox: Mmio) -> Option<u32> {
    let _guard = MAILBOX.lock();
    let words = MESSAGE.0.get().cast::<u32>();
    let request = [8 * 4, 0, TAG_GET_CLOCK_RATE, 8, 0, CLOCK_UART, 0, 0];
    for (at, word) in request.into_iter().enumerate() {
        // SAFETY: inside MESSAGE, which is ours under the lock.
        unsafe { words.add(at).write_volatile(word) }
    }
    let start = words.expose_provenance();
    // The VideoCore does not look into our caches: write the message back, and drop the lines before reading the answer.
    arch::clean_and_invalidate(start, size_of::<Message>());
    let address = (boot::image_physical(start) | BUS_ALIAS) as u32 | PROPERTY_CHANNEL;
    wait_until_clear(mailbox, STATUS_FULL)?;
    mailbox.write(MAILBOX_WRITE, address);
    loop {
        wait_until_clear(mailbox, STATUS_EMPTY)?;
        if mailbox.read(MAILBOX_READ) == address {
            break;
        }
    }
    arch::dsb_sy();
    arch::clean_and_invalidate(start, size_of::<Message>());
    // SAFETY: as above; the firmware has answered and does not write any more.
    let answer = |at: usize| unsafe { words.add(at).read_volatile() };
    let rate = (answer(1) == RESPONSE_SUCCESS).then(|| answer(6))?;
    (rate != 0).then_some(rate)
}

fn wait_until_clear(mailbox: Mmio, status: u32) -> Option<()> {
    (0..POLLS)
        .find(|_| mailbox.read(MAILBOX_STATUS) & status == 0)
        .map(|_| ())
}

const RSTC: usize = 0x1c;
const RSTS: usize = 0x20;
const WDOG: usize = 0x24;
const PASSWORD: u32 = 0x5a00_0000;
const RSTC_CONFIGURATION: u32 = 0x30;
const RSTC_FULL_RESET: u32 = 0x20;
/// Boot partition 63, its six bits spread over the even bits 0 to 10: the firmware halts (Linux, RPI_WDT halt).
const RSTS_HALT: u32 = 0x555;
/// Watchdog ticks of 1/65536 s until the reset.
const TICKS: u32 = 10;

/// Resets the board, which then boots again.
pub(crate) fn restart(watchdog: Mmio) {
    watchdog.write(RSTS, PASSWORD | watchdog.read(RSTS) & !RSTS_HALT & 0x00ff_ffff);
    start_watchdog(watchdog);
}

/// Resets the board, whose firmware then halts it.
pub(crate) fn power_off(watchdog: Mmio) {
    watchdog.write(RSTS, PASSWORD | RSTS_HALT);
    start_watchdog(watchdog);
}

fn start_watchdog(watchdog: Mmio) {
    arch::dsb_sy();
    watchdog.write(WDOG, PASSWORD | TICKS);
    let configuration = watchdog.read(RSTC) & !RSTC_CONFIGURATION & 0x00ff_ffff;
    watchdog.write(RSTC, PASSWORD | configuration | RSTC_FULL_RESET);
    arch::dsb_sy();
}
