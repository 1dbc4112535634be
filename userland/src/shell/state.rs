//! What a shell remembers between commands.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::arithmetic::Variables;
use super::editor::Editor;
use super::jobs::{Faults, Jobs};
use super::syntax::Command;
use crate::runtime::{environment, process};

/// A variable.
#[derive(Debug, Clone)]
pub struct Value {
    /// Its text.
    pub text: String,
    /// Whether programs get it in their environment.
    pub is_exported: bool,
    /// Whether it may no longer change.
    pub is_readonly: bool,
}

/// The options of `set`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// `-e`: a command that fails ends the shell.
    pub exit_on_error: bool,
    /// `-u`: the value of a variable that is not set is an error.
    pub no_unset: bool,
    /// `-x`: print commands before they run.
    pub trace: bool,
    /// `-f`: `*`, `?`, `[` mean themselves.
    pub no_glob: bool,
    /// `-o pipefail`: a pipeline fails if one of its commands does.
    pub pipe_fail: bool,
}

impl Options {
    /// Every option: its letter, if it has one, and its name for `-o`.
    pub const NAMES: [(Option<char>, &'static str); 5] = [
        (Some('e'), "errexit"),
        (Some('f'), "noglob"),
        (Some('u'), "nounset"),
        (Some('x'), "xtrace"),
        (None, "pipefail"),
    ];

    /// The option of that name.
    pub fn by_name(&mut self, name: &str) -> Option<&mut bool> {
        Some(match name {
            "errexit" => &mut self.exit_on_error,
            "noglob" => &mut self.no_glob,
            "nounset" => &mut self.no_unset,
            "xtrace" => &mut self.trace,
            "pipefail" => &mut self.pipe_fail,
            _ => return None,
        })
    }

    /// The option of that letter.
    pub fn by_letter(&mut self, letter: char) -> Option<&mut bool> {
        let (_, name) = Options::NAMES.iter().find(|(found, _)| *found == Some(letter))?;
        self.by_name(name)
    }
}

/// A shell.
pub struct Shell {
    /// `$0`
    pub name: String,
    /// The variables by name.
    pub variables: BTreeMap<String, Value>,
    /// `$1` and so on.
    pub positional: Vec<String>,
    /// For each function being called, what its `local` variables were before.
    pub scopes: Vec<Vec<(String, Option<Value>)>>,
    /// The functions by name.
    pub functions: BTreeMap<String, Rc<Command>>,
    /// What `alias` set: name to text.
    pub aliases: BTreeMap<String, String>,
    /// Aliases whose text is running: they mean themselves in it.
    pub running_aliases: Vec<String>,
    /// `$?`
    pub status: i32,
    /// `$$`: also within subshells that of the first shell.
    pub pid: i32,
    /// `$!`
    pub last_background: Option<i32>,
    /// Options of `set`.
    pub options: Options,
    /// What `trap` set: signal number (0: exit) to command.
    pub traps: BTreeMap<u8, String>,
    /// Background and stopped pipelines.
    pub jobs: Jobs,
    /// Whether a person types: prompts, job control, messages about jobs.
    pub is_interactive: bool,
    /// Whether this is such a shell, or a process that one has begun.
    pub is_of_prompt: bool,
    /// Within how many conditions we are, where a failure is no error for `-e`.
    pub conditions: usize,
    /// Within how many functions and command substitutions we are.
    pub depth: usize,
    /// The faults of the last pipeline in the foreground.
    pub last_faults: Faults,
    /// Whether this process has nothing to do after the command at hand: a program then needs no fork.
    pub is_disposable: bool,
    /// The command line being typed, and its history.
    pub editor: Editor,
    /// The file whose lines are in the history already.
    pub history_file: Option<String>,
}

impl Shell {
    /// A shell with the environment it was started with.
    pub fn new(name: &str) -> Shell {
        let mut shell = Shell {
            name: name.to_string(),
            variables: BTreeMap::new(),
            positional: Vec::new(),
            scopes: Vec::new(),
            functions: BTreeMap::new(),
            aliases: BTreeMap::new(),
            running_aliases: Vec::new(),
            status: 0,
            pid: process::id(),
            last_background: None,
            options: Options::default(),
            traps: BTreeMap::new(),
            jobs: Jobs::default(),
            is_interactive: false,
            is_of_prompt: false,
            conditions: 0,
            depth: 0,
            last_faults: Faults::default(),
            is_disposable: false,
            editor: Editor::new(),
            history_file: None,
        };
        for (name, text) in environment().filter_map(|entry| entry.split_once('=')) {
            let value = Value {
                text: text.to_string(),
                is_exported: true,
                is_readonly: false,
            };
            shell.variables.insert(name.to_string(), value);
        }
        for (name, text) in [
            ("PATH", "/bin:/sbin:/usr/bin:/usr/sbin"),
            ("IFS", " \t\n"),
            ("PS2", "> "),
        ] {
            if !shell.variables.contains_key(name) {
                shell.assign(name, text);
            }
        }
        shell
    }

    /// The value of a variable or of a special parameter, if it has one. `@` and `*` are joined by spaces.
    pub fn parameter(&self, name: &str) -> Option<String> {
        match name {
            "?" => Some(self.status.to_string()),
            "$" => Some(self.pid.to_string()),
            "!" => self.last_background.map(|pid| pid.to_string()),
            "#" => Some(self.positional.len().to_string()),
            "@" | "*" => Some(self.positional.join(" ")),
            "-" => Some(self.option_letters()),
            "0" => Some(self.name.clone()),
            _ => match name.parse::<usize>() {
                Ok(number) => self.positional.get(number.wrapping_sub(1)).cloned(),
                Err(_) => self.variables.get(name).map(|value| value.text.clone()),
            },
        }
    }

    fn option_letters(&self) -> String {
        let options = self.options;
        let letters = [
            ('e', options.exit_on_error),
            ('f', options.no_glob),
            ('i', self.is_interactive),
            ('u', options.no_unset),
            ('x', options.trace),
        ];
        letters
            .into_iter()
            .filter_map(|(letter, is_on)| is_on.then_some(letter))
            .collect()
    }

    /// The value of a variable, or nothing.
    pub fn text(&self, name: &str) -> &str {
        self.variables.get(name).map_or("", |value| &value.text)
    }

    /// Gives a variable a value. False, with a message, if it is read-only.
    pub fn assign(&mut self, name: &str, text: &str) -> bool {
        let value = self.variables.entry(name.to_string()).or_insert_with(|| Value {
            text: String::new(),
            is_exported: false,
            is_readonly: false,
        });
        if value.is_readonly {
            eprintln!("{}: {name}: is read only", self.name);
            return false;
        }
        value.text = text.to_string();
        true
    }

    /// The environment for programs.
    pub fn environment(&self) -> Vec<String> {
        let exported = self.variables.iter().filter(|(_, value)| value.is_exported);
        exported
            .map(|(name, value)| format!("{name}={}", value.text))
            .collect()
    }

    /// Prints a message with the shell's name.
    pub fn complain(&self, message: &str) {
        eprintln!("{}: {message}", crate::runtime::path::base_name(&self.name));
    }
}

impl Variables for Shell {
    fn get(&self, name: &str) -> Option<String> {
        self.parameter(name)
    }

    fn set(&mut self, name: &str, value: String) {
        // A read-only variable has been complained about; the expression goes on with the value.
        let _ = self.assign(name, &value);
    }
}
