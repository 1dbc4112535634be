//! What a script is: the tree that the parser makes and the executor walks. POSIX Shell Command Language, 2.9.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

/// Commands one after the other.
pub type List = Vec<Item>;

/// One `and-or` list, ended by `;`, `&` or the end of the line.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The first pipeline.
    pub first: Pipeline,
    /// The others, each with what must have come of the one before.
    pub rest: Vec<(Connective, Pipeline)>,
    /// Ended by `&`.
    pub is_background: bool,
    /// As it was typed, for the list of jobs.
    pub text: String,
}

/// What joins two pipelines.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Connective {
    /// `&&`: the next runs if this one succeeded.
    And,
    /// `||`: the next runs if this one failed.
    Or,
}

/// Commands that run at the same time, each reading what the one before writes.
#[derive(Debug, Clone, PartialEq)]
pub struct Pipeline {
    /// `!`: success and failure change places.
    pub is_negated: bool,
    /// `faults`: print the page faults of all its processes at the end.
    pub is_measured: bool,
    /// At least one.
    pub commands: Vec<Command>,
}

/// One command.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// `A=1 name argument >file`.
    Simple(Simple),
    /// `( )`, `{ }`, `if`, `while`, ... with redirections for the whole.
    Compound(Box<Compound>, Vec<Redirection>),
    /// `name() command`.
    Function(String, Rc<Command>),
}

/// Assignments, words and redirections of a simple command; each may be empty, not all three.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Simple {
    /// `NAME=word` before the command's name.
    pub assignments: Vec<(String, Word)>,
    /// The name and the arguments.
    pub words: Vec<Word>,
    /// In the order written, which matters.
    pub redirections: Vec<Redirection>,
}

/// A command that holds commands.
#[derive(Debug, Clone, PartialEq)]
pub enum Compound {
    /// `( list )`: in a process of its own.
    Subshell(List),
    /// `{ list; }`.
    Group(List),
    /// `if list; then list; elif ...; else list; fi`: conditions with their bodies, and the last else.
    If(Vec<(List, List)>, List),
    /// `while list; do list; done`.
    While(List, List),
    /// `until list; do list; done`.
    Until(List, List),
    /// `for name in words; do list; done`; without `in`, over `"$@"`.
    For(String, Option<Vec<Word>>, List),
    /// `case word in pattern|pattern) list;; esac`.
    Case(Word, Vec<(Vec<Word>, List)>),
    /// `[[ condition ]]`.
    Test(Condition),
}

/// What stands within `[[ ]]`: its words are neither split nor taken as names of files.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// `! condition`
    Not(Box<Condition>),
    /// `condition && condition`
    And(Box<Condition>, Box<Condition>),
    /// `condition || condition`
    Or(Box<Condition>, Box<Condition>),
    /// `-f word` and its like: the letter, the word.
    Unary(String, Word),
    /// `word == pattern`, `word -lt word` and their like.
    Binary(Word, String, Word),
    /// A word alone: true if it is not empty.
    Word(Word),
}

/// One redirection.
#[derive(Debug, Clone, PartialEq)]
pub struct Redirection {
    /// The descriptor that changes.
    pub descriptor: i32,
    /// What it becomes.
    pub kind: RedirectionKind,
    /// A file name, a descriptor's number or `-`, or the text of a here-document.
    pub target: Word,
}

/// The redirection operators.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RedirectionKind {
    /// `<`
    Read,
    /// `>` and `>|`
    Write,
    /// `>>`
    Append,
    /// `<>`
    ReadWrite,
    /// `<&` and `>&`
    Duplicate,
    /// `<<` and `<<-`: the target is the text itself.
    Here,
    /// `<<<`: the target is a word, which becomes a line.
    HereString,
}

/// A word before expansion.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Word(pub Vec<Part>);

/// A piece of a word.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// Plain text: its `*`, `?`, `[` are patterns.
    Text(String),
    /// Text within quotes or after a backslash: means itself.
    Quoted(String),
    /// `$name`, `${name...}`.
    Variable(Box<Variable>, Quoting),
    /// `$(list)` and backquotes.
    Command(Rc<List>, Quoting),
    /// `$((expression))`, after expansion of what is within.
    Arithmetic(Box<Word>, Quoting),
}

/// Whether an expansion stood within double quotes: then it is not split into fields and holds no patterns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quoting {
    /// Bare.
    Unquoted,
    /// Within `"..."`.
    Double,
}

/// A parameter expansion.
#[derive(Debug, Clone, PartialEq)]
pub struct Variable {
    /// A name, a digit string, or one of `@ * # ? - $ ! 0`.
    pub name: String,
    /// What is done with the value.
    pub operation: Operation,
}

/// What stands behind the name in `${name...}`.
#[derive(Debug, Clone, PartialEq)]
pub enum Operation {
    /// `${name}`
    Value,
    /// `${#name}`
    Length,
    /// `${name-word}`, `${name:-word}`: the word if there is no value.
    Default(Absent, Word),
    /// `${name=word}`, `${name:=word}`: the same, and assigns it.
    Assign(Absent, Word),
    /// `${name?word}`, `${name:?word}`: an error with that message.
    Require(Absent, Word),
    /// `${name+word}`, `${name:+word}`: the word if there is a value.
    Alternative(Absent, Word),
    /// `${name%word}`, `${name%%word}`: without the matching end.
    CutSuffix(Extent, Word),
    /// `${name#word}`, `${name##word}`: without the matching beginning.
    CutPrefix(Extent, Word),
    /// `${name:offset}`, `${name:offset:length}`: a part, by arithmetic expressions. Negative ones count from the end.
    Part(Word, Option<Word>),
    /// `${name/pattern/word}`, `${name//pattern/word}`: the first match, or all, replaced.
    Replace(Which, Word, Word),
}

/// What counts as having no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absent {
    /// Only a variable that is not set.
    Unset,
    /// Also an empty one (with the colon).
    UnsetOrEmpty,
}

/// Which matches are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The first.
    First,
    /// All.
    All,
}

/// How much a pattern cuts off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// The shortest match.
    Shortest,
    /// The longest match.
    Longest,
}

impl Word {
    /// A word that is one quoted text.
    pub fn quoted(text: impl Into<String>) -> Word {
        Word(alloc::vec![Part::Quoted(text.into())])
    }

    /// The text of a word that is plain text throughout; `None` if anything in it is quoted or expanded. Reserved words
    /// and names are recognised only there.
    pub fn plain(&self) -> Option<&str> {
        match self.0.as_slice() {
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The text of a word without expansions, quotes removed; `None` if it holds an expansion.
    pub fn literal(&self) -> Option<String> {
        let mut literal = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) | Part::Quoted(text) => literal.push_str(text),
                _ => return None,
            }
        }
        Some(literal)
    }

    /// Appends text, joined to a piece of the same kind.
    pub fn push_text(&mut self, c: char) {
        match self.0.last_mut() {
            Some(Part::Text(text)) => text.push(c),
            _ => self.0.push(Part::Text(c.into())),
        }
    }

    /// Appends quoted text, joined to a piece of the same kind.
    pub fn push_quoted(&mut self, quoted: &str) {
        match self.0.last_mut() {
            Some(Part::Quoted(text)) => text.push_str(quoted),
            _ => self.0.push(Part::Quoted(quoted.into())),
        }
    }
}
