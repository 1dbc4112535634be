//! Compound commands: `( )`, `{ }`, if, while, until, for, case; `[[ ]]` is in `condition`.

use alloc::vec::Vec;

use super::{Parsed, Parser, unexpected};
use crate::shell::lexer::Token;
use crate::shell::syntax::{Compound, List};

impl Parser<'_, '_> {
    /// A compound command, if its first word stands here.
    pub(super) fn compound(&mut self) -> Parsed<Option<Compound>> {
        if self.accept_operator("(")? {
            let list = self.body()?;
            return if self.accept_operator(")")? {
                Ok(Some(Compound::Subshell(list)))
            } else {
                Err(unexpected(&self.token))
            };
        }
        let Token::Word(word) = &self.token else {
            return Ok(None);
        };
        let compound = match word.plain() {
            Some("{") => {
                self.advance()?;
                let list = self.body()?;
                self.expect_word("}")?;
                Compound::Group(list)
            }
            Some("if") => self.if_command()?,
            Some("while") => {
                self.advance()?;
                Compound::While(self.body()?, self.do_group()?)
            }
            Some("until") => {
                self.advance()?;
                Compound::Until(self.body()?, self.do_group()?)
            }
            Some("for") => self.for_command()?,
            Some("case") => self.case_command()?,
            Some("[[") => self.condition_command()?,
            _ => return Ok(None),
        };
        Ok(Some(compound))
    }

    fn do_group(&mut self) -> Parsed<List> {
        self.expect_word("do")?;
        let body = self.body()?;
        self.expect_word("done")?;
        Ok(body)
    }

    fn if_command(&mut self) -> Parsed<Compound> {
        let mut branches = Vec::new();
        // The first time the word is `if`, then `elif`.
        while self.accept_word(if branches.is_empty() { "if" } else { "elif" })? {
            let condition = self.body()?;
            self.expect_word("then")?;
            branches.push((condition, self.body()?));
        }
        let otherwise = if self.accept_word("else")? {
            self.body()?
        } else {
            List::new()
        };
        self.expect_word("fi")?;
        Ok(Compound::If(branches, otherwise))
    }

    fn for_command(&mut self) -> Parsed<Compound> {
        self.advance()?;
        let name = self.name()?;
        self.skip_newlines()?;
        let mut words = None;
        if self.accept_word("in")? {
            let mut list = Vec::new();
            while let Token::Word(_) = &self.token {
                list.push(self.word()?);
            }
            words = Some(list);
        }
        self.accept_operator(";")?;
        self.skip_newlines()?;
        Ok(Compound::For(name, words, self.do_group()?))
    }

    fn case_command(&mut self) -> Parsed<Compound> {
        self.advance()?;
        let subject = self.word()?;
        self.skip_newlines()?;
        self.expect_word("in")?;
        self.skip_newlines()?;
        let mut arms = Vec::new();
        while !self.accept_word("esac")? {
            self.accept_operator("(")?;
            let mut patterns = Vec::from([self.word()?]);
            while self.accept_operator("|")? {
                patterns.push(self.word()?);
            }
            if !self.accept_operator(")")? {
                return Err(unexpected(&self.token));
            }
            arms.push((patterns, self.list()?));
            if !self.accept_operator(";;")? && !self.is_word("esac") {
                return Err(unexpected(&self.token));
            }
            self.skip_newlines()?;
        }
        Ok(Compound::Case(subject, arms))
    }
}
