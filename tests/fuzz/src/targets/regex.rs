//! Regular expressions of grep and sed: one byte says how to read, a line is the pattern, the rest is the text.

use userland::regex::{Expression, Reading, Syntax};

pub const WORDS: &[&[u8]] = &[
    b"\\(",
    b"\\)",
    b"\\{1,3\\}",
    b"\\1",
    b"[[:alpha:]]",
    b"[^]-a]",
    b"*",
    b"+",
    b"{2}",
    b"|",
    b"\\<",
    b"\\b",
    b"^",
    b"$",
];

/// A back-reference takes time by the square: longer texts are for patience.
const MOST: usize = 200;

pub fn run(bytes: &[u8]) -> bool {
    let Some((&way, rest)) = bytes.split_first() else {
        return false;
    };
    let (pattern, text) = match rest.iter().position(|&byte| byte == b'\n') {
        Some(end) => (&rest[..end], &rest[end + 1..]),
        None => (rest, &b"some text"[..]),
    };
    let (pattern, text) = (&pattern[..pattern.len().min(60)], &text[..text.len().min(MOST)]);
    let Ok(pattern) = str::from_utf8(pattern) else {
        return false;
    };
    let reading = Reading {
        syntax: [Syntax::Fixed, Syntax::Basic, Syntax::Extended][usize::from(way) % 3],
        ignores_case: way & 0x10 != 0,
        has_lines: way & 0x20 != 0,
        has_escapes: way & 0x40 != 0,
    };
    let expression = match Expression::new(pattern, reading) {
        Ok(expression) => expression,
        Err(error) => {
            assert!(!error.is_empty());
            return false;
        }
    };
    let found = expression.find(text, 0, 9);
    assert_eq!(found.is_some(), expression.is_match(text));
    let Some(places) = found else { return true };
    let whole = places[0].clone().expect("the whole match has a place");
    for group in places.iter().flatten() {
        assert!(group.start <= group.end && group.end <= text.len());
        assert!(whole.start <= group.start && group.end <= whole.end);
    }
    if reading.syntax == Syntax::Fixed && !reading.ignores_case {
        assert_eq!(&text[whole], pattern.as_bytes());
    }
    true
}

pub fn seeds() -> Vec<Vec<u8>> {
    let lines: [&[u8]; 5] = [
        b"\0a.b*\nxa.b*y",
        b"\x01^\\(a*\\)b\\1$\naabaa",
        b"\x02(foo|ba[rz]+){2,3}\\b\nfoobarrbaz end",
        b"\x32[[:upper:]]?x*\nline one\nXx\n",
        b"\x42\\<w[^a-c]*\\n\nword\n\xc3\xa4\xff",
    ];
    lines.map(<[u8]>::to_vec).to_vec()
}
