//! Commands that the shell runs itself: those that change it (POSIX 2.14 and `cd`, `jobs`, ...), and a few programs
//! that scripts call so often that a fork each would be a waste.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::executor::{Leave, Run};
use super::jobs::All;
use super::parser::is_name;
use super::spawn;
use super::state::{Shell, Value};
use crate::applets;
use crate::runtime::signal::{self, Disposition, Signal};
use crate::runtime::{Errno, file, path};

/// A builtin: sets `$?`, and says how to go on. The first argument is its name.
pub type Builtin = fn(&mut Shell, &[String]) -> Run;

/// Name, function, and the line of `help`.
const BUILTINS: [(&str, Builtin, &str); 33] = [
    (
        ".",
        source,
        ". file             run a file's commands in this shell",
    ),
    (":", colon, ":                  nothing, successfully"),
    ("[", applet, "[ expression ]     test files, strings and numbers"),
    (
        "bg",
        background,
        "bg [%job]          let a stopped job go on in the background",
    ),
    ("break", leave, "break [n]          leave n loops"),
    (
        "cd",
        change_directory,
        "cd [folder | -]    change the current folder",
    ),
    (
        "continue",
        leave,
        "continue [n]       go on with the next round of a loop",
    ),
    ("echo", applet, "echo [-n] words    print"),
    ("eval", evaluate, "eval words         run the words as a command"),
    (
        "exec",
        execute,
        "exec [command]     become a command; keep redirections",
    ),
    ("exit", exit, "exit [status]      leave the shell"),
    ("export", export, "export name[=v]    give a variable to programs"),
    ("false", applet, "false              fail"),
    (
        "fg",
        foreground,
        "fg [%job]          bring a job to the foreground",
    ),
    (
        "getopts",
        get_options,
        "getopts abc: name  read the options of a script",
    ),
    ("help", help, "help               this list"),
    ("history", history, "history            the lines typed"),
    ("jobs", jobs, "jobs               jobs in the background"),
    (
        "kill",
        kill,
        "kill [-SIG] pid    send a signal to a process or %job",
    ),
    ("local", local, "local name[=v]     set a variable"),
    ("printf", applet, "printf format ...  print by a format"),
    ("pwd", applet, "pwd                print the current folder"),
    ("read", read, "read [-r] names    read a line into variables"),
    (
        "readonly",
        readonly,
        "readonly name[=v]  a variable that no longer changes",
    ),
    ("return", return_, "return [status]    leave a function"),
    ("set", set, "set [-eux] [--] .. set options and $1, $2, ..."),
    ("shift", shift, "shift [n]          drop the first arguments"),
    (
        "test",
        applet,
        "test expression    test files, strings and numbers",
    ),
    (
        "trap",
        trap,
        "trap command SIG   run a command at a signal, or at EXIT",
    ),
    ("true", applet, "true               succeed"),
    ("type", type_, "type names         say what a name is"),
    (
        "umask",
        mask,
        "umask [mode]       rights that new files do not get",
    ),
    ("unset", unset, "unset [-f] names   forget variables or functions"),
];

/// `wait` stands apart to keep the table's lines short.
const WAIT: (&str, Builtin, &str) = ("wait", wait, "wait [%job | pid]  wait for background jobs");

/// The builtin of that name.
pub fn find(name: &str) -> Option<Builtin> {
    all()
        .find(|(found, ..)| *found == name)
        .map(|(_, builtin, _)| builtin)
}

fn all() -> impl Iterator<Item = (&'static str, Builtin, &'static str)> {
    BUILTINS.into_iter().chain([WAIT])
}

/// The names that begin so, for completion.
pub fn names(beginning: &str) -> Vec<String> {
    let words = [
        "case", "do", "done", "else", "esac", "faults", "fi", "for", "if", "then", "until", "while",
    ];
    let names = all().map(|(name, ..)| name).chain(words);
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
    let status = applets::find(arguments[0]).map_or(127, |applet| applet(&arguments));
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

fn export(shell: &mut Shell, arguments: &[String]) -> Run {
    if arguments.len() < 2 || arguments[1] == "-p" {
        print_variables(shell, "export ", |value| value.is_exported);
    }
    declare(shell, arguments, |value| value.is_exported = true)
}

fn readonly(shell: &mut Shell, arguments: &[String]) -> Run {
    if arguments.len() < 2 || arguments[1] == "-p" {
        print_variables(shell, "readonly ", |value| value.is_readonly);
    }
    declare(shell, arguments, |value| value.is_readonly = true)
}

fn local(shell: &mut Shell, arguments: &[String]) -> Run {
    declare(shell, arguments, |_| {})
}

fn unset(shell: &mut Shell, arguments: &[String]) -> Run {
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

fn set(shell: &mut Shell, arguments: &[String]) -> Run {
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

fn shift(shell: &mut Shell, arguments: &[String]) -> Run {
    match number(arguments, 1) {
        Ok(count) if (0..=shell.positional.len() as i32).contains(&count) => {
            shell.positional.drain(..count as usize);
            done(shell, 0)
        }
        Ok(_) => wrong(shell, arguments, "there are not so many arguments"),
        Err(message) => wrong(shell, arguments, &message),
    }
}

fn trap(shell: &mut Shell, arguments: &[String]) -> Run {
    shell.status = 0;
    let signal_name = |number: u8| Signal::new(u64::from(number)).map_or("EXIT", Signal::name);
    if arguments.len() < 2 {
        for (number, command) in &shell.traps {
            println!(
                "trap -- '{}' {}",
                command.replace('\'', "'\\''"),
                signal_name(*number)
            );
        }
        return Run::Continue(());
    }
    let is_reset = arguments[1] == "-" || arguments.len() == 2;
    let names = if arguments.len() == 2 {
        &arguments[1..]
    } else {
        &arguments[2..]
    };
    for name in names {
        let number = match name.as_str() {
            "EXIT" | "0" => 0,
            name => match signal::by_name(name) {
                Some(signal) => signal.number(),
                None => return wrong(shell, arguments, &format!("{name}: no such signal")),
            },
        };
        let disposition = match (is_reset, arguments[1].as_str()) {
            (true, _) => Disposition::Default,
            (false, "") => Disposition::Ignore,
            (false, _) => Disposition::Note,
        };
        if let Some(signal) = Signal::new(u64::from(number))
            && let Err(error) = signal::set(signal, disposition)
        {
            return wrong(shell, arguments, &format!("{name}: {error}"));
        }
        if is_reset {
            shell.traps.remove(&number);
        } else {
            shell.traps.insert(number, arguments[1].clone());
        }
    }
    Run::Continue(())
}

fn jobs(shell: &mut Shell, _arguments: &[String]) -> Run {
    shell.jobs.print(All::Yes);
    done(shell, 0)
}

fn foreground(shell: &mut Shell, arguments: &[String]) -> Run {
    match shell.continue_in_foreground(arguments.get(1).map(String::as_str)) {
        Ok(true) => Run::Break(Leave::Interrupted),
        Ok(false) => Run::Continue(()),
        Err(message) => wrong(shell, arguments, &message),
    }
}

fn background(shell: &mut Shell, arguments: &[String]) -> Run {
    match shell.continue_in_background(arguments.get(1).map(String::as_str)) {
        Ok(()) => done(shell, 0),
        Err(message) => wrong(shell, arguments, &message),
    }
}

fn wait(shell: &mut Shell, arguments: &[String]) -> Run {
    shell.status = 0;
    let names: Vec<Option<&str>> = if arguments.len() < 2 {
        Vec::from([None])
    } else {
        arguments[1..].iter().map(|name| Some(name.as_str())).collect()
    };
    for name in names {
        match shell.jobs.wait_done(name) {
            Ok(status) => shell.status = status,
            Err(message) => {
                let _ = wrong(shell, arguments, &message);
                shell.status = 127;
            }
        }
    }
    Run::Continue(())
}

/// `kill` knows `%job`; all else is the program's.
fn kill(shell: &mut Shell, arguments: &[String]) -> Run {
    let mut translated = Vec::new();
    for argument in arguments {
        let target = argument.starts_with('%').then(|| shell.jobs.target(argument));
        match target {
            Some(None) => return wrong(shell, arguments, &format!("{argument}: no such job")),
            Some(Some(pid)) if pid < 0 && translated.len() == 1 => {
                translated.extend(["--".to_string(), pid.to_string()])
            }
            Some(Some(pid)) => translated.push(pid.to_string()),
            None => translated.push(argument.clone()),
        }
    }
    applet(shell, &translated)
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

fn read(shell: &mut Shell, arguments: &[String]) -> Run {
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
fn get_options(shell: &mut Shell, arguments: &[String]) -> Run {
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

fn type_(shell: &mut Shell, arguments: &[String]) -> Run {
    shell.status = 0;
    for name in &arguments[1..] {
        if shell.functions.contains_key(name) {
            println!("{name} is a function");
        } else if find(name).is_some() {
            println!("{name} is a shell builtin");
        } else if let Ok(path) = spawn::find_program(shell, name) {
            println!("{name} is {path}");
        } else {
            let _ = wrong(shell, arguments, &format!("{name}: not found"));
        }
    }
    Run::Continue(())
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

fn help(shell: &mut Shell, _arguments: &[String]) -> Run {
    println!("Commands of the shell itself:\n");
    for (_, _, line) in all() {
        println!("  {line}");
    }
    println!("\nAlso: if, while, until, for, case, functions, ! | && || ; & ( ) {{ }}, < > >> << 2>&1,");
    println!("$name ${{name:-word}} $(command) $((1 + 2)), * ? [a-z], and");
    println!("  faults command     run a command and print the page faults of its processes\n");
    println!("Programs in {}:\n", shell.text("PATH"));
    let mut programs = spawn::programs(shell, "");
    programs.sort();
    programs.dedup();
    for row in programs.chunks(6) {
        let cells: String = row
            .iter()
            .map(|name| format!("{:<13}", path::base_name(name)))
            .collect();
        println!("  {}", cells.trim_end());
    }
    println!("\nKeys: arrows, Home, End, Tab, ^A ^E ^K ^U ^W ^L; ^C stops, ^Z suspends, ^D ends.");
    done(shell, 0)
}
