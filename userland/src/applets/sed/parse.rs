//! From the text of a script to commands.

use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::Cell;

use super::script::{Action, Address, Command, End, Pattern, Progress, Script, Selector, When};
use crate::regex::{Expression, Reading, Syntax};

/// A script that is being read.
pub struct Parser<'a> {
    pub text: &'a [char],
    pub at: usize,
    pub syntax: Syntax,
    /// There is an expression that an empty one may mean.
    has_pattern: bool,
    files: Vec<String>,
    commands: Vec<Command>,
    /// The `{` that wait for their `}`.
    blocks: Vec<usize>,
    labels: Vec<(String, usize)>,
    /// Branches whose label is to be looked up.
    branches: Vec<(usize, When, String)>,
}

/// What is wrong, for people.
type Result<T> = core::result::Result<T, String>;

/// Reads a script; an error says at which character what is wrong.
pub fn parse(text: &str, syntax: Syntax) -> Result<Script> {
    let chars: Vec<char> = text.chars().collect();
    let mut parser = Parser {
        text: &chars,
        at: 0,
        syntax,
        has_pattern: false,
        files: Vec::new(),
        commands: Vec::new(),
        blocks: Vec::new(),
        labels: Vec::new(),
        branches: Vec::new(),
    };
    match parser.all() {
        Ok(()) => Ok(Script {
            commands: parser.commands,
            files: parser.files,
            is_quiet: text == "#n" || text.starts_with("#n\n"),
        }),
        Err(message) => Err(alloc::format!("char {}: {message}", parser.at)),
    }
}

impl Parser<'_> {
    pub fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    pub fn next(&mut self) -> Option<char> {
        let found = self.peek();
        self.at += usize::from(found.is_some());
        found
    }

    pub fn next_if(&mut self, wanted: impl Fn(char) -> bool) -> Option<char> {
        let found = self.peek().filter(|found| wanted(*found));
        self.at += usize::from(found.is_some());
        found
    }

    fn skip(&mut self, unwanted: impl Fn(char) -> bool) {
        while self.next_if(&unwanted).is_some() {}
    }

    pub fn skip_blanks(&mut self) {
        self.skip(|found| found == ' ' || found == '\t');
    }

    /// The rest of the line, without its end.
    fn rest_of_line(&mut self) -> String {
        let mut rest = String::new();
        while let Some(found) = self.next_if(|found| found != '\n') {
            rest.push(found);
        }
        rest
    }

    fn all(&mut self) -> Result<()> {
        loop {
            self.skip(|found| found.is_whitespace() || found == ';');
            if self.peek().is_none() {
                break;
            }
            self.command()?;
        }
        if !self.blocks.is_empty() {
            return Err("unmatched `{'".to_string());
        }
        for (at, when, label) in core::mem::take(&mut self.branches) {
            self.commands[at].action = Action::Branch(when, self.place_of(&label)?);
        }
        Ok(())
    }

    /// Where a label stands; the end of the script for none.
    fn place_of(&self, label: &str) -> Result<usize> {
        if label.is_empty() {
            return Ok(self.commands.len());
        }
        let found = self.labels.iter().find(|(name, _)| name == label);
        let place = found.map(|(_, place)| *place);
        place.ok_or_else(|| alloc::format!("can't find label for jump to `{label}'"))
    }

    fn command(&mut self) -> Result<()> {
        let selector = self.selector()?;
        let Some(name) = self.next() else {
            return Err("missing command".to_string());
        };
        if selector.first.is_some() && matches!(name, ':' | '}' | '#') {
            return Err(match name {
                ':' => ": doesn't want any addresses".to_string(),
                '#' => "comments don't accept any addresses".to_string(),
                _ => "} doesn't want any addresses".to_string(),
            });
        }
        if name == '#' {
            self.rest_of_line();
            return Ok(());
        }
        let action = self.action(name)?;
        self.commands.push(Command { selector, action });
        if matches!(name, '{' | 'a' | 'i' | 'c') {
            return Ok(());
        }
        self.end_of_command()
    }

    fn end_of_command(&mut self) -> Result<()> {
        self.skip_blanks();
        match self.peek() {
            None | Some('\n' | ';' | '}' | '#') => Ok(()),
            _ => Err("extra characters after command".to_string()),
        }
    }

    fn action(&mut self, name: char) -> Result<Action> {
        Ok(match name {
            '{' => {
                self.blocks.push(self.commands.len());
                Action::Block(0)
            }
            '}' => {
                let block = self.blocks.pop().ok_or("unexpected `}'")?;
                self.commands[block].action = Action::Block(self.commands.len() + 1);
                Action::Nothing
            }
            ':' => {
                let label = self.label();
                if label.is_empty() {
                    return Err("\":\" lacks a label".to_string());
                }
                self.labels.push((label, self.commands.len()));
                Action::Nothing
            }
            'b' => self.branch(When::Always),
            't' => self.branch(When::Replaced),
            'T' => self.branch(When::NotReplaced),
            '=' => Action::LineNumber,
            'a' => Action::Append(self.text_argument()?),
            'i' => Action::Insert(self.text_argument()?),
            'c' => Action::Change(self.text_argument()?),
            'd' => Action::Delete,
            'D' => Action::DeleteFirst,
            'p' => Action::Print,
            'P' => Action::PrintFirst,
            'l' => Action::PrintPlainly(self.number_argument()),
            'n' => Action::Next,
            'N' => Action::NextAppended,
            'g' => Action::Copy,
            'G' => Action::CopyAppended,
            'h' => Action::Hold,
            'H' => Action::HoldAppended,
            'x' => Action::Exchange,
            'z' => Action::Empty,
            'q' => Action::Quit(self.number_argument().unwrap_or(0) as i32),
            'Q' => Action::QuitSilently(self.number_argument().unwrap_or(0) as i32),
            'r' => Action::ReadFile(self.file_name()?),
            'w' => Action::WriteFile(self.file()?),
            'W' => Action::WriteFirst(self.file()?),
            's' => self.substitution()?,
            'y' => self.translation()?,
            name => return Err(alloc::format!("unknown command: `{name}'")),
        })
    }

    fn branch(&mut self, when: When) -> Action {
        let label = self.label();
        self.branches.push((self.commands.len(), when, label));
        Action::Nothing
    }

    fn label(&mut self) -> String {
        self.skip_blanks();
        let mut label = String::new();
        while let Some(found) = self.next_if(|found| !found.is_whitespace() && found != ';') {
            label.push(found);
        }
        label
    }

    pub fn number(&mut self) -> Option<usize> {
        let mut number = None;
        while let Some(digit) = self.next_if(|found| found.is_ascii_digit()) {
            let digit = digit as usize - '0' as usize;
            number = Some(number.unwrap_or(0usize).saturating_mul(10).saturating_add(digit));
        }
        number
    }

    fn number_argument(&mut self) -> Option<usize> {
        self.skip_blanks();
        self.number()
    }

    fn file_name(&mut self) -> Result<String> {
        self.skip_blanks();
        let name = self.rest_of_line();
        if name.is_empty() {
            return Err("missing filename in r/R/w/W commands".to_string());
        }
        Ok(name)
    }

    /// The number of the file that is named.
    pub fn file(&mut self) -> Result<usize> {
        let name = self.file_name()?;
        let known = self.files.iter().position(|other| *other == name);
        Ok(known.unwrap_or_else(|| {
            self.files.push(name);
            self.files.len() - 1
        }))
    }

    /// The text of `a`, `i` and `c`, with the end of its last line.
    fn text_argument(&mut self) -> Result<String> {
        self.skip_blanks();
        if self.peek().is_none() {
            return Err("expected \\ after `a', `c' or `i'".to_string());
        }
        if self.next_if(|found| found == '\\').is_some() {
            let behind = self.at;
            self.skip_blanks();
            if self.next_if(|found| found == '\n').is_none() {
                self.at = behind;
            }
        }
        let mut text = String::new();
        loop {
            match self.next() {
                None | Some('\n') => break,
                Some('\\') => match self.next() {
                    Some('t') => text.push('\t'),
                    other => text.extend(other),
                },
                Some(found) => text.push(found),
            }
        }
        text.push('\n');
        Ok(text)
    }

    fn selector(&mut self) -> Result<Selector> {
        let first = self.address()?;
        let mut end = None;
        self.skip_blanks();
        if first.is_some() && self.next_if(|found| found == ',').is_some() {
            self.skip_blanks();
            end = Some(self.end()?);
            self.skip_blanks();
        }
        let is_zero = matches!(first, Some(Address::Line(0)));
        if is_zero && !matches!(end, Some(End::Match(_))) {
            return Err("invalid usage of line address 0".to_string());
        }
        let mut is_negated = false;
        while self.next_if(|found| found == '!').is_some() {
            if core::mem::replace(&mut is_negated, true) {
                return Err("multiple `!'s".to_string());
            }
            self.skip_blanks();
        }
        let selector = Selector {
            first,
            end,
            is_negated,
            progress: Cell::new(Progress::Closed),
        };
        selector.reset();
        Ok(selector)
    }

    fn address(&mut self) -> Result<Option<Address>> {
        Ok(Some(match self.peek() {
            Some('$') => {
                self.at += 1;
                Address::Last
            }
            Some('/' | '\\') => Address::Match(self.address_pattern()?),
            Some(digit) if digit.is_ascii_digit() => {
                let first = self.number().unwrap_or(0);
                match self.next_if(|found| found == '~') {
                    Some(_) => Address::Step(first, self.number().unwrap_or(0)),
                    None => Address::Line(first),
                }
            }
            _ => return Ok(None),
        }))
    }

    fn end(&mut self) -> Result<End> {
        match self.peek() {
            Some('+') => {
                self.at += 1;
                let count = self.number().ok_or("expected number")?;
                return Ok(End::After(count));
            }
            Some('~') => {
                self.at += 1;
                let step = self.number().ok_or("expected number")?;
                return Ok(End::Multiple(step));
            }
            _ => {}
        }
        match self.address()? {
            Some(Address::Line(number)) => Ok(End::Line(number)),
            Some(Address::Last) => Ok(End::Last),
            Some(Address::Match(pattern)) => Ok(End::Match(pattern)),
            _ => Err("unexpected `,'".to_string()),
        }
    }

    /// `/expression/` or `\xexpressionx`, with `I` and `M` behind it.
    fn address_pattern(&mut self) -> Result<Pattern> {
        let mut delimiter = self.next();
        if delimiter == Some('\\') {
            delimiter = self.next();
        }
        let delimiter = delimiter.ok_or("unterminated address regex")?;
        let text = self
            .delimited(delimiter, true)
            .ok_or("unterminated address regex")?;
        let (mut ignores_case, mut has_lines) = (false, false);
        while let Some(flag) = self.next_if(|found| matches!(found, 'I' | 'M')) {
            ignores_case |= flag == 'I';
            has_lines |= flag == 'M';
        }
        self.pattern(&text, ignores_case, has_lines)
    }

    /// The expression of a text; an empty one is the one used last.
    pub fn pattern(&mut self, text: &str, ignores_case: bool, has_lines: bool) -> Result<Pattern> {
        if text.is_empty() {
            let known = self.has_pattern.then_some(None);
            return known.ok_or_else(|| "no previous regular expression".to_string());
        }
        self.has_pattern = true;
        let reading = Reading {
            syntax: self.syntax,
            ignores_case,
            has_lines,
            has_escapes: true,
        };
        Expression::new(text, reading).map(|expression| Some(Rc::new(expression)))
    }
}
