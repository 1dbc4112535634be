//! Runs scripts: POSIX Shell Command Language 2.9. A list runs in this process; what needs a process of its own
//! (programs, subshells, parts of pipelines, background) gets one in `spawn`.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::ControlFlow;

use super::jobs::Job;
use super::state::Shell;
use super::syntax::{Command, Compound, Connective, Item, List, Pipeline, Redirection, Word};
use super::{parser, pattern, spawn};

/// Why a list does not go on with its next command. The status is `$?`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// `break n`
    Break(usize),
    /// `continue n`
    Continue(usize),
    /// `return`
    Return,
    /// `exit`, or an error that ends a shell which reads a script.
    Exit,
    /// ^C: back to the prompt.
    Interrupted,
}

/// Whether the next command runs.
pub type Run = ControlFlow<Leave>;

impl Shell {
    /// Parses and runs text. A syntax error is complained about and gives status 2.
    pub fn run_text(&mut self, text: &str) -> Run {
        match parser::parse(text) {
            Ok(list) => self.run_list(&list),
            Err(error) => {
                self.complain_syntax(&error);
                Run::Continue(())
            }
        }
    }

    /// Says what is wrong with a script, and sets `$?` to 2.
    pub fn complain_syntax(&mut self, error: &super::lexer::ParseError) {
        match error {
            super::lexer::ParseError::Incomplete => self.complain("syntax error: unexpected end of file"),
            super::lexer::ParseError::Syntax(message) => self.complain(message),
        }
        self.status = 2;
    }

    /// Runs commands one after the other.
    pub fn run_list(&mut self, list: &List) -> Run {
        for item in list {
            self.run_item(item)?;
            self.run_traps()?;
        }
        Run::Continue(())
    }

    fn run_item(&mut self, item: &Item) -> Run {
        if item.is_background {
            spawn::background(self, item);
            return Run::Continue(());
        }
        self.run_and_or(item)
    }

    /// An and-or list in this process.
    pub fn run_and_or(&mut self, item: &Item) -> Run {
        let pipelines = [(Connective::And, &item.first)];
        let rest = item
            .rest
            .iter()
            .map(|(connective, pipeline)| (*connective, pipeline));
        let count = 1 + item.rest.len();
        for (index, (connective, pipeline)) in pipelines.into_iter().chain(rest).enumerate() {
            let is_wanted = index == 0 || (self.status == 0) == (connective == Connective::And);
            if !is_wanted {
                continue;
            }
            let is_condition = index + 1 < count || pipeline.is_negated;
            self.conditions += usize::from(is_condition);
            let run = self.run_pipeline(pipeline, &item.text);
            self.conditions -= usize::from(is_condition);
            run?;
            if !is_condition && self.conditions == 0 && self.options.exit_on_error && self.status != 0 {
                return Run::Break(Leave::Exit);
            }
        }
        Run::Continue(())
    }

    fn run_pipeline(&mut self, pipeline: &Pipeline, text: &str) -> Run {
        match pipeline.commands.as_slice() {
            [command] if !pipeline.is_measured => self.run_command(command, text)?,
            _ => spawn::pipeline(self, pipeline, text)?,
        }
        if pipeline.is_negated {
            self.status = i32::from(self.status == 0);
        }
        Run::Continue(())
    }

    /// One command in this process, as far as it needs none of its own.
    pub fn run_command(&mut self, command: &Command, text: &str) -> Run {
        match command {
            Command::Simple(simple) => self.run_simple(simple, text),
            Command::Function(name, body) => {
                self.functions.insert(name.clone(), Rc::clone(body));
                self.status = 0;
                Run::Continue(())
            }
            Command::Compound(compound, redirections) => match &**compound {
                Compound::Subshell(list) => spawn::foreground(self, text, &mut |shell| {
                    shell.in_redirections(redirections, |shell| shell.run_list(list))
                }),
                compound => self.in_redirections(redirections, |shell| shell.run_compound(compound)),
            },
        }
    }

    /// Runs with redirections, which end with it. If one fails, nothing runs and `$?` is 1.
    pub fn in_redirections(
        &mut self,
        redirections: &[Redirection],
        run: impl FnOnce(&mut Shell) -> Run,
    ) -> Run {
        match self.redirect(redirections) {
            Ok(_redirected) => run(self),
            Err(message) => self.fail(&message),
        }
    }

    /// Complains and sets `$?` to 1; the list goes on.
    pub fn fail(&mut self, message: &str) -> Run {
        self.complain(message);
        self.status = 1;
        Run::Continue(())
    }

    /// An expansion failed: that ends a shell which reads a script (POSIX 2.8.1), not one that a person types to.
    pub fn fail_expansion(&mut self, message: &str) -> Run {
        self.complain(message);
        self.status = 1;
        Run::Break(if self.is_interactive {
            Leave::Interrupted
        } else {
            Leave::Exit
        })
    }

    fn run_compound(&mut self, compound: &Compound) -> Run {
        match compound {
            Compound::Subshell(list) | Compound::Group(list) => self.run_list(list),
            Compound::If(branches, otherwise) => self.run_if(branches, otherwise),
            Compound::While(condition, body) => self.run_loop(condition, body, 0),
            Compound::Until(condition, body) => self.run_loop(condition, body, 1),
            Compound::For(name, words, body) => self.run_for(name, words.as_deref(), body),
            Compound::Case(subject, arms) => self.run_case(subject, arms),
            Compound::Test(condition) => self.run_condition_command(condition),
        }
    }

    /// A list whose failure is an answer and no error.
    fn run_condition(&mut self, list: &List) -> Run {
        self.conditions += 1;
        let run = self.run_list(list);
        self.conditions -= 1;
        run
    }

    fn run_if(&mut self, branches: &[(List, List)], otherwise: &List) -> Run {
        for (condition, body) in branches {
            self.run_condition(condition)?;
            if self.status == 0 {
                return self.run_list(body);
            }
        }
        self.status = 0;
        self.run_list(otherwise)
    }

    /// `while` goes on at status 0, `until` (`stop` is 1) at any other.
    fn run_loop(&mut self, condition: &List, body: &List, stop: i32) -> Run {
        let mut last = 0;
        loop {
            self.run_condition(condition)?;
            if i32::from(self.status == 0) == stop {
                break;
            }
            match leave_loop(self.run_list(body)) {
                ControlFlow::Continue(()) => last = self.status,
                ControlFlow::Break(None) => return Run::Continue(()),
                ControlFlow::Break(Some(leave)) => return Run::Break(leave),
            }
        }
        self.status = last;
        Run::Continue(())
    }

    fn run_for(&mut self, name: &str, words: Option<&[Word]>, body: &List) -> Run {
        let values = match words {
            None => self.positional.clone(),
            Some(words) => match self.expand_words(words) {
                Ok(values) => values,
                Err(message) => return self.fail_expansion(&message),
            },
        };
        self.status = 0;
        for value in values {
            if !self.assign(name, &value) {
                return self.fail("for: the variable cannot be set");
            }
            match leave_loop(self.run_list(body)) {
                ControlFlow::Continue(()) => {}
                ControlFlow::Break(None) => break,
                ControlFlow::Break(Some(leave)) => return Run::Break(leave),
            }
        }
        Run::Continue(())
    }

    fn run_case(&mut self, subject: &Word, arms: &[(Vec<Word>, List)]) -> Run {
        let subject = match self.expand_single(subject) {
            Ok(subject) => subject,
            Err(message) => return self.fail_expansion(&message),
        };
        self.status = 0;
        for (patterns, list) in arms {
            for word in patterns {
                match self.expand_pattern(word) {
                    Ok(found) if pattern::matches(&found, &subject) => return self.run_list(list),
                    Ok(_) => {}
                    Err(message) => return self.fail_expansion(&message),
                }
            }
        }
        Run::Continue(())
    }

    /// One command in a process that has nothing else to do.
    pub fn run_in_place(&mut self, command: &Command, text: &str) -> Run {
        self.is_disposable = matches!(command, Command::Simple(_));
        match command {
            Command::Compound(compound, redirections) => {
                self.in_redirections(redirections, |shell| shell.run_compound(compound))
            }
            command => self.run_command(command, text),
        }
    }

    /// Runs the commands of signals that came.
    fn run_traps(&mut self) -> Run {
        use crate::runtime::signal::{self, Signal};
        let came: Vec<String> = (self.traps.iter())
            .filter(|(number, _)| Signal::new(u64::from(**number)).is_some_and(signal::take))
            .map(|(_, command)| command.clone())
            .collect();
        let status = self.status;
        for command in came {
            self.run_text(&command)?;
            self.status = status;
        }
        if self.is_interactive && signal::take(Signal::SIGINT) {
            self.status = 130;
            return Run::Break(Leave::Interrupted);
        }
        Run::Continue(())
    }

    /// What `trap command EXIT` asked for; the status stays what it was.
    pub fn run_exit_trap(&mut self) {
        if let Some(command) = self.traps.remove(&0) {
            let status = self.status;
            if self.run_text(&command) != Run::Break(Leave::Exit) {
                self.status = status;
            }
        }
    }

    /// Waits for a job in the foreground and takes its status over.
    pub fn finish_foreground(&mut self, job: Job) -> Run {
        let is_interrupted = self.wait_foreground(job);
        if is_interrupted && self.is_interactive {
            Run::Break(Leave::Interrupted)
        } else {
            Run::Continue(())
        }
    }
}

/// What `break` and `continue` in a loop's body mean to the loop: go on, end (`None`), or leave further.
fn leave_loop(run: Run) -> ControlFlow<Option<Leave>> {
    match run {
        Run::Continue(()) | Run::Break(Leave::Continue(0 | 1)) => ControlFlow::Continue(()),
        Run::Break(Leave::Break(0 | 1)) => ControlFlow::Break(None),
        Run::Break(Leave::Break(levels)) => ControlFlow::Break(Some(Leave::Break(levels - 1))),
        Run::Break(Leave::Continue(levels)) => ControlFlow::Break(Some(Leave::Continue(levels - 1))),
        Run::Break(leave) => ControlFlow::Break(Some(leave)),
    }
}
