//! Random bytes: ChaCha20, keyed with what the boot loader gave (rng-seed, kaslr-seed) and the counter. Where it gave
//! nothing, as firmware without a generator does, the bytes can be guessed by who knows the boot time.

use crate::timer;
use formats::dtb::Chosen;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use spin::Mutex;

static GENERATOR: Mutex<Option<ChaCha20Rng>> = Mutex::new(None);

/// Keys the generator.
pub(crate) fn set_up(chosen: &Chosen) {
    let mut key = [0; 32];
    for (at, byte) in chosen.rng_seed.iter().enumerate() {
        key[at % 32] ^= byte;
    }
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
