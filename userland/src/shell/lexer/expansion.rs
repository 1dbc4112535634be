//! What stands behind a `$`: parameters, command substitution, arithmetic. POSIX Shell Command Language 2.6.2 to 2.6.4.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::{String, ToString};

use super::{DEPTH, Lexer, ParseError};
use crate::shell::parser;
use crate::shell::syntax::{Absent, Extent, Operation, Part, Quoting, Variable, Which, Word};

impl Lexer<'_> {
    /// `$` and what follows: the one place through which expansions nest.
    pub(super) fn dollar(&mut self, word: &mut Word, quoting: Quoting) -> Result<(), ParseError> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(ParseError::Syntax("nested too deeply".to_string()));
        }
        self.expansion(word, quoting)?;
        self.depth -= 1;
        Ok(())
    }

    fn expansion(&mut self, word: &mut Word, quoting: Quoting) -> Result<(), ParseError> {
        if self.accept("((") {
            return self.arithmetic(word, quoting);
        }
        if self.accept("(") {
            let list = parser::list_until_parenthesis(self)?;
            word.0.push(Part::Command(Rc::new(list), quoting));
        } else if self.accept("{") {
            let variable = self.braces(quoting)?;
            word.0.push(Part::Variable(Box::new(variable), quoting));
        } else if let Some(name) = self.name() {
            word.0.push(Part::Variable(
                Box::new(Variable {
                    name,
                    operation: Operation::Value,
                }),
                quoting,
            ));
        } else {
            word.push_quoted("$");
        }
        Ok(())
    }

    /// `$(( ... ))`, up to the `))` that stands outside inner parentheses.
    fn arithmetic(&mut self, word: &mut Word, quoting: Quoting) -> Result<(), ParseError> {
        let mut inner = Word::default();
        let mut open = 0;
        loop {
            match self.peek().ok_or(ParseError::Incomplete)? {
                ')' if open == 0 && self.accept("))") => break,
                ')' if open == 0 => return Err(ParseError::Syntax("missing ')' of $((".to_string())),
                '(' => open += 1,
                ')' => open -= 1,
                _ => {}
            }
            self.piece(&mut inner, Quoting::Double)?;
        }
        word.0.push(Part::Arithmetic(Box::new(inner), quoting));
        Ok(())
    }

    /// The name of a parameter: letters, or one digit, or one special character.
    fn name(&mut self) -> Option<String> {
        let first = self.peek()?;
        let length = if first.is_ascii_alphabetic() || first == '_' {
            self.rest()
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(self.rest().len())
        } else if first.is_ascii_digit() || "@*#?-$!".contains(first) {
            1
        } else {
            return None;
        };
        let name = self.rest()[..length].to_string();
        self.position += length;
        Some(name)
    }

    /// `${...}`, after the opening brace.
    fn braces(&mut self, quoting: Quoting) -> Result<Variable, ParseError> {
        let bad = || ParseError::Syntax("bad substitution".to_string());
        if self.rest().starts_with('#') && !self.rest().starts_with("#}") {
            self.position += 1;
            let name = self.parameter().ok_or_else(bad)?;
            return if self.accept("}") {
                Ok(Variable {
                    name,
                    operation: Operation::Length,
                })
            } else {
                Err(bad())
            };
        }
        if self.rest().is_empty() {
            return Err(ParseError::Incomplete);
        }
        let name = self.parameter().ok_or_else(bad)?;
        if self.accept("}") {
            return Ok(Variable {
                name,
                operation: Operation::Value,
            });
        }
        if let Some(operation) = self.part_or_replacement(quoting)? {
            return Ok(Variable { name, operation });
        }
        let absent = if self.accept(":") {
            Absent::UnsetOrEmpty
        } else {
            Absent::Unset
        };
        let operator = self.next().ok_or(ParseError::Incomplete)?;
        let is_long = absent == Absent::Unset
            && "%#".contains(operator)
            && self.accept(operator.encode_utf8(&mut [0; 4]));
        let extent = if is_long {
            Extent::Longest
        } else {
            Extent::Shortest
        };
        let word = self.word_in_braces(quoting)?;
        let operation = match (operator, absent) {
            ('-', _) => Operation::Default(absent, word),
            ('=', _) => Operation::Assign(absent, word),
            ('?', _) => Operation::Require(absent, word),
            ('+', _) => Operation::Alternative(absent, word),
            ('%', Absent::Unset) => Operation::CutSuffix(extent, word),
            ('#', Absent::Unset) => Operation::CutPrefix(extent, word),
            _ => return Err(bad()),
        };
        Ok(Variable { name, operation })
    }

    /// `:offset`, `:offset:length`, `/pattern/word`, `//pattern/word`, up to the closing brace.
    fn part_or_replacement(&mut self, quoting: Quoting) -> Result<Option<Operation>, ParseError> {
        if self.accept("/") {
            let which = if self.accept("/") {
                Which::All
            } else {
                Which::First
            };
            let pattern = self.word_until(&["/", "}"], quoting)?;
            let word = if self.accept("/") {
                self.word_until(&["}"], quoting)?
            } else {
                Word::default()
            };
            self.accept("}");
            return Ok(Some(Operation::Replace(which, pattern, word)));
        }
        // `:-`, `:=`, `:?`, `:+` are others; an offset below 0 stands behind a blank or in parentheses.
        if !self.rest().starts_with(':') || self.rest()[1..].starts_with(['-', '=', '?', '+']) {
            return Ok(None);
        }
        self.accept(":");
        let offset = self.word_until(&[":", "}"], quoting)?;
        let length = match self.accept(":") {
            true => Some(self.word_until(&["}"], quoting)?),
            false => None,
        };
        self.accept("}");
        Ok(Some(Operation::Part(offset, length)))
    }

    /// A word within braces, up to one of the marks, which stays unread.
    fn word_until(&mut self, marks: &[&str], quoting: Quoting) -> Result<Word, ParseError> {
        let mut word = Word::default();
        while !marks.iter().any(|mark| self.rest().starts_with(mark)) {
            if quoting == Quoting::Double && self.accept("\"") {
                self.double_quotes(&mut word)?;
            } else {
                self.piece(&mut word, quoting)?;
            }
        }
        Ok(word)
    }

    /// Within braces a number may have several digits.
    fn parameter(&mut self) -> Option<String> {
        let digits = self.rest().find(|c: char| !c.is_ascii_digit()).unwrap_or(0);
        if digits < 2 {
            return self.name();
        }
        let name = self.rest()[..digits].to_string();
        self.position += digits;
        Some(name)
    }

    fn word_in_braces(&mut self, quoting: Quoting) -> Result<Word, ParseError> {
        let mut word = Word::default();
        while !self.accept("}") {
            if quoting == Quoting::Double && self.accept("\"") {
                self.double_quotes(&mut word)?;
            } else {
                self.piece(&mut word, quoting)?;
            }
        }
        Ok(word)
    }
}
