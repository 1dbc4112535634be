//! What stands between `[` and `]`.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::class::named;
use super::parser::{Node, Parser, control};

impl Parser<'_> {
    /// What follows a `[`.
    pub fn bracket(&mut self) -> Result<Node, String> {
        let is_excluded = self.rest.next_if_eq(&'^').is_some();
        let mut ranges = Vec::new();
        let mut is_first = true;
        loop {
            let letter = self.bracket_letter()?;
            if letter == ']' && !core::mem::take(&mut is_first) {
                return Ok(self.set(&ranges, is_excluded));
            }
            is_first = false;
            if letter == '['
                && let Some(kind) = self.rest.next_if(|next| matches!(next, ':' | '.' | '='))
            {
                self.named(kind, &mut ranges)?;
                continue;
            }
            let letter = self.control_in_bracket(letter);
            ranges.push((letter, self.range_end(letter)?));
        }
    }

    fn bracket_letter(&mut self) -> Result<char, String> {
        self.rest
            .next()
            .ok_or_else(|| "Unmatched [, [^, [:, [., or [=".to_string())
    }

    fn control_in_bracket(&mut self, letter: char) -> char {
        if letter != '\\' || !self.reading.has_escapes {
            return letter;
        }
        match self.rest.peek().copied().and_then(control) {
            Some(control) => {
                self.rest.next();
                control
            }
            None => letter,
        }
    }

    /// The end of a range that begins with `first`: itself, unless a `-` follows that is not the last of the bracket.
    fn range_end(&mut self, first: char) -> Result<char, String> {
        let mut ahead = self.rest.clone();
        if ahead.next() != Some('-') || ahead.peek() == Some(&']') {
            return Ok(first);
        }
        self.rest.next();
        let last = self.bracket_letter()?;
        let last = self.control_in_bracket(last);
        if last < first {
            return Err("Invalid range end".to_string());
        }
        Ok(last)
    }

    /// `[:name:]`, `[.x.]` or `[=x=]`, behind its second character.
    fn named(&mut self, kind: char, ranges: &mut Vec<(char, char)>) -> Result<(), String> {
        let mut name = String::new();
        loop {
            let letter = self.bracket_letter()?;
            if letter == kind && self.rest.next_if_eq(&']').is_some() {
                break;
            }
            name.push(letter);
        }
        let mut letters = name.chars();
        match (kind, letters.next(), letters.next()) {
            (':', ..) => ranges.extend(named(&name).ok_or("Invalid character class name")?),
            (_, Some(letter), None) => ranges.push((letter, self.range_end(letter)?)),
            _ => return Err("Invalid collation character".to_string()),
        }
        Ok(())
    }
}
