//! seq, wc, sort, uniq: counting and ordering.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cmp::Ordering;

use super::arguments::{Parsed, parse};
use super::text::{for_files, lines_of};

/// `seq [-s separator] [first [step]] last`
pub fn sequence(arguments: &[&str]) -> i32 {
    // Negative numbers look like options: only -s and -w are.
    let (options, numbers): (Vec<&str>, Vec<&str>) = match arguments.get(1) {
        Some(&"-s") if arguments.len() > 2 => (arguments[..3].to_vec(), arguments[3..].to_vec()),
        _ => (arguments[..1].to_vec(), arguments[1..].to_vec()),
    };
    let parsed = match parse(&options, "s:") {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let mut values = Vec::new();
    for text in &numbers {
        match text.parse::<i64>() {
            Ok(value) => values.push(value),
            Err(_) => return parsed.fail(format_args!("invalid number: '{text}'")),
        }
    }
    let (first, step, last) = match values.as_slice() {
        [last] => (1, 1, *last),
        [first, last] => (*first, 1, *last),
        [first, step, last] => (*first, *step, *last),
        _ => return parsed.usage("[first [step]] last"),
    };
    if step == 0 {
        return parsed.fail("the step must not be 0");
    }
    let separator = parsed.value('s').unwrap_or("\n");
    let mut value = first;
    let is_within = |value: i64| if step > 0 { value <= last } else { value >= last };
    let mut is_any = false;
    while is_within(value) {
        print!("{}{value}", if is_any { separator } else { "" });
        is_any = true;
        match value.checked_add(step) {
            Some(next) => value = next,
            None => break,
        }
    }
    if is_any {
        println!();
    }
    0
}

/// wc [-lwc] files
pub fn count(arguments: &[&str]) -> i32 {
    let parsed = match parse(arguments, "lwc") {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let mut total = [0usize; 3];
    let status = for_files(&parsed, |name, file| {
        let bytes = file.read_all()?;
        let lines = bytes.iter().filter(|&&byte| byte == b'\n').count();
        let words = bytes
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty())
            .count();
        let counts = [lines, words, bytes.len()];
        print_counts(&parsed, counts, if name == "-" { "" } else { name });
        total
            .iter_mut()
            .zip(counts)
            .for_each(|(sum, count)| *sum += count);
        Ok(())
    });
    if parsed.operands.len() > 1 {
        print_counts(&parsed, total, "total");
    }
    status
}

fn print_counts(parsed: &Parsed, counts: [usize; 3], name: &str) {
    let is_default = !"lwc".chars().any(|letter| parsed.has(letter));
    let wanted = "lwc"
        .chars()
        .zip(counts)
        .filter(|(letter, _)| is_default || parsed.has(*letter));
    let columns: Vec<usize> = wanted.map(|(_, count)| count).collect();
    match columns.as_slice() {
        [count] if name.is_empty() => println!("{count}"),
        [count] => println!("{count} {name}"),
        columns => {
            let text: String = columns.iter().map(|count| alloc::format!("{count:7} ")).collect();
            println!("{}", (text + name).trim_end());
        }
    }
}

/// The number that a text begins with: for `sort -n`, what is no number is 0.
fn leading_number(text: &str) -> i64 {
    let text = text.trim_start();
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '-')
        .unwrap_or(text.len());
    text[..digits].parse().unwrap_or(0)
}

/// The part of a line from field `index` (from 1) on, fields parted by blanks or by `separator`.
fn from_field(line: &str, index: usize, separator: Option<char>) -> &str {
    let mut rest = line;
    for _ in 1..index {
        rest = match separator {
            Some(separator) => rest.split_once(separator).map_or("", |(_, rest)| rest),
            None => rest
                .trim_start()
                .split_once(char::is_whitespace)
                .map_or("", |(_, rest)| rest),
        };
    }
    if separator.is_none() {
        rest.trim_start()
    } else {
        rest
    }
}

/// sort [-nru] [-k field] [-t separator] files
pub fn sort(arguments: &[&str]) -> i32 {
    let parsed = match parse(arguments, "nruk:t:") {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let key_text = parsed.value('k').unwrap_or("1");
    let is_numeric = parsed.has('n') || key_text.ends_with('n');
    let field = match parsed.number(key_text.split([',', 'n']).next().unwrap_or("1")) {
        Ok(field) => field as usize,
        Err(status) => return status,
    };
    let separator = parsed.value('t').and_then(|text| text.chars().next());
    let mut lines = match lines_of(&parsed) {
        Ok(lines) => lines,
        Err(status) => return status,
    };
    let compare = |a: &String, b: &String| {
        let (key_a, key_b) = (from_field(a, field, separator), from_field(b, field, separator));
        let order = if is_numeric {
            leading_number(key_a).cmp(&leading_number(key_b))
        } else {
            key_a.cmp(key_b)
        };
        let order = if order == Ordering::Equal && !parsed.has('u') {
            a.cmp(b)
        } else {
            order
        };
        if parsed.has('r') { order.reverse() } else { order }
    };
    lines.sort_by(compare);
    if parsed.has('u') {
        lines.dedup_by(|a, b| compare(a, b) == Ordering::Equal);
    }
    lines.iter().for_each(|line| println!("{line}"));
    0
}

/// uniq [-cd] [file]
pub fn unique(arguments: &[&str]) -> i32 {
    let parsed = match parse(arguments, "cdu") {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let lines = match lines_of(&parsed) {
        Ok(lines) => lines,
        Err(status) => return status,
    };
    for group in lines.chunk_by(|a, b| a == b) {
        if (parsed.has('d') && group.len() == 1) || (parsed.has('u') && group.len() > 1) {
            continue;
        }
        let count = if parsed.has('c') {
            alloc::format!("{:7} ", group.len())
        } else {
            "".to_string()
        };
        println!("{count}{}", group[0]);
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_from_one() {
        assert_eq!(from_field("  a b  c", 2, None), "b  c");
        assert_eq!(from_field("a:b:c", 3, Some(':')), "c");
        assert_eq!(from_field("a", 2, None), "");
        assert_eq!(
            (leading_number(" 12x"), leading_number("x"), leading_number("-3")),
            (12, 0, -3)
        );
    }
}
