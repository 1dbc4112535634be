//! The options of a filesystem in memory: the last argument of mount(2), as tmpfs(5) lists them.

use abi::Errno;
use mm::PAGE_SIZE;

/// What was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Most pages that its files may hold together.
    pub pages: u64,
    /// The mode of its root.
    pub mode: u32,
}

/// Reads options that are separated by commas; what is not said stays as in `options`. `ram_pages` is what a percentage
/// counts from.
///
/// # Errors
/// `EINVAL` for those that are not known.
pub fn parse(text: &[u8], mut options: Options, ram_pages: u64) -> Result<Options, Errno> {
    let text = core::str::from_utf8(text).map_err(|_| Errno::EINVAL)?;
    for option in text.split(',').filter(|option| !option.is_empty()) {
        match option.split_once('=').ok_or(Errno::EINVAL)? {
            ("size", value) => options.pages = size(value, ram_pages).ok_or(Errno::EINVAL)?,
            ("nr_blocks", value) => options.pages = bytes(value).ok_or(Errno::EINVAL)?,
            ("mode", value) => options.mode = mode(value).ok_or(Errno::EINVAL)?,
            _ => return Err(Errno::EINVAL),
        }
    }
    Ok(options)
}

/// A size in pages: bytes, with a suffix, or a percentage of the memory.
fn size(value: &str, ram_pages: u64) -> Option<u64> {
    match value.strip_suffix('%') {
        Some(percent) => Some(ram_pages.checked_mul(percent.parse().ok()?)? / 100),
        None => Some(bytes(value)?.div_ceil(PAGE_SIZE as u64)),
    }
}

/// A number with one of the suffixes k, m, g.
fn bytes(value: &str) -> Option<u64> {
    let number = value.trim_end_matches(['k', 'K', 'm', 'M', 'g', 'G']);
    let factor = match value.get(number.len()..)? {
        "" => 1,
        "k" | "K" => 1 << 10,
        "m" | "M" => 1 << 20,
        "g" | "G" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

fn mode(value: &str) -> Option<u32> {
    u32::from_str_radix(value, 8).ok().filter(|mode| *mode <= 0o7777)
}
