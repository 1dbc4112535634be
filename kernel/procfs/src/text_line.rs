//! A line, or some, put together before they are added to a text: numbers are written where they are to stand, those in base 16
//! eight digits in a step.

use super::text::Text;

/// Digits of a number in base 16.
const DIGITS: usize = 16;
/// And of its half.
const HALF: usize = DIGITS / 2;

/// A line, or the part of one that does not come from a program: up to `MOST` bytes with room for a number.
pub struct TextLine<const MOST: usize> {
    bytes: [u8; MOST],
    len: usize,
}

impl<const MOST: usize> TextLine<MOST> {
    /// An empty one.
    pub fn new() -> Self {
        TextLine {
            bytes: [0; MOST],
            len: 0,
        }
    }

    /// Adds bytes.
    #[inline(always)]
    pub fn bytes<const LEN: usize>(&mut self, bytes: &[u8; LEN]) {
        self.bytes[self.len..self.len + LEN].copy_from_slice(bytes);
        self.len += LEN;
    }

    /// Adds a number in base 16, of at least `width` digits, 1 to 16.
    #[inline]
    pub fn hexadecimal(&mut self, number: u64, width: usize) {
        let len = (DIGITS - number.leading_zeros() as usize / 4).max(width);
        // The digits wanted come first; what is behind them is overwritten.
        if len <= HALF {
            self.put(0, eight_digits(number << (4 * (HALF - len))));
        } else {
            let first = number << (4 * (DIGITS - len));
            self.put(0, eight_digits(first >> 32));
            self.put(HALF, eight_digits(first & 0xffff_ffff));
        }
        self.len += len;
    }

    #[inline(always)]
    fn put(&mut self, behind: usize, digits: [u8; HALF]) {
        let start = self.len + behind;
        self.bytes[start..start + HALF].copy_from_slice(&digits);
    }

    /// Adds a number in base 10.
    #[inline]
    pub fn decimal(&mut self, number: u64) {
        self.aligned::<1>(number);
    }

    /// Adds a number in base 10 with blanks in front, to at least `WIDTH` characters.
    #[inline]
    pub fn aligned<const WIDTH: usize>(&mut self, number: u64) {
        let digits = number.checked_ilog10().unwrap_or(0) as usize + 1;
        let end = self.len + digits.max(WIDTH);
        self.bytes[self.len..self.len + WIDTH].copy_from_slice(&[b' '; WIDTH]);
        let mut rest = number;
        for digit in self.bytes[end - digits..end].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        self.len = end;
    }

    /// Adds blanks up to column `column`.
    pub fn pad(&mut self, column: usize) {
        while self.len < column {
            self.bytes(b" ");
        }
    }

    /// Adds it to a text, and is empty again.
    pub fn add_to(&mut self, text: &mut Text) {
        text.bytes(&self.bytes[..self.len]);
        self.len = 0;
    }
}

/// The digits of a number below 2^32: each half of what is in a lane goes to a lane of its own, until each has four bits.
#[inline(always)]
fn eight_digits(number: u64) -> [u8; HALF] {
    let number = (number | number << 16) & 0x0000_ffff_0000_ffff;
    let number = (number | number << 8) & 0x00ff_00ff_00ff_00ff;
    let number = (number | number << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    // 1 in the lanes of digits above 9.
    let is_letter = (number + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
    let letters = u64::from(b'a' - b'9' - 1);
    (number + u64::from_ne_bytes([b'0'; 8]) + is_letter * letters).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_as_they_are_written_by_others() {
        let numbers = (0..64).flat_map(|bit| [1u64 << bit, (1 << bit) - 1, 0x0123_4567_89ab_cdef >> bit]);
        for number in numbers.chain([0, u64::MAX, 0xffff_8123_0a0f_9090]) {
            for width in 1..=DIGITS {
                let (mut text, mut line) = (Text::new(256), TextLine::<160>::new());
                line.bytes(b"<");
                line.hexadecimal(number, width);
                line.bytes(b" ");
                line.decimal(number);
                line.aligned::<12>(number);
                line.add_to(&mut text);
                let expected = std::format!("<{number:0width$x} {number}{number:12}");
                assert_eq!(text.finish().unwrap(), expected.as_bytes());
            }
        }
    }

    #[test]
    fn a_line_ends_where_it_is_padded_to() {
        let (mut text, mut line) = (Text::new(256), TextLine::<160>::new());
        for word in [b"ab", b"cd"] {
            line.bytes(word);
            line.pad(3);
            line.add_to(&mut text);
        }
        assert_eq!(text.finish().unwrap(), b"ab cd ");
    }
}
