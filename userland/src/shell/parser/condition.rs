//! `[[ condition ]]`: `!` binds closest, then `&&`, then `||`; parentheses group.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};

use super::{Parsed, Parser, unexpected};
use crate::shell::lexer::{DEPTH, ParseError, Token};
use crate::shell::syntax::{Compound, Condition};

/// Tests of two words that are words themselves; `<` and `>` are operators to the lexer.
const BINARY: [&str; 12] = [
    "=", "==", "!=", "=~", "-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-nt", "-ot",
];

impl Parser<'_, '_> {
    /// After `[[`, which stands here, up to `]]`.
    pub(super) fn condition_command(&mut self) -> Parsed<Compound> {
        self.advance()?;
        let condition = self.either()?;
        self.expect_word("]]")?;
        Ok(Compound::Test(condition))
    }

    fn either(&mut self) -> Parsed<Condition> {
        let mut condition = self.both()?;
        while self.accept_operator("||")? {
            condition = Condition::Or(Box::new(condition), Box::new(self.both()?));
        }
        Ok(condition)
    }

    fn both(&mut self) -> Parsed<Condition> {
        let mut condition = self.test()?;
        while self.accept_operator("&&")? {
            condition = Condition::And(Box::new(condition), Box::new(self.test()?));
        }
        Ok(condition)
    }

    fn test(&mut self) -> Parsed<Condition> {
        if self.lexer.depth >= DEPTH {
            return Err(ParseError::Syntax("nested too deeply".to_string()));
        }
        self.lexer.depth += 1;
        let condition = self.test_within()?;
        self.lexer.depth -= 1;
        self.skip_newlines()?;
        Ok(condition)
    }

    fn test_within(&mut self) -> Parsed<Condition> {
        self.skip_newlines()?;
        if self.accept_word("!")? {
            return Ok(Condition::Not(Box::new(self.test()?)));
        }
        if self.accept_operator("(")? {
            let condition = self.either()?;
            return if self.accept_operator(")")? {
                Ok(condition)
            } else {
                Err(unexpected(&self.token))
            };
        }
        if self.is_word("]]") {
            return Err(unexpected(&self.token));
        }
        let first = self.word()?;
        if let Some(letter) = unary(first.plain()).filter(|_| self.is_operand()) {
            return Ok(Condition::Unary(letter, self.word()?));
        }
        match self.binary()? {
            Some(operator) if operator == "=~" => Err(ParseError::Syntax(format!(
                "[[: {operator}: regular expressions are not there"
            ))),
            Some(_) if !self.is_operand() => Err(unexpected(&self.token)),
            Some(operator) => Ok(Condition::Binary(first, operator, self.word()?)),
            None => Ok(Condition::Word(first)),
        }
    }

    fn is_operand(&self) -> bool {
        matches!(&self.token, Token::Word(_)) && !self.is_word("]]")
    }

    /// The operator between two words, if one stands here.
    fn binary(&mut self) -> Parsed<Option<String>> {
        let operator = match &self.token {
            Token::Operator(operator @ ("<" | ">")) => operator.to_string(),
            Token::Word(word) => match word.plain() {
                Some(text) if BINARY.contains(&text) => text.to_string(),
                _ => return Ok(None),
            },
            _ => return Ok(None),
        };
        self.advance()?;
        Ok(Some(operator))
    }
}

/// The letter of `-f` and its like.
fn unary(word: Option<&str>) -> Option<String> {
    let letter = word?.strip_prefix('-')?;
    (letter.len() == 1).then(|| letter.to_string())
}
