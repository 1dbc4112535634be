//! A piece of text of /proc being made. It takes memory as it grows, and may be refused it: then what follows is lost, and the
//! read fails ([`Text::finish`]). Numbers have functions of their own: the files with thousands of lines consist of them.

use alloc::vec::Vec;
use core::fmt::{self, Write};

use abi::Errno;
use abi::time::USER_HZ;
use platform::timer;

use formats::escape::Escaped;
use memory::fallible::{self, TryVec};
use sched::time;

/// Memory taken at once.
const STEP: usize = 1024;
/// Digits of the largest number.
const MOST_DIGITS: usize = 20;

/// A text being made.
pub struct Text {
    bytes: Vec<u8>,
    wanted: usize,
    is_refused: bool,
}

impl Text {
    /// An empty text of which `wanted` bytes are of use.
    pub fn new(wanted: usize) -> Self {
        Text {
            bytes: Vec::new(),
            wanted,
            is_refused: false,
        }
    }

    /// The same, with memory for all of them: what is added while there is [`Text::room`] is not refused.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn with_room(wanted: usize) -> Result<Self, Errno> {
        Ok(Text {
            bytes: fallible::with_room(wanted)?,
            ..Text::new(wanted)
        })
    }

    /// Bytes that may be added without more memory.
    pub fn room(&self) -> usize {
        self.bytes.capacity() - self.bytes.len()
    }

    /// Whether it holds as much as is of use: further records are for the next one.
    pub fn is_full(&self) -> bool {
        self.bytes.len() >= self.wanted || self.is_refused
    }

    /// The whole text.
    ///
    /// # Errors
    /// `ENOMEM`: part of it found no memory.
    pub fn finish(self) -> Result<Vec<u8>, Errno> {
        if self.is_refused {
            Err(Errno::ENOMEM)
        } else {
            Ok(self.bytes)
        }
    }

    /// Adds formatted text: `text.add(format_args!(..))`.
    pub fn add(&mut self, arguments: fmt::Arguments<'_>) {
        self.write_fmt(arguments).expect("a text takes everything");
    }

    /// Adds bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let room = self.bytes.capacity() - self.bytes.len();
        if room < bytes.len() && self.bytes.try_reserve(bytes.len().max(STEP)).is_err() {
            self.is_refused = true;
        }
        if !self.is_refused {
            self.is_refused = self.bytes.try_extend(bytes).is_err();
        }
    }

    /// Adds what a program named.
    pub fn escaped(&mut self, name: &Escaped<'_>) {
        name.for_each_piece(|piece| self.bytes(piece));
    }

    /// Adds a number.
    pub fn decimal(&mut self, number: u64) {
        self.digits::<10>(number, 1);
    }

    /// Adds a blank and a number: a field of /proc/PID/stat.
    pub fn field(&mut self, number: u64) {
        let (digits, start) = digits_of::<10>(number, b' ');
        self.bytes(&digits[start - 1..]);
    }

    /// Adds a number in base 16, of at least `width` digits.
    pub fn hexadecimal(&mut self, number: u64, width: usize) {
        self.digits::<16>(number, width);
    }

    fn digits<const BASE: u64>(&mut self, number: u64, width: usize) {
        let (digits, start) = digits_of::<BASE>(number, b'0');
        let start = start.min(digits.len() - width.min(MOST_DIGITS));
        self.bytes(&digits[start..]);
    }

    /// Adds a line of a table of sizes: name, tab, kibibytes.
    pub fn kibibytes(&mut self, name: &str, bytes: u64) {
        self.bytes(name.as_bytes());
        let (mut digits, start) = digits_of::<10>(bytes / 1024, b' ');
        let start = start.min(digits.len() - 8);
        // They are three fewer than the most: there is room before them.
        digits[start - 2..start].copy_from_slice(b":\t");
        self.bytes(&digits[start - 2..]);
        self.bytes(b" kB\n");
    }
}

/// The digits of a number, behind at least one character of padding: all, and where they begin.
#[inline(always)]
fn digits_of<const BASE: u64>(mut number: u64, padding: u8) -> ([u8; MOST_DIGITS + 1], usize) {
    let mut digits = [padding; MOST_DIGITS + 1];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b"0123456789abcdef"[(number % BASE) as usize];
        number /= BASE;
        if number == 0 {
            return (digits, start);
        }
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes());
        Ok(())
    }
}

/// A number that is all of its file.
///
/// # Errors
/// None: it is for the lists of files, whose others have some.
pub fn number(text: &mut Text, number: u64) -> Result<(), Errno> {
    text.decimal(number);
    text.bytes(b"\n");
    Ok(())
}

/// Ticks of the timer in units of `USER_HZ`.
pub fn clock_ticks(ticks: u64) -> u64 {
    timer::ticks_to_nanos(ticks) / (time::SECOND / USER_HZ)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_behind_what_is_between_them() {
        let mut text = Text::new(256);
        text.decimal(0);
        text.field(7);
        text.field(u64::MAX);
        text.bytes(b"\n");
        text.hexadecimal(0xab, 4);
        text.bytes(b"\n");
        text.kibibytes("VmPeak", 1234 << 10);
        text.kibibytes("VmLck", 1);
        text.kibibytes("VmRSS", u64::MAX);
        let expected = "0 7 18446744073709551615\n00ab\nVmPeak:\t    1234 kB\nVmLck:\t       0 kB\nVmRSS:\t18014398509481983 kB\n";
        assert_eq!(text.finish().unwrap(), expected.as_bytes());
    }
}
