//! Random bytes: ChaCha20, keyed with what the boot loader gave (rng-seed, kaslr-seed), else with what the board's own generator made,
//! and the counter. Where there is none of both, the bytes can be guessed by who knows the boot time.

use crate::timer;
use formats::dtb::Chosen;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use spin::{Mutex, Once};

static GENERATOR: Mutex<Option<ChaCha20Rng>> = Mutex::new(None);

/// Whose numbers nobody can guess.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// The boot loader's.
    Loader,
    /// The board's generator's.
    Generator,
    /// Nobody's: there is only the time.
    Time,
}

static SOURCE: Once<Source> = Once::new();

/// What random bytes are made of.
pub fn source() -> Source {
    SOURCE.get().copied().unwrap_or(Source::Time)
}

/// Keys the generator. `hardware` is asked if the boot loader gave nothing.
pub(crate) fn set_up(chosen: &Chosen, hardware: impl FnOnce() -> Option<[u8; 32]>) {
    let mut key = [0; 32];
    for (at, byte) in chosen.rng_seed.iter().enumerate() {
        key[at % 32] ^= byte;
    }
    let is_given = !chosen.rng_seed.is_empty() || chosen.kaslr_seed.is_some_and(|seed| seed != 0);
    let made = if is_given { None } else { hardware() };
    if let Some(seed) = made {
        key = seed;
    }
    SOURCE.call_once(|| match (is_given, made) {
        (true, _) => Source::Loader,
        (false, Some(_)) => Source::Generator,
        (false, None) => Source::Time,
    });
    let numbers = [chosen.kaslr_seed.unwrap_or(0), timer::ticks()];
    for (at, byte) in numbers.iter().flat_map(|number| number.to_le_bytes()).enumerate() {
        // Apart from the first bytes of the seed, so that one cannot cancel the other.
        key[16 + at] = key[16 + at].wrapping_add(byte);
    }
    *GENERATOR.lock() = Some(ChaCha20Rng::from_seed(key));
}

/// Fills `bytes` with random ones.
pub fn fill(bytes: &mut [u8]) {
    if let Some(generator) = GENERATOR.lock().as_mut() {
        generator.fill_bytes(bytes);
    }
}
