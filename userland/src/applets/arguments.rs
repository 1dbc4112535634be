//! Options of the small programs, and how they complain.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Display;

use crate::runtime::path::base_name;

/// The options and operands of one call.
pub struct Parsed<'a> {
    /// The program's name, for messages.
    pub name: &'a str,
    /// The option letters in the order given, with their values.
    options: Vec<(char, &'a str)>,
    /// What is not an option.
    pub operands: Vec<&'a str>,
}

/// Takes options apart as getopt(3) does: `letters` lists them, those with a value are followed by a colon, those that may have one
/// in the same word by two. `--` ends the options, and options may stand behind operands. An unknown one is complained about: `Err` is the exit status.
pub fn parse<'a>(arguments: &[&'a str], letters: &str) -> Result<Parsed<'a>, i32> {
    let name = arguments.first().map_or("?", |name| base_name(name));
    let mut parsed = Parsed {
        name,
        options: Vec::new(),
        operands: Vec::new(),
    };
    let mut rest = arguments.iter().skip(1).copied();
    while let Some(argument) = rest.next() {
        if argument == "--" {
            parsed.operands.extend(rest);
            break;
        }
        let Some(cluster) = argument.strip_prefix('-').filter(|cluster| !cluster.is_empty()) else {
            parsed.operands.push(argument);
            continue;
        };
        for (at, letter) in cluster.char_indices() {
            let place = letters.find(letter).filter(|_| letter != ':');
            let Some(place) = place else {
                eprintln!("{name}: invalid option -- '{letter}'");
                return Err(2);
            };
            if !letters[place + 1..].starts_with(':') {
                parsed.options.push((letter, ""));
                continue;
            }
            let attached = &cluster[at + letter.len_utf8()..];
            let value = if letters[place + 1..].starts_with("::") {
                Some(attached)
            } else if attached.is_empty() {
                rest.next()
            } else {
                Some(attached)
            };
            let Some(value) = value else {
                eprintln!("{name}: option requires an argument -- '{letter}'");
                return Err(2);
            };
            parsed.options.push((letter, value));
            break;
        }
    }
    Ok(parsed)
}

/// Where the options of a program end that runs a command, whose own options it must not take: the index of the command.
pub fn options_end(arguments: &[&str], letters: &str) -> usize {
    let mut at = 1;
    while let Some(word) = arguments.get(at) {
        let Some(cluster) = word.strip_prefix('-').filter(|cluster| !cluster.is_empty()) else {
            break;
        };
        at += 1;
        if cluster == "-" {
            break;
        }
        // The first letter that wants a value takes the rest of its word, or the next one.
        let takes = |letter: char| letter != ':' && letters.contains(&alloc::format!("{letter}:"));
        let wanting = cluster.char_indices().find(|(_, letter)| takes(*letter));
        at += usize::from(wanting.is_some_and(|(place, letter)| place + letter.len_utf8() == cluster.len()));
    }
    at.min(arguments.len())
}

impl<'a> Parsed<'a> {
    /// Whether the option was given.
    pub fn has(&self, letter: char) -> bool {
        self.options.iter().any(|(found, _)| *found == letter)
    }

    /// The last value given to the option.
    pub fn value(&self, letter: char) -> Option<&'a str> {
        self.options
            .iter()
            .rev()
            .find(|(found, _)| *found == letter)
            .map(|(_, value)| *value)
    }

    /// All values given to the option, in the order given.
    pub fn values(&self, letter: char) -> impl Iterator<Item = &'a str> {
        let given = self.options.iter().filter(move |(found, _)| *found == letter);
        given.map(|(_, value)| *value)
    }

    /// The options of these letters with their values, in the order given.
    pub fn in_order(&self, letters: &str) -> impl Iterator<Item = (char, &'a str)> {
        let wanted = move |(letter, _): &&(char, &'a str)| letters.contains(*letter);
        self.options.iter().filter(wanted).copied()
    }

    /// The operands, or `-` (standard input) if there are none.
    pub fn files(&self) -> Vec<&'a str> {
        if self.operands.is_empty() {
            Vec::from(["-"])
        } else {
            self.operands.clone()
        }
    }

    /// Prints `name: message`; the exit status of a failure.
    pub fn fail(&self, message: impl Display) -> i32 {
        eprintln!("{}: {message}", self.name);
        1
    }

    /// Complains about a wrong call; the exit status.
    pub fn usage(&self, usage: &str) -> i32 {
        eprintln!("usage: {} {usage}", self.name);
        2
    }

    /// A number given to an option or as operand.
    pub fn number(&self, text: &str) -> Result<u64, i32> {
        text.parse()
            .map_err(|_| self.fail(format_args!("invalid number: '{text}'")))
    }
}

/// A size in KiB, MiB or GiB with one decimal, as `ls -h` shows it.
pub fn human_size(bytes: u64) -> String {
    let mut value = bytes.saturating_mul(10);
    for unit in ["", "K", "M", "G", "T"] {
        if value < 10_240 {
            let is_exact = unit.is_empty() || value >= 100;
            let text = if is_exact {
                alloc::format!("{}{unit}", value.div_ceil(10))
            } else {
                alloc::format!("{}.{}{unit}", value / 10, value % 10)
            };
            return text;
        }
        value = value.div_ceil(1024);
    }
    alloc::format!("{bytes}")
}
