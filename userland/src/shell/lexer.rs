//! Characters to tokens: POSIX Shell Command Language 2.2 (quoting), 2.3 (token recognition), 2.6 (what is expanded).
//! Within `$( )` it calls the parser, which calls it again: nesting is the language's own.

mod expansion;

use alloc::rc::Rc;
use alloc::string::{String, ToString};

use super::parser;
use super::syntax::{Part, Quoting, Word};

/// Why text is not a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParseError {
    /// It ends within a quote or a compound command: with more lines it may become one.
    Incomplete,
    /// It never will; with a message for people.
    Syntax(String),
}

/// A piece of a script.
#[derive(Debug, Clone, PartialEq)]
pub enum Token {
    /// A word.
    Word(Word),
    /// One of [`OPERATORS`], or `"\n"`.
    Operator(&'static str),
    /// The number before a redirection operator.
    Descriptor(i32),
    /// The end of the text.
    End,
}

/// Longer ones before their beginnings.
const OPERATORS: [&str; 21] = [
    "<<<", "<<-", "&&", "||", ";;", "<<", ">>", "<&", ">&", "<>", ">|", "&", "|", ";", "<", ">", "(", ")",
    "\r\n", "\n", "\r",
];

/// How deep `$( )`, `( )`, `{ }` and the like may nest: the parser's own stack is finite.
pub const DEPTH: usize = 100;

/// A place in a script.
pub struct Lexer<'a> {
    text: &'a str,
    position: usize,
    /// Where reading goes on after the next newline, if here-documents stand behind it.
    after_here: Option<usize>,
    /// How many lists we are within.
    pub depth: usize,
}

impl<'a> Lexer<'a> {
    /// At the beginning of the text.
    pub fn new(text: &'a str) -> Self {
        Lexer {
            text,
            position: 0,
            after_here: None,
            depth: 0,
        }
    }

    /// Offset of the next character.
    pub fn position(&self) -> usize {
        self.position
    }

    /// The text between a position and here.
    pub fn text_since(&self, start: usize) -> &'a str {
        self.text.get(start..self.position).unwrap_or("")
    }

    fn rest(&self) -> &'a str {
        &self.text[self.position..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.position += c.len_utf8();
        Some(c)
    }

    fn accept(&mut self, expected: &str) -> bool {
        let is_there = self.rest().starts_with(expected);
        self.position += if is_there { expected.len() } else { 0 };
        is_there
    }

    fn skip_blanks(&mut self) {
        loop {
            match self.peek() {
                Some(' ' | '\t') => self.position += 1,
                Some('\\') if self.accept("\\\n") => {}
                Some('#') => self.position += self.rest().find('\n').unwrap_or(self.rest().len()),
                _ => return,
            }
        }
    }

    /// Reads the next token.
    pub fn token(&mut self) -> Result<Token, ParseError> {
        self.skip_blanks();
        if self.rest().is_empty() {
            return Ok(Token::End);
        }
        if let Some(operator) = OPERATORS.into_iter().find(|operator| self.accept(operator)) {
            return Ok(Token::Operator(self.operator(operator)));
        }
        let digits = self.rest().find(|c: char| !c.is_ascii_digit()).unwrap_or(0);
        if digits > 0
            && self.rest()[digits..].starts_with(['<', '>'])
            && let Ok(number) = self.rest()[..digits].parse()
        {
            self.position += digits;
            return Ok(Token::Descriptor(number));
        }
        self.word().map(Token::Word)
    }

    /// All ways to end a line are one; behind a newline come here-documents, which were read already.
    fn operator(&mut self, operator: &'static str) -> &'static str {
        if !operator.ends_with(['\n', '\r']) {
            return operator;
        }
        if let Some(position) = self.after_here.take() {
            self.position = position;
        }
        "\n"
    }

    fn word(&mut self) -> Result<Word, ParseError> {
        let mut word = Word::default();
        while let Some(c) = self.peek() {
            if " \t\r\n&|;<>()".contains(c) {
                break;
            }
            self.piece(&mut word, Quoting::Unquoted)?;
        }
        Ok(word)
    }

    /// Reads one character, quote or expansion of a word. Within double quotes ' and ~ mean themselves.
    fn piece(&mut self, word: &mut Word, quoting: Quoting) -> Result<(), ParseError> {
        let Some(c) = self.next() else {
            return Err(ParseError::Incomplete);
        };
        match (c, quoting) {
            ('\\', _) => self.backslash(word, quoting)?,
            ('\'', Quoting::Unquoted) => {
                let length = self.rest().find('\'').ok_or(ParseError::Incomplete)?;
                word.push_quoted(&self.rest()[..length]);
                self.position += length + 1;
            }
            ('"', Quoting::Unquoted) => self.double_quotes(word)?,
            ('$', _) => self.dollar(word, quoting)?,
            ('`', _) => self.backquotes(word, quoting)?,
            (c, Quoting::Unquoted) => word.push_text(c),
            (c, Quoting::Double) => word.push_quoted(c.encode_utf8(&mut [0; 4])),
        }
        Ok(())
    }

    fn backslash(&mut self, word: &mut Word, quoting: Quoting) -> Result<(), ParseError> {
        match (self.next(), quoting) {
            (None, _) => return Err(ParseError::Incomplete),
            (Some('\n'), _) => {}
            (Some(c), Quoting::Double) if !"$`\"\\".contains(c) => {
                word.push_quoted("\\");
                word.push_quoted(c.encode_utf8(&mut [0; 4]));
            }
            (Some(c), _) => word.push_quoted(c.encode_utf8(&mut [0; 4])),
        }
        Ok(())
    }

    fn double_quotes(&mut self, word: &mut Word) -> Result<(), ParseError> {
        // Even "" makes a word.
        word.push_quoted("");
        while !self.accept("\"") {
            self.piece(word, Quoting::Double)?;
        }
        Ok(())
    }

    /// `` `list` ``: backslashes before $, `, \ go away, then it is a script of its own.
    fn backquotes(&mut self, word: &mut Word, quoting: Quoting) -> Result<(), ParseError> {
        let mut script = String::new();
        loop {
            match self.next().ok_or(ParseError::Incomplete)? {
                '`' => break,
                '\\' => match self.next().ok_or(ParseError::Incomplete)? {
                    c @ ('$' | '`' | '\\') => script.push(c),
                    c => script.extend(['\\', c]),
                },
                c => script.push(c),
            }
        }
        let list = parser::parse_nested(&script, self.depth + 1)?;
        word.0.push(Part::Command(Rc::new(list), quoting));
        Ok(())
    }

    /// Reads the text of a here-document that ends with the line `delimiter`: it begins behind the line being read.
    /// `<<-` takes tabs away; quotes in the delimiter keep `$` from being expanded.
    pub fn here_document(&mut self, delimiter: &Word, is_indented: bool) -> Result<Word, ParseError> {
        let end = delimiter
            .literal()
            .ok_or_else(|| ParseError::Syntax("bad here-document delimiter".to_string()))?;
        let line_end = self.rest().find('\n').map(|length| self.position + length + 1);
        let mut position = self.after_here.or(line_end).ok_or(ParseError::Incomplete)?;
        let mut body = String::new();
        loop {
            let rest = &self.text[position..];
            let line = rest.split_inclusive('\n').next().ok_or(ParseError::Incomplete)?;
            position += line.len();
            let line = if is_indented {
                line.trim_start_matches('\t')
            } else {
                line
            };
            if line.trim_end_matches('\n') == end {
                break;
            }
            body.push_str(line);
        }
        self.after_here = Some(position);
        if delimiter.plain().is_none() {
            Ok(Word::quoted(body))
        } else {
            expandable(&body, self.depth)
        }
    }
}

/// Text in which `$` and backquotes are expanded and quotes mean themselves.
fn expandable(text: &str, depth: usize) -> Result<Word, ParseError> {
    let mut lexer = Lexer {
        text,
        position: 0,
        after_here: None,
        depth,
    };
    let mut word = Word::quoted("");
    while !lexer.rest().is_empty() {
        if lexer.accept("\\\"") {
            word.push_quoted("\\\"");
        } else {
            lexer.piece(&mut word, Quoting::Double)?;
        }
    }
    Ok(word)
}
