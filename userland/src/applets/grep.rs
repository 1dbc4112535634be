//! grep, with its own small regular expressions: `.`, `[a-z]`, `^`, `$`, `*`, and with -E also `+`, `?`, `|`. No
//! groups. Matching follows all possibilities at once, so its time is at most length of pattern times length of line.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::arguments::{Parsed, parse};
use super::text::open;
use crate::runtime::{directory, file, path};
use abi::file::{AT_SYMLINK_NOFOLLOW, S_IFDIR, S_IFMT, S_IFREG};

/// One character of a pattern.
#[derive(Debug, Clone, PartialEq)]
enum Atom {
    Any,
    Literal(char),
    Class(Vec<(char, char)>, bool),
}

/// How often it may come.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Times {
    Once,
    Any,
    AtLeastOnce,
    AtMostOnce,
}

/// One alternative.
#[derive(Debug, Default, PartialEq)]
struct Branch {
    atoms: Vec<(Atom, Times)>,
    is_at_start: bool,
    is_at_end: bool,
}

/// A regular expression: any of its branches.
pub struct Expression(Vec<Branch>);

/// Which characters of the pattern mean more than themselves.
#[derive(Clone, Copy, PartialEq)]
pub enum Syntax {
    /// None: -F
    Fixed,
    /// POSIX basic.
    Basic,
    /// `+ ? |` too: -E
    Extended,
}

impl Expression {
    /// Reads a pattern; an error for people if it is none.
    pub fn new(pattern: &str, syntax: Syntax) -> Result<Expression, String> {
        let mut branches = Vec::new();
        let mut branch = Branch::default();
        let mut rest = pattern.chars().peekable();
        while let Some(c) = rest.next() {
            let is_special = syntax != Syntax::Fixed;
            let is_extended = syntax == Syntax::Extended;
            let atom = match c {
                '^' if is_special && branch.atoms.is_empty() && !branch.is_at_start => {
                    branch.is_at_start = true;
                    continue;
                }
                '$' if is_special && matches!(rest.peek(), None | Some('|')) => {
                    branch.is_at_end = true;
                    continue;
                }
                '|' if is_extended => {
                    branches.push(core::mem::take(&mut branch));
                    continue;
                }
                '*' | '+' | '?' if is_special && (c == '*' || is_extended) && !branch.atoms.is_empty() => {
                    let times = match c {
                        '*' => Times::Any,
                        '+' => Times::AtLeastOnce,
                        _ => Times::AtMostOnce,
                    };
                    branch
                        .atoms
                        .last_mut()
                        .into_iter()
                        .for_each(|(_, old)| *old = times);
                    continue;
                }
                '(' | ')' | '{' if is_extended => {
                    return Err(alloc::format!("`{c}' is not supported; use \\{c}"));
                }
                '.' if is_special => Atom::Any,
                '[' if is_special => class(&mut rest)?,
                '\\' if is_special => Atom::Literal(rest.next().ok_or("trailing backslash")?),
                c => Atom::Literal(c),
            };
            branch.atoms.push((atom, Times::Once));
        }
        branches.push(branch);
        Ok(Expression(branches))
    }

    /// Whether it matches somewhere in the line.
    pub fn is_match(&self, line: &str) -> bool {
        self.0.iter().any(|branch| branch.is_match(line))
    }
}

/// What follows a `[`.
fn class(rest: &mut core::iter::Peekable<core::str::Chars>) -> Result<Atom, String> {
    let missing = || "unmatched [".to_string();
    let is_excluded = rest.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    loop {
        let first = rest.next().ok_or_else(missing)?;
        if first == ']' && !ranges.is_empty() {
            return Ok(Atom::Class(ranges, is_excluded));
        }
        let mut last = first;
        if rest.next_if_eq(&'-').is_some() {
            match rest.peek() {
                Some(']') => ranges.push(('-', '-')),
                _ => last = rest.next().ok_or_else(missing)?,
            }
        }
        ranges.push((first, last));
    }
}

impl Atom {
    fn accepts(&self, c: char) -> bool {
        match self {
            Atom::Any => true,
            Atom::Literal(literal) => *literal == c,
            Atom::Class(ranges, is_excluded) => {
                ranges.iter().any(|&(first, last)| (first..=last).contains(&c)) != *is_excluded
            }
        }
    }
}

impl Branch {
    /// State `n`: the first `n` atoms are done.
    fn is_match(&self, line: &str) -> bool {
        let end = self.atoms.len();
        let mut states = alloc::vec![false; end + 1];
        states[0] = true;
        self.skip_optional(&mut states);
        if states[end] && !self.is_at_end {
            return true;
        }
        for c in line.chars() {
            let mut next = alloc::vec![false; end + 1];
            for (state, (atom, times)) in self.atoms.iter().enumerate() {
                if !states[state] || !atom.accepts(c) {
                    continue;
                }
                next[state + 1] = true;
                // The atom may come again: we stay before it, but for `+` as if it were `*` from now on.
                if *times == Times::Any {
                    next[state] = true;
                }
            }
            for (state, (atom, times)) in self.atoms.iter().enumerate() {
                // `x+` done once may be done again.
                if *times == Times::AtLeastOnce && states[state + 1] && atom.accepts(c) {
                    next[state + 1] = true;
                }
            }
            next[0] |= !self.is_at_start;
            self.skip_optional(&mut next);
            if next[end] && !self.is_at_end {
                return true;
            }
            states = next;
        }
        states[end]
    }

    fn skip_optional(&self, states: &mut [bool]) {
        for (state, (_, times)) in self.atoms.iter().enumerate() {
            if states[state] && matches!(times, Times::Any | Times::AtMostOnce) {
                states[state + 1] = true;
            }
        }
    }
}

/// The files to look into: what is named, and with -r what lies below. Links below are not followed, and what is neither file
/// nor folder there is left out.
fn targets(parsed: &Parsed) -> Vec<String> {
    if !parsed.has('r') {
        return parsed.files().iter().map(|name| name.to_string()).collect();
    }
    let mut all = Vec::new();
    if parsed.operands.is_empty() {
        below(".", &mut |name| all.push(name[2..].to_string()));
    }
    for name in &parsed.operands {
        if file::is_directory(name) {
            below(name, &mut |found| all.push(found.to_string()));
        } else {
            all.push(name.to_string());
        }
    }
    all
}

/// Calls `found` with the path of each file below a folder.
fn below(folder: &str, found: &mut dyn FnMut(&str)) {
    for name in directory::names(folder).unwrap_or_default() {
        let path = path::join(folder, &name);
        match file::status(&path, AT_SYMLINK_NOFOLLOW).map(|status| status.mode & S_IFMT) {
            Ok(S_IFREG) => found(&path),
            Ok(S_IFDIR) => below(&path, found),
            _ => {}
        }
    }
}

/// grep [-EFGHchilnqrsv] pattern files, or -e pattern as often as there are patterns
pub fn grep(arguments: &[&str]) -> i32 {
    let mut parsed = match parse(arguments, "EFGHchilnqrvse:") {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let mut patterns: Vec<&str> = parsed.values('e').collect();
    if patterns.is_empty() {
        if parsed.operands.is_empty() {
            return parsed.usage("[-EFGHchilnqrsv] pattern | -e pattern... [file...]");
        }
        patterns.push(parsed.operands.remove(0));
    }
    let syntax = if parsed.has('F') {
        Syntax::Fixed
    } else if parsed.has('E') {
        Syntax::Extended
    } else {
        Syntax::Basic
    };
    let fold = |text: &str| {
        if parsed.has('i') {
            text.to_lowercase()
        } else {
            text.to_string()
        }
    };
    let expressions = patterns
        .iter()
        .map(|pattern| Expression::new(&fold(pattern), syntax));
    let expressions = match expressions.collect::<Result<Vec<_>, _>>() {
        Ok(expressions) => expressions,
        Err(message) => {
            parsed.fail(message);
            return 2;
        }
    };
    let (mut is_found, mut status) = (false, 0);
    let has_many = parsed.operands.len() > 1 || parsed.has('r');
    let is_named = (has_many || parsed.has('H')) && !parsed.has('h');
    for name in &targets(&parsed) {
        let shown = if name == "-" { "(standard input)" } else { name };
        let title = if is_named {
            alloc::format!("{shown}:")
        } else {
            String::new()
        };
        let bytes = match open(name).and_then(|file| file.read_all()) {
            Ok(bytes) => bytes,
            Err(error) => {
                status = 2;
                if !parsed.has('s') {
                    parsed.fail(format_args!("{name}: {error}"));
                }
                continue;
            }
        };
        let text = String::from_utf8_lossy(&bytes);
        let is_match = |line: &str| expressions.iter().any(|expression| expression.is_match(line));
        let is_wanted = |line: &str| is_match(&fold(line)) != parsed.has('v');
        let count = print_matches(&parsed, &title, shown, &text, is_wanted);
        is_found |= count > 0;
        if parsed.has('c') && !parsed.has('l') && !parsed.has('q') {
            println!("{title}{count}");
        }
    }
    match (status, is_found) {
        _ if is_found && parsed.has('q') => 0,
        (0, true) => 0,
        (0, false) => 1,
        _ => 2,
    }
}

fn print_matches(
    parsed: &Parsed,
    title: &str,
    name: &str,
    text: &str,
    is_wanted: impl Fn(&str) -> bool,
) -> usize {
    let mut count = 0;
    let lines = text.split_terminator('\n');
    for (number, line) in lines.enumerate().filter(|(_, line)| is_wanted(line)) {
        count += 1;
        if parsed.has('l') && !parsed.has('q') {
            println!("{name}");
        }
        if parsed.has('q') || parsed.has('l') {
            break;
        }
        if !parsed.has('c') {
            let number = if parsed.has('n') {
                alloc::format!("{}:", number + 1)
            } else {
                String::new()
            };
            println!("{title}{number}{line}");
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_match(pattern: &str, syntax: Syntax, line: &str) -> bool {
        Expression::new(pattern, syntax).is_ok_and(|expression| expression.is_match(line))
    }

    #[test]
    fn basic_expressions_match() {
        for (pattern, line, wanted) in [
            ("abc", "xabcx", true),
            ("^abc", "xabc", false),
            ("abc$", "abcx", false),
            ("^$", "", true),
            ("a.c", "abc", true),
            ("ab*c", "ac", true),
            ("ab*c", "abbbc", true),
            ("ab*c$", "abbbcd", false),
            ("[0-9][0-9]*x", "12x", true),
            ("[^a]", "aaa", false),
            ("a\\.c", "abc", false),
            ("a+", "a+", true),
            ("a|b", "b", false),
            ("x$y", "x$y", true),
        ] {
            assert_eq!(
                is_match(pattern, Syntax::Basic, line),
                wanted,
                "{pattern} on {line}"
            );
        }
    }

    #[test]
    fn extended_and_fixed_expressions_match() {
        for (pattern, line, wanted) in [
            ("a+b", "aaab", true),
            ("^a+$", "", false),
            ("ab?c", "abbc", false),
            ("^(x", "x", false),
            ("cat|dog$", "hotdog", true),
        ] {
            assert_eq!(
                is_match(pattern, Syntax::Extended, line),
                wanted,
                "{pattern} on {line}"
            );
        }
        assert!(is_match("a.*[", Syntax::Fixed, "xa.*[y"));
        assert!(!is_match("a.c", Syntax::Fixed, "abc"));
        assert!(Expression::new("[a", Syntax::Basic).is_err());
    }

    #[test]
    fn time_does_not_explode() {
        let line = "a".repeat(3000);
        assert!(!is_match(&("a*".repeat(60) + "b$"), Syntax::Basic, &line));
    }
}
