//! The orders that the kernel relies on, as `orders/*.orders` write them down: what must hold, what each processor does, which
//! outcome must never come, and what leaving one instruction out does to that.

mod bare;
mod line;
mod words;

use crate::execution::Answer;
use anyhow::{Context, Result, bail, ensure};
pub use bare::plain;
use line::{Line, cells, is_column, mnemonic, outside_quotes};
use std::fmt::Write;
use std::path::Path;
pub use words::{Touch, Word};

/// An order, with the sabotages of it.
#[derive(Clone, Default, Debug)]
pub struct Order {
    /// Its name.
    pub name: String,
    /// What must hold, in a sentence.
    pub must: String,
    variant: String,
    users: String,
    initial: Vec<String>,
    /// The columns: processors, and handlers of their exceptions (`P0.F`).
    processors: Vec<(String, Vec<Line>)>,
    condition: String,
    /// Where its instructions stand in the kernel.
    pub code: Vec<Anchor>,
    /// Where its loads and stores stand in the kernel's source.
    pub accesses: Vec<Access>,
    /// Pairs of tags of which the second one need not follow the first in the kernel, and why the order holds all the same.
    pub apart: Vec<(String, String, String)>,
    /// What the kernel's source calls a location.
    words: Vec<(String, Vec<String>)>,
    /// Why what no `code` line names may order something too.
    pub unnamed: Option<String>,
    /// Why it may rest on what a load's value goes into.
    pub depends: Option<String>,
    /// What is expected without any sabotage, and with each.
    pub expected: Vec<(Option<String>, Answer)>,
}

/// An instruction of an order, and a function of the kernel that must have it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Anchor {
    /// The tag of the instruction.
    pub tag: String,
    /// What stands in the kernel: as in the order, or another form that does as much (`as DSB SY`).
    pub instruction: String,
    /// The function, as `folder/file::name` without `kernel` and `src`; the symbol, of assembly; of libraries `alloc/sync`,
    /// `spin/once`, `spin/mutex`.
    pub place: String,
    /// On how many lines of it, at least, the instruction stands.
    pub lines: usize,
    /// Whether what was inlined into it does not count.
    pub is_itself: bool,
}

/// A load or store of an order, and the line of the kernel's source that asks for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Access {
    /// The tag of the instruction.
    pub tag: String,
    /// Whether it loads, or else stores.
    pub is_load: bool,
    /// The function, as in [`Anchor`].
    pub place: String,
    /// What the line has.
    pub text: String,
}

fn answer(word: &str) -> Option<Answer> {
    match word {
        "never" => Some(Answer::Never),
        "sometimes" => Some(Answer::Sometimes),
        "always" => Some(Answer::Always),
        _ => None,
    }
}

/// Reads a file of orders.
///
/// # Errors
/// What is not understood, with its line.
pub fn parse(text: &str) -> Result<Vec<Order>> {
    let mut orders: Vec<Order> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let content = line.trim();
        if content.is_empty() || line.starts_with('#') {
            continue;
        }
        let read = match line.strip_prefix("order ") {
            Some(name) => {
                let name = name.trim().to_owned();
                orders.push(Order {
                    name,
                    ..Order::default()
                });
                Ok(())
            }
            None => orders
                .last_mut()
                .context("a line of no order")
                .and_then(|order| order.take(line, content)),
        };
        read.with_context(|| format!("line {}: {line}", number + 1))?;
    }
    for order in &orders {
        order.check().with_context(|| order.name.clone())?;
    }
    Ok(orders)
}

/// Reads all files of orders in a folder.
///
/// # Errors
/// As [`parse`], with the file.
pub fn read_all(folder: &Path) -> Result<Vec<Order>> {
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut files = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    files.sort();
    let mut all = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file)?;
        all.extend(parse(&text).with_context(|| file.display().to_string())?);
    }
    Ok(all)
}

impl Order {
    fn take(&mut self, line: &str, content: &str) -> Result<()> {
        if line.starts_with("    ") {
            let processor = self.processors.last_mut().context("an instruction of nobody")?;
            processor.1.push(Line::parse(content)?);
            return Ok(());
        }
        let (word, rest) = content.split_once(':').context("no word with a colon")?;
        let rest = rest.trim();
        match word {
            "must" => self.must = rest.to_owned(),
            "variant" => self.variant = rest.to_owned(),
            "el0" => self.users = rest.to_owned(),
            "unnamed" => self.unnamed = Some(rest.to_owned()),
            "depends" => self.depends = Some(rest.to_owned()),
            "init" => self.initial = rest.split(';').map(|one| one.trim().to_owned()).collect(),
            _ if is_column(word) => self.processors.push((word.to_owned(), Vec::new())),
            _ => {
                if let Some(tag) = word.strip_prefix("code ") {
                    self.take_code(tag.trim(), rest)?;
                } else if let Some(location) = word.strip_prefix("word ") {
                    let names = rest.split(',').map(|name| name.trim().to_owned()).collect();
                    self.words.push((location.trim().to_owned(), names));
                } else if let Some(tags) = word.strip_prefix("apart ") {
                    self.take_apart(tags, rest)?;
                } else if let Some(tag) = word.strip_prefix("without ") {
                    let expected = answer(rest).with_context(|| format!("no answer: {rest}"))?;
                    self.expected.push((Some(tag.to_owned()), expected));
                } else if let Some(expected) = answer(word) {
                    self.condition = rest.to_owned();
                    self.expected.push((None, expected));
                } else {
                    bail!("unknown word: {word}");
                }
            }
        }
        Ok(())
    }

    /// Takes what stands behind `code TAG:`, `PLACE, PLACE as INSTRUCTION, PLACE at "TEXT", ...`.
    fn take_code(&mut self, tag: &str, places: &str) -> Result<()> {
        let lines = self.processors.iter().flat_map(|(_, lines)| lines);
        let mut tagged = lines.filter(|line| line.name() == Some(tag));
        let line = tagged
            .next()
            .with_context(|| format!("no instruction above has the tag {tag}"))?;
        let own = mnemonic(&line.text);
        for place in outside_quotes(places) {
            if let Some((place, text)) = place.split_once(" at ") {
                let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
                self.accesses.push(Access {
                    tag: tag.to_owned(),
                    is_load: own.starts_with("LD"),
                    place: place.to_owned(),
                    text: text.context("no text in quotes behind at")?.to_owned(),
                });
                continue;
            }
            let (place, instruction) = place.split_once(" as ").unwrap_or((place, &own));
            let (place, is_itself) = place
                .strip_suffix(" itself")
                .map_or((place, false), |place| (place, true));
            let (place, lines) = place
                .strip_suffix(" twice")
                .map_or((place, 1), |place| (place, 2));
            self.code.push(Anchor {
                tag: tag.to_owned(),
                instruction: instruction.to_owned(),
                place: place.to_owned(),
                lines,
                is_itself,
            });
        }
        Ok(())
    }

    /// Takes `apart TAG TAG: REASON`.
    fn take_apart(&mut self, tags: &str, reason: &str) -> Result<()> {
        let (first, then) = tags.trim().split_once(' ').context("two tags are apart")?;
        ensure!(!reason.is_empty(), "no reason why they may be apart");
        self.apart
            .push((first.to_owned(), then.to_owned(), reason.to_owned()));
        Ok(())
    }

    /// Whether it is whole: it says what must hold and what must not come, and each tag is one that some line has and uses.
    fn check(&self) -> Result<()> {
        ensure!(
            !self.must.is_empty() && !self.condition.is_empty(),
            "says not what must hold, or what must never come"
        );
        ensure!(!self.processors.is_empty(), "has no processors");
        let lines = self.processors.iter().flat_map(|(_, lines)| lines);
        let tags: Vec<&str> = lines.filter_map(Line::tag).collect();
        for sabotage in self.expected.iter().filter_map(|(sabotage, _)| sabotage.as_ref()) {
            for part in sabotage.split('-') {
                ensure!(tags.contains(&part), "no line has the tag {part}");
            }
        }
        for tag in tags {
            let is_used = |sabotage: &Option<String>| {
                sabotage
                    .as_ref()
                    .is_some_and(|all| all.split('-').any(|one| one == tag))
            };
            ensure!(
                self.expected.iter().any(|(sabotage, _)| is_used(sabotage)),
                "nothing is said of the tag {tag}"
            );
        }
        Ok(())
    }

    /// Whether what must never come can come when the instruction of that tag alone is left out.
    pub fn needs(&self, tag: &str) -> bool {
        let is_it = |sabotage: &Option<String>| sabotage.as_deref() == Some(tag);
        self.expected
            .iter()
            .any(|(sabotage, answer)| is_it(sabotage) && *answer != Answer::Never)
    }

    /// Tags of instructions that follow each other on a processor, both of which are named in the kernel.
    pub fn pairs(&self) -> Vec<(&str, &str)> {
        let code = self.code.iter().map(|anchor| anchor.tag.as_str());
        let named: Vec<&str> = code
            .chain(self.accesses.iter().map(|access| access.tag.as_str()))
            .collect();
        let mut pairs = Vec::new();
        for (_, lines) in &self.processors {
            let tags: Vec<&str> = lines
                .iter()
                .filter_map(Line::name)
                .filter(|tag| named.contains(tag))
                .collect();
            pairs.extend(tags.windows(2).map(|pair| (pair[0], pair[1])));
        }
        pairs
    }

    /// The name of one of its tests.
    pub fn name_of(&self, sabotage: Option<&str>) -> String {
        match sabotage {
            None => self.name.clone(),
            Some(sabotage) => format!("{}+no-{sabotage}", self.name),
        }
    }

    /// One of its tests as herd7 reads it.
    pub fn litmus(&self, sabotage: Option<&str>) -> String {
        let tags: Vec<&str> = sabotage.into_iter().flat_map(|all| all.split('-')).collect();
        let columns: Vec<Vec<&str>> = self
            .processors
            .iter()
            .map(|(_, lines)| {
                let there = lines.iter().filter(|line| line.is_there(&tags));
                there.flat_map(|line| cells(&line.text)).collect()
            })
            .collect();
        let widths: Vec<usize> = columns
            .iter()
            .map(|column| column.iter().map(|cell| cell.len()).max().unwrap_or(0).max(2))
            .collect();
        let mut text = format!("AArch64 {}\n(* {} *)\n", self.name_of(sabotage), self.must);
        for (word, value) in [("Variant", &self.variant), ("EL0", &self.users)] {
            if !value.is_empty() {
                let _ = writeln!(text, "{word}={value}");
            }
        }
        text.push_str("{\n");
        for one in self.initial.iter().filter(|one| !one.is_empty()) {
            // A plain name needs its type.
            let kind =
                if one.starts_with(|first: char| first.is_ascii_lowercase()) && !one.contains([' ', ':']) {
                    "int "
                } else {
                    ""
                };
            let _ = writeln!(text, " {kind}{one};");
        }
        text.push_str("}\n");
        let row = |cells: &mut dyn Iterator<Item = &str>| {
            let padded: Vec<String> = cells
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            format!(" {} ;\n", padded.join(" | "))
        };
        text.push_str(&row(&mut self.processors.iter().map(|(name, _)| name.as_str())));
        let length = columns.iter().map(Vec::len).max().unwrap_or(0);
        for line in 0..length {
            text.push_str(&row(&mut columns
                .iter()
                .map(|column| column.get(line).copied().unwrap_or(""))));
        }
        let _ = writeln!(text, "exists {}", self.condition);
        text
    }
}
