//! The bytes that a key of ChaCha20 stands for, by the processor's vector registers (arch/chacha.s): the kernel is built without
//! them, and the ones of the crate, word by word, are seven times as dear.

use super::{Key, POOL};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

unsafe extern "C" {
    fn chacha_blocks(state: *const [u32; 16], to: *mut u8, fours: usize);
}

/// "expand 32-byte k".
const CONSTANTS: [u32; 4] = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];

/// Fills `pool` with the first bytes of the key's stream: block counter and nonce are 0.
pub(super) fn fill(key: &Key, pool: &mut [u8; POOL]) {
    const BYTES: usize = 256;
    const { assert!(POOL.is_multiple_of(BYTES) && POOL > 0) };
    let mut state = [0; 16];
    state[..4].copy_from_slice(&CONSTANTS);
    for (word, bytes) in state[4..12].iter_mut().zip(key.as_chunks::<4>().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    // SAFETY: reads the state and writes 256 bytes so many times, all of the pool. FP is enabled (head.s, CPACR_EL1); the
    // registers that it uses are kept.
    unsafe { chacha_blocks(&raw const state, pool.as_mut_ptr(), POOL / BYTES) }
}

/// Looks once whether it is the stream of the crate, which is tested against others.
///
/// # Panics
/// It is not.
pub(super) fn check(key: &Key) {
    let (mut found, mut expected) = ([0; POOL], [0; POOL]);
    fill(key, &mut found);
    ChaCha20Rng::from_seed(*key).fill_bytes(&mut expected);
    assert!(found == expected, "the vector registers make another ChaCha20");
}
