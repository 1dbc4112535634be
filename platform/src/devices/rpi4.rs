//! What the Raspberry Pi 4 needs that no other board has: the pins of the UART, and clocks from the VideoCore (BCM2711 ARM
//! Peripherals). Its watchdog: `watchdog.rs`.

use super::bus::bus_address;
use super::mmio::Mmio;
use crate::arch;
use crate::board::Rates;
use crate::boot;
use core::cell::UnsafeCell;
use formats::dtb::SdKind;
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
    arch::dsb_sy();
    // Three bits for each pin: 14 and 15 are fields 4 and 5 of GPFSEL1, 30 to 33 fields 0 to 3 of GPFSEL3.
    gpio.modify(GPFSEL3, 0xfff, 0);
    gpio.modify(GPFSEL1, 0b111_111 << 12, (ALT0 | ALT0 << 3) << 12);
    // Two bits for each pin: 0 none, 1 up.
    gpio.modify(GPIO_PUP_PDN_CNTRL_REG0, 0b11_11 << 28, 0b01_00 << 28);
    arch::dsb_sy();
}

const MAILBOX_READ: usize = 0x00;
/// Of the mailbox that we read: whether there is something in it.
const MAILBOX_READ_STATUS: usize = 0x18;
const MAILBOX_WRITE: usize = 0x20;
/// Of the one that we write: whether there is room.
const MAILBOX_WRITE_STATUS: usize = 0x38;
const STATUS_FULL: u32 = 1 << 31;
const STATUS_EMPTY: u32 = 1 << 30;
const PROPERTY_CHANNEL: u32 = 8;
/// Polls of a register until an answer is given up.
const POLLS: usize = 10_000_000;

const TAG_GET_CLOCK_RATE: u32 = 0x0003_0002;
const TAG_GET_MAX_CLOCK_RATE: u32 = 0x0003_0004;
const TAG_SET_CLOCK_RATE: u32 = 0x0003_8002;
const TAG_SET_GPIO_STATE: u32 = 0x0003_8041;
/// Pin 4 of the expander that belongs to the firmware: the voltage of the card's lines is 1.8 V.
const EXPANDER_SD_1V8: u32 = 128 + 4;
const CLOCK_EMMC: u32 = 1;
const CLOCK_UART: u32 = 2;
const CLOCK_ARM: u32 = 3;
const CLOCK_EMMC2: u32 = 12;
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
    let [_, rate, _] = ask(mailbox, TAG_GET_CLOCK_RATE, [CLOCK_UART, 0, 0])?;
    (rate != 0).then_some(rate)
}

/// Lets the processors run as fast as the firmware allows, for it leaves them at their slowest. `None` when it does not answer.
pub(crate) fn speed_up(mailbox: Mmio) -> Option<Rates> {
    let [_, before, _] = ask(mailbox, TAG_GET_CLOCK_RATE, [CLOCK_ARM, 0, 0])?;
    let [_, fastest, _] = ask(mailbox, TAG_GET_MAX_CLOCK_RATE, [CLOCK_ARM, 0, 0])?;
    let asked = before.max(fastest);
    if asked > before {
        // The third word, 0: the firmware may raise the voltage for it.
        ask(mailbox, TAG_SET_CLOCK_RATE, [CLOCK_ARM, asked, 0])?;
    }
    Some(Rates { before, asked })
}

/// The frequency of what drives a controller of SD cards, in Hz; `None` when the firmware does not answer, or with 0.
pub(crate) fn sd_clock(mailbox: Mmio, kind: SdKind) -> Option<u32> {
    let clock = match kind {
        SdKind::Emmc1 => CLOCK_EMMC,
        SdKind::Emmc2 => CLOCK_EMMC2,
    };
    let [_, rate, _] = ask(mailbox, TAG_GET_CLOCK_RATE, [clock, 0, 0])?;
    (rate != 0).then_some(rate)
}

/// Gives the lines of the card 3.3 V: whoever ran before may have left them at 1.8 V. A firmware that does not know the pin (QEMU's)
/// is none that has another voltage.
pub(crate) fn set_card_voltage(mailbox: Mmio) {
    let _ = ask(mailbox, TAG_SET_GPIO_STATE, [EXPANDER_SD_1V8, 0, 0]);
}

/// Asks the firmware by a tag with up to three words, which come back as its answer. `None` when it does not answer, or refuses.
fn ask(mailbox: Mmio, tag: u32, words_of_tag: [u32; 3]) -> Option<[u32; 3]> {
    let _guard = MAILBOX.lock();
    let words = MESSAGE.0.get().cast::<u32>();
    let start = words.expose_provenance();
    // An Image that lies beyond what the VideoCore reaches is not told of: it would store the answer somewhere else.
    let bus = bus_address(boot::image_physical(start), size_of::<Message>())?;
    let [first, second, third] = words_of_tag;
    let request = [9 * 4, 0, tag, 12, 0, first, second, third, 0];
    for (at, word) in request.into_iter().enumerate() {
        // SAFETY: inside MESSAGE, which is ours under the lock.
        unsafe { words.add(at).write_volatile(word) }
    }
    // The VideoCore does not look into our caches: write the message back, and drop the lines before reading the answer.
    arch::clean_and_invalidate(start, size_of::<Message>());
    let address = bus | PROPERTY_CHANNEL;
    wait_until_clear(mailbox, MAILBOX_WRITE_STATUS, STATUS_FULL)?;
    mailbox.write(MAILBOX_WRITE, address);
    loop {
        wait_until_clear(mailbox, MAILBOX_READ_STATUS, STATUS_EMPTY)?;
        if mailbox.read(MAILBOX_READ) == address {
            break;
        }
    }
    arch::dsb_sy();
    arch::clean_and_invalidate(start, size_of::<Message>());
    // SAFETY: as above; the firmware has answered and does not write any more.
    let answer = |at: usize| unsafe { words.add(at).read_volatile() };
    (answer(1) == RESPONSE_SUCCESS).then(|| [answer(5), answer(6), answer(7)])
}

fn wait_until_clear(mailbox: Mmio, register: usize, status: u32) -> Option<()> {
    (0..POLLS)
        .find(|_| mailbox.read(register) & status == 0)
        .map(|_| ())
}
