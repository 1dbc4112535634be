//! What a name stands for: command, type, alias, unalias.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{done, find, wrong};
use crate::shell::executor::Run;
use crate::shell::parser::is_name;
use crate::shell::spawn;
use crate::shell::state::Shell;

/// Words that the parser knows.
pub const RESERVED: [&str; 17] = [
    "!", "[[", "]]", "case", "do", "done", "elif", "else", "esac", "faults", "fi", "for", "if", "then",
    "until", "while", "{",
];

/// What a name is.
enum Meaning {
    Reserved,
    Alias(String),
    Function,
    Builtin,
    Program(String),
}

fn meaning(shell: &Shell, name: &str) -> Option<Meaning> {
    if RESERVED.contains(&name) {
        return Some(Meaning::Reserved);
    }
    if let Some(text) = shell.aliases.get(name) {
        return Some(Meaning::Alias(text.clone()));
    }
    if shell.functions.contains_key(name) {
        return Some(Meaning::Function);
    }
    if find(name).is_some() {
        return Some(Meaning::Builtin);
    }
    spawn::find_program(shell, name).ok().map(Meaning::Program)
}

fn describe(name: &str, meaning: &Meaning) -> String {
    match meaning {
        Meaning::Reserved => format!("{name} is a shell keyword"),
        Meaning::Alias(text) => format!("{name} is an alias for {text}"),
        Meaning::Function => format!("{name} is a function"),
        Meaning::Builtin => format!("{name} is a shell builtin"),
        Meaning::Program(path) => format!("{name} is {path}"),
    }
}

/// `type names`
pub fn type_(shell: &mut Shell, arguments: &[String]) -> Run {
    shell.status = 0;
    for name in &arguments[1..] {
        match meaning(shell, name) {
            Some(meaning) => println!("{}", describe(name, &meaning)),
            None => {
                let _ = wrong(shell, arguments, &format!("{name}: not found"));
            }
        }
    }
    Run::Continue(())
}

/// `command [-v | -V] name arguments`: runs the builtin or the program, not a function; or says what the name is.
pub fn command(shell: &mut Shell, arguments: &[String]) -> Run {
    match arguments.get(1).map(String::as_str) {
        None => done(shell, 0),
        Some("-v") => tell(shell, &arguments[2..], |name, meaning| match meaning {
            Meaning::Alias(text) => format!("alias {name}='{text}'"),
            Meaning::Program(path) => path.clone(),
            _ => String::from(name),
        }),
        Some("-V") => tell(shell, &arguments[2..], describe),
        Some("-p" | "--") => run(shell, &arguments[2..]),
        Some(option) if option.starts_with('-') => {
            wrong(shell, arguments, &format!("{option}: unknown option"))
        }
        Some(_) => run(shell, &arguments[1..]),
    }
}

fn tell(shell: &mut Shell, names: &[String], text: fn(&str, &Meaning) -> String) -> Run {
    let mut status = 0;
    for name in names {
        match meaning(shell, name) {
            Some(meaning) => println!("{}", text(name, &meaning)),
            None => status = 1,
        }
    }
    done(shell, status)
}

fn run(shell: &mut Shell, arguments: &[String]) -> Run {
    let Some(name) = arguments.first() else {
        return done(shell, 0);
    };
    match find(name) {
        Some(builtin) => builtin(shell, arguments),
        None => spawn::foreground(shell, &arguments.join(" "), &mut |shell| {
            spawn::execute(shell, arguments)
        }),
    }
}

/// `alias [name[=text]]`
pub fn alias(shell: &mut Shell, arguments: &[String]) -> Run {
    shell.status = 0;
    if arguments.len() == 1 {
        let names: Vec<String> = shell.aliases.keys().cloned().collect();
        names.iter().for_each(|name| print_alias(shell, name));
    }
    for argument in &arguments[1..] {
        match argument.split_once('=') {
            Some((name, text)) if is_alias_name(name) => {
                shell.aliases.insert(name.into(), text.into());
            }
            Some((name, _)) => {
                let _ = wrong(shell, arguments, &format!("{name}: not a name"));
            }
            None if shell.aliases.contains_key(argument) => print_alias(shell, argument),
            None => {
                let _ = wrong(shell, arguments, &format!("{argument}: not found"));
            }
        }
    }
    Run::Continue(())
}

/// More than a variable's name may hold: `ll`, `..`, `a-b`.
fn is_alias_name(name: &str) -> bool {
    is_name(name) || (!name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "!%,@._-".contains(c)))
}

fn print_alias(shell: &Shell, name: &str) {
    let text = shell.aliases.get(name).map_or("", String::as_str);
    println!("{name}='{}'", text.replace('\'', "'\\''"));
}

/// `unalias [-a] names`
pub fn unalias(shell: &mut Shell, arguments: &[String]) -> Run {
    shell.status = 0;
    if arguments.get(1).is_some_and(|option| option == "-a") {
        shell.aliases.clear();
        return Run::Continue(());
    }
    for name in &arguments[1..] {
        if shell.aliases.remove(name).is_none() {
            let _ = wrong(shell, arguments, &format!("{name}: not found"));
        }
    }
    Run::Continue(())
}
