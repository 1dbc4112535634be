//! Words of flags among a call's arguments.

use abi::Errno;
use abi::bitflags::Flags;

/// The flags in a word.
///
/// # Errors
/// `EINVAL` for one that is not among `known`.
#[inline(always)]
pub fn decode<F: Flags + Copy>(word: F::Bits, known: F) -> Result<F, Errno> {
    let flags = F::from_bits_retain(word);
    if known.contains(flags) {
        Ok(flags)
    } else {
        Err(Errno::EINVAL)
    }
}
