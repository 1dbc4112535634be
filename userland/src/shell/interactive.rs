//! The shell as a person or a file talks to it: prompt, line editor, completion, and the three ways to give commands.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::editor::Action;
use super::executor::{Leave, Run};
use super::jobs::All;
use super::lexer::ParseError;
use super::state::Shell;
use super::{builtins, parser, spawn};
use crate::applets::list::in_columns;
use crate::runtime::signal::{self, Signal};
use crate::runtime::{Errno, Result, directory, file, output, path, process, terminal};

/// A shell with these arguments, as POSIX sh(1) has them; its exit status.
pub fn main(arguments: &[&str]) -> i32 {
    let mut shell = Shell::new(arguments.first().copied().unwrap_or("sh"));
    let mut rest = arguments.get(1..).unwrap_or_default();
    let mut is_interactive = false;
    let mut command = None;
    while let Some(option) = rest
        .first()
        .filter(|option| option.starts_with(['-', '+']) && option.len() > 1)
    {
        rest = &rest[1..];
        match *option {
            "-" | "--" => break,
            "-c" => {
                let Some(text) = rest.first() else {
                    eprintln!("sh: -c: a command is needed");
                    return 2;
                };
                command = Some(*text);
                rest = &rest[1..];
                break;
            }
            "-i" => is_interactive = true,
            "-l" | "-s" => {}
            option => {
                let _ = builtins::find("set")
                    .map(|set| set(&mut shell, &["set".to_string(), option.to_string()]));
                if shell.status != 0 {
                    return 2;
                }
            }
        }
    }
    if let Some(text) = command {
        take_arguments(&mut shell, rest);
        let _ = shell.run_text(text);
    } else if let Some(name) = rest.first() {
        match file::read_text(name) {
            Ok(text) => {
                take_arguments(&mut shell, rest);
                let _ = shell.run_text(&text);
            }
            Err(error) => {
                shell.complain(&format!("{name}: {error}"));
                shell.status = if error == Errno::ENOENT { 127 } else { 126 };
            }
        }
    } else if is_interactive || (terminal::is_terminal(0) && terminal::is_terminal(2)) {
        converse(&mut shell);
    } else {
        read_script(&mut shell);
    }
    shell.run_exit_trap();
    shell.status
}

/// `$0` and `$1` and so on.
fn take_arguments(shell: &mut Shell, arguments: &[&str]) {
    if let Some((name, rest)) = arguments.split_first() {
        shell.name = name.to_string();
        shell.positional = rest.iter().map(|argument| argument.to_string()).collect();
    }
}

/// Commands from standard input that is no terminal: line by line, since the programs may read from it too.
fn read_script(shell: &mut Shell) {
    let mut text = Vec::new();
    let mut byte = [0];
    loop {
        let count = match file::read(0, &mut byte) {
            Ok(count) => count,
            Err(Errno::EINTR) => continue,
            Err(_) => 0,
        };
        text.extend_from_slice(&byte[..count]);
        if count == 1 && byte[0] != b'\n' {
            continue;
        }
        let source = String::from_utf8_lossy(&text).into_owned();
        match parser::parse(&source) {
            Err(ParseError::Incomplete) if count > 0 => continue,
            Err(error) => {
                shell.complain_syntax(&error);
                return;
            }
            Ok(list) => {
                if let Run::Break(Leave::Exit) = shell.run_list(&list) {
                    return;
                }
            }
        }
        text.clear();
        if count == 0 {
            return;
        }
    }
}

/// Prompt, line, command, until ^D or `exit`.
fn converse(shell: &mut Shell) {
    shell.is_interactive = true;
    shell.is_of_prompt = true;
    if let Err(error) = start_job_control(shell) {
        shell.complain(&format!("no job control: {error}"));
    }
    let mut text = String::new();
    loop {
        shell.read_history();
        if text.is_empty() {
            shell.jobs.print(All::DoneOnly);
        }
        let prompt = if text.is_empty() {
            prompt(shell)
        } else {
            shell.text("PS2").to_string()
        };
        match read_line(shell, &prompt) {
            Ok(Line::Text(line)) => {
                text.push_str(&line);
                text.push('\n');
            }
            Ok(Line::Cancelled) => {
                text.clear();
                shell.status = 130;
                continue;
            }
            Ok(Line::End) | Err(_) => {
                eprintln!("exit");
                return;
            }
        }
        match parser::parse(&text) {
            Err(ParseError::Incomplete) => continue,
            Err(error) => shell.complain_syntax(&error),
            Ok(list) => {
                signal::take(Signal::SIGINT);
                if shell.run_list(&list) == Run::Break(Leave::Exit) {
                    return;
                }
            }
        }
        // What cannot be written to the terminal is lost with the terminal.
        let _ = output::flush();
        text.clear();
    }
}

fn start_job_control(shell: &mut Shell) -> Result<()> {
    spawn::ignore_terminal_signals()?;
    shell.jobs.settings = Some(terminal::settings(0)?);
    shell.jobs.own_group = process::group_of(0)?;
    if terminal::foreground(0)? != shell.jobs.own_group {
        terminal::set_foreground(0, shell.jobs.own_group)?;
    }
    Ok(())
}

/// `PS1` if it is set, else `holstein:folder# `.
fn prompt(shell: &Shell) -> String {
    if let Some(prompt) = shell.variables.get("PS1") {
        return prompt.text.clone();
    }
    let folder = file::current_directory().unwrap_or_else(|_| "?".to_string());
    let mark = if process::effective_user_id() == 0 {
        '#'
    } else {
        '$'
    };
    format!("holstein:{folder}{mark} ")
}

/// What came of typing.
enum Line {
    Text(String),
    Cancelled,
    End,
}

/// One line, edited. The terminal is raw meanwhile.
fn read_line(shell: &mut Shell, prompt: &str) -> Result<Line> {
    let Some(settings) = shell.jobs.settings else {
        return read_plain_line(prompt);
    };
    terminal::set(0, &terminal::raw(&settings))?;
    shell.editor.start(prompt, terminal::columns(0));
    let line = edit(shell);
    terminal::set(0, &settings)?;
    line
}

fn edit(shell: &mut Shell) -> Result<Line> {
    loop {
        file::write_all(2, shell.editor.take_output().as_bytes())?;
        let mut byte = [0];
        match file::read(0, &mut byte) {
            Ok(0) => return Ok(Line::End),
            Ok(_) => {}
            Err(Errno::EINTR) => continue,
            Err(error) => return Err(error),
        }
        let line = match shell.editor.feed(byte[0]) {
            Action::Continue => continue,
            Action::Complete => {
                complete(shell);
                continue;
            }
            Action::Accept => Line::Text(shell.editor.line()),
            Action::Cancel => Line::Cancelled,
            Action::End => Line::End,
        };
        file::write_all(2, shell.editor.take_output().as_bytes())?;
        if let Line::Text(text) = &line {
            shell.remember(text);
        }
        return Ok(line);
    }
}

/// Without a terminal that can be set: the line as it comes.
fn read_plain_line(prompt: &str) -> Result<Line> {
    file::write_all(2, prompt.as_bytes())?;
    let mut line = Vec::new();
    let mut byte = [0];
    while file::read(0, &mut byte)? == 1 {
        if byte[0] == b'\n' {
            return Ok(Line::Text(String::from_utf8_lossy(&line).into_owned()));
        }
        line.push(byte[0]);
    }
    Ok(Line::End)
}

/// Completes the word before the cursor as far as it is sure; shows the choices if there are several.
fn complete(shell: &mut Shell) {
    let before = shell.editor.before_cursor();
    let start = before
        .rfind([' ', ';', '|', '&', '(', '<', '>', '='])
        .map_or(0, |at| at + 1);
    let word = &before[start..];
    let command = before[..start].rsplit([';', '|', '&', '(']).next().unwrap_or("");
    let mut choices = match command.trim() {
        _ if word.contains('/') => files(word),
        "help" => [builtins::known(word), spawn::programs(shell, word)].concat(),
        "" | "command" | "exec" | "faults" | "type" | "which" => {
            [builtins::names(word), spawn::programs(shell, word)].concat()
        }
        _ => files(word),
    };
    choices.sort();
    choices.dedup();
    let Some(first) = choices.first() else { return };
    let mut common = first.as_str();
    for choice in &choices {
        let length = common
            .char_indices()
            .zip(choice.chars())
            .find(|((_, a), b)| a != b)
            .map(|((at, _), _)| at);
        common = &common[..length.unwrap_or(common.len().min(choice.len()))];
    }
    let end = if choices.len() == 1 && !common.ends_with('/') {
        " "
    } else {
        ""
    };
    let addition = format!("{}{end}", &common[word.len()..]);
    if !addition.is_empty() {
        shell.editor.insert(&addition);
        return;
    }
    let shown: Vec<String> = choices
        .iter()
        .map(|choice| String::from(path::base_name(choice)))
        .collect();
    let shown = in_columns(&shown, terminal::columns(0));
    // The terminal is raw, but output is processed.
    let _ = file::write_all(2, format!("\n{shown}").as_bytes());
    shell.editor.redraw();
}

/// The paths that begin so; directories end with a slash.
fn files(word: &str) -> Vec<String> {
    let (folder, beginning) = word
        .rsplit_once('/')
        .map_or(("", word), |(folder, name)| (&word[..=folder.len()], name));
    let names = directory::names(if folder.is_empty() { "." } else { folder }).unwrap_or_default();
    let wanted = names
        .iter()
        .filter(|name| name.starts_with(beginning) && (beginning.starts_with('.') || !name.starts_with('.')));
    wanted
        .map(|name| {
            let path = format!("{folder}{name}");
            if file::is_directory(&path) {
                path + "/"
            } else {
                path
            }
        })
        .collect()
}
