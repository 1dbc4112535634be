//! Numbers in the bytes of a block. What lies outside the block is damage, never a panic.

use abi::Errno;

fn part<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Errno> {
    let rest = bytes.get(at..).ok_or(Errno::EUCLEAN)?;
    rest.first_chunk().copied().ok_or(Errno::EUCLEAN)
}

/// Some bytes.
pub fn slice(bytes: &[u8], at: usize, len: usize) -> Result<&[u8], Errno> {
    let rest = bytes.get(at..).ok_or(Errno::EUCLEAN)?;
    rest.get(..len).ok_or(Errno::EUCLEAN)
}

/// Some bytes, for a change.
pub fn slice_mut(bytes: &mut [u8], at: usize, len: usize) -> Result<&mut [u8], Errno> {
    let rest = bytes.get_mut(at..).ok_or(Errno::EUCLEAN)?;
    rest.get_mut(..len).ok_or(Errno::EUCLEAN)
}

/// Puts bytes in the place of others.
pub fn put(bytes: &mut [u8], at: usize, new: &[u8]) -> Result<(), Errno> {
    slice_mut(bytes, at, new.len())?.copy_from_slice(new);
    Ok(())
}

/// One byte.
pub fn byte(bytes: &[u8], at: usize) -> Result<u8, Errno> {
    bytes.get(at).copied().ok_or(Errno::EUCLEAN)
}

/// A little-endian number of 16 bits.
pub fn le16(bytes: &[u8], at: usize) -> Result<u16, Errno> {
    part(bytes, at).map(u16::from_le_bytes)
}

/// A little-endian number of 32 bits.
pub fn le32(bytes: &[u8], at: usize) -> Result<u32, Errno> {
    part(bytes, at).map(u32::from_le_bytes)
}

/// A big-endian number of 16 bits, as the journal has them.
pub fn be16(bytes: &[u8], at: usize) -> Result<u16, Errno> {
    part(bytes, at).map(u16::from_be_bytes)
}

/// A big-endian number of 32 bits.
pub fn be32(bytes: &[u8], at: usize) -> Result<u32, Errno> {
    part(bytes, at).map(u32::from_be_bytes)
}

/// A big-endian number of 64 bits.
pub fn be64(bytes: &[u8], at: usize) -> Result<u64, Errno> {
    part(bytes, at).map(u64::from_be_bytes)
}

/// Writes a little-endian number of 16 bits.
pub fn put16(bytes: &mut [u8], at: usize, value: u16) -> Result<(), Errno> {
    put(bytes, at, &value.to_le_bytes())
}

/// Writes a little-endian number of 32 bits.
pub fn put32(bytes: &mut [u8], at: usize, value: u32) -> Result<(), Errno> {
    put(bytes, at, &value.to_le_bytes())
}

/// Writes a big-endian number of 32 bits.
pub fn put_be32(bytes: &mut [u8], at: usize, value: u32) -> Result<(), Errno> {
    put(bytes, at, &value.to_be_bytes())
}

/// A number of which the disk keeps two halves of 32 bits.
pub fn halves(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}
