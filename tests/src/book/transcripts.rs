//! Transcripts: the blocks marked `console` of a chapter. Lines with a prompt are typed, what stands below each must come out. `holstein:/#` is the
//! shell of the kernel; `$` is this host, in the root of the repository. Before the first prompt of a block marked `console boot` stands
//! what the board says until then.
//!
//! Addresses, frames and times differ from run to run. So an address matches any other, but one that stands twice must come out
//! twice: a page that two processes share has one frame, whichever. A number with a unit matches any; 0, 1 and 2 match themselves, and larger
//! numbers within a factor of four, for a program that grows has a page more, and a kernel with its checks more instructions. Spaces do not count, nor does where a line is broken.

use regex::Regex;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Where a transcript is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At the shell of the kernel.
    Guest,
    /// The same, from the first line that the board prints.
    Boot,
    /// At a shell of this host.
    Host,
}

impl Place {
    fn prompt(self) -> &'static str {
        match self {
            Place::Guest | Place::Boot => "holstein:/# ",
            Place::Host => "$ ",
        }
    }
}

/// What figures of a transcript are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figures {
    /// They are compared.
    Count,
    /// They change with each program that grows: of a block marked `console roughly` words and shape are compared.
    Vary,
}

/// One block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transcript {
    /// Line of the chapter on which its text begins, counted from 0.
    pub start: usize,
    /// Line behind its text.
    pub end: usize,
    /// Where it is typed.
    pub place: Place,
    /// Whether its figures are compared.
    pub figures: Figures,
    /// What stands before the first prompt.
    pub before: String,
    /// What is typed, and what comes out.
    pub steps: Vec<(String, String)>,
}

impl Transcript {
    /// The text of the block, with these answers in place of its own.
    pub fn with(&self, before: &str, answers: &[String]) -> String {
        let mut text = before.to_owned();
        for ((command, _), answer) in self.steps.iter().zip(answers) {
            text += &format!("{}{command}\n{answer}", self.place.prompt());
            if !text.ends_with('\n') {
                text.push('\n');
            }
        }
        text
    }
}

/// The transcripts of a chapter.
pub fn find(chapter: &str) -> Vec<Transcript> {
    let lines: Vec<&str> = chapter.lines().collect();
    let mut found = Vec::new();
    let mut number = 0;
    while number < lines.len() {
        let start = number + 1;
        let Some(mark) = lines[number].strip_prefix("```") else {
            number = start;
            continue;
        };
        let length = lines[start..].iter().position(|line| *line == "```");
        let end = start + length.unwrap_or(lines.len() - start);
        if let Some(words) = mark.strip_prefix("console") {
            found.push(parse(&lines[start..end], words, start));
        }
        number = end + 1;
    }
    found
}

fn parse(lines: &[&str], words: &str, start: usize) -> Transcript {
    let host = Place::Host.prompt();
    let place = match words.contains("boot") {
        true => Place::Boot,
        false if lines.first().is_some_and(|line| line.starts_with(host)) => Place::Host,
        false => Place::Guest,
    };
    let mut transcript = Transcript {
        start,
        end: start + lines.len(),
        place,
        figures: match words.contains("roughly") {
            true => Figures::Vary,
            false => Figures::Count,
        },
        before: String::new(),
        steps: Vec::new(),
    };
    for line in lines {
        if let Some(command) = line.strip_prefix(place.prompt()) {
            transcript.steps.push((command.to_owned(), String::new()));
            continue;
        }
        let text = match transcript.steps.last_mut() {
            Some((_, answer)) => answer,
            None => &mut transcript.before,
        };
        *text += line;
        text.push('\n');
    }
    transcript
}

/// What is compared.
#[derive(Clone, Debug, PartialEq)]
enum Token<'a> {
    /// An address, a frame or a descriptor, by the order in which they first come.
    Address(usize),
    /// With a unit: any.
    Measured,
    Number(u64),
    Text(&'a str),
}

/// Stamp of the log; number with a unit; a row of `cowtop`'s map; address; number; anything else.
static TOKENS: LazyLock<Regex> = LazyLock::new(|| {
    let stamp = r"(?<stamp>\[ *\d+\.\d+\])";
    let measured = r"(?<measured>\d+(?:\.\d+)? ?(?:ns|us|µs|ms|s|MHz|kB|KiB|MiB|MB|%)\b)";
    let map = r"(?<map>\b[Tt][ofzs.+1-9 ]{30,}$)";
    let address = r"(?<address>\b(?:0x)?[0-9a-f]{5,16}\b)";
    let all = format!(r"{stamp}|{measured}|{map}|{address}|(?<number>\b\d+\b)|(?<text>\w+|\S)");
    Regex::new(&all).expect("a regular expression")
});

/// The tokens of a text, each with the number of its line.
fn tokens(text: &str, figures: Figures) -> Vec<(usize, Token<'_>)> {
    let mut addresses = BTreeMap::new();
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for token in TOKENS.captures_iter(line) {
            let whole = token.get(0).expect("a match").as_str();
            let has_digit = whole.bytes().any(|byte| byte.is_ascii_digit());
            let is_figure =
                figures == Figures::Vary && (whole.parse::<u64>().is_ok() || token.name("map").is_some());
            let token = if is_figure || token.name("stamp").is_some() || token.name("measured").is_some() {
                Token::Measured
            } else if token.name("address").is_some() && has_digit {
                let next = addresses.len();
                Token::Address(*addresses.entry(whole).or_insert(next))
            } else if let Ok(value) = whole.parse() {
                Token::Number(value)
            } else {
                Token::Text(whole)
            };
            found.push((number, token));
        }
    }
    found
}

fn matches(recorded: &Token, played: &Token) -> bool {
    match (recorded, played) {
        (Token::Number(left), Token::Number(right)) if *left.min(right) > 2 => {
            left.max(right) <= &(4 * left.min(right))
        }
        _ => recorded == played,
    }
}

/// Lines of the kernel's log come when they come: they are left out of what commands print.
fn without_log(text: &str) -> String {
    static LOG: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^\[ *\d+\.\d+\] ").expect("a regular expression"));
    let lines = text.lines().filter(|line| !LOG.is_match(line));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// Compares what a chapter says with what came out; the first difference in words, if there is one.
pub fn difference(recorded: &str, played: &str, figures: Figures) -> Option<String> {
    let (recorded, played) = (without_log(recorded), without_log(played));
    let (left, right) = (tokens(&recorded, figures), tokens(&played, figures));
    let same = left
        .iter()
        .zip(&right)
        .take_while(|((_, left), (_, right))| matches(left, right));
    let same = same.count();
    if same == left.len() && same == right.len() {
        return None;
    }
    let line = |text: &str, tokens: &[(usize, Token)]| match tokens.get(same) {
        Some((number, _)) => text.lines().nth(*number).unwrap_or_default().trim().to_owned(),
        None => "(nothing more)".to_owned(),
    };
    Some(format!(
        "it says {:?}, what comes out is {:?}",
        line(&recorded, &left),
        line(&played, &right)
    ))
}

/// As [`difference`] for what a board says while it boots: several processors speak, so the lines may come in any order.
pub fn difference_of_boots(recorded: &str, played: &str) -> Option<String> {
    let sorted = |text: &str| {
        let unstamped = text
            .lines()
            .map(|line| line.split_once("] ").map_or(line, |(_, words)| words));
        let mut lines: Vec<&str> = unstamped.filter(|line| !line.starts_with("$ ")).collect();
        lines.sort_unstable();
        lines.join("\n")
    };
    difference(&sorted(recorded), &sorted(played), Figures::Count)
}
