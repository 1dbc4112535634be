//! Simple commands: POSIX Shell Command Language 2.9.1, and command substitution, 2.6.3.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use super::executor::{Leave, Run};
use super::state::{Shell, Value};
use super::syntax::{Command, List, Simple};
use super::{builtins, parser, spawn};
use crate::runtime::file::{self, File};

/// How deep functions and `$( )` may call each other: the shell's stack is finite.
const DEPTH: usize = 200;

impl Shell {
    /// Expands, and runs a function, a builtin or a program.
    pub fn run_simple(&mut self, simple: &Simple, text: &str) -> Run {
        if let Some((name, list)) = self.unalias(simple) {
            self.running_aliases.push(name);
            let run = self.run_list(&list);
            self.running_aliases.pop();
            return run;
        }
        let is_disposable = core::mem::take(&mut self.is_disposable);
        // Without a command the status is that of the last command substitution.
        if simple.words.is_empty() {
            self.status = 0;
        }
        let expanded = self.expand_words(&simple.words).and_then(|arguments| {
            let mut assignments = Vec::new();
            for (name, word) in &simple.assignments {
                assignments.push((name.clone(), self.expand_single(word)?));
            }
            Ok((arguments, assignments))
        });
        let (arguments, assignments) = match expanded {
            Ok(expanded) => expanded,
            Err(message) => return self.fail_expansion(&message),
        };
        if self.options.trace {
            let assigned = assignments
                .iter()
                .map(|(name, value)| alloc::format!("{name}={value} "));
            eprintln!("+ {}{}", assigned.collect::<String>(), arguments.join(" "));
        }
        let Some(name) = arguments.first() else {
            return self.in_redirections(&simple.redirections, |shell| {
                if !assignments.iter().all(|(name, value)| shell.assign(name, value)) {
                    shell.status = 1;
                }
                Run::Continue(())
            });
        };
        if let Some(body) = self.functions.get(name).cloned() {
            return self.in_redirections(&simple.redirections, |shell| {
                shell.with_assignments(&assignments, |shell| shell.call(&body, &arguments))
            });
        }
        match builtins::find(name) {
            Some(builtin) => self.run_builtin(builtin, simple, &arguments, &assignments),
            None => {
                let run = &mut |shell: &mut Shell| shell.run_program(simple, &arguments, &assignments);
                if is_disposable {
                    run(self)
                } else {
                    spawn::foreground(self, text, run)
                }
            }
        }
    }

    /// The name and the text of the alias that the command's name is, with the command's arguments behind it; `None` if it
    /// is none, or if its text is running or does not end in a simple command.
    fn unalias(&self, simple: &Simple) -> Option<(String, List)> {
        let name = simple.words.first()?.plain()?;
        let text = self.aliases.get(name)?;
        if self.running_aliases.iter().any(|running| running == name) {
            return None;
        }
        let mut list = parser::parse(text).ok()?;
        let item = list.last_mut()?;
        let pipeline = item
            .rest
            .last_mut()
            .map_or(&mut item.first, |(_, pipeline)| pipeline);
        let Command::Simple(last) = pipeline.commands.last_mut()? else {
            return None;
        };
        last.assignments.splice(0..0, simple.assignments.iter().cloned());
        last.words.extend_from_slice(&simple.words[1..]);
        last.redirections.extend_from_slice(&simple.redirections);
        Some((name.into(), list))
    }

    /// Becomes a program, in a process of its own.
    fn run_program(
        &mut self,
        simple: &Simple,
        arguments: &[String],
        assignments: &[(String, String)],
    ) -> Run {
        self.in_redirections(&simple.redirections, |shell| {
            for (name, value) in assignments {
                shell.export(name, value);
            }
            spawn::execute(shell, arguments)
        })
    }

    fn run_builtin(
        &mut self,
        builtin: builtins::Builtin,
        simple: &Simple,
        arguments: &[String],
        assignments: &[(String, String)],
    ) -> Run {
        let redirected = match self.redirect(&simple.redirections) {
            Ok(redirected) => redirected,
            Err(message) => return self.fail(&message),
        };
        let run = self.with_assignments(assignments, |shell| builtin(shell, arguments));
        if crate::runtime::output::flush().is_err() && self.status == 0 {
            self.complain(&alloc::format!("{}: write error", arguments[0]));
            self.status = 1;
        }
        if arguments[0] == "exec" && self.status == 0 {
            redirected.keep();
        }
        run
    }

    /// Gives a variable a value that programs see.
    pub fn export(&mut self, name: &str, value: &str) {
        if self.assign(name, value)
            && let Some(value) = self.variables.get_mut(name)
        {
            value.is_exported = true;
        }
    }

    /// `A=1 command`: the variables have these values while it runs.
    fn with_assignments(
        &mut self,
        assignments: &[(String, String)],
        run: impl FnOnce(&mut Shell) -> Run,
    ) -> Run {
        let before: Vec<_> = assignments
            .iter()
            .map(|(name, _)| (name.clone(), self.variables.get(name).cloned()))
            .collect();
        for (name, value) in assignments {
            self.export(name, value);
        }
        let result = run(self);
        self.restore(before);
        result
    }

    /// Gives variables back the values that they had; what was saved first counts.
    fn restore(&mut self, saved: Vec<(String, Option<Value>)>) {
        for (name, value) in saved.into_iter().rev() {
            match value {
                Some(value) => self.variables.insert(name, value),
                None => self.variables.remove(&name),
            };
        }
    }

    /// Calls a function: its arguments are `$1` and so on while it runs.
    fn call(&mut self, body: &Command, arguments: &[String]) -> Run {
        if self.depth >= DEPTH {
            return self.fail("functions are nested too deeply");
        }
        let positional = core::mem::replace(&mut self.positional, arguments[1..].to_vec());
        self.depth += 1;
        self.scopes.push(Vec::new());
        let run = self.run_command(body, &arguments[0]);
        let locals = self.scopes.pop().unwrap_or_default();
        self.restore(locals);
        self.depth -= 1;
        self.positional = positional;
        match run {
            Run::Break(Leave::Return) => Run::Continue(()),
            run => run,
        }
    }

    /// `$(list)`: what it prints, without the newlines at the end.
    pub fn substitute_command(&mut self, list: &Rc<List>) -> Result<String, String> {
        if self.depth >= DEPTH {
            return Err("commands are nested too deeply".into());
        }
        let (reader, writer) = file::pipe().map_err(|error| alloc::format!("pipe: {error}"))?;
        self.depth += 1;
        let child = spawn::child(self, &spawn::Place::SUBSTITUTION, &mut |shell| {
            // Without the pipe there is nobody to tell: the reader sees the end at once.
            match file::duplicate(writer.descriptor(), 1) {
                Ok(()) => shell.run_list(list),
                Err(_) => Run::Break(Leave::Exit),
            }
        });
        self.depth -= 1;
        drop(writer);
        let child = child.map_err(|error| alloc::format!("cannot fork: {error}"))?;
        let output = read_to_end(&reader);
        self.status = self.jobs.wait_for(child);
        let text = String::from_utf8_lossy(&output).into_owned();
        Ok(text.trim_end_matches('\n').into())
    }
}

/// Reads what a command substitution prints; an error ends it as the end of the pipe would.
fn read_to_end(reader: &File) -> Vec<u8> {
    let mut output = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        match reader.read(&mut chunk) {
            Err(abi::Errno::EINTR) => {}
            Ok(0) | Err(_) => return output,
            Ok(count) => output.extend_from_slice(&chunk[..count]),
        }
    }
}
