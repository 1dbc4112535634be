//! Tokens to a script: POSIX Shell Command Language 2.10 (the grammar), by recursive descent.

mod compound;
mod condition;

use alloc::boxed::Box;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::lexer::{DEPTH, Lexer, ParseError, Token};
use super::syntax::{
    Command, Connective, Item, List, Part, Pipeline, Redirection, RedirectionKind, Simple, Word,
};

type Parsed<T> = Result<T, ParseError>;

/// Words that end a list when they stand where a command could begin.
const CLOSING: [&str; 8] = ["then", "elif", "else", "fi", "do", "done", "esac", "}"];

/// Makes a script of text.
pub fn parse(text: &str) -> Parsed<List> {
    parse_nested(text, 0)
}

/// The same within `depth` other lists.
pub fn parse_nested(text: &str, depth: usize) -> Parsed<List> {
    let mut lexer = Lexer::new(text);
    lexer.depth = depth;
    let mut parser = Parser::new(&mut lexer)?;
    let list = parser.list()?;
    match &parser.token {
        Token::End => Ok(list),
        token => Err(unexpected(token)),
    }
}

/// The list of `$( list )`, after the opening parenthesis; leaves the lexer behind the closing one.
pub fn list_until_parenthesis(lexer: &mut Lexer) -> Parsed<List> {
    let mut parser = Parser::new(lexer)?;
    let list = parser.list()?;
    match &parser.token {
        Token::Operator(")") => Ok(list),
        Token::End => Err(ParseError::Incomplete),
        token => Err(unexpected(token)),
    }
}

/// Whether the text is a name: letters, digits and `_`, no digit first.
pub fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn unexpected(token: &Token) -> ParseError {
    let name = match token {
        Token::End => return ParseError::Incomplete,
        Token::Operator("\n") => "newline".to_string(),
        Token::Operator(operator) => operator.to_string(),
        Token::Descriptor(number) => number.to_string(),
        Token::Word(word) => word.literal().unwrap_or_else(|| "$".to_string()),
    };
    ParseError::Syntax(format!("syntax error near unexpected token `{name}'"))
}

/// A lexer with one token of look-ahead.
struct Parser<'l, 'a> {
    lexer: &'l mut Lexer<'a>,
    token: Token,
    /// Where the look-ahead token begins, and where the one before it ended.
    start: usize,
    previous_end: usize,
}

impl<'l, 'a> Parser<'l, 'a> {
    fn new(lexer: &'l mut Lexer<'a>) -> Parsed<Self> {
        let start = lexer.position();
        let token = lexer.token()?;
        Ok(Parser {
            lexer,
            token,
            start,
            previous_end: start,
        })
    }

    fn advance(&mut self) -> Parsed<Token> {
        self.previous_end = self.lexer.position();
        self.start = self.previous_end;
        let next = self.lexer.token()?;
        Ok(core::mem::replace(&mut self.token, next))
    }

    fn is_operator(&self, operator: &str) -> bool {
        matches!(&self.token, Token::Operator(found) if *found == operator)
    }

    fn is_word(&self, text: &str) -> bool {
        matches!(&self.token, Token::Word(word) if word.plain() == Some(text))
    }

    fn accept_operator(&mut self, operator: &str) -> Parsed<bool> {
        let is_there = self.is_operator(operator);
        if is_there {
            self.advance()?;
        }
        Ok(is_there)
    }

    fn accept_word(&mut self, text: &str) -> Parsed<bool> {
        let is_there = self.is_word(text);
        if is_there {
            self.advance()?;
        }
        Ok(is_there)
    }

    fn expect_word(&mut self, text: &str) -> Parsed<()> {
        if self.accept_word(text)? {
            Ok(())
        } else {
            Err(unexpected(&self.token))
        }
    }

    fn skip_newlines(&mut self) -> Parsed<()> {
        while self.accept_operator("\n")? {}
        Ok(())
    }

    fn is_list_end(&self) -> bool {
        match &self.token {
            Token::End => true,
            Token::Operator(operator) => matches!(*operator, ")" | ";;"),
            Token::Word(word) => word.plain().is_some_and(|text| CLOSING.contains(&text)),
            Token::Descriptor(_) => false,
        }
    }

    /// Commands up to the end of the text or a closing word, which stays unread. The one place that counts nesting.
    fn list(&mut self) -> Parsed<List> {
        if self.lexer.depth >= DEPTH {
            return Err(ParseError::Syntax("nested too deeply".to_string()));
        }
        self.lexer.depth += 1;
        let mut items = List::new();
        self.skip_newlines()?;
        while !self.is_list_end() {
            let item = self.item()?;
            let is_ended = item.is_background || self.is_operator(";") || self.is_operator("\n");
            items.push(item);
            if !is_ended {
                break;
            }
            self.accept_operator(";")?;
            self.skip_newlines()?;
        }
        self.lexer.depth -= 1;
        Ok(items)
    }

    /// A list that must hold something: the body of a compound command.
    fn body(&mut self) -> Parsed<List> {
        let list = self.list()?;
        if list.is_empty() {
            Err(unexpected(&self.token))
        } else {
            Ok(list)
        }
    }

    fn item(&mut self) -> Parsed<Item> {
        let start = self.start;
        let first = self.pipeline()?;
        let mut rest = Vec::new();
        loop {
            let connective = match &self.token {
                Token::Operator("&&") => Connective::And,
                Token::Operator("||") => Connective::Or,
                _ => break,
            };
            self.advance()?;
            self.skip_newlines()?;
            rest.push((connective, self.pipeline()?));
        }
        let text = self.lexer.text_since(start);
        let text = text
            .get(..self.previous_end.saturating_sub(start))
            .unwrap_or(text)
            .trim()
            .to_string();
        let is_background = self.accept_operator("&")?;
        Ok(Item {
            first,
            rest,
            is_background,
            text,
        })
    }

    fn pipeline(&mut self) -> Parsed<Pipeline> {
        let mut is_negated = false;
        while self.accept_word("!")? {
            is_negated = !is_negated;
        }
        let is_measured = self.accept_word("faults")?;
        if is_measured && self.is_command_end() {
            return Err(ParseError::Syntax(
                "faults: a command is needed, as in `faults ls'".to_string(),
            ));
        }
        let mut commands = Vec::from([self.command()?]);
        while self.accept_operator("|")? {
            self.skip_newlines()?;
            commands.push(self.command()?);
        }
        Ok(Pipeline {
            is_negated,
            is_measured,
            commands,
        })
    }

    fn is_command_end(&self) -> bool {
        self.is_list_end()
            || [";", "&", "&&", "||", "|", "\n"]
                .into_iter()
                .any(|operator| self.is_operator(operator))
    }

    fn command(&mut self) -> Parsed<Command> {
        let Some(compound) = self.compound()? else {
            return self.simple();
        };
        let mut redirections = Vec::new();
        while let Some(redirection) = self.redirection()? {
            redirections.push(redirection);
        }
        Ok(Command::Compound(Box::new(compound), redirections))
    }

    fn word(&mut self) -> Parsed<Word> {
        match self.advance()? {
            Token::Word(word) => Ok(word),
            token => Err(unexpected(&token)),
        }
    }

    fn name(&mut self) -> Parsed<String> {
        let word = self.word()?;
        match word.plain() {
            Some(text) if is_name(text) => Ok(text.to_string()),
            _ => Err(unexpected(&Token::Word(word))),
        }
    }

    fn simple(&mut self) -> Parsed<Command> {
        let mut simple = Simple::default();
        loop {
            if let Some(redirection) = self.redirection()? {
                simple.redirections.push(redirection);
                continue;
            }
            let Token::Word(word) = &self.token else { break };
            match split_assignment(word).filter(|_| simple.words.is_empty()) {
                Some(assignment) => {
                    simple.assignments.push(assignment);
                    self.advance()?;
                }
                None => simple.words.push(self.word()?),
            }
            if self.is_operator("(") && simple.words.len() == 1 && simple.assignments.is_empty() {
                return self.function(&simple.words[0]);
            }
        }
        if simple == Simple::default() {
            Err(unexpected(&self.token))
        } else {
            Ok(Command::Simple(simple))
        }
    }

    fn function(&mut self, word: &Word) -> Parsed<Command> {
        let Some(name) = word.plain().filter(|name| is_name(name)).map(str::to_string) else {
            return Err(unexpected(&self.token));
        };
        self.advance()?;
        if !self.accept_operator(")")? {
            return Err(unexpected(&self.token));
        }
        self.skip_newlines()?;
        Ok(Command::Function(name, Rc::new(self.command()?)))
    }

    /// A redirection, if one stands here.
    fn redirection(&mut self) -> Parsed<Option<Redirection>> {
        let number = match &self.token {
            Token::Descriptor(number) => Some(*number),
            _ => None,
        };
        if number.is_some() {
            self.advance()?;
        }
        let Token::Operator(operator) = self.token else {
            return Ok(None);
        };
        let (kind, standard) = match operator {
            "<" => (RedirectionKind::Read, 0),
            "<>" => (RedirectionKind::ReadWrite, 0),
            "<&" => (RedirectionKind::Duplicate, 0),
            "<<" | "<<-" => (RedirectionKind::Here, 0),
            "<<<" => (RedirectionKind::HereString, 0),
            ">" | ">|" => (RedirectionKind::Write, 1),
            ">>" => (RedirectionKind::Append, 1),
            ">&" => (RedirectionKind::Duplicate, 1),
            _ => return Ok(None),
        };
        self.advance()?;
        let mut target = match &self.token {
            Token::Word(word) => word.clone(),
            token => return Err(unexpected(token)),
        };
        if kind == RedirectionKind::Here {
            // The look-ahead token is the delimiter itself, so the lexer stands behind it, still on its line.
            target = self.lexer.here_document(&target, operator == "<<-")?;
        }
        self.advance()?;
        Ok(Some(Redirection {
            descriptor: number.unwrap_or(standard),
            kind,
            target,
        }))
    }
}

/// `NAME=rest` as name and the word of the rest.
fn split_assignment(word: &Word) -> Option<(String, Word)> {
    let Some(Part::Text(text)) = word.0.first() else {
        return None;
    };
    let (name, rest) = text.split_once('=')?;
    if !is_name(name) {
        return None;
    }
    let mut value = Word::default();
    if !rest.is_empty() {
        value.0.push(Part::Text(rest.to_string()));
    }
    value.0.extend_from_slice(&word.0[1..]);
    Some((name.to_string(), value))
}
