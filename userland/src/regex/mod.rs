//! POSIX regular expressions, basic and extended, with GNU's additions (`\+ \? \|` in basic ones, `\w \b \<` and kin), places
//! and groups. Of all matches the leftmost counts, of those the longest.
//!
//! A pattern becomes a program ([`compile`]), which is run for all possibilities at once, character by character ([`search`]): time
//! is at most length of program times length of text. A back-reference multiplies that by the places that its group may have,
//! and never makes it exponential.

mod bracket;
mod class;
mod compile;
mod parser;
mod search;

pub use class::letter_at;
pub use parser::control;

use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use compile::Program;

/// Which characters of the pattern mean more than themselves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Syntax {
    /// None: grep -F
    Fixed,
    /// POSIX basic.
    Basic,
    /// POSIX extended: -E
    Extended,
}

/// How a pattern is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reading {
    /// Its language.
    pub syntax: Syntax,
    /// Small and capital letters are one.
    pub ignores_case: bool,
    /// `^` and `$` stand at every line of the text, not only at its ends.
    pub has_lines: bool,
    /// `\n` and its kin mean the control character, in brackets too, as sed has it.
    pub has_escapes: bool,
}

/// A pattern, ready to be looked for.
pub struct Expression {
    program: Program,
}

/// Where the whole match is, then each group; `None` for a group that has no part in it.
pub type Places = Vec<Option<Range<usize>>>;

impl Expression {
    /// Reads a pattern; an error for people, in the words of POSIX, if it is none.
    pub fn new(pattern: &str, reading: Reading) -> Result<Expression, String> {
        let parsed = parser::parse(pattern, reading)?;
        let program = compile::compile(&parsed, reading)?;
        Ok(Expression { program })
    }

    /// How many groups the pattern has.
    pub fn groups(&self) -> usize {
        self.program.groups
    }

    /// Whether it matches somewhere in the text.
    pub fn is_match(&self, text: &[u8]) -> bool {
        search::search(&self.program, text, 0, 0).is_some()
    }

    /// The first match that begins at `from` or later, with the places of the whole and of the first `groups` groups. What stands
    /// before `from` counts for `^` and the borders of words.
    pub fn find(&self, text: &[u8], from: usize, groups: usize) -> Option<Places> {
        let slots = 2 * (1 + groups.min(self.program.groups));
        search::search(&self.program, text, from, slots)
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub use tests::Chance;
