//! Builtins about variables, options and arguments: export, readonly, local, unset, set, shift, read, getopts.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{done, number, wrong};
use crate::runtime::{Errno, file};
use crate::shell::executor::Run;
use crate::shell::parser::is_name;
use crate::shell::state::{Shell, Value};

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

/// `set [-eux] [--] arguments`
pub fn set(shell: &mut Shell, arguments: &[String]) -> Run {
    shell.status = 0;
    if arguments.len() == 1 {
        print_variables(shell, "", |_| true);
    }
    for (index, argument) in arguments.iter().enumerate().skip(1) {
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
            match letter {
                'e' => shell.options.exit_on_error = is_on,
                'u' => shell.options.no_unset = is_on,
                'x' => shell.options.trace = is_on,
                _ => return wrong(shell, arguments, &format!("-{letter}: unknown option")),
            }
        }
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

/// One byte at a time: what follows the line is another program's.
fn read_line() -> Result<Option<Vec<u8>>, Errno> {
    let mut line = Vec::new();
    let mut byte = [0];
    loop {
        match file::read(0, &mut byte)? {
            0 => return Ok((!line.is_empty()).then_some(line)),
            _ if byte[0] == b'\n' => {
                line.push(b'\n');
                return Ok(Some(line));
            }
            _ => line.push(byte[0]),
        }
    }
}

/// `read [-r] names`
pub fn read(shell: &mut Shell, arguments: &[String]) -> Run {
    let is_raw = arguments.get(1).is_some_and(|option| option == "-r");
    let names = &arguments[if is_raw { 2 } else { 1 }..];
    let mut text = String::new();
    let mut is_complete = false;
    loop {
        match read_line() {
            Ok(Some(line)) => text.push_str(&String::from_utf8_lossy(&line)),
            Ok(None) => break,
            Err(error) => return wrong(shell, arguments, &error.to_string()),
        }
        is_complete = text.ends_with('\n');
        if is_raw || !text.ends_with("\\\n") {
            break;
        }
        text.truncate(text.len() - 2);
    }
    let text = text.trim_end_matches('\n');
    let separators = shell.text("IFS").to_string();
    let mut rest = text.trim_matches(|c: char| c.is_whitespace() && separators.contains(c));
    let default = [String::from("REPLY")];
    let names = if names.is_empty() { &default[..] } else { names };
    for (index, name) in names.iter().enumerate() {
        let (value, after) = match rest.split_once(|c: char| separators.contains(c)) {
            Some((value, after)) if index + 1 < names.len() => (value, after),
            _ => (rest, ""),
        };
        rest = after.trim_start_matches(|c: char| c.is_whitespace() && separators.contains(c));
        let value = if is_raw {
            value.to_string()
        } else {
            value.replace('\\', "")
        };
        if !shell.assign(name, &value) {
            return done(shell, 1);
        }
    }
    done(shell, i32::from(!is_complete))
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
