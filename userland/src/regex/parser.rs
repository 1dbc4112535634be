//! From the text of a pattern to its tree.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::iter::Peekable;
use core::str::Chars;

use super::class::Class;
use super::{Reading, Syntax};

/// Most repetitions that may be asked for (`RE_DUP_MAX`).
const MOST: u32 = 0x7fff;

/// A place that must be what it says, and takes no character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    Start,
    End,
    TextStart,
    TextEnd,
    WordStart,
    WordEnd,
    Border,
    NoBorder,
}

/// A part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    Empty,
    Set(Class),
    Look(Look),
    /// What this group holds, once more.
    Again(usize),
    Group(usize, Box<Node>),
    All(Vec<Node>),
    Any(Vec<Node>),
    Repeat(Box<Node>, u32, Option<u32>),
}

/// A pattern's tree, and how many groups it has.
#[derive(Debug)]
pub struct Parsed {
    pub root: Node,
    pub groups: usize,
}

/// A pattern that is being read.
pub struct Parser<'a> {
    pub rest: Peekable<Chars<'a>>,
    pub reading: Reading,
    /// Groups begun so far.
    groups: usize,
    /// Those that are complete.
    closed: Vec<usize>,
    depth: usize,
}

/// What stands next in a pattern.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Token {
    Literal(char),
    Escaped(char),
    Dot,
    Bracket,
    Caret,
    Dollar,
    Open,
    Close,
    Either,
    Star,
    Plus,
    Question,
    Brace,
}

/// Reads a pattern.
pub fn parse(pattern: &str, reading: Reading) -> Result<Parsed, String> {
    let mut parser = Parser {
        rest: pattern.chars().peekable(),
        reading,
        groups: 0,
        closed: Vec::new(),
        depth: 0,
    };
    let root = if reading.syntax == Syntax::Fixed {
        Node::All(pattern.chars().map(|letter| parser.letter(letter)).collect())
    } else {
        parser.alternatives()?
    };
    Ok(Parsed {
        root,
        groups: parser.groups,
    })
}

impl Parser<'_> {
    fn is_extended(&self) -> bool {
        self.reading.syntax == Syntax::Extended
    }

    pub fn set(&self, ranges: &[(char, char)], is_excluded: bool) -> Node {
        let ranges = ranges.iter().map(|range| (range.0.into(), range.1.into()));
        Node::Set(Class::new(
            ranges.collect(),
            is_excluded,
            self.reading.ignores_case,
        ))
    }

    fn letter(&self, letter: char) -> Node {
        self.set(&[(letter, letter)], false)
    }

    /// The next token, taken away.
    fn token(&mut self) -> Result<Option<Token>, String> {
        let Some(letter) = self.rest.next() else {
            return Ok(None);
        };
        if letter == '\\' {
            let letter = self.rest.next().ok_or("Trailing backslash")?;
            return Ok(Some(self.escaped(letter)));
        }
        let is_extended = self.is_extended();
        Ok(Some(match letter {
            '.' => Token::Dot,
            '[' => Token::Bracket,
            '^' => Token::Caret,
            '$' => Token::Dollar,
            '*' => Token::Star,
            '(' if is_extended => Token::Open,
            ')' if is_extended => Token::Close,
            '|' if is_extended => Token::Either,
            '+' if is_extended => Token::Plus,
            '?' if is_extended => Token::Question,
            '{' if is_extended => Token::Brace,
            letter => Token::Literal(letter),
        }))
    }

    fn escaped(&self, letter: char) -> Token {
        match letter {
            _ if self.is_extended() => Token::Escaped(letter),
            '(' => Token::Open,
            ')' => Token::Close,
            '|' => Token::Either,
            '+' => Token::Plus,
            '?' => Token::Question,
            '{' => Token::Brace,
            letter => Token::Escaped(letter),
        }
    }

    fn peek(&self) -> Result<Option<Token>, String> {
        let mut ahead = Parser {
            rest: self.rest.clone(),
            closed: Vec::new(),
            ..*self
        };
        ahead.token()
    }

    fn alternatives(&mut self) -> Result<Node, String> {
        let mut all = Vec::new();
        loop {
            all.push(self.branch()?);
            match self.peek()? {
                Some(Token::Either) => self.token()?,
                Some(Token::Close) if self.depth == 0 => return Err("Unmatched ) or \\)".to_string()),
                _ => break,
            };
        }
        Ok(if all.len() == 1 {
            all.remove(0)
        } else {
            Node::Any(all)
        })
    }

    /// Up to the next `|`, `)` or the end.
    fn branch(&mut self) -> Result<Node, String> {
        let mut all: Vec<Node> = Vec::new();
        while let Some(token) = self.peek()? {
            if matches!(token, Token::Either | Token::Close) {
                break;
            }
            self.token()?;
            let is_first = all.iter().all(|node| *node == Node::Look(Look::Start));
            let Some(node) = self.atom(token, is_first, all.is_empty())? else {
                continue;
            };
            let node = self.repeated(node)?;
            all.push(node);
        }
        Ok(match all.len() {
            0 => Node::Empty,
            1 => all.remove(0),
            _ => Node::All(all),
        })
    }

    /// What a token stands for; `None` for one that is passed over. `is_first`: nothing to repeat stands before it.
    fn atom(&mut self, token: Token, is_first: bool, is_begin: bool) -> Result<Option<Node>, String> {
        Ok(Some(match token {
            Token::Dot => self.set(&[], true),
            Token::Bracket => self.bracket()?,
            Token::Open => self.group()?,
            Token::Caret if self.is_extended() || is_begin => Node::Look(Look::Start),
            Token::Caret => self.letter('^'),
            Token::Dollar if self.is_extended() || self.is_at_end()? => Node::Look(Look::End),
            Token::Dollar => self.letter('$'),
            Token::Literal(letter) => self.letter(letter),
            Token::Escaped(letter) => self.special(letter)?,
            Token::Star | Token::Plus | Token::Question if self.is_extended() => return Ok(None),
            Token::Star if is_first => self.letter('*'),
            Token::Plus if is_first => self.letter('+'),
            Token::Question if is_first => self.letter('?'),
            Token::Brace if self.is_extended() && !self.is_interval() => self.letter('{'),
            _ => return Err("Invalid preceding regular expression".to_string()),
        }))
    }

    /// Whether a `$` before what follows is an anchor of a basic expression.
    fn is_at_end(&self) -> Result<bool, String> {
        Ok(matches!(self.peek()?, None | Some(Token::Close | Token::Either)))
    }

    fn group(&mut self) -> Result<Node, String> {
        self.groups += 1;
        let number = self.groups;
        self.depth += 1;
        if self.depth > 200 {
            return Err("Regular expression too big".to_string());
        }
        let inner = self.alternatives()?;
        self.depth -= 1;
        if self.token()? != Some(Token::Close) {
            return Err("Unmatched ( or \\(".to_string());
        }
        self.closed.push(number);
        Ok(Node::Group(number, Box::new(inner)))
    }

    /// What follows a backslash.
    fn special(&mut self, letter: char) -> Result<Node, String> {
        let word = [
            ('0', '9'),
            ('A', 'Z'),
            ('a', 'z'),
            ('_', '_'),
            ('\u{80}', char::MAX),
        ];
        let space = [('\t', '\r'), (' ', ' ')];
        Ok(match letter {
            '1'..='9' => self.again(letter as usize - '0' as usize)?,
            'w' | 'W' => self.set(&word, letter == 'W'),
            's' | 'S' => self.set(&space, letter == 'S'),
            'b' => Node::Look(Look::Border),
            'B' => Node::Look(Look::NoBorder),
            '<' => Node::Look(Look::WordStart),
            '>' => Node::Look(Look::WordEnd),
            '`' => Node::Look(Look::TextStart),
            '\'' => Node::Look(Look::TextEnd),
            letter if self.reading.has_escapes => self.letter(control(letter).unwrap_or(letter)),
            letter => self.letter(letter),
        })
    }

    fn again(&self, number: usize) -> Result<Node, String> {
        if self.closed.contains(&number) {
            Ok(Node::Again(number))
        } else {
            Err("Invalid back reference".to_string())
        }
    }

    /// The node with all repetitions that follow it.
    fn repeated(&mut self, mut node: Node) -> Result<Node, String> {
        loop {
            let (least, most) = match self.peek()? {
                Some(Token::Star) if is_anchor(&node) && !self.is_extended() => return Ok(node),
                Some(Token::Star) => (0, None),
                Some(Token::Plus) => (1, None),
                Some(Token::Question) => (0, Some(1)),
                Some(Token::Brace) => {
                    let mut ahead = self.rest.clone();
                    ahead.find(|letter| *letter == '{');
                    if self.is_extended() && !begins_interval(&mut ahead) {
                        return Ok(node);
                    }
                    self.token()?;
                    let (least, most) = self.interval()?;
                    node = Node::Repeat(Box::new(node), least, most);
                    continue;
                }
                _ => return Ok(node),
            };
            self.token()?;
            node = Node::Repeat(Box::new(node), least, most);
        }
    }

    fn is_interval(&self) -> bool {
        begins_interval(&mut self.rest.clone())
    }

    /// `n}`, `n,}`, `,m}` or `n,m}`, with a backslash before the brace in basic expressions.
    fn interval(&mut self) -> Result<(u32, Option<u32>), String> {
        let least = self.number()?;
        let most = match self.rest.next_if_eq(&',') {
            Some(_) => self.number()?,
            None => Some(least.ok_or("Invalid content of \\{\\}")?),
        };
        if !self.is_extended() && self.rest.next() != Some('\\') || self.rest.next() != Some('}') {
            return Err("Unmatched { or \\{".to_string());
        }
        let least = least.unwrap_or(0);
        if most.is_some_and(|most| most < least) {
            return Err("Invalid content of \\{\\}".to_string());
        }
        Ok((least, most))
    }

    fn number(&mut self) -> Result<Option<u32>, String> {
        let mut number = None;
        while let Some(digit) = self.rest.peek().and_then(|letter| letter.to_digit(10)) {
            self.rest.next();
            number = Some(number.unwrap_or(0) * 10 + digit);
            if number > Some(MOST) {
                return Err("Regular expression too big".to_string());
            }
        }
        Ok(number)
    }
}

fn is_anchor(node: &Node) -> bool {
    *node == Node::Look(Look::Start)
}

/// Whether what follows a `{` is an interval.
fn begins_interval(rest: &mut Peekable<Chars>) -> bool {
    rest.next()
        .is_some_and(|letter| letter.is_ascii_digit() || letter == ',')
}

/// The control character of `\n` and its kin.
pub fn control(letter: char) -> Option<char> {
    Some(match letter {
        'a' => '\x07',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        _ => return None,
    })
}
