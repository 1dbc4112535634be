//! Expressions by hand, and many made by chance that the host's sed reads as well.

use super::*;
use std::io::Write;
use std::process::{Command, Stdio};

fn reading(syntax: Syntax) -> Reading {
    Reading {
        syntax,
        ignores_case: false,
        has_lines: false,
        has_escapes: true,
    }
}

fn find(pattern: &str, syntax: Syntax, text: &str) -> Option<(usize, usize)> {
    let expression = Expression::new(pattern, reading(syntax)).expect(pattern);
    let places = expression.find(text.as_bytes(), 0, 0)?;
    places[0].clone().map(|place| (place.start, place.end))
}

#[test]
fn the_longest_of_the_leftmost_matches() {
    for (pattern, text, wanted) in [
        ("a|ab|abc", "xabcd", Some((1, 4))),
        ("(a|ab)(c|bcd)", "abcd", Some((0, 4))),
        ("x*", "aaxx", Some((0, 0))),
        ("^", "abc", Some((0, 0))),
        ("$", "abc", Some((3, 3))),
        ("(a*)(ab)*", "aab", Some((0, 3))),
        ("b+", "abbb", Some((1, 4))),
        ("a{2,3}", "aaaa", Some((0, 3))),
        ("a{,2}b", "aaab", Some((1, 4))),
        ("(.)\\1", "abccd", Some((2, 4))),
        ("(.*)\\1$", "xabab", Some((1, 5))),
        ("\\<b", "ab b", Some((3, 4))),
        ("[^[:space:]]+$", "a bc", Some((2, 4))),
        ("a{x", "a{x", Some((0, 3))),
        ("\u{e4}.\u{fc}", "x\u{e4}\u{f6}\u{fc}", Some((1, 7))),
        ("()|b", "b", Some((0, 1))),
    ] {
        assert_eq!(
            find(pattern, Syntax::Extended, text),
            wanted,
            "{pattern} on {text}"
        );
    }
    for (pattern, text, wanted) in [
        ("*a", "*a", Some((0, 2))),
        ("^*a", "*a", Some((0, 2))),
        ("a\\|b", "xb", Some((1, 2))),
        ("a+", "aa+", Some((1, 3))),
        ("a\\{2\\}", "aaa", Some((0, 2))),
        ("\\(^a\\)\\1", "aab", Some((0, 2))),
        ("x$y", "x$y", Some((0, 3))),
        ("a^b", "a^b", Some((0, 3))),
        ("[]x]", "a]", Some((1, 2))),
        ("[\\n]", "a\n", Some((1, 2))),
    ] {
        assert_eq!(find(pattern, Syntax::Basic, text), wanted, "{pattern} on {text}");
    }
}

#[test]
fn what_is_no_pattern_is_refused() {
    for pattern in [
        "(",
        ")",
        "[a",
        "a{2,1}",
        "\\1",
        "(a\\1)",
        "a{99999}",
        "a\\",
        "[b-a]",
        "[[:x:]]",
        "((a{300}){300}){300}",
    ] {
        assert!(
            Expression::new(pattern, reading(Syntax::Extended)).is_err(),
            "{pattern}"
        );
    }
}

#[test]
fn time_does_not_explode() {
    let text = "a".repeat(2000);
    for pattern in ["(a*)*(a*)*(a*)*b$", "(a|a)*b$", "(a|aa)+(a|aa)+b"] {
        assert_eq!(find(pattern, Syntax::Extended, &text), None, "{pattern}");
    }
    assert_eq!(find("(a*)\\1b", Syntax::Extended, &"a".repeat(100)), None);
}

/// Numbers without end, the same at every run.
pub struct Chance(pub u64);

impl Chance {
    /// Below `most`.
    pub fn below(&mut self, most: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most
    }

    /// One of them.
    pub fn of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }
}

/// An extended expression of a few parts. `groups` are those complete.
fn pattern(chance: &mut Chance, depth: usize, groups: &mut usize) -> String {
    let mut text = String::new();
    for _ in 0..1 + chance.below(3) {
        match chance.below(12) {
            0 if depth > 0 => {
                let inner = pattern(chance, depth - 1, groups);
                *groups += 1;
                text += &alloc::format!("({inner})");
            }
            1 if depth > 0 => {
                let (one, other) = (
                    pattern(chance, depth - 1, groups),
                    pattern(chance, depth - 1, groups),
                );
                *groups += 1;
                text += &alloc::format!("({one}|{other})");
            }
            2 => text += chance.of(&["[ab]", "[^a]", "[a-c]", "[[:digit:]b]", "."]),
            // glibc mistakes borders of words in groups that repeat.
            3 if depth == 2 => text += chance.of(&["\\<", "\\>", "\\b", "\\B", "^", "$"]),
            _ => text += chance.of(&["a", "b", "c", "1", " "]),
        }
        if !text.ends_with(['<', '>', '^', '$', 'B']) && !text.ends_with("\\b") {
            text += chance.of(&["", "", "", "*", "+", "?", "{2}", "{0,2}", "{1,}"]);
        }
    }
    text
}

fn line(chance: &mut Chance) -> String {
    (0..chance.below(12))
        .map(|_| chance.of(&["a", "b", "c", "1", " ", "ab"]))
        .collect()
}

/// What `s/pattern/<&>/g` of the host's sed makes of each line.
fn by_the_host(pattern: &str, input: &str) -> Option<String> {
    let mut child = Command::new("sed")
        .args(["-E", &alloc::format!("s/{pattern}/<&>/g")])
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    child.stdin.take()?.write_all(input.as_bytes()).ok()?;
    let output = child.wait_with_output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The same by ours, match after match.
fn by_us(expression: &Expression, line: &str) -> String {
    let mut out = String::new();
    let (mut at, mut last_end) = (0, None);
    while let Some(places) = expression.find(line.as_bytes(), at, 0) {
        let place = places[0].clone().expect("the whole has a place");
        let is_new = place.start < place.end || last_end != Some(place.start);
        out += &line[at..place.start];
        if is_new {
            out += &alloc::format!("<{}>", &line[place.clone()]);
        }
        at = place.end;
        last_end = Some(at);
        if place.start == place.end {
            let Some(next) = line.as_bytes().get(at) else {
                return out;
            };
            out.push(char::from(*next));
            at += 1;
        }
    }
    out + &line[at..]
}

#[test]
fn matches_are_those_of_the_hosts_sed() {
    let mut chance = Chance(7);
    for round in 0..300 {
        let pattern = pattern(&mut chance, 2, &mut 0);
        let lines: Vec<String> = (0..20).map(|_| line(&mut chance)).collect();
        let Some(wanted) = by_the_host(&pattern, &(lines.join("\n") + "\n")) else {
            continue;
        };
        let expression = Expression::new(&pattern, reading(Syntax::Extended)).expect(&pattern);
        for (line, wanted) in lines.iter().zip(wanted.lines()) {
            assert_eq!(
                by_us(&expression, line),
                wanted,
                "round {round}: {pattern:?} on {line:?}"
            );
        }
    }
}
