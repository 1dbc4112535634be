//! The controller of an SD card: registers of the SD Host Controller Simplified Specification 4.20, as the BCM2711 has them twice (EMMC2,
//! and the older EMMC1 of Arasan). Bytes go through the data register: no address of memory is ever told to the device, and no cache has to
//! be cleaned. Accesses are of 32 bits, the only ones that both know.

use super::super::registers::Registers;
use crate::timer;

const BLOCK: usize = 0x04;
const ARGUMENT: usize = 0x08;
const COMMAND: usize = 0x0c;
const RESPONSE: usize = 0x10;
const DATA: usize = 0x20;
const PRESENT: usize = 0x24;
const HOST_CONTROL: usize = 0x28;
const CLOCK: usize = 0x2c;
const STATUS: usize = 0x30;
const STATUS_ENABLE: usize = 0x34;
const SIGNAL_ENABLE: usize = 0x38;
const CAPABILITIES: usize = 0x40;
const VERSION: usize = 0xfc;
/// Bytes of registers.
#[cfg(target_os = "none")]
pub(crate) const CONTROLLER_LEN: usize = 0x100;

/// Bits of PRESENT.
const COMMAND_INHIBIT: u32 = 1;
const DATA_INHIBIT: u32 = 1 << 1;
const BUFFER_WRITE: u32 = 1 << 10;
const BUFFER_READ: u32 = 1 << 11;
const CARD_INSERTED: u32 = 1 << 16;
const WRITE_ENABLED: u32 = 1 << 19;

/// Bits of HOST_CONTROL: four lines, high speed, and power of 3.3 V.
const FOUR_LINES: u32 = 1 << 1;
const HIGH_SPEED: u32 = 1 << 2;
const POWER_3V3: u32 = 0x0f << 8;

/// Bits of CLOCK.
const INTERNAL_CLOCK: u32 = 1;
const CLOCK_STABLE: u32 = 1 << 1;
const CARD_CLOCK: u32 = 1 << 2;
/// The longest that the controller knows, 2^27 of its cycles, some seconds at most.
const LONGEST_TIMEOUT: u32 = 0xe << 16;
const RESET_ALL: u32 = 1 << 24;
const RESET_LINES: u32 = 0b11 << 25;

/// Bits of COMMAND.
const COUNTED: u32 = 1 << 1;
const STOPS_ITSELF: u32 = 1 << 2;
const FROM_CARD: u32 = 1 << 4;
const MANY_BLOCKS: u32 = 1 << 5;
const HAS_DATA: u32 = 1 << 21;

/// Bits of STATUS.
pub(super) mod status {
    pub const COMMAND_DONE: u32 = 1;
    pub const TRANSFER_DONE: u32 = 1 << 1;
    pub const BUFFER_WRITE: u32 = 1 << 4;
    pub const BUFFER_READ: u32 = 1 << 5;
    pub const REMOVED: u32 = 1 << 7;
    pub const COMMAND_TIMEOUT: u32 = 1 << 16;
    /// What went wrong with the command, and with the data; with the command that stops it; and whatever else is an error.
    pub const ERRORS: u32 = 0xffff_8000;
}

/// What is looked at.
const WATCHED: u32 = status::COMMAND_DONE
    | status::TRANSFER_DONE
    | status::BUFFER_WRITE
    | status::BUFFER_READ
    | status::REMOVED
    | 0x01ff << 16;
/// The slowest clock, at which a card is found.
pub(super) const SLOWEST_HZ: u32 = 400_000;
/// Looks at a register that says when the controller is ready: a millisecond and more.
const POLLS: usize = 10_000;
/// Bytes of a block.
pub(super) const BLOCK_LEN: usize = 512;

/// What a card answers to a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Answer {
    /// Nothing.
    None,
    /// R1, R6, R7: 48 bits with a sum and the number of the command.
    Short,
    /// R1b: as that, and then it may be busy.
    Busy,
    /// R2: 136 bits.
    Long,
    /// R3: 48 bits without a sum.
    Open,
}

impl Answer {
    const fn bits(self) -> u32 {
        match self {
            Answer::None => 0,
            Answer::Short => 0b11010 << 16,
            Answer::Busy => 0b11011 << 16,
            Answer::Long => 0b01001 << 16,
            Answer::Open => 0b00010 << 16,
        }
    }
}

/// Bytes that go with a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Data {
    pub is_read: bool,
    pub blocks: u16,
    pub block_len: u16,
}

/// A command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Command {
    pub number: u8,
    pub argument: u32,
    pub answer: Answer,
    pub data: Option<Data>,
}

/// A controller.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Controller<R> {
    registers: R,
    /// What it is driven by, in Hz.
    base_clock: u32,
    /// Arasan's loses a write that follows another within a few cycles of the card's clock (Linux, sdhci-iproc.c).
    is_slow: bool,
}

impl<R: Registers> Controller<R> {
    /// The controller with these registers. `base_clock`: what drives it, 0 if nobody knows.
    pub(crate) fn new(registers: R, base_clock: u32) -> Controller<R> {
        Controller {
            registers,
            base_clock,
            is_slow: true,
        }
    }

    fn write(&self, offset: usize, value: u32) {
        self.registers.write(offset, value);
        if self.is_slow {
            // Four cycles of 400 kHz.
            timer::delay(10_000);
        }
    }

    fn wait_until_clear(&self, offset: usize, bits: u32) -> bool {
        (0..POLLS).any(|_| self.registers.read(offset) & bits == 0)
    }

    /// Resets all of it, gives the card power, and a clock. Whether it can be used.
    pub(super) fn reset(&mut self) -> bool {
        self.is_slow = true;
        self.write(CLOCK, RESET_ALL);
        if !self.wait_until_clear(CLOCK, RESET_ALL) {
            return false;
        }
        if self.base_clock == 0 {
            self.base_clock = (self.registers.read(CAPABILITIES) >> 8 & 0xff) * 1_000_000;
        }
        self.write(HOST_CONTROL, POWER_3V3);
        self.write(SIGNAL_ENABLE, 0);
        self.write(STATUS_ENABLE, WATCHED);
        self.write(STATUS, u32::MAX);
        self.base_clock != 0 && self.set_clock(SLOWEST_HZ)
    }

    /// Touches the card no more, and raises no interrupt.
    pub(super) fn shut_down(&mut self) {
        self.registers.write(SIGNAL_ENABLE, 0);
        self.registers.write(CLOCK, RESET_ALL);
        self.wait_until_clear(CLOCK, RESET_ALL);
    }

    /// Gives the card a clock of so many Hz at most. Whether it runs.
    pub(super) fn set_clock(&mut self, most: u32) -> bool {
        let divisor = self.divisor(most);
        self.write(CLOCK, LONGEST_TIMEOUT);
        let bits = (divisor & 0xff) << 8 | (divisor >> 8 & 0b11) << 6 | INTERNAL_CLOCK | LONGEST_TIMEOUT;
        self.write(CLOCK, bits);
        if !(0..POLLS).any(|_| self.registers.read(CLOCK) & CLOCK_STABLE != 0) {
            return false;
        }
        self.write(CLOCK, bits | CARD_CLOCK);
        self.is_slow = most <= SLOWEST_HZ;
        true
    }

    /// What the clock is divided by, halved: any number from version 3 on, a power of two before.
    fn divisor(&self, most: u32) -> u32 {
        let is_version_3 = self.registers.read(VERSION) >> 16 & 0xff >= 2;
        let halved = self.base_clock.div_ceil(most).div_ceil(2);
        match self.base_clock <= most {
            true => 0,
            false if is_version_3 => halved.min(0x3ff),
            false => halved.next_power_of_two().min(0x80),
        }
    }

    /// Uses four lines of data.
    pub(super) fn use_four_lines(&self) {
        self.write(HOST_CONTROL, self.registers.read(HOST_CONTROL) | FOUR_LINES);
    }

    /// Sends at the edges of high speed.
    pub(super) fn use_high_speed(&self) {
        self.write(HOST_CONTROL, self.registers.read(HOST_CONTROL) | HIGH_SPEED);
    }

    /// Lets it raise its interrupt.
    pub(super) fn raise_interrupts(&self, tells_removal: bool) {
        let removal = if tells_removal { 0 } else { status::REMOVED };
        self.write(SIGNAL_ENABLE, WATCHED & !removal);
    }

    /// Sends a command. Whether the controller was ready for it.
    pub(super) fn send(&self, command: Command) -> bool {
        let busy = match command.data.is_some() || command.answer == Answer::Busy {
            true => COMMAND_INHIBIT | DATA_INHIBIT,
            false => COMMAND_INHIBIT,
        };
        if !self.wait_until_clear(PRESENT, busy) {
            return false;
        }
        let mut bits = u32::from(command.number) << 24 | command.answer.bits();
        if let Some(data) = command.data {
            self.write(BLOCK, u32::from(data.blocks) << 16 | u32::from(data.block_len));
            bits |= HAS_DATA;
            if data.is_read {
                bits |= FROM_CARD;
            }
            if data.blocks > 1 {
                bits |= COUNTED | MANY_BLOCKS | STOPS_ITSELF;
            }
        }
        self.write(ARGUMENT, command.argument);
        self.write(COMMAND, bits);
        true
    }

    /// What happened since this was last asked.
    pub(super) fn take_status(&self) -> u32 {
        let status = self.registers.read(STATUS);
        // The summary of the errors goes with them.
        self.write(STATUS, status);
        status
    }

    /// The answer of 48 bits, without what is around it.
    pub(super) fn answer(&self) -> u32 {
        self.registers.read(RESPONSE)
    }

    /// The answer of 136 bits, its lowest word first: the sum at its end is missing, so that bit 8 of the card's register is bit 0.
    pub(super) fn long_answer(&self) -> [u32; 4] {
        core::array::from_fn(|word| self.registers.read(RESPONSE + 4 * word))
    }

    /// Whether a block can be fetched.
    pub(super) fn has_block(&self) -> bool {
        self.registers.read(PRESENT) & BUFFER_READ != 0
    }

    /// Whether a block can be given.
    pub(super) fn wants_block(&self) -> bool {
        self.registers.read(PRESENT) & BUFFER_WRITE != 0
    }

    /// Fetches the bytes of a block.
    pub(super) fn fetch(&self, block: &mut [u8]) {
        for word in block.chunks_exact_mut(4) {
            word.copy_from_slice(&self.registers.read(DATA).to_le_bytes());
        }
    }

    /// Gives the bytes of a block. The data register loses no write, however fast they come.
    pub(super) fn give(&self, block: &[u8]) {
        for word in block.chunks_exact(4) {
            let word = word.try_into().expect("four bytes");
            self.registers.write(DATA, u32::from_le_bytes(word));
        }
    }

    /// Forgets the command and the data that are under way.
    pub(super) fn reset_lines(&self) {
        let clock = self.registers.read(CLOCK);
        self.write(CLOCK, clock | RESET_LINES);
        self.wait_until_clear(CLOCK, RESET_LINES);
        self.take_status();
    }

    /// Whether there is a card, as far as the controller can see.
    pub(super) fn has_card(&self) -> bool {
        self.registers.read(PRESENT) & CARD_INSERTED != 0
    }

    /// Whether the card's switch lets it be written.
    pub(super) fn may_write(&self) -> bool {
        self.registers.read(PRESENT) & WRITE_ENABLED != 0
    }
}
