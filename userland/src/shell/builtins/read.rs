//! `read`: a line into variables.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{done, wrong};
use crate::runtime::{Errno, file, terminal};
use crate::shell::executor::Run;
use crate::shell::state::Shell;
use abi::terminal::ECHO;

/// What `read` was asked for.
#[derive(Default)]
struct Wish<'a> {
    /// `-r`: a backslash means itself.
    is_raw: bool,
    /// `-s`: what is typed is not shown.
    is_silent: bool,
    /// `-n count`: so many characters at most.
    most: Option<usize>,
    /// `-p text`: shown first, on a terminal.
    prompt: Option<&'a str>,
    names: &'a [String],
}

/// Options may stand together, and an option's value in the same word or in the next.
fn wish(arguments: &[String]) -> Result<Wish<'_>, String> {
    let mut wish = Wish::default();
    let mut at = 1;
    while let Some(word) = arguments
        .get(at)
        .filter(|word| word.len() > 1 && word.starts_with('-'))
    {
        at += 1;
        if word == "--" {
            break;
        }
        for (place, letter) in word[1..].char_indices() {
            match letter {
                'r' => wish.is_raw = true,
                's' => wish.is_silent = true,
                'p' | 'n' => {
                    let rest = &word[1 + place + 1..];
                    let value = match rest {
                        "" => arguments
                            .get(at)
                            .ok_or_else(|| format!("-{letter}: a value is needed"))?,
                        rest => rest,
                    };
                    at += usize::from(rest.is_empty());
                    if letter == 'p' {
                        wish.prompt = Some(value);
                    } else {
                        let most = value
                            .parse()
                            .map_err(|_| format!("{value}: a number is needed"))?;
                        wish.most = Some(most);
                    }
                    break;
                }
                letter => return Err(format!("-{letter}: unknown option")),
            }
        }
    }
    wish.names = arguments.get(at..).unwrap_or_default();
    Ok(wish)
}

/// One byte at a time: what follows the line is another program's.
fn read_line(most: usize) -> Result<Option<Vec<u8>>, Errno> {
    let mut line = Vec::new();
    let mut byte = [0];
    loop {
        if line.len() >= most {
            return Ok(Some(line));
        }
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

/// The text, lines that end in a backslash joined; whether it is complete.
fn read_text(wish: &Wish) -> Result<(String, bool), Errno> {
    let mut text = String::new();
    let mut is_complete = false;
    while let Some(line) = read_line(wish.most.unwrap_or(usize::MAX))? {
        text.push_str(&String::from_utf8_lossy(&line));
        is_complete = text.ends_with('\n') || wish.most.is_some();
        if wish.is_raw || !text.ends_with("\\\n") {
            break;
        }
        text.truncate(text.len() - 2);
        is_complete = false;
    }
    Ok((text, is_complete))
}

/// The same with the terminal as the wish wants it; afterwards it is as it was.
fn read_from_terminal(wish: &Wish) -> Result<(String, bool), Errno> {
    let Ok(settings) = terminal::settings(0) else {
        return read_text(wish);
    };
    if let Some(prompt) = wish.prompt {
        file::write_all(2, prompt.as_bytes())?;
    }
    let mut wanted = if wish.most.is_some() {
        terminal::by_key(&settings)
    } else {
        settings
    };
    if wish.is_silent {
        wanted.lflag &= !ECHO;
    }
    terminal::set(0, &wanted)?;
    let read = read_text(wish);
    terminal::set(0, &settings)?;
    read
}

/// `read [-rs] [-p prompt] [-n count] names`
pub fn read(shell: &mut Shell, arguments: &[String]) -> Run {
    let wish = match wish(arguments) {
        Ok(wish) => wish,
        Err(message) => {
            let _ = wrong(shell, arguments, &message);
            return done(shell, 2);
        }
    };
    let (text, is_complete) = match read_from_terminal(&wish) {
        Ok(read) => read,
        Err(error) => return wrong(shell, arguments, &error.to_string()),
    };
    let text = text.trim_end_matches('\n');
    let separators = shell.text("IFS").to_string();
    let default = [String::from("REPLY")];
    // Without a name the line is kept as it is.
    let (names, mut rest) = match wish.names {
        [] => (&default[..], text),
        names => (
            names,
            text.trim_matches(|c: char| c.is_whitespace() && separators.contains(c)),
        ),
    };
    for (index, name) in names.iter().enumerate() {
        let (value, after) = match rest.split_once(|c: char| separators.contains(c)) {
            Some((value, after)) if index + 1 < names.len() => (value, after),
            _ => (rest, ""),
        };
        rest = after.trim_start_matches(|c: char| c.is_whitespace() && separators.contains(c));
        let value = if wish.is_raw {
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
