//! Random bytes: ChaCha20, keyed with what the boot loader gave (rng-seed, kaslr-seed), else with what the board's own generator made,
//! and the counter. Where there is none of both, the bytes can be guessed by who knows the boot time.
//!
//! What was given away cannot be found out later: the first bytes of a pool are the key of the next one, and bytes are wiped when
//! they are given away ("fast key erasure", Bernstein 2017).

#[cfg(target_os = "none")]
mod keystream;

use crate::timer;
use formats::dtb::Chosen;
#[cfg(not(target_os = "none"))]
use rand_chacha::rand_core::{Rng, SeedableRng};
use spin::{Mutex, Once};

static GENERATOR: Mutex<Option<Generator>> = Mutex::new(None);

type Key = [u8; 32];

/// Bytes that are made at once.
const POOL: usize = 1024;

struct Generator {
    key: Key,
    pool: [u8; POOL],
    /// How many of the pool's bytes are gone.
    used: usize,
}

impl Generator {
    fn new(key: Key) -> Generator {
        Generator {
            key,
            pool: [0; POOL],
            used: POOL,
        }
    }

    fn refill(&mut self) {
        #[cfg(target_os = "none")]
        keystream::fill(&self.key, &mut self.pool);
        #[cfg(not(target_os = "none"))]
        rand_chacha::ChaCha20Rng::from_seed(self.key).fill_bytes(&mut self.pool);
        self.used = 0;
        let mut key = Key::default();
        self.take(&mut key);
        self.key = key;
    }

    /// Takes bytes out of the pool, at most as many as there are; how many.
    fn take(&mut self, to: &mut [u8]) -> usize {
        let left = &mut self.pool[self.used..];
        let count = left.len().min(to.len());
        to[..count].copy_from_slice(&left[..count]);
        left[..count].fill(0);
        self.used += count;
        count
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        let mut done = 0;
        while done < bytes.len() {
            if self.used == POOL {
                self.refill();
            }
            done += self.take(&mut bytes[done..]);
        }
    }
}

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
///
/// # Panics
/// When the processor's vector registers make another stream than the crate.
pub(crate) fn set_up(chosen: &Chosen, hardware: impl FnOnce() -> Option<[u8; 32]>) {
    let mut key = Key::default();
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
    #[cfg(target_os = "none")]
    keystream::check(&key);
    *GENERATOR.lock() = Some(Generator::new(key));
}

/// Fills `bytes` with random ones.
pub fn fill(bytes: &mut [u8]) {
    if let Some(generator) = GENERATOR.lock().as_mut() {
        generator.fill(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use std::vec::Vec;

    /// What the definition says: each pool after its first bytes, which are the key of the next.
    fn expected(mut key: Key, pools: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        for _ in 0..pools {
            let mut pool = [0; POOL];
            ChaCha20Rng::from_seed(key).fill_bytes(&mut pool);
            bytes.extend(&pool[key.len()..]);
            key.copy_from_slice(&pool[..size_of::<Key>()]);
        }
        bytes
    }

    #[test]
    fn pieces_of_any_length_are_one_stream() {
        let mut generator = Generator::new([7; 32]);
        let expected = expected([7; 32], 5);
        let mut found = Vec::new();
        for len in [1, 0, 991, 31, 1024, 1, 2500] {
            let mut piece = std::vec![0; len];
            generator.fill(&mut piece);
            found.extend(piece);
        }
        assert!(found == expected[..found.len()]);
    }

    #[test]
    fn nothing_is_left_of_what_was_given_away() {
        let mut generator = Generator::new([7; 32]);
        let mut given = [0; 100];
        generator.fill(&mut given);
        let gone = &generator.pool[..generator.used];
        assert!(gone.iter().all(|&byte| byte == 0));
        assert_eq!(generator.used, 32 + given.len());
        assert_ne!(generator.key, [7; 32]);
    }
}
