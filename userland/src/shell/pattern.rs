//! Shell patterns: `*`, `?`, `[a-z]`, `[!a-z]`; a backslash takes a character's meaning away. fnmatch(3), glob(7).

use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// One element of a pattern.
#[derive(Debug, PartialEq)]
enum Element {
    Any,
    One,
    Literal(char),
    /// `[...]`: ranges, and whether they are excluded.
    Class(Vec<(char, char)>, bool),
}

fn elements(pattern: &str) -> Vec<Element> {
    let characters: Vec<char> = pattern.chars().collect();
    let mut elements = Vec::new();
    let mut at = 0;
    while let Some(&c) = characters.get(at) {
        at += 1;
        elements.push(match c {
            '*' => Element::Any,
            '?' => Element::One,
            '\\' if at < characters.len() => {
                at += 1;
                Element::Literal(characters[at - 1])
            }
            '[' => match class(&characters[at..]) {
                Some((class, length)) => {
                    at += length;
                    class
                }
                None => Element::Literal('['),
            },
            c => Element::Literal(c),
        });
    }
    elements
}

/// What follows a `[`: the class and how many characters it takes, or `None` if no `]` ends it.
fn class(characters: &[char]) -> Option<(Element, usize)> {
    let is_excluded = matches!(characters.first(), Some('!' | '^'));
    let mut at = usize::from(is_excluded);
    let mut ranges = Vec::new();
    loop {
        let mut first = *characters.get(at)?;
        at += 1;
        match first {
            ']' if !ranges.is_empty() => return Some((Element::Class(ranges, is_excluded), at)),
            '\\' => {
                first = *characters.get(at)?;
                at += 1;
            }
            _ => {}
        }
        let mut last = first;
        if characters.get(at) == Some(&'-') && characters.get(at + 1).is_some_and(|&c| c != ']') {
            last = characters[at + 1];
            at += 2;
        }
        ranges.push((first, last));
    }
}

impl Element {
    fn accepts(&self, c: char) -> bool {
        match self {
            Element::Any | Element::One => true,
            Element::Literal(literal) => *literal == c,
            Element::Class(ranges, is_excluded) => {
                ranges.iter().any(|&(first, last)| (first..=last).contains(&c)) != *is_excluded
            }
        }
    }
}

/// Whether the whole text fits the pattern. Time is at most the product of the two lengths.
pub fn matches(pattern: &str, text: &str) -> bool {
    let elements = elements(pattern);
    let text: Vec<char> = text.chars().collect();
    let (mut e, mut t) = (0, 0);
    // Where the last `*` stood and how much it has swallowed: on a mismatch it swallows one more.
    let mut star: Option<(usize, usize)> = None;
    loop {
        match elements.get(e) {
            Some(Element::Any) => {
                star = Some((e, t));
                e += 1;
                continue;
            }
            Some(element) if text.get(t).is_some_and(|&c| element.accepts(c)) => {
                e += 1;
                t += 1;
                continue;
            }
            None if t == text.len() => return true,
            _ => {}
        }
        match star {
            Some((star_e, star_t)) if star_t < text.len() => {
                star = Some((star_e, star_t + 1));
                e = star_e + 1;
                t = star_t + 1;
            }
            _ => return false,
        }
    }
}

/// Whether the text holds a character that makes it a pattern.
pub fn is_pattern(text: &str) -> bool {
    elements(text)
        .iter()
        .any(|element| !matches!(element, Element::Literal(_)))
}

/// Text as a pattern that fits itself only.
pub fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if "*?[]\\!-^".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// The text that a pattern without `*`, `?`, `[ ]` stands for.
pub fn unescape(pattern: &str) -> String {
    let mut text = String::new();
    let mut characters = pattern.chars();
    while let Some(c) = characters.next() {
        text.push(if c == '\\' {
            characters.next().unwrap_or('\\')
        } else {
            c
        });
    }
    text
}

/// The existing paths that fit a pattern, sorted; empty if there are none. `list` gives the names in a directory.
/// A name that begins with a dot must be asked for with a dot.
pub fn paths(pattern: &str, list: &mut dyn FnMut(&str) -> Vec<String>) -> Vec<String> {
    let mut found = Vec::from([if pattern.starts_with('/') {
        "/".to_string()
    } else {
        String::new()
    }]);
    let components: Vec<&str> = pattern
        .split('/')
        .filter(|component| !component.is_empty())
        .collect();
    for (index, component) in components.iter().enumerate() {
        let mut next = Vec::new();
        let has_more = index + 1 < components.len();
        for base in &found {
            if !is_pattern(component) && has_more {
                next.push(join(base, &unescape(component)));
                continue;
            }
            let names = list(if base.is_empty() { "." } else { base });
            let is_wanted = |name: &&String| {
                name.starts_with('.') == component.starts_with('.') && matches(component, name)
            };
            next.extend(names.iter().filter(is_wanted).map(|name| join(base, name)));
        }
        found = next;
    }
    if pattern.ends_with('/') {
        found.iter_mut().for_each(|path| path.push('/'));
    }
    found.sort();
    found
}

fn join(base: &str, name: &str) -> String {
    let slash = if base.is_empty() || base.ends_with('/') {
        ""
    } else {
        "/"
    };
    alloc::format!("{base}{slash}{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_find_their_way_back() {
        assert!(matches("*.rs", "parser.rs"));
        assert!(matches("a*b*c", "aXbYbZc"));
        assert!(!matches("a*b*c", "aXbYbZ"));
        assert!(matches("*", ""));
        assert!(!matches("?", ""));
        assert!(matches("?", "ä"));
    }

    #[test]
    fn classes_have_ranges_exclusion_and_a_literal_bracket() {
        assert!(matches("[a-c]x", "bx"));
        assert!(!matches("[!a-c]x", "bx"));
        assert!(matches("[]]", "]"));
        assert!(matches("[a-]", "-"));
        assert!(matches("[abc", "[abc"));
        assert!(matches("\\*", "*") && !matches("\\*", "a"));
    }

    #[test]
    fn escaped_text_is_no_pattern() {
        let text = "a*b?[c]\\-";
        assert!(!is_pattern(&escape(text)));
        assert!(matches(&escape(text), text));
        assert_eq!(unescape(&escape(text)), text);
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        let text = "a".repeat(2000);
        assert!(!matches(&("a*".repeat(50) + "b"), &text));
    }

    #[test]
    fn paths_walk_directories_and_hide_dot_names() {
        let mut list = |directory: &str| -> Vec<String> {
            let names: &[&str] = match directory {
                "." => &["bin", "boot", ".hidden"],
                "bin" => &["sh", "ls"],
                "boot" => &["image"],
                _ => &[],
            };
            names.iter().map(|name| name.to_string()).collect()
        };
        assert_eq!(paths("b*", &mut list), ["bin", "boot"]);
        assert_eq!(paths("b*/*", &mut list), ["bin/ls", "bin/sh", "boot/image"]);
        assert_eq!(paths(".h*", &mut list), [".hidden"]);
        assert!(paths("x*", &mut list).is_empty());
    }
}
