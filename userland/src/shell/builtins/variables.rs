//! Builtins about variables, options and arguments: export, readonly, local, unset, set, shift, getopts.

use alloc::format;
use alloc::string::{String, ToString};

use super::{done, number, wrong};
use crate::shell::executor::Run;
use crate::shell::parser::is_name;
use crate::shell::state::{Options, Shell, Value};

/// Sets each `name=value`, and changes what `change` says about each name.
fn declare(shell: &mut Shell, arguments: &[String], change: fn(&mut Value)) -> Run {
    shell.status = 0;
    for argument in arguments[1..].iter().filter(|argument| *argument != "-p") {
        let (name, value) = argument
            .split_once('=')
            .map_or((argument.as_str(), None), |(n, v)| (n, Some(v)));
        if !is_name(name) {
            let _ = wrong(shell, arguments, &format!("{name}: not a name"));
            continue;
        }
        let text = value.map_or_else(|| shell.text(name).to_string(), String::from);
        if (value.is_some() || !shell.variables.contains_key(name)) && !shell.assign(name, &text) {
            shell.status = 1;
        }
        if let Some(value) = shell.variables.get_mut(name) {
            change(value);
        }
    }
    Run::Continue(())
}

fn print_variables(shell: &Shell, prefix: &str, is_wanted: fn(&Value) -> bool) {
    for (name, value) in shell.variables.iter().filter(|(_, value)| is_wanted(value)) {
        println!("{prefix}{name}='{}'", value.text.replace('\'', "'\\''"));
    }
}

/// `export name[=value]`
pub fn export(shell: &mut Shell, arguments: &[String]) -> Run {
    if arguments.len() < 2 || arguments[1] == "-p" {
        print_variables(shell, "export ", |value| value.is_exported);
    }
    declare(shell, arguments, |value| value.is_exported = true)
}

/// `readonly name[=value]`
pub fn readonly(shell: &mut Shell, arguments: &[String]) -> Run {
    if arguments.len() < 2 || arguments[1] == "-p" {
        print_variables(shell, "readonly ", |value| value.is_readonly);
    }
    declare(shell, arguments, |value| value.is_readonly = true)
}

/// `local name[=value]`: until the function returns.
pub fn local(shell: &mut Shell, arguments: &[String]) -> Run {
    let Some(scope) = shell.scopes.last_mut() else {
        return wrong(shell, arguments, "only within a function");
    };
    for argument in &arguments[1..] {
        let name = argument.split('=').next().unwrap_or(argument);
        scope.push((name.to_string(), shell.variables.get(name).cloned()));
    }
    declare(shell, arguments, |_| {})
}

/// `unset [-f] names`
pub fn unset(shell: &mut Shell, arguments: &[String]) -> Run {
    let is_function = arguments.get(1).is_some_and(|option| option == "-f");
    shell.status = 0;
    for name in arguments[1..].iter().filter(|name| !name.starts_with('-')) {
        if is_function {
            shell.functions.remove(name);
        } else if shell.variables.get(name).is_some_and(|value| value.is_readonly) {
            let _ = wrong(shell, arguments, &format!("{name}: is read only"));
        } else {
            shell.variables.remove(name);
        }
    }
    Run::Continue(())
}

/// `set -o name`, `set +o name`.
fn set_by_name(shell: &mut Shell, arguments: &[String], name: &str, is_on: bool) -> bool {
    match shell.options.by_name(name) {
        Some(option) => *option = is_on,
        None => {
            let _ = wrong(shell, arguments, &format!("{name}: unknown option"));
            return false;
        }
    }
    true
}

/// `set -o`: the options and how they stand.
fn print_options(shell: &mut Shell) {
    for (_, name) in Options::NAMES {
        let is_on = shell.options.by_name(name).is_some_and(|option| *option);
        println!("{name:<15} {}", if is_on { "on" } else { "off" });
    }
}

/// `set [-efux] [-o name] [--] arguments`
pub fn set(shell: &mut Shell, arguments: &[String]) -> Run {
    shell.status = 0;
    if arguments.len() == 1 {
        print_variables(shell, "", |_| true);
    }
    let mut is_name = false;
    for (index, argument) in arguments.iter().enumerate().skip(1) {
        if core::mem::take(&mut is_name) {
            let is_on = arguments[index - 1].starts_with('-');
            if !set_by_name(shell, arguments, argument, is_on) {
                return Run::Continue(());
            }
            continue;
        }
        let is_on = match argument.chars().next() {
            Some('-') if argument != "-" && argument != "--" => true,
            Some('+') => false,
            _ => {
                let first = if argument == "--" || argument == "-" {
                    index + 1
                } else {
                    index
                };
                shell.positional = arguments[first..].to_vec();
                break;
            }
        };
        for letter in argument.chars().skip(1) {
            match shell.options.by_letter(letter) {
                Some(option) => *option = is_on,
                None if letter == 'o' => is_name = true,
                None => return wrong(shell, arguments, &format!("-{letter}: unknown option")),
            }
        }
    }
    if is_name {
        print_options(shell);
    }
    Run::Continue(())
}

/// `shift [n]`
pub fn shift(shell: &mut Shell, arguments: &[String]) -> Run {
    match number(arguments, 1) {
        Ok(count) if (0..=shell.positional.len() as i32).contains(&count) => {
            shell.positional.drain(..count as usize);
            done(shell, 0)
        }
        Ok(_) => wrong(shell, arguments, "there are not so many arguments"),
        Err(message) => wrong(shell, arguments, &message),
    }
}

/// getopts: OPTIND counts arguments; an option's place within `-abc` is kept in the shell's variable `_OPTAT`.
pub fn get_options(shell: &mut Shell, arguments: &[String]) -> Run {
    let [_, letters, name, given @ ..] = arguments else {
        return wrong(shell, arguments, "letters and a name are needed");
    };
    let given = if given.is_empty() {
        shell.positional.clone()
    } else {
        given.to_vec()
    };
    let mut index = shell.text("OPTIND").parse::<usize>().unwrap_or(1).max(1);
    let mut at = shell.text("_OPTAT").parse::<usize>().unwrap_or(1).max(1);
    let found = given
        .get(index - 1)
        .filter(|word| word.starts_with('-') && word.len() > 1 && *word != "--");
    let Some(letter) = found.and_then(|word| word.chars().nth(at)) else {
        let is_end_mark = given.get(index - 1).is_some_and(|word| word == "--");
        shell.set_all(&[
            ("OPTIND", (index + usize::from(is_end_mark)).to_string()),
            (name, "?".into()),
        ]);
        return done(shell, 1);
    };
    let word = given[index - 1].clone();
    at += 1;
    if at >= word.chars().count() {
        (index, at) = (index + 1, 1);
    }
    let place = letters.find(letter).filter(|_| letter != ':');
    let mut result = letter.to_string();
    let mut value = String::new();
    match place {
        None => {
            shell.complain(&format!("illegal option -- {letter}"));
            result = "?".into();
        }
        Some(place) if letters[place + 1..].starts_with(':') => {
            if at > 1 {
                value = word.chars().skip(at).collect();
            } else {
                value = given.get(index - 1).cloned().unwrap_or_default();
            }
            (index, at) = (index + 1, 1);
        }
        Some(_) => {}
    }
    shell.set_all(&[
        ("OPTIND", index.to_string()),
        ("_OPTAT", at.to_string()),
        ("OPTARG", value),
        (name, result),
    ]);
    done(shell, 0)
}

impl Shell {
    fn set_all(&mut self, values: &[(&str, String)]) {
        for (name, value) in values {
            if !self.assign(name, value) {
                return;
            }
        }
    }
}
