//! Names: long ones in UTF-16, and the short ones that stand beside them.

use abi::Errno;
use alloc::string::String;
use alloc::vec::Vec;
use memory::fallible::{self, TryVec};

/// Longest name, in units of UTF-16.
pub const LONGEST: usize = 255;

/// What bytes above 127 of short names mean: code page 437.
const PAGE: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

/// A short name: eight letters, and three.
pub type Short = [u8; 11];

/// A name as it is entered: without dots at its end. `EINVAL` if it cannot be, `ENAMETOOLONG`.
pub fn checked(name: &[u8]) -> Result<&str, Errno> {
    let name = core::str::from_utf8(name)
        .map_err(|_| Errno::EINVAL)?
        .trim_end_matches('.');
    let is_bad = |letter: char| letter < ' ' || "\"*/:<>?\\|\u{7f}".contains(letter);
    if name.is_empty() || name.ends_with(' ') || name.contains(is_bad) {
        return Err(Errno::EINVAL);
    }
    if name.encode_utf16().count() > LONGEST {
        Err(Errno::ENAMETOOLONG)
    } else {
        Ok(name)
    }
}

/// Whether two names are the same: case does not count.
pub fn is_same(a: &str, b: &str) -> bool {
    a.chars()
        .flat_map(char::to_lowercase)
        .eq(b.chars().flat_map(char::to_lowercase))
}

/// The sum of a short name that the parts of its long one have.
pub fn sum(short: &Short) -> u8 {
    short
        .iter()
        .fold(0u8, |sum, letter| sum.rotate_right(1).wrapping_add(*letter))
}

fn push(text: &mut Vec<u8>, letter: char) -> Result<(), Errno> {
    text.try_extend(letter.encode_utf8(&mut [0; 4]).as_bytes())
}

/// What was pushed.
fn finished(text: Vec<u8>) -> Result<String, Errno> {
    String::from_utf8(text).map_err(|_| Errno::EUCLEAN)
}

/// The text of a short name; `case` says which halves are meant in small letters.
pub fn from_short(short: &Short, case: u8) -> Result<String, Errno> {
    let mut text = Vec::new();
    let (base, extension) = short.split_at(8);
    for (part, small) in [(base, case & 0x08), (extension, case & 0x10)] {
        let len = part
            .iter()
            .rposition(|letter| *letter != b' ')
            .map_or(0, |last| last + 1);
        if part.len() == 3 && len > 0 {
            push(&mut text, '.')?;
        }
        for (index, byte) in part.iter().take(len).enumerate() {
            // A name that begins with the mark of a free place has another letter there.
            let byte = if part.len() == 8 && index == 0 && *byte == 0x05 {
                0xe5
            } else {
                *byte
            };
            let letter = match byte {
                0..0x80 => char::from(byte),
                _ => PAGE.chars().nth(usize::from(byte - 0x80)).unwrap_or('_'),
            };
            push(
                &mut text,
                if small != 0 {
                    letter.to_ascii_lowercase()
                } else {
                    letter
                },
            )?;
        }
    }
    finished(text)
}

/// The text of a long name. `EUCLEAN` if it is none.
pub fn from_long(units: &[u16]) -> Result<String, Errno> {
    let mut text = Vec::new();
    for letter in char::decode_utf16(units.iter().copied()) {
        push(&mut text, letter.map_err(|_| Errno::EUCLEAN)?)?;
    }
    let text = finished(text)?;
    if text.is_empty() || text.contains(['/', '\0']) {
        Err(Errno::EUCLEAN)
    } else {
        Ok(text)
    }
}

/// The units of a long name.
pub fn units(name: &str) -> Result<Vec<u16>, Errno> {
    let mut units = fallible::with_room(name.len())?;
    units.try_append(name.encode_utf16())?;
    Ok(units)
}

fn is_short_letter(letter: u8) -> bool {
    letter.is_ascii_uppercase() || letter.is_ascii_digit() || b"!#$%&'()-@^_`{}~".contains(&letter)
}

/// The short name that says all of a name, if one does.
pub fn exact(name: &str) -> Option<Short> {
    let (base, extension) = name.split_once('.').unwrap_or((name, ""));
    let has_dot = name.contains('.');
    let fits = |part: &str, most: usize| part.len() <= most && part.bytes().all(is_short_letter);
    if base.is_empty() || (has_dot && extension.is_empty()) || !fits(base, 8) || !fits(extension, 3) {
        return None;
    }
    let mut short = [b' '; 11];
    short
        .iter_mut()
        .zip(base.bytes())
        .for_each(|(to, from)| *to = from);
    short
        .iter_mut()
        .skip(8)
        .zip(extension.bytes())
        .for_each(|(to, from)| *to = from);
    Some(short)
}

/// The `number`th short name that may stand beside a long one.
pub fn alias(name: &str, number: u32) -> Short {
    let (base, extension) = name
        .rsplit_once('.')
        .filter(|(base, _)| !base.is_empty())
        .unwrap_or((name, ""));
    let letters = |part: &str| {
        let mut out = [b' '; 8];
        let kept = part.bytes().filter(|letter| !matches!(letter, b' ' | b'.'));
        let kept = kept.map(|letter| letter.to_ascii_uppercase());
        let kept = kept.map(|letter| if is_short_letter(letter) { letter } else { b'_' });
        let mut len = 0;
        for (to, from) in out.iter_mut().zip(kept) {
            *to = from;
            len += 1;
        }
        (out, len)
    };
    let ((base, base_len), (extension, _)) = (letters(base), letters(extension));
    let mut short = [b' '; 11];
    short[..8].copy_from_slice(&base);
    short[8..].copy_from_slice(&extension[..3]);
    if number < 4 {
        let keep = base_len.min(6);
        short[keep] = b'~';
        short[keep + 1] = b'1' + number as u8;
        short[keep + 2..8].fill(b' ');
        return short;
    }
    // Many names that begin alike: four digits of a hash.
    let hash = name.bytes().fold(number, |hash, byte| {
        hash.wrapping_mul(16_777_619) ^ u32::from(byte)
    });
    let keep = base_len.min(2);
    for (index, slot) in short[keep..keep + 4].iter_mut().enumerate() {
        *slot = b"0123456789ABCDEF"[(hash >> (4 * index + 8) & 15) as usize];
    }
    short[keep + 4] = b'~';
    short[keep + 5] = b'1';
    short[keep + 6..8].fill(b' ');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names() {
        assert_eq!(exact("KERNEL8.IMG"), Some(*b"KERNEL8 IMG"));
        assert_eq!(exact("kernel8.img"), None);
        assert_eq!(exact("A.B.C"), None);
        assert_eq!(alias("a long name.text", 0), *b"ALONGN~1TEX");
        assert_eq!(alias(".profile", 1), *b"PROFIL~2   ");
        assert_eq!(&alias("a long name.text", 9)[..2], b"AL");
        assert_eq!(from_short(b"KERNEL8 IMG", 0x18).unwrap(), "kernel8.img");
        assert_eq!(from_short(b"\x05\x81      \xe1  ", 0).unwrap(), "σü.ß");
        assert_eq!(sum(b"KERNEL8 IMG"), sum(b"KERNEL8 IMG"));
        assert!(is_same("Straße.TXT", "STRAßE.txt") && !is_same("a", "b"));
        assert_eq!(checked(b"a:b").unwrap_err(), Errno::EINVAL);
        assert_eq!(checked("ä...".as_bytes()).unwrap(), "ä");
    }
}
