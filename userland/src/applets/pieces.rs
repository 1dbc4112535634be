//! cut, tr.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::arguments::parse;
use super::text::{lines_of, open};
use crate::runtime::output;

/// `1,3-5,7-`: which places are wanted, counted from 1.
fn is_wanted(list: &str, place: usize) -> Option<bool> {
    let mut wanted = false;
    for range in list.split(',') {
        let (first, last) = match range.split_once('-') {
            None => (range.parse().ok()?, range.parse().ok()?),
            Some(("", "")) => return None,
            Some((first, last)) => (
                if first.is_empty() { 1 } else { first.parse().ok()? },
                if last.is_empty() {
                    usize::MAX
                } else {
                    last.parse().ok()?
                },
            ),
        };
        if first == 0 || last < first {
            return None;
        }
        wanted |= (first..=last).contains(&place);
    }
    Some(wanted)
}

/// `cut -c list | -f list [-d character] [-s] [files]`
pub fn cut(arguments: &[&str]) -> i32 {
    let parsed = match parse(arguments, "c:b:f:d:s") {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let characters = parsed.value('c').or(parsed.value('b'));
    let (Some(list), is_by_fields) = (characters.or(parsed.value('f')), characters.is_none()) else {
        return parsed.usage("-c list | -f list [-d character] [-s] [files]");
    };
    if is_wanted(list, 1).is_none() {
        return parsed.fail(format!("invalid list: '{list}'"));
    }
    let separator = parsed.value('d').unwrap_or("\t");
    if separator.chars().count() != 1 {
        return parsed.fail("the delimiter must be a single character");
    }
    let lines = match lines_of(&parsed) {
        Ok(lines) => lines,
        Err(status) => return status,
    };
    let wanted = |index: usize| is_wanted(list, index + 1).unwrap_or(false);
    for line in lines {
        if !is_by_fields {
            let kept = line.chars().enumerate().filter(|(index, _)| wanted(*index));
            println!("{}", kept.map(|(_, c)| c).collect::<String>());
        } else if line.contains(separator) {
            let kept = line
                .split(separator)
                .enumerate()
                .filter(|(index, _)| wanted(*index));
            println!(
                "{}",
                kept.map(|(_, field)| field).collect::<Vec<_>>().join(separator)
            );
        } else if !parsed.has('s') {
            println!("{line}");
        }
    }
    0
}

/// `a-z`, `[:upper:]`, `\\n`: the bytes that a set names; `None` for a class that is not known.
fn bytes_of(set: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = set;
    while let Some(first) = rest.bytes().next() {
        if let Some(class) = rest.strip_prefix("[:") {
            let (name, after) = class.split_once(":]")?;
            bytes.extend((0..=255).filter(|byte| is_of_class(*byte, name)));
            let is_known = [
                "alnum", "alpha", "blank", "digit", "lower", "space", "upper", "punct",
            ]
            .contains(&name);
            if !is_known {
                return None;
            }
            rest = after;
            continue;
        }
        let (byte, after) = match first {
            b'\\' => escaped(&rest[1..]),
            byte => (byte, rest.get(1..)?),
        };
        rest = after;
        match rest.strip_prefix('-').and_then(|range| range.bytes().next()) {
            Some(last) if last.is_ascii() => {
                if last < byte {
                    return None;
                }
                bytes.extend(byte..=last);
                rest = &rest[2..];
            }
            _ => bytes.push(byte),
        }
    }
    Some(bytes)
}

fn escaped(rest: &str) -> (u8, &str) {
    let byte = match rest.bytes().next() {
        None => return (b'\\', rest),
        Some(b'n') => b'\n',
        Some(b't') => b'\t',
        Some(b'r') => b'\r',
        Some(b'0') => 0,
        Some(byte) => byte,
    };
    (byte, rest.get(1..).unwrap_or(""))
}

fn is_of_class(byte: u8, name: &str) -> bool {
    match name {
        "alnum" => byte.is_ascii_alphanumeric(),
        "alpha" => byte.is_ascii_alphabetic(),
        "blank" => byte == b' ' || byte == b'\t',
        "digit" => byte.is_ascii_digit(),
        "lower" => byte.is_ascii_lowercase(),
        "upper" => byte.is_ascii_uppercase(),
        "space" => byte.is_ascii_whitespace() || byte == 0x0b,
        "punct" => byte.is_ascii_punctuation(),
        _ => false,
    }
}

/// `tr [-cds] set [set]`
pub fn translate(arguments: &[&str]) -> i32 {
    let parsed = match parse(arguments, "cCds") {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let usage = "[-cds] set [set]";
    let (from, to) = match parsed.operands.as_slice() {
        [from] if parsed.has('d') || parsed.has('s') => (*from, ""),
        [from, to] if !parsed.has('d') || parsed.has('s') => (*from, *to),
        _ => return parsed.usage(usage),
    };
    if !from.is_ascii() || !to.is_ascii() {
        return parsed.fail("only ASCII characters can be changed");
    }
    let (Some(mut from), Some(to)) = (bytes_of(from), bytes_of(to)) else {
        return parsed.fail("a set is not understood");
    };
    if parsed.has('c') || parsed.has('C') {
        from = (0..=255).filter(|byte| !from.contains(byte)).collect();
    }
    let input = match open("-").and_then(|file| file.read_all()) {
        Ok(input) => input,
        Err(error) => return parsed.fail(error),
    };
    let squeezed: &[u8] = match () {
        _ if !parsed.has('s') => &[],
        _ if to.is_empty() => &from,
        _ => &to,
    };
    let mut result = Vec::with_capacity(input.len());
    for byte in input {
        let place = from.iter().position(|found| *found == byte);
        let new = match place {
            Some(_) if parsed.has('d') => continue,
            Some(place) if !to.is_empty() => to[place.min(to.len() - 1)],
            _ => byte,
        };
        if squeezed.contains(&new) && result.last() == Some(&new) {
            continue;
        }
        result.push(new);
    }
    output::write_bytes(&result);
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_sets() {
        let places = |list| {
            (1..8)
                .filter(|place| is_wanted(list, *place) == Some(true))
                .collect::<Vec<_>>()
        };
        assert_eq!(places("1,3-4,6-"), [1, 3, 4, 6, 7]);
        assert_eq!(places("-2"), [1, 2]);
        assert_eq!(
            [
                is_wanted("0", 1),
                is_wanted("3-2", 1),
                is_wanted("x", 1),
                is_wanted("-", 1)
            ],
            [None; 4]
        );
        assert_eq!(bytes_of("a-c\\n-"), Some(b"abc\n-".to_vec()));
        assert_eq!(bytes_of("[:digit:]x"), Some(b"0123456789x".to_vec()));
        assert_eq!((bytes_of("[:nosuch:]"), bytes_of("z-a")), (None, None));
    }
}
