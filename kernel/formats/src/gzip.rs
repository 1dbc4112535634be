//! gzip: RFC 1952 around RFC 1951. The inflating itself is `miniz_oxide`'s; here the members' headers and trailers, and
//! the bound on the output.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

const FLAG_HCRC: u8 = 1 << 1;
const FLAG_EXTRA: u8 = 1 << 2;
const FLAG_NAME: u8 = 1 << 3;
const FLAG_COMMENT: u8 = 1 << 4;
const FLAGS_RESERVED: u8 = 0xe0;
/// CRC-32 and length of the output.
const TRAILER_LEN: usize = 8;
/// Room for output is made in steps of this size at least.
const MIN_GROWTH: usize = 64 * 1024;

/// What came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inflated {
    /// The output of all members.
    pub data: Vec<u8>,
    /// How many bytes of the input the members took.
    pub consumed: usize,
}

/// What is wrong with the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GzipError {
    /// It does not begin with 1f 8b.
    NotGzip,
    /// A method other than deflate, or flags that RFC 1952 reserves.
    Unsupported,
    /// The sum of the header is wrong.
    BadHeaderSum,
    /// The input ends too early.
    Truncated,
    /// The deflate data are damaged.
    BadData,
    /// The output does not have the CRC-32 given.
    BadSum,
    /// The output does not have the length given.
    BadLength,
    /// The output is longer than the caller allows.
    TooLong,
    /// There is no memory for the output.
    NoMemory,
}

/// Whether the bytes begin like a gzip file.
pub fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

/// Inflates the member at the start of `input` and all members that follow it at once; at most `limit` bytes come out.
///
/// ```
/// use formats::gzip::{GzipError, inflate};
///
/// let hi = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xcb\xc8\x04\0\xac\x2a\x93\xd8\x02\0\0\0";
/// assert_eq!(inflate(hi, 2).unwrap().data, b"hi");
/// assert_eq!(inflate(hi, 1), Err(GzipError::TooLong));
/// ```
///
/// # Errors
/// What [`GzipError`] lists.
pub fn inflate(input: &[u8], limit: usize) -> Result<Inflated, GzipError> {
    let mut data = Vec::new();
    let mut rest = input;
    loop {
        rest = inflate_member(rest, &mut data, limit)?;
        if !is_gzip(rest) {
            return Ok(Inflated {
                data,
                consumed: input.len() - rest.len(),
            });
        }
    }
}

/// Appends one member's output to `data` and returns what follows the member.
fn inflate_member<'a>(input: &'a [u8], data: &mut Vec<u8>, limit: usize) -> Result<&'a [u8], GzipError> {
    let start = data.len();
    let body = skip_header(input)?;
    let rest = inflate_body(body, data, limit)?;
    let (trailer, rest) = rest
        .split_first_chunk::<TRAILER_LEN>()
        .ok_or(GzipError::Truncated)?;
    let [c0, c1, c2, c3, l0, l1, l2, l3] = *trailer;
    if u32::from_le_bytes([c0, c1, c2, c3]) != crc32fast::hash(&data[start..]) {
        return Err(GzipError::BadSum);
    }
    if u32::from_le_bytes([l0, l1, l2, l3]) != (data.len() - start) as u32 {
        return Err(GzipError::BadLength);
    }
    Ok(rest)
}

/// RFC 1952, 2.3: ten bytes, then optional parts as the flags say.
fn skip_header(input: &[u8]) -> Result<&[u8], GzipError> {
    if !is_gzip(input) {
        return Err(GzipError::NotGzip);
    }
    let (&[_, _, method, flags, ..], mut rest) =
        input.split_first_chunk::<10>().ok_or(GzipError::Truncated)?;
    if method != 8 || flags & FLAGS_RESERVED != 0 {
        return Err(GzipError::Unsupported);
    }
    if flags & FLAG_EXTRA != 0 {
        let (len, after) = rest.split_first_chunk::<2>().ok_or(GzipError::Truncated)?;
        rest = after
            .get(u16::from_le_bytes(*len) as usize..)
            .ok_or(GzipError::Truncated)?;
    }
    for flag in [FLAG_NAME, FLAG_COMMENT] {
        if flags & flag != 0 {
            let end = rest
                .iter()
                .position(|&byte| byte == 0)
                .ok_or(GzipError::Truncated)?;
            rest = &rest[end + 1..];
        }
    }
    if flags & FLAG_HCRC != 0 {
        let header = &input[..input.len() - rest.len()];
        let (sum, after) = rest.split_first_chunk::<2>().ok_or(GzipError::Truncated)?;
        if u16::from_le_bytes(*sum) != crc32fast::hash(header) as u16 {
            return Err(GzipError::BadHeaderSum);
        }
        rest = after;
    }
    Ok(rest)
}

/// Appends the output of the deflate data and returns what follows them.
fn inflate_body<'a>(body: &'a [u8], data: &mut Vec<u8>, limit: usize) -> Result<&'a [u8], GzipError> {
    let start = data.len();
    let mut state = Box::<DecompressorOxide>::default();
    let (mut rest, mut end) = (body, start);
    // The claim of a damaged file may be more than the memory holds; the true length may still fit.
    if start < limit && grow(data, size_hint(body), limit).is_err() {
        grow(data, MIN_GROWTH, limit)?;
    }
    loop {
        // Distances reach back into this member only.
        let (status, taken, given) = decompress(
            &mut state,
            rest,
            &mut data[start..],
            end - start,
            TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
        );
        rest = &rest[taken..];
        end += given;
        match status {
            TINFLStatus::Done => {
                data.truncate(end);
                return Ok(rest);
            }
            TINFLStatus::HasMoreOutput => grow(data, data.len() - start, limit)?,
            TINFLStatus::NeedsMoreInput | TINFLStatus::FailedCannotMakeProgress => {
                return Err(GzipError::Truncated);
            }
            _ => return Err(GzipError::BadData),
        }
    }
}

/// The length that the last four bytes claim: true for a file of one member. It only sizes the first allocation, so a
/// claim that deflate cannot reach (1032:1) is cut.
fn size_hint(body: &[u8]) -> usize {
    let claimed = body
        .last_chunk()
        .map_or(0, |len| u32::from_le_bytes(*len) as usize);
    claimed.min(body.len().saturating_mul(1032))
}

/// Makes room for `more` further bytes, as far as the limit allows. `TooLong` if it allows none.
fn grow(data: &mut Vec<u8>, more: usize, limit: usize) -> Result<(), GzipError> {
    let additional = more.max(MIN_GROWTH).min(limit.saturating_sub(data.len()));
    if additional == 0 {
        return Err(GzipError::TooLong);
    }
    data.try_reserve_exact(additional)
        .map_err(|_| GzipError::NoMemory)?;
    data.resize(data.len() + additional, 0);
    Ok(())
}

impl fmt::Display for GzipError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            GzipError::NotGzip => "not a gzip file",
            GzipError::Unsupported => "gzip: unknown method or flags",
            GzipError::BadHeaderSum => "gzip: the header's sum is wrong",
            GzipError::Truncated => "gzip: the file is cut short",
            GzipError::BadData => "gzip: the compressed data are damaged",
            GzipError::BadSum => "gzip: the output's CRC-32 is wrong",
            GzipError::BadLength => "gzip: the output's length is wrong",
            GzipError::TooLong => "gzip: the output is longer than the memory set aside for it",
            GzipError::NoMemory => "gzip: no memory for the output",
        })
    }
}

impl core::error::Error for GzipError {}
