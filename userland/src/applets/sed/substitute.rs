//! `s` and `y`: their text, and what they do to a line.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::parse::Parser;
use super::script::{Action, Case, Piece, Substitution};
use crate::regex::{Expression, Places, control};

impl Parser<'_> {
    /// Up to the next delimiter, which is taken away: `None` if there is none. The delimiter stands for itself behind a backslash, and
    /// in the brackets of an expression.
    pub fn delimited(&mut self, delimiter: char, is_expression: bool) -> Option<String> {
        let mut text = String::new();
        loop {
            let found = self.next()?;
            match found {
                _ if found == delimiter => return Some(text),
                '\n' if is_expression => return None,
                '[' if is_expression => self.bracket(&mut text),
                '\\' => {
                    let next = self.next()?;
                    if next != delimiter {
                        text.push('\\');
                    }
                    text.push(next);
                }
                found => text.push(found),
            }
        }
    }

    /// What follows a `[`, up to its `]` if it has one.
    fn bracket(&mut self, text: &mut String) {
        let (begin, mut at) = (self.at, self.at);
        let is = |at: usize, wanted: char| self.text.get(at) == Some(&wanted);
        at += usize::from(is(at, '^'));
        at += usize::from(is(at, ']'));
        while let Some(found) = self.text.get(at).filter(|found| **found != '\n') {
            let kind = self
                .text
                .get(at + 1)
                .filter(|kind| matches!(kind, ':' | '.' | '='));
            match (found, kind) {
                ('[', Some(kind)) => {
                    at += 2;
                    while at < self.text.len() && !(is(at, *kind) && is(at + 1, ']')) {
                        at += 1;
                    }
                    at += 2;
                }
                (']', _) => {
                    text.push('[');
                    text.extend(&self.text[begin..=at]);
                    self.at = at + 1;
                    return;
                }
                _ => at += 1,
            }
        }
        text.push('[');
    }

    /// What follows an `s`.
    pub fn substitution(&mut self) -> Result<Action, String> {
        let unterminated = || "unterminated `s' command".to_string();
        let delimiter = self.next().ok_or_else(unterminated)?;
        let pattern = self.delimited(delimiter, true).ok_or_else(unterminated)?;
        let with = self.delimited(delimiter, false).ok_or_else(unterminated)?;
        let mut substitution = Substitution {
            pattern: None,
            pieces: pieces(&with),
            number: 1,
            is_global: false,
            prints: 0,
            file: None,
        };
        let (mut ignores_case, mut has_lines) = (false, false);
        loop {
            match self.peek() {
                Some('g') => substitution.is_global = true,
                Some('p') => substitution.prints += 1,
                Some('i' | 'I') => ignores_case = true,
                Some('m' | 'M') => has_lines = true,
                Some('0') => return Err("number option to `s' command may not be zero".to_string()),
                Some(digit) if digit.is_ascii_digit() => {
                    substitution.number = self.number().unwrap_or(1);
                    continue;
                }
                Some('w') => {
                    self.at += 1;
                    substitution.file = Some(self.file()?);
                    break;
                }
                None | Some('\n' | ';' | '}' | '#' | ' ' | '\t') => break,
                Some(_) => return Err("unknown option to `s'".to_string()),
            }
            self.at += 1;
        }
        substitution.pattern = self.pattern(&pattern, ignores_case, has_lines)?;
        let groups = substitution
            .pattern
            .as_ref()
            .map_or(9, |pattern| pattern.groups());
        match substitution.groups() {
            wanted if wanted > groups => Err(alloc::format!(
                "invalid reference \\{wanted} on `s' command's RHS"
            )),
            _ => Ok(Action::Substitute(substitution)),
        }
    }

    /// What follows a `y`.
    pub fn translation(&mut self) -> Result<Action, String> {
        let unterminated = || "unterminated `y' command".to_string();
        let delimiter = self.next().ok_or_else(unterminated)?;
        let from = self.delimited(delimiter, false).ok_or_else(unterminated)?;
        let to = self.delimited(delimiter, false).ok_or_else(unterminated)?;
        let (from, to) = (letters(&from), letters(&to));
        if from.len() != to.len() {
            return Err("strings for `y' command are different lengths".to_string());
        }
        Ok(Action::Translate(from.into_iter().zip(to).collect()))
    }
}

/// The letters of one side of a `y`.
fn letters(text: &str) -> Vec<char> {
    let mut all = Vec::new();
    let mut rest = text.chars();
    while let Some(letter) = rest.next() {
        if letter != '\\' {
            all.push(letter);
            continue;
        }
        match rest.next() {
            None | Some('\\') => all.push('\\'),
            Some(next) => match control(next) {
                Some(control) => all.push(control),
                None => all.extend(['\\', next]),
            },
        }
    }
    all
}

/// Takes apart what is put in place.
fn pieces(text: &str) -> Vec<Piece> {
    let mut all = Vec::new();
    let mut plain = String::new();
    let mut rest = text.chars();
    while let Some(letter) = rest.next() {
        let piece = match letter {
            '&' => Piece::Group(0),
            '\\' => match rest.next() {
                None => continue,
                Some(digit @ '0'..='9') => Piece::Group(digit as usize - '0' as usize),
                Some('U') => Piece::Case(Case::Upper),
                Some('L') => Piece::Case(Case::Lower),
                Some('u') => Piece::Case(Case::NextUpper),
                Some('l') => Piece::Case(Case::NextLower),
                Some('E') => Piece::Case(Case::End),
                Some(next) => {
                    plain.push(control(next).unwrap_or(next));
                    continue;
                }
            },
            letter => {
                plain.push(letter);
                continue;
            }
        };
        all.push(Piece::Text(core::mem::take(&mut plain)));
        all.push(piece);
    }
    all.push(Piece::Text(plain));
    all
}

/// Text that is put together, with the case that was asked for.
struct Writer<'a> {
    out: &'a mut Vec<u8>,
    all: Option<Case>,
    next: Option<Case>,
}

impl Writer<'_> {
    fn set(&mut self, case: Case) {
        match case {
            Case::Upper | Case::Lower => self.all = Some(case),
            Case::End => (self.all, self.next) = (None, None),
            _ => self.next = Some(case),
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        if self.all.is_none() && self.next.is_none() {
            return self.out.extend_from_slice(bytes);
        }
        for chunk in bytes.utf8_chunks() {
            chunk.valid().chars().for_each(|letter| self.add_letter(letter));
            self.out.extend_from_slice(chunk.invalid());
        }
    }

    fn add_letter(&mut self, letter: char) {
        let mut bytes = [0; 4];
        let mut push = |letter: char| {
            self.out
                .extend_from_slice(letter.encode_utf8(&mut bytes).as_bytes())
        };
        match self.next.take().or(self.all) {
            Some(Case::Upper | Case::NextUpper) => letter.to_uppercase().for_each(push),
            Some(Case::Lower | Case::NextLower) => letter.to_lowercase().for_each(push),
            _ => push(letter),
        }
    }
}

impl Substitution {
    /// The highest group that is put in place.
    fn groups(&self) -> usize {
        let group = |piece: &Piece| match piece {
            Piece::Group(number) => *number,
            _ => 0,
        };
        self.pieces.iter().map(group).max().unwrap_or(0)
    }

    /// The line with what is replaced; `None` if nothing is.
    pub fn apply(&self, expression: &Expression, line: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let (mut at, mut copied, mut count) = (0, 0, 0);
        let mut last_end = None;
        while let Some(places) = expression.find(line, at, self.groups()) {
            let place = places.first()?.clone()?;
            let is_empty = place.is_empty();
            // An empty match right behind another is none.
            if !is_empty || last_end != Some(place.end) {
                count += 1;
                if count >= self.number {
                    out.extend_from_slice(&line[copied..place.start]);
                    self.put(&places, line, &mut out);
                    copied = place.end;
                    if !self.is_global {
                        break;
                    }
                }
            }
            last_end = Some(place.end);
            at = place.end;
            if is_empty {
                if at >= line.len() {
                    break;
                }
                at += crate::regex::letter_at(line, at).1;
            }
        }
        (count >= self.number).then(|| {
            out.extend_from_slice(&line[copied..]);
            out
        })
    }

    fn put(&self, places: &Places, line: &[u8], out: &mut Vec<u8>) {
        let mut writer = Writer {
            out,
            all: None,
            next: None,
        };
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => writer.add(text.as_bytes()),
                Piece::Case(case) => writer.set(*case),
                Piece::Group(number) => {
                    let place = places.get(*number).cloned().flatten();
                    writer.add(place.map_or(&[], |place| &line[place]));
                }
            }
        }
    }
}
