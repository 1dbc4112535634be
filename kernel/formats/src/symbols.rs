//! What the image tool appends to the kernel image: the symbol table for backtraces and the default initramfs. All
//! numbers are little endian.
//!
//! ```text
//!  0  magic "HOLSTEIN"
//!  8  u64 total length, this header included
//! 16  u64 offset of the symbol block, u64 its length
//! 32  u64 offset of the initramfs, u64 its length           offsets count from the magic
//!
//! symbol block:  u32 count, u32 0,
//!                count times { u32 address minus image start, u32 offset of the name in this block }, by address,
//!                names, each ended by NUL
//! ```

use core::fmt;

/// The first bytes of the payload.
pub const MAGIC: [u8; 8] = *b"HOLSTEIN";

/// Length of the payload's header.
pub const HEADER_LEN: usize = 48;

/// The payload: its parts lie inside the bytes it was parsed from.
#[derive(Clone, Copy, Debug)]
pub struct Payload<'a> {
    len: usize,
    symbols: &'a [u8],
    initramfs: &'a [u8],
}

/// Why bytes are no payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadError {
    /// It does not begin with the magic: nothing was appended.
    NoMagic,
    /// The header says more bytes than there are.
    Truncated,
    /// The symbol block or the initramfs lies outside.
    PartOutside,
    /// The symbol block is shorter than its own count says.
    SymbolsTooShort,
}

impl<'a> Payload<'a> {
    /// Reads the header at the start of `bytes` and checks that every part lies inside; bytes after the payload are
    /// ignored.
    ///
    /// # Errors
    /// What [`PayloadError`] lists; [`PayloadError::NoMagic`] if nothing was appended.
    pub fn parse(bytes: &'a [u8]) -> Result<Payload<'a>, PayloadError> {
        if bytes.get(..8) != Some(&MAGIC) {
            return Err(PayloadError::NoMagic);
        }
        let field = |index: usize| u64_at(bytes, 8 + 8 * index).ok_or(PayloadError::Truncated);
        let len = usize::try_from(field(0)?).map_err(|_| PayloadError::Truncated)?;
        let bytes = bytes
            .get(..len)
            .filter(|_| len >= HEADER_LEN)
            .ok_or(PayloadError::Truncated)?;
        let part = |offset, len| part(bytes, offset, len).ok_or(PayloadError::PartOutside);
        let symbols = part(field(1)?, field(2)?)?;
        let initramfs = part(field(3)?, field(4)?)?;
        let payload = Payload {
            len,
            symbols,
            initramfs,
        };
        match symbols.is_empty() || payload.names_start() <= symbols.len() {
            true => Ok(payload),
            false => Err(PayloadError::SymbolsTooShort),
        }
    }

    /// Length of the whole payload.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds neither symbols nor an initramfs.
    pub fn is_empty(&self) -> bool {
        self.symbols.is_empty() && self.initramfs.is_empty()
    }

    /// The default initramfs; empty if there is none.
    pub fn initramfs(&self) -> &'a [u8] {
        self.initramfs
    }

    /// Number of symbols.
    pub fn symbol_count(&self) -> usize {
        u32_at(self.symbols, 0).map_or(0, |count| count as usize)
    }

    /// The last symbol at or before an address, and how far behind its start the address is. `offset` counts from the
    /// start of the image.
    pub fn symbol(&self, offset: u32) -> Option<(&'a str, u32)> {
        let (mut low, mut high) = (0, self.symbol_count());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.entry(middle)?.0 <= offset {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        let (start, name_offset) = self.entry(low.checked_sub(1)?)?;
        let name = self.symbols.get(name_offset as usize..)?;
        let name = &name[..name.iter().position(|&byte| byte == 0)?];
        Some((core::str::from_utf8(name).ok()?, offset.checked_sub(start)?))
    }

    /// Address and name offset of a symbol.
    fn entry(&self, index: usize) -> Option<(u32, u32)> {
        let at = index.checked_mul(8)?.checked_add(8)?;
        Some((u32_at(self.symbols, at)?, u32_at(self.symbols, at + 4)?))
    }

    /// Where the pairs end.
    fn names_start(&self) -> usize {
        self.symbol_count().saturating_mul(8).saturating_add(8)
    }
}

impl fmt::Display for PayloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PayloadError::NoMagic => "no payload is appended to the image",
            PayloadError::Truncated => "the image's payload is cut short",
            PayloadError::PartOutside => "a part of the image's payload lies outside of it",
            PayloadError::SymbolsTooShort => "the symbol table is shorter than its count says",
        })
    }
}

impl core::error::Error for PayloadError {}

fn part(bytes: &[u8], offset: u64, len: u64) -> Option<&[u8]> {
    let start = usize::try_from(offset).ok()?;
    let end = start.checked_add(usize::try_from(len).ok()?)?;
    bytes.get(start..end)
}

fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}
