//! echo, printf, basename, dirname, pwd, yes, true, false.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::arguments::parse;
use crate::runtime::{file, output, path};

/// true
pub fn success(_arguments: &[&str]) -> i32 {
    0
}

/// false
pub fn failure(_arguments: &[&str]) -> i32 {
    1
}

/// echo [-n] [-e] words
pub fn echo(arguments: &[&str]) -> i32 {
    let is_option = |word: &&&str| {
        word.len() > 1 && word.starts_with('-') && word[1..].chars().all(|c| "neE".contains(c))
    };
    let options: Vec<&str> = arguments[1..].iter().take_while(is_option).copied().collect();
    let words = &arguments[1 + options.len()..];
    let has = |letter| options.iter().any(|option| option.contains(letter));
    let text = words.join(" ");
    if has('e') {
        let (bytes, is_stopped) = unescape(&text);
        output::write_bytes(&bytes);
        if is_stopped {
            return 0;
        }
    } else {
        print!("{text}");
    }
    if !has('n') {
        println!();
    }
    0
}

/// Replaces `\n`, `\t`, `\0ooo`, `\xhh` and so on; true if `\c` says to stop.
fn unescape(text: &str) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        let Some(c) = after.chars().next() else {
            bytes.push(b'\\');
            return (bytes, false);
        };
        rest = &after[c.len_utf8()..];
        match c {
            'c' => return (bytes, true),
            '0'..='7' | 'x' => {
                let radix = if c == 'x' { 16 } else { 8 };
                let digits = if c == 'x' || c == '0' { rest } else { after };
                let most = if c == 'x' { 2 } else { 3 };
                let length = digits
                    .chars()
                    .take(most)
                    .take_while(|digit| digit.is_digit(radix))
                    .count();
                bytes.push(u32::from_str_radix(&digits[..length], radix).unwrap_or(0) as u8);
                rest = &digits[length..];
            }
            _ => match "abefnrtv\\".find(c) {
                Some(at) => bytes.push(b"\x07\x08\x1b\x0c\n\r\t\x0b\\"[at]),
                None => bytes.extend_from_slice(format!("\\{c}").as_bytes()),
            },
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    (bytes, false)
}

/// `printf format [arguments]`: the format is used again while arguments are left.
pub fn printf(arguments: &[&str]) -> i32 {
    let [name, format, values @ ..] = arguments else {
        eprintln!("usage: printf format [arguments]");
        return 2;
    };
    let mut values = values.iter().copied();
    let mut status = 0;
    loop {
        let before = values.len();
        if let Err(message) = print_once(format, &mut values) {
            eprintln!("{name}: {message}");
            status = 1;
        }
        if values.len() == 0 || values.len() == before || status != 0 {
            return status;
        }
    }
}

fn print_once<'a>(format: &str, values: &mut impl Iterator<Item = &'a str>) -> Result<(), String> {
    let mut rest = format;
    while let Some((before, after)) = rest.split_once('%') {
        output::write_bytes(&unescape(before).0);
        let flags_end = after.find(|c: char| !"-+ 0#".contains(c)).unwrap_or(after.len());
        let (flags, after) = after.split_at(flags_end);
        let width_end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        let (width, after) = after.split_at(width_end);
        let (precision, after) = match after.strip_prefix('.') {
            Some(after) => {
                let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
                (Some(after[..end].parse::<usize>().unwrap_or(0)), &after[end..])
            }
            None => (None, after),
        };
        let Some(kind) = after.chars().next() else {
            return Err("missing conversion after %".to_string());
        };
        rest = &after[kind.len_utf8()..];
        if kind == '%' {
            print!("%");
            continue;
        }
        let text = convert(kind, flags, precision, values.next())?;
        pad(&text, flags, width.parse().unwrap_or(0));
    }
    output::write_bytes(&unescape(rest).0);
    Ok(())
}

fn convert(
    kind: char,
    flags: &str,
    precision: Option<usize>,
    value: Option<&str>,
) -> Result<Vec<u8>, String> {
    let text = value.unwrap_or("");
    let number = || -> Result<i64, String> {
        let (sign, digits) = text.strip_prefix('-').map_or((1i64, text), |digits| (-1, digits));
        let parsed = match (digits.strip_prefix("0x"), digits.strip_prefix(['\'', '"'])) {
            (Some(digits), _) => i64::from_str_radix(digits, 16).ok(),
            (_, Some(character)) => character.chars().next().map(|c| i64::from(u32::from(c))),
            _ if digits.is_empty() => Some(0),
            _ => digits.parse().ok(),
        };
        parsed
            .map(|value| sign * value)
            .ok_or_else(|| format!("{text}: a number is needed"))
    };
    let plus = if flags.contains('+') { "+" } else { "" };
    Ok(match kind {
        's' => text
            .chars()
            .take(precision.unwrap_or(usize::MAX))
            .collect::<String>()
            .into_bytes(),
        'b' => unescape(text).0,
        'c' => text.chars().take(1).collect::<String>().into_bytes(),
        'd' | 'i' => match number()? {
            value if value >= 0 => format!("{plus}{value}").into_bytes(),
            value => value.to_string().into_bytes(),
        },
        'u' => (number()? as u64).to_string().into_bytes(),
        'x' => format!("{:x}", number()?).into_bytes(),
        'X' => format!("{:X}", number()?).into_bytes(),
        'o' => format!("{:o}", number()?).into_bytes(),
        kind => return Err(format!("%{kind}: unknown conversion")),
    })
}

fn pad(text: &[u8], flags: &str, width: usize) {
    let length = core::str::from_utf8(text).map_or(text.len(), |text| text.chars().count());
    let missing = width.saturating_sub(length);
    if flags.contains('-') {
        output::write_bytes(text);
        print!("{:missing$}", "");
    } else if flags.contains('0') && missing > 0 {
        let sign = usize::from(text.starts_with(b"-"));
        output::write_bytes(&text[..sign]);
        print!("{:0>missing$}", "");
        output::write_bytes(&text[sign..]);
    } else {
        print!("{:missing$}", "");
        output::write_bytes(text);
    }
}

/// `basename path [suffix]`
pub fn basename(arguments: &[&str]) -> i32 {
    let parsed = match parse(arguments, "") {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let (name, suffix) = match parsed.operands.as_slice() {
        [name] => (path::base_name(name), ""),
        [name, suffix] => (path::base_name(name), *suffix),
        _ => return parsed.usage("path [suffix]"),
    };
    println!(
        "{}",
        name.strip_suffix(suffix)
            .filter(|short| !short.is_empty())
            .unwrap_or(name)
    );
    0
}

/// dirname path...
pub fn dirname(arguments: &[&str]) -> i32 {
    let parsed = match parse(arguments, "") {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    if parsed.operands.is_empty() {
        return parsed.usage("path...");
    }
    parsed
        .operands
        .iter()
        .for_each(|name| println!("{}", path::directory_name(name)));
    0
}

/// pwd
pub fn working_directory(arguments: &[&str]) -> i32 {
    match file::current_directory() {
        Ok(folder) => {
            println!("{folder}");
            0
        }
        Err(error) => {
            eprintln!("{}: {error}", arguments[0]);
            1
        }
    }
}

/// `yes [words]`
pub fn yes(arguments: &[&str]) -> i32 {
    let line = if arguments.len() > 1 {
        arguments[1..].join(" ")
    } else {
        "y".to_string()
    } + "\n";
    let block = line.repeat(4096_usize.div_ceil(line.len()));
    loop {
        if let Err(error) = file::write_all(1, block.as_bytes()) {
            eprintln!("yes: {error}");
            return 1;
        }
    }
}
