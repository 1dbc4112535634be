//! Runs a script over lines.

use alloc::rc::Rc;
use alloc::vec::Vec;

use super::script::{Action, Command, Pattern, Progress, Script, Substitution, When};
use crate::regex::Expression;

/// Where lines come from and go to.
pub trait World {
    /// The next line, with its newline if it has one.
    fn line(&mut self) -> Option<Vec<u8>>;
    /// Writes to the output.
    fn print(&mut self, bytes: &[u8]);
    /// Writes to a file of the script.
    fn write(&mut self, file: usize, bytes: &[u8]);
    /// What a file holds; nothing if it cannot be read.
    fn content(&mut self, name: &str) -> Vec<u8>;
    /// Says what is wrong while the script runs.
    fn complain(&mut self, message: &str);
}

/// How a run ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// With the input.
    InputEnded,
    /// By `q` or `Q`, with this exit status.
    Quit(i32),
}

/// What is written at the end of a cycle.
enum Later<'a> {
    Text(&'a str),
    File(&'a str),
}

/// What comes after a command.
enum Flow {
    Next,
    Go(usize),
    /// The end of the script: the line is printed, and the next one comes.
    Finish,
    /// As that, without printing.
    Drop,
    /// Anew with what is left of the line.
    Again,
    Quit(i32, bool),
}

/// A script that runs.
pub struct Machine<'a> {
    script: &'a Script,
    is_quiet: bool,
    pub(super) pattern: Vec<u8>,
    hold: Vec<u8>,
    /// The line in the pattern space had a newline, which only the last one of a file may lack.
    has_newline: bool,
    /// That of the hold space.
    is_hold_ended: bool,
    /// What was printed last had none: it is due if more is printed.
    owes_newline: bool,
    /// Number of the line.
    pub(super) number: usize,
    pub(super) ahead: Option<Vec<u8>>,
    is_replaced: bool,
    later: Vec<Later<'a>>,
    last_used: Option<Rc<Expression>>,
    /// Width of lines that `l` prints.
    width: usize,
}

impl<'a> Machine<'a> {
    /// Before its first line.
    pub fn new(script: &'a Script, is_quiet: bool, width: usize) -> Machine<'a> {
        Machine {
            script,
            is_quiet: is_quiet || script.is_quiet,
            pattern: Vec::new(),
            hold: Vec::new(),
            has_newline: true,
            is_hold_ended: true,
            owes_newline: false,
            number: 0,
            ahead: None,
            is_replaced: false,
            later: Vec::new(),
            last_used: None,
            width,
        }
    }

    /// Line numbers begin anew, for a file that stands by itself.
    pub fn begin_file(&mut self) {
        (self.number, self.owes_newline) = (0, false);
        for command in &self.script.commands {
            command.selector.reset();
        }
    }

    /// Runs over all lines of the input.
    pub fn run(&mut self, world: &mut dyn World) -> Outcome {
        let mut is_kept = false;
        loop {
            if !is_kept && !self.read(world, false) {
                return Outcome::InputEnded;
            }
            let flow = self.cycle(world);
            let is_printed = matches!(flow, Flow::Finish | Flow::Quit(_, true));
            if is_printed && !self.is_quiet {
                self.print_pattern(world);
            }
            if !matches!(flow, Flow::Quit(_, false)) {
                self.write_later(world);
            }
            if let Flow::Quit(status, _) = flow {
                return Outcome::Quit(status);
            }
            is_kept = matches!(flow, Flow::Again);
        }
    }

    /// Takes the next line into the pattern space, or adds it there.
    fn read(&mut self, world: &mut dyn World, is_added: bool) -> bool {
        let Some(mut line) = self.ahead.take().or_else(|| world.line()) else {
            return false;
        };
        self.number += 1;
        self.has_newline = line.last() == Some(&b'\n');
        line.truncate(line.len() - usize::from(self.has_newline));
        if is_added {
            self.pattern.push(b'\n');
            self.pattern.extend_from_slice(&line);
        } else {
            self.pattern = line;
            self.is_replaced = false;
        }
        true
    }

    fn print(&mut self, world: &mut dyn World, bytes: &[u8], has_newline: bool) {
        if core::mem::replace(&mut self.owes_newline, !has_newline) {
            world.print(b"\n");
        }
        world.print(bytes);
        if has_newline {
            world.print(b"\n");
        }
    }

    fn print_pattern(&mut self, world: &mut dyn World) {
        let pattern = core::mem::take(&mut self.pattern);
        self.print(world, &pattern, self.has_newline);
        self.pattern = pattern;
    }

    /// Text whose lines end by themselves.
    fn print_text(&mut self, world: &mut dyn World, text: &[u8]) {
        if core::mem::take(&mut self.owes_newline) {
            world.print(b"\n");
        }
        world.print(text);
    }

    fn write_later(&mut self, world: &mut dyn World) {
        for later in core::mem::take(&mut self.later) {
            match later {
                Later::Text(text) => self.print_text(world, text.as_bytes()),
                Later::File(name) => {
                    let content = world.content(name);
                    self.print_text(world, &content);
                }
            }
        }
    }

    /// One line through the script.
    fn cycle(&mut self, world: &mut dyn World) -> Flow {
        let script = self.script;
        let mut at = 0;
        while let Some(command) = script.commands.get(at) {
            at += 1;
            if !self.is_selected(&command.selector, world) {
                if let Action::Block(end) = command.action {
                    at = end;
                }
                continue;
            }
            match self.perform(command, world) {
                Flow::Next => {}
                Flow::Go(place) => at = place,
                flow => return flow,
            }
        }
        Flow::Finish
    }

    /// The expression, which is the one used last from now on.
    pub(super) fn expression(&mut self, pattern: &Pattern, world: &mut dyn World) -> Option<Rc<Expression>> {
        if pattern.is_some() {
            self.last_used.clone_from(pattern);
        }
        if self.last_used.is_none() {
            world.complain("no previous regular expression");
        }
        self.last_used.clone()
    }

    pub(super) fn matches(&mut self, pattern: &Pattern, world: &mut dyn World) -> bool {
        self.expression(pattern, world)
            .is_some_and(|expression| expression.is_match(&self.pattern))
    }

    fn perform(&mut self, command: &'a Command, world: &mut dyn World) -> Flow {
        match &command.action {
            Action::Block(_) | Action::Nothing => {}
            Action::LineNumber => {
                let number = alloc::format!("{}\n", self.number);
                self.print_text(world, number.as_bytes());
            }
            Action::Append(text) => self.later.push(Later::Text(text)),
            Action::ReadFile(name) => self.later.push(Later::File(name)),
            Action::Insert(text) => self.print_text(world, text.as_bytes()),
            Action::Change(text) => {
                let progress = command.selector.progress.get();
                let is_over = matches!(progress, Progress::Closed | Progress::Over);
                if is_over || command.selector.is_negated {
                    self.print_text(world, text.as_bytes());
                }
                return Flow::Drop;
            }
            Action::Branch(when, place) => {
                let is_taken = match when {
                    When::Always => true,
                    When::Replaced => core::mem::take(&mut self.is_replaced),
                    When::NotReplaced => !core::mem::take(&mut self.is_replaced),
                };
                if is_taken {
                    return Flow::Go(*place);
                }
            }
            Action::Delete => return Flow::Drop,
            Action::DeleteFirst => return self.delete_first(),
            Action::Print => self.print_pattern(world),
            Action::PrintFirst => {
                let first = self.first_line().to_vec();
                let is_part = first.len() < self.pattern.len();
                self.print(world, &first, is_part || self.has_newline);
            }
            Action::PrintPlainly(width) => {
                let text = plainly(&self.pattern, width.unwrap_or(self.width));
                self.print_text(world, &text);
            }
            Action::Next | Action::NextAppended => return self.next(&command.action, world),
            Action::Copy => {
                self.pattern.clone_from(&self.hold);
                self.has_newline = self.is_hold_ended;
            }
            Action::CopyAppended => {
                self.pattern.push(b'\n');
                self.pattern.extend_from_slice(&self.hold);
                self.has_newline = self.is_hold_ended;
            }
            Action::Hold => {
                self.hold.clone_from(&self.pattern);
                self.is_hold_ended = self.has_newline;
            }
            Action::HoldAppended => {
                self.hold.push(b'\n');
                self.hold.extend_from_slice(&self.pattern);
                self.is_hold_ended = self.has_newline;
            }
            Action::Exchange => {
                core::mem::swap(&mut self.pattern, &mut self.hold);
                core::mem::swap(&mut self.has_newline, &mut self.is_hold_ended);
            }
            Action::Empty => self.pattern.clear(),
            Action::Quit(status) => return Flow::Quit(*status, true),
            Action::QuitSilently(status) => return Flow::Quit(*status, false),
            Action::WriteFile(file) => self.write_pattern(*file, world),
            Action::WriteFirst(file) => {
                let first = self.first_line();
                let is_ended = first.len() < self.pattern.len() || self.has_newline;
                let line = [first, if is_ended { b"\n" } else { b"" }].concat();
                world.write(*file, &line);
            }
            Action::Substitute(substitution) => self.substitute(substitution, world),
            Action::Translate(pairs) => self.pattern = translated(&self.pattern, pairs),
        }
        Flow::Next
    }

    fn first_line(&self) -> &[u8] {
        self.pattern
            .split(|byte| *byte == b'\n')
            .next()
            .unwrap_or_default()
    }

    fn delete_first(&mut self) -> Flow {
        let len = self.first_line().len();
        if len == self.pattern.len() {
            return Flow::Drop;
        }
        self.pattern.drain(..=len);
        Flow::Again
    }

    /// `n` and `N`. Without a next line the script ends as at its last command.
    fn next(&mut self, action: &Action, world: &mut dyn World) -> Flow {
        if self.is_last(world) {
            return Flow::Finish;
        }
        let is_added = matches!(action, Action::NextAppended);
        if !is_added && !self.is_quiet {
            self.print_pattern(world);
        }
        self.write_later(world);
        let is_replaced = self.is_replaced;
        self.read(world, is_added);
        self.is_replaced = is_replaced;
        Flow::Next
    }

    fn write_pattern(&self, file: usize, world: &mut dyn World) {
        let newline: &[u8] = if self.has_newline { b"\n" } else { b"" };
        world.write(file, &[&self.pattern, newline].concat());
    }

    fn substitute(&mut self, substitution: &Substitution, world: &mut dyn World) {
        let Some(expression) = self.expression(&substitution.pattern, world) else {
            return;
        };
        let Some(changed) = substitution.apply(&expression, &self.pattern) else {
            return;
        };
        self.pattern = changed;
        self.is_replaced = true;
        (0..substitution.prints).for_each(|_| self.print_pattern(world));
        if let Some(file) = substitution.file {
            self.write_pattern(file, world);
        }
    }
}

/// With letters exchanged; what is no UTF-8 stays.
fn translated(text: &[u8], pairs: &[(char, char)]) -> Vec<u8> {
    let mut out = Vec::new();
    for chunk in text.utf8_chunks() {
        for letter in chunk.valid().chars() {
            let pair = pairs.iter().find(|(from, _)| *from == letter);
            let letter = pair.map_or(letter, |(_, to)| *to);
            out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
        }
        out.extend_from_slice(chunk.invalid());
    }
    out
}

/// As `l` prints it: what is no printable ASCII escaped, in lines of at most that width (0 and 1: any), `$` at the end.
fn plainly(text: &[u8], width: usize) -> Vec<u8> {
    let (mut out, mut column) = (Vec::new(), 0);
    for byte in text {
        let shown = match byte {
            b'\\' => "\\\\".into(),
            7..=13 => alloc::format!("\\{}", char::from(b"abtnvfr"[usize::from(byte - 7)])),
            b' '..=b'~' => alloc::format!("{}", char::from(*byte)),
            byte => alloc::format!("\\{byte:03o}"),
        };
        if width > 1 && column + shown.len() > width - 1 {
            out.extend_from_slice(b"\\\n");
            column = 0;
        }
        column += shown.len();
        out.extend_from_slice(shown.as_bytes());
    }
    out.extend_from_slice(b"$\n");
    out
}
