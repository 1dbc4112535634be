//! Checksums that stand in the blocks that they are of.

use crate::bytes::{le16, slice};
use crate::checksum::crc32c;
use abi::Errno;

/// Which checksum a block has in itself. It is written when the block is, and looked at when it is read from the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seal {
    /// None, or one that stands elsewhere.
    None,
    /// None in itself, and what the last commit had counts: blocks freed since are not used again before the next.
    Bitmap,
    /// Entries of a directory, of the inode with that seed.
    Leaf(u32),
    /// Hashes of a directory, from that byte on.
    Index(u32, usize),
    /// Extents.
    Extents(u32),
    /// Extended attributes, in the block of that number.
    Attributes(u64),
}

/// The checksum that belongs into a sealed block: where it stands, and what it is. `None` if there is none.
pub fn checksum(seal: Seal, bytes: &[u8], seed: u32) -> Result<Option<(usize, u32)>, Errno> {
    let size = bytes.len();
    Ok(match seal {
        Seal::None | Seal::Bitmap => None,
        Seal::Leaf(seed) => Some((size - 4, crc32c(seed, slice(bytes, 0, size - 12)?))),
        Seal::Index(seed, at) => {
            let (limit, count) = (usize::from(le16(bytes, at)?), usize::from(le16(bytes, at + 2)?));
            let tail = at + 8 * limit;
            let sum = crc32c(seed, slice(bytes, 0, at + 8 * count)?);
            let sum = crc32c(sum, slice(bytes, tail, 4)?);
            Some((tail + 4, crc32c(sum, &[0; 4])))
        }
        Seal::Extents(seed) => {
            let tail = 12 + 12 * usize::from(le16(bytes, 4)?);
            Some((tail, crc32c(seed, slice(bytes, 0, tail)?)))
        }
        Seal::Attributes(block) => {
            let sum = crc32c(crc32c(seed, &block.to_le_bytes()), slice(bytes, 0, 16)?);
            let sum = crc32c(crc32c(sum, &[0; 4]), slice(bytes, 20, size - 20)?);
            Some((16, sum))
        }
    })
}
