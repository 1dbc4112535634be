//! What mkswap(8) writes into the first page of an area (`union swap_header` of Linux).

use abi::Errno;
use alloc::vec::Vec;
use memory::FrameHandle;
use mm::PAGE_SIZE;

use crate::place::SwapPlace;

/// Its last bytes.
const MAGIC: &[u8; 10] = b"SWAPSPACE2";
/// Where the numbers begin.
const INFO: usize = 1024;
/// Bytes of a number.
const WORD: usize = size_of::<u32>();

/// How many pages behind the header may be used.
///
/// # Errors
/// `EINVAL`: there is no header, or it speaks of more than there is, of another version, or of pages that cannot be used: those are
/// not supported. `EIO`, `ENOMEM`.
pub fn read(place: &SwapPlace) -> Result<u32, Errno> {
    let pages = place.pages();
    if pages < 2 {
        return Err(Errno::EINVAL);
    }
    let page = FrameHandle::allocate().map_err(|_| Errno::ENOMEM)?;
    place.read(0, core::slice::from_ref(&page))?;
    let mut bytes: Vec<u8> = memory::fallible::filled(PAGE_SIZE, 0)?;
    platform::frame::read(page.frame(), 0, &mut bytes);
    parse(&bytes, pages)
}

fn parse(bytes: &[u8], pages: u64) -> Result<u32, Errno> {
    let number = |nth: usize| {
        let at = INFO + nth * WORD;
        let bytes = bytes.get(at..at + WORD).and_then(|bytes| bytes.try_into().ok());
        bytes.map(u32::from_le_bytes).ok_or(Errno::EINVAL)
    };
    let (version, last_page, bad_pages) = (number(0)?, number(1)?, number(2)?);
    let is_valid = bytes.ends_with(MAGIC) && version == 1 && bad_pages == 0;
    if !is_valid || last_page == 0 || u64::from(last_page) >= pages {
        return Err(Errno::EINVAL);
    }
    Ok(last_page)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    fn header(version: u32, last_page: u32, bad_pages: u32) -> Vec<u8> {
        let mut bytes = std::vec![0; PAGE_SIZE];
        for (nth, number) in [version, last_page, bad_pages].into_iter().enumerate() {
            bytes[INFO + nth * WORD..][..WORD].copy_from_slice(&number.to_le_bytes());
        }
        bytes[PAGE_SIZE - MAGIC.len()..].copy_from_slice(MAGIC);
        bytes
    }

    #[test]
    fn a_header_says_how_many_pages_there_are() {
        assert_eq!(parse(&header(1, 15, 0), 16), Ok(15));
        for (bytes, pages) in [
            (header(1, 16, 0), 16),
            (header(1, 0, 0), 16),
            (header(2, 15, 0), 16),
            (header(1, 15, 1), 16),
            (std::vec![0; PAGE_SIZE], 16),
        ] {
            assert_eq!(parse(&bytes, pages), Err(Errno::EINVAL));
        }
    }
}
