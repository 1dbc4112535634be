//! Commands that the shell runs itself: those that change it (POSIX 2.14 and `cd`, `jobs`, ...), and a few programs
//! that scripts call so often that a fork each would be a waste.

mod help;
mod limits;
mod names;
mod processes;
mod read;
mod variables;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::executor::{Leave, Run};
use super::spawn;
use super::state::Shell;
use crate::applets;
use crate::runtime::file;

/// A builtin: sets `$?`, and says how to go on. The first argument is its name.
pub type Builtin = fn(&mut Shell, &[String]) -> Run;

/// Name and function, sorted.
const BUILTINS: [(&str, Builtin); 39] = [
    (".", source),
    (":", colon),
    ("[", applet),
    ("alias", names::alias),
    ("bg", processes::background),
    ("break", leave),
    ("cd", change_directory),
    ("command", names::command),
    ("continue", leave),
    ("echo", applet),
    ("eval", evaluate),
    ("exec", execute),
    ("exit", exit),
    ("export", variables::export),
    ("false", applet),
    ("fg", processes::foreground),
    ("getopts", variables::get_options),
    ("help", help::help),
    ("history", history),
    ("jobs", processes::jobs),
    ("kill", processes::kill),
    ("local", variables::local),
    ("printf", applet),
    ("pwd", applet),
    ("read", read::read),
    ("readonly", variables::readonly),
    ("return", return_),
    ("set", variables::set),
    ("shift", variables::shift),
    ("source", source),
    ("test", applet),
    ("trap", processes::trap),
    ("true", applet),
    ("type", names::type_),
    ("ulimit", limits::limit),
    ("umask", mask),
    ("unalias", names::unalias),
    ("unset", variables::unset),
    ("wait", processes::wait),
];

/// The builtin of that name.
pub fn find(name: &str) -> Option<Builtin> {
    BUILTINS
        .iter()
        .find(|(found, _)| *found == name)
        .map(|(_, builtin)| *builtin)
}

/// The names that begin so, for completion.
pub fn names(beginning: &str) -> Vec<String> {
    let names = BUILTINS.iter().map(|(name, _)| *name).chain(names::RESERVED);
    names
        .filter(|name| name.starts_with(beginning))
        .map(String::from)
        .collect()
}

/// What `help` knows beside programs, for completion.
pub fn known(beginning: &str) -> Vec<String> {
    let builtins = BUILTINS.iter().map(|(name, _)| *name);
    let names = builtins.chain(help::topics());
    names
        .filter(|name| name.starts_with(beginning))
        .map(String::from)
        .collect()
}

fn done(shell: &mut Shell, status: i32) -> Run {
    shell.status = status;
    Run::Continue(())
}

fn wrong(shell: &mut Shell, arguments: &[String], message: &str) -> Run {
    shell.fail(&format!("{}: {message}", arguments[0]))
}

fn applet(shell: &mut Shell, arguments: &[String]) -> Run {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let status = applets::run(arguments[0], &arguments).unwrap_or(127);
    done(shell, status)
}

fn colon(shell: &mut Shell, _arguments: &[String]) -> Run {
    done(shell, 0)
}

fn source(shell: &mut Shell, arguments: &[String]) -> Run {
    let Some(name) = arguments.get(1) else {
        return wrong(shell, arguments, "a file name is needed");
    };
    match file::read_text(name) {
        Ok(text) => {
            shell.status = 0;
            match shell.run_text(&text) {
                Run::Break(Leave::Return) => Run::Continue(()),
                run => run,
            }
        }
        Err(error) => shell.fail(&format!("{name}: {error}")),
    }
}

/// A number as argument; without one the default.
fn number(arguments: &[String], default: i32) -> Result<i32, String> {
    arguments.get(1).map_or(Ok(default), |text| {
        text.parse().map_err(|_| format!("{text}: a number is needed"))
    })
}

fn leave(shell: &mut Shell, arguments: &[String]) -> Run {
    match number(arguments, 1) {
        Ok(levels) if levels > 0 => {
            shell.status = 0;
            let levels = levels as usize;
            Run::Break(if arguments[0] == "break" {
                Leave::Break(levels)
            } else {
                Leave::Continue(levels)
            })
        }
        Ok(_) => wrong(shell, arguments, "the number must be positive"),
        Err(message) => wrong(shell, arguments, &message),
    }
}

fn exit(shell: &mut Shell, arguments: &[String]) -> Run {
    match number(arguments, shell.status) {
        Ok(status) => {
            shell.status = status & 0xff;
            Run::Break(Leave::Exit)
        }
        Err(message) => wrong(shell, arguments, &message),
    }
}

fn return_(shell: &mut Shell, arguments: &[String]) -> Run {
    match number(arguments, shell.status) {
        Ok(status) => {
            shell.status = status & 0xff;
            Run::Break(Leave::Return)
        }
        Err(message) => wrong(shell, arguments, &message),
    }
}

fn change_directory(shell: &mut Shell, arguments: &[String]) -> Run {
    let wanted = match arguments.get(1).map(String::as_str) {
        None => shell.text("HOME").to_string(),
        Some("-") => shell.text("OLDPWD").to_string(),
        Some(folder) => folder.to_string(),
    };
    let wanted = if wanted.is_empty() {
        "/".to_string()
    } else {
        wanted
    };
    let before = file::current_directory().unwrap_or_default();
    if let Err(error) = file::change_directory(&wanted) {
        return shell.fail(&format!("cd: {wanted}: {error}"));
    }
    let now = file::current_directory().unwrap_or(wanted);
    if arguments.get(1).is_some_and(|argument| argument == "-") {
        println!("{now}");
    }
    let is_set = shell.assign("OLDPWD", &before) && shell.assign("PWD", &now);
    done(shell, i32::from(!is_set))
}

fn evaluate(shell: &mut Shell, arguments: &[String]) -> Run {
    shell.status = 0;
    shell.run_text(&arguments[1..].join(" "))
}

fn execute(shell: &mut Shell, arguments: &[String]) -> Run {
    if arguments.len() < 2 {
        return done(shell, 0);
    }
    let run = spawn::execute(shell, &arguments[1..]);
    if shell.is_interactive {
        Run::Continue(())
    } else {
        run
    }
}

fn mask(shell: &mut Shell, arguments: &[String]) -> Run {
    let wanted = match arguments.get(1).map(|text| u32::from_str_radix(text, 8)) {
        Some(Ok(mask)) if mask <= 0o777 => Some(mask),
        Some(_) => return wrong(shell, arguments, "an octal number is needed"),
        None => None,
    };
    let old = match file::set_mask(wanted.unwrap_or(0)) {
        Ok(old) => old,
        Err(error) => return wrong(shell, arguments, &error.to_string()),
    };
    if wanted.is_none() {
        // Reading the mask sets it: back to what it was.
        let _ = file::set_mask(old);
        println!("{old:04o}");
    }
    done(shell, 0)
}

fn history(shell: &mut Shell, _arguments: &[String]) -> Run {
    for (index, line) in shell.editor.history().iter().enumerate() {
        println!("{:5}  {line}", index + 1);
    }
    done(shell, 0)
}
