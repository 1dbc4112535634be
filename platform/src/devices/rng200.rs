//! The random number generator of the BCM2711 (Linux, drivers/char/hw_random/iproc-rng200.c), for boards whose loader gives no seed.

use super::registers::{Registers, apart};
use crate::arch;

const CONTROL: usize = 0x00;
const SOFT_RESET: usize = 0x04;
const GENERATOR_RESET: usize = 0x08;
const STATUS: usize = 0x18;
const FIFO_DATA: usize = 0x20;
const FIFO_COUNT: usize = 0x24;

const CONTROL_ENABLE_MASK: u32 = 0x1fff;
const CONTROL_ENABLE: u32 = 1;
/// The generator has found its own numbers not to be random: NIST's test failed, or the master did.
const STATUS_FAILED: u32 = 1 << 31 | 1 << 5;
const COUNT: u32 = 0xff;
/// A word takes about 30 microseconds, in polls of a register that is some hundred nanoseconds away.
const POLLS: usize = 100_000;
/// Words of a seed.
const WORDS: usize = 8;

/// 32 random bytes; `None` if the generator does not make them, or says that they are none.
pub(crate) fn seed(registers: &impl Registers) -> Option<[u8; 4 * WORDS]> {
    apart(|| {
        restart(registers);
        let mut seed = [0; 4 * WORDS];
        for bytes in seed.chunks_exact_mut(4) {
            bytes.copy_from_slice(&word(registers)?.to_le_bytes());
        }
        Some(seed)
    })
}

fn restart(registers: &impl Registers) {
    let enable = |bits| {
        let control = registers.read(CONTROL) & !CONTROL_ENABLE_MASK;
        registers.write(CONTROL, control | bits);
    };
    enable(0);
    registers.write(STATUS, u32::MAX);
    for reset in [GENERATOR_RESET, SOFT_RESET] {
        registers.write(reset, 1);
        registers.write(reset, 0);
    }
    enable(CONTROL_ENABLE);
}

fn word(registers: &impl Registers) -> Option<u32> {
    for _ in 0..POLLS {
        if registers.read(STATUS) & STATUS_FAILED != 0 {
            return None;
        }
        if registers.read(FIFO_COUNT) & COUNT != 0 {
            return Some(registers.read(FIFO_DATA));
        }
        arch::relax();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// Makes a word with every third look; a failure after so many.
    struct Generator {
        is_enabled: Cell<bool>,
        looks: Cell<u32>,
        words: Cell<u32>,
        fails_after: u32,
    }

    fn generator(fails_after: u32) -> Generator {
        Generator {
            is_enabled: Cell::new(false),
            looks: Cell::new(0),
            words: Cell::new(0),
            fails_after,
        }
    }

    impl Registers for Generator {
        fn read(&self, offset: usize) -> u32 {
            self.looks.set(self.looks.get() + 1);
            match offset {
                STATUS if self.words.get() >= self.fails_after => 1 << 5,
                FIFO_COUNT if self.is_enabled.get() => u32::from(self.looks.get().is_multiple_of(3)),
                FIFO_DATA => {
                    self.words.set(self.words.get() + 1);
                    self.words.get() * 0x0101_0101
                }
                _ => 0,
            }
        }

        fn write(&self, offset: usize, value: u32) {
            if offset == CONTROL {
                self.is_enabled.set(value & CONTROL_ENABLE_MASK == CONTROL_ENABLE);
            }
        }
    }

    #[test]
    fn a_seed_is_eight_words_of_the_generator() {
        let seed = seed(&generator(u32::MAX)).unwrap();
        assert!(
            seed.chunks(4)
                .zip(1..)
                .all(|(bytes, number)| bytes == [number; 4])
        );
    }

    #[test]
    fn one_that_fails_or_is_silent_gives_none() {
        assert_eq!(seed(&generator(3)), None);
        struct Silent;
        impl Registers for Silent {
            fn read(&self, _: usize) -> u32 {
                0
            }
            fn write(&self, _: usize, _: u32) {}
        }
        assert_eq!(seed(&Silent), None);
    }
}
