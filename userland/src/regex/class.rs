//! Sets of characters, and how text is taken apart into them.

use alloc::vec::Vec;

/// What stands at a place of a text: a character, or, where the bytes are no UTF-8, one byte beyond all characters.
pub type Letter = u32;

const NO_UTF8: Letter = 0x11_0000;

/// The letter at a place, which is not the end, and how many bytes it has.
#[inline]
pub fn letter_at(text: &[u8], at: usize) -> (Letter, usize) {
    let first = text[at];
    if first < 0x80 {
        return (first.into(), 1);
    }
    let wanted = match first {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return (NO_UTF8 + Letter::from(first), 1),
    };
    let bytes = text.get(at..at + wanted);
    let decoded = bytes.and_then(|bytes| core::str::from_utf8(bytes).ok());
    decoded
        .and_then(|text| text.chars().next())
        .map_or((NO_UTF8 + Letter::from(first), 1), |found| (found.into(), wanted))
}

/// Whether a byte is part of a word; letters beyond ASCII are.
pub fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// The other case of a letter, or itself.
pub fn other_case(letter: Letter) -> Letter {
    let Some(found) = char::from_u32(letter) else {
        return letter;
    };
    let (mut small, mut capital) = (found.to_lowercase(), found.to_uppercase());
    let only = |found: Option<char>, is_last: bool| found.filter(|_| is_last);
    let small = only(small.next(), small.next().is_none()).unwrap_or(found);
    let capital = only(capital.next(), capital.next().is_none()).unwrap_or(found);
    if small == found { capital } else { small }.into()
}

/// A set of letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    ranges: Vec<(Letter, Letter)>,
    is_excluded: bool,
    ignores_case: bool,
    /// Which of the first 128 are in it.
    ascii: u128,
}

impl Class {
    /// What lies in one of the ranges, or, if `is_excluded`, in none.
    pub fn new(ranges: Vec<(Letter, Letter)>, is_excluded: bool, ignores_case: bool) -> Class {
        let mut class = Class {
            ranges,
            is_excluded,
            ignores_case,
            ascii: 0,
        };
        let is_in = |letter: &u32| class.contains(*letter);
        class.ascii = (0..128).filter(is_in).fold(0, |all, letter| all | 1 << letter);
        class
    }

    fn contains(&self, letter: Letter) -> bool {
        let is_in = |letter| {
            self.ranges
                .iter()
                .any(|range| (range.0..=range.1).contains(&letter))
        };
        (is_in(letter) || self.ignores_case && is_in(other_case(letter))) != self.is_excluded
    }

    /// Whether the letter is in it.
    #[inline]
    pub fn accepts(&self, letter: Letter) -> bool {
        if letter < 128 {
            self.ascii >> letter & 1 != 0
        } else {
            self.contains(letter)
        }
    }

    /// Whether a letter that begins with this byte may be in it.
    pub fn may_begin(&self, byte: u8) -> bool {
        byte >= 128 || self.accepts(byte.into())
    }
}

/// The ranges of `[:name:]`.
pub fn named(name: &str) -> Option<&'static [(char, char)]> {
    Some(match name {
        "alpha" => &[
            ('A', 'Z'),
            ('a', 'z'),
            ('\u{aa}', '\u{2af}'),
            ('\u{370}', '\u{1fff}'),
        ],
        "digit" => &[('0', '9')],
        "alnum" => &[
            ('0', '9'),
            ('A', 'Z'),
            ('a', 'z'),
            ('\u{aa}', '\u{2af}'),
            ('\u{370}', '\u{1fff}'),
        ],
        "upper" => &[('A', 'Z')],
        "lower" => &[('a', 'z')],
        "space" => &[('\t', '\r'), (' ', ' ')],
        "blank" => &[(' ', ' '), ('\t', '\t')],
        "punct" => &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
        "print" => &[(' ', '~'), ('\u{a0}', char::MAX)],
        "graph" => &[('!', '~'), ('\u{a1}', char::MAX)],
        "cntrl" => &[('\0', '\x1f'), ('\x7f', '\x7f')],
        "xdigit" => &[('0', '9'), ('A', 'F'), ('a', 'f')],
        _ => return None,
    })
}
