//! The lines of a processor's column, and the words of a line.

use anyhow::{Context, Result};

/// When an instruction stands in a test.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Presence {
    Always,
    /// Always, and it has a name.
    Named(String),
    LeftOutBy(String),
    PutInBy(String),
}

#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) presence: Presence,
    pub(super) text: String,
}

impl Line {
    pub(super) fn parse(text: &str) -> Result<Line> {
        let tagged = |text: &str| -> Result<(String, String)> {
            let (tag, rest) = text.split_once(' ').context("a tag without an instruction")?;
            Ok((tag.to_owned(), rest.trim().to_owned()))
        };
        let (presence, text) = if let Some(rest) = text.strip_prefix('@') {
            let (tag, rest) = tagged(rest)?;
            (Presence::LeftOutBy(tag), rest)
        } else if let Some(rest) = text.strip_prefix('#') {
            let (tag, rest) = tagged(rest)?;
            (Presence::PutInBy(tag), rest)
        } else if let Some(rest) = text.strip_prefix('=') {
            let (tag, rest) = tagged(rest)?;
            (Presence::Named(tag), rest)
        } else {
            (Presence::Always, text.to_owned())
        };
        Ok(Line { presence, text })
    }

    pub(super) fn is_there(&self, sabotage: &[&str]) -> bool {
        match &self.presence {
            Presence::Always | Presence::Named(_) => true,
            Presence::LeftOutBy(tag) => !sabotage.contains(&tag.as_str()),
            Presence::PutInBy(tag) => sabotage.contains(&tag.as_str()),
        }
    }

    /// The tag of a sabotage of it.
    pub(super) fn tag(&self) -> Option<&str> {
        match &self.presence {
            Presence::Always | Presence::Named(_) => None,
            Presence::LeftOutBy(tag) | Presence::PutInBy(tag) => Some(tag),
        }
    }

    /// By which it is found in the kernel.
    pub(super) fn name(&self) -> Option<&str> {
        match &self.presence {
            Presence::Always | Presence::PutInBy(_) => None,
            Presence::LeftOutBy(tag) | Presence::Named(tag) => Some(tag),
        }
    }
}

/// The parts between commas that stand in no quotes.
pub(super) fn outside_quotes(text: &str) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    let parts = text.split(move |letter| {
        is_quoted ^= letter == '"';
        letter == ',' && !is_quoted
    });
    parts.map(str::trim)
}

/// Whether it names a processor, or the handler of its exceptions.
pub(super) fn is_column(word: &str) -> bool {
    let number = word
        .strip_prefix('P')
        .map(|rest| rest.strip_suffix(".F").unwrap_or(rest));
    number.is_some_and(|number| number.parse::<usize>().is_ok())
}

/// What an instruction is, without its registers: `DMB ISH`, `TLBI VAE1IS`, `ISB`, `STLR`.
pub(super) fn mnemonic(text: &str) -> String {
    let mut words = text.split([' ', ',']);
    let first = words.next().unwrap_or_default();
    match (first, words.next()) {
        ("DMB" | "DSB" | "TLBI", Some(second)) => format!("{first} {second}"),
        _ => first.to_owned(),
    }
}

/// The cells of a line: a label stands in one of its own.
pub(super) fn cells(text: &str) -> impl Iterator<Item = &str> {
    let (label, instruction) = match text.find(": ") {
        Some(end) => (&text[..=end], text[end + 1..].trim()),
        None => ("", text),
    };
    [label, instruction].into_iter().filter(|cell| !cell.is_empty())
}
