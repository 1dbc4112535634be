//! A script, as it is run.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::Cell;

use crate::regex::Expression;

/// An expression; `None` for an empty one, which means the one that was used last.
pub type Pattern = Option<Rc<Expression>>;

/// The lines that a command is for.
pub enum Address {
    Line(usize),
    /// `$`
    Last,
    Match(Pattern),
    /// `first~step`
    Step(usize, usize),
}

/// Where a range ends.
pub enum End {
    Line(usize),
    Last,
    Match(Pattern),
    /// `+n`: so many lines later.
    After(usize),
    /// `~n`: at a line whose number is a multiple of n.
    Multiple(usize),
}

/// Whether a range is open, and up to which line if that is known.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    Closed,
    /// Closed for ever.
    Over,
    Open,
    Until(usize),
}

/// Which lines a command is for: all without addresses.
pub struct Selector {
    pub first: Option<Address>,
    pub end: Option<End>,
    /// `!`
    pub is_negated: bool,
    pub progress: Cell<Progress>,
}

impl Selector {
    /// Before the first line: `0,/x/` is open then.
    pub fn reset(&self) {
        let is_open = matches!(self.first, Some(Address::Line(0)));
        self.progress
            .set(if is_open { Progress::Open } else { Progress::Closed });
    }
}

/// A piece of what `s` puts in place.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    Text(String),
    /// Of group 0 to 9.
    Group(usize),
    Case(Case),
}

/// `\U \L \u \l \E`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    Upper,
    Lower,
    NextUpper,
    NextLower,
    End,
}

/// `s`
pub struct Substitution {
    pub pattern: Pattern,
    pub pieces: Vec<Piece>,
    /// Which match is the first to be replaced.
    pub number: usize,
    /// And all that follow.
    pub is_global: bool,
    /// How often the result is printed.
    pub prints: usize,
    /// The number of the file that it is written to.
    pub file: Option<usize>,
}

/// What a command does. Places are indices of commands.
pub enum Action {
    /// `{`: to the place behind its `}` for lines that it is not for.
    Block(usize),
    Nothing,
    LineNumber,
    Append(String),
    Insert(String),
    Change(String),
    /// `b`, `t`, `T`
    Branch(When, usize),
    Delete,
    DeleteFirst,
    Print,
    PrintFirst,
    PrintPlainly(Option<usize>),
    Next,
    NextAppended,
    Copy,
    CopyAppended,
    Hold,
    HoldAppended,
    Exchange,
    Quit(i32),
    QuitSilently(i32),
    ReadFile(String),
    WriteFile(usize),
    WriteFirst(usize),
    Substitute(Substitution),
    Translate(Vec<(char, char)>),
    Empty,
}

/// When a branch is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum When {
    Always,
    Replaced,
    NotReplaced,
}

/// A command with the lines that it is for.
pub struct Command {
    pub selector: Selector,
    pub action: Action,
}

/// A script, and the files that it writes to.
pub struct Script {
    pub commands: Vec<Command>,
    pub files: Vec<String>,
    /// Its first line is `#n`.
    pub is_quiet: bool,
}
