//! Links and commands of documents: each leads somewhere.

use super::{Chapter, documents};
use crate::files;
use anyhow::Result;
use regex::Regex;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

static LINK: LazyLock<Regex> = LazyLock::new(|| compiled(r"\]\(([^)\s]+)\)"));
/// The page of `make web`, which stands beside the chapters in the finished book.
pub const PLAYGROUND: &str = "playground.html";

/// The picture of `make trace WHAT=fork`, which `make book` draws beside them.
const TIMELINE: &str = "trace.svg";

fn compiled(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a regular expression")
}

/// Where a link leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// To somebody else's page.
    Web,
    /// To a heading of a chapter.
    Heading(PathBuf, String),
    /// To the playground, with this behind the `#`.
    Playground(String),
    /// To the timeline of a fork.
    Timeline,
    /// To a file of the repository, and to what is defined there.
    File(PathBuf, Option<String>),
}

/// What a link of a chapter means.
pub fn target(chapter: &Chapter, link: &str) -> Target {
    if link.starts_with("https://") {
        return Target::Web;
    }
    let (path, part) = link.split_once('#').unwrap_or((link, ""));
    if path == PLAYGROUND {
        return Target::Playground(part.to_owned());
    }
    if link == TIMELINE {
        return Target::Timeline;
    }
    let file = match path {
        "" => chapter.path(),
        _ => chapter.path().with_file_name(path),
    };
    let is_chapter = !path.contains('/') && file.extension().is_some_and(|ending| ending == "md");
    if is_chapter {
        return Target::Heading(file, part.to_owned());
    }
    Target::File(file, (!part.is_empty()).then(|| part.to_owned()))
}

/// The links of a text, and where each stands.
pub fn of(text: &str) -> impl Iterator<Item = &str> {
    LINK.captures_iter(text)
        .map(|found| found.get(1).expect("a group").as_str())
}

/// The links of a chapter that lead nowhere.
pub fn broken(chapter: &Chapter) -> Vec<String> {
    let lost = of(&chapter.text).filter_map(|link| {
        let reason = why_broken(&target(chapter, link))?;
        Some(format!("{}: {link}: {reason}", chapter.name))
    });
    lost.collect()
}

fn why_broken(target: &Target) -> Option<String> {
    match target {
        Target::Web | Target::Timeline => None,
        Target::Playground(part) => {
            let tours =
                std::fs::read_to_string(files::root().join("docs/playground/tours.js")).unwrap_or_default();
            let number = part.strip_prefix("q=").unwrap_or_default();
            let is_there = part.is_empty() || tours.contains(&format!("number: {number},"));
            (!is_there).then(|| "no such tour".to_owned())
        }
        Target::Heading(file, part) => {
            let Ok(text) = std::fs::read_to_string(file) else {
                return Some("no such chapter".to_owned());
            };
            let is_there = part.is_empty() || text.lines().filter_map(anchor).any(|found| found == *part);
            (!is_there).then(|| "no such heading".to_owned())
        }
        Target::File(file, None) => (!file.exists()).then(|| "no such file".to_owned()),
        Target::File(file, Some(name)) => line_of(file, name).err(),
    }
}

/// What mdBook calls the heading of this line.
fn anchor(line: &str) -> Option<String> {
    let words = line.strip_prefix('#')?.trim_start_matches('#').trim();
    let letters = words.chars().filter_map(|letter| match letter {
        ' ' => Some('-'),
        '-' | '_' => Some(letter),
        _ if letter.is_alphanumeric() => Some(letter.to_ascii_lowercase()),
        _ => None,
    });
    Some(letters.collect())
}

/// The line, counted from 1, on which a file defines this: `name`, `Type::name`, or a label of an assembly file.
///
/// # Errors
/// It does not, or more than once.
pub fn line_of(file: &Path, name: &str) -> Result<usize, String> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    let (owner, last) = name
        .rsplit_once("::")
        .map_or((None, name), |(owner, last)| (Some(owner), last));
    let kinds = "fn|struct|enum|trait|type|const|static|union|mod|macro_rules!";
    let definition = compiled(&format!(
        r"^\s*(?:pub(?:\([^)]*\))? )?(?:const )?(?:{kinds}) {last}\b|^{last}:|^## {last}$"
    ));
    let block = owner.map(|owner| compiled(&format!(r"^(?:impl|pub trait|trait)\b.*\b{owner}\b")));
    let mut is_inside = block.is_none();
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if let Some(block) = &block {
            is_inside |= block.is_match(line);
            is_inside &= line != "}";
        }
        if is_inside && definition.is_match(line) {
            found.push(index + 1);
        }
    }
    if owner.is_none() && found.len() > 1 {
        // What is no method is meant.
        let lines: Vec<&str> = text.lines().collect();
        found.retain(|line| !lines[line - 1].starts_with(' '));
    }
    match found[..] {
        [line] => Ok(line),
        [] => Err(format!("defines no {name}")),
        _ => Err(format!("defines {name} {} times", found.len())),
    }
}

/// Verbs of make, scripts and crates that documents name in code, and that do not exist.
///
/// # Errors
/// A document cannot be read.
pub fn unknown_commands() -> Result<Vec<String>> {
    let root = files::root();
    let read = |name: &str| std::fs::read_to_string(root.join(name));
    let (makefile, workspace) = (read("Makefile")?, read("Cargo.toml")?);
    let verb = compiled(r"\bmake ([a-z][a-z-]*)\b");
    let script = compiled(r"(?:^|[ `])\.ci/([a-z-]+)");
    let package = compiled(r"\bcargo [^`]*?-p ([a-z0-9_]+)");
    let mut broken = Vec::new();
    for document in &documents()? {
        let mut note = |what: &str| broken.push(format!("{}: {what}", document.name));
        for code in code_of(&document.text) {
            for found in verb.captures_iter(code) {
                if !makefile.contains(&format!("\n{}:", &found[1])) {
                    note(&format!("make {}", &found[1]));
                }
            }
            for found in script.captures_iter(code) {
                if !root.join(".ci").join(&found[1]).exists() {
                    note(&format!(".ci/{}", &found[1]));
                }
            }
            for found in package.captures_iter(code) {
                if !workspace.contains(&format!("/{}\"", &found[1]))
                    && !workspace.contains(&format!("\"{}\"", &found[1]))
                {
                    note(&format!("-p {}", &found[1]));
                }
            }
        }
    }
    Ok(broken)
}

/// What of a text is code: blocks by their lines, and what stands in backquotes.
fn code_of(text: &str) -> Vec<&str> {
    let mut code = Vec::new();
    let (mut is_block, mut is_transcript) = (false, false);
    for line in text.lines() {
        if line.starts_with("```") {
            is_block = !is_block;
            is_transcript = line.starts_with("```console");
        } else if is_block && is_transcript && !line.starts_with("$ ") {
            // What came out.
        } else if is_block {
            code.push(line.split(" # ").next().unwrap_or(line));
        } else {
            code.extend(line.split('`').skip(1).step_by(2));
        }
    }
    code
}

#[test]
fn a_link_that_leads_nowhere_is_noticed() {
    let chapter = |text: &str| Chapter {
        name: "SUMMARY.md".to_owned(),
        text: text.to_owned(),
    };
    let bad = "[a](gone.md) [b](#no-such) [c](../../../gone.rs) [d](playground.html#q=99) [e](../../../kernel/mm/src/fork.rs#gone)";
    assert_eq!(broken(&chapter(bad)).len(), 5);
    let good = "# A b\n[a](https://x.org/) [c](../../../README.md) [d](playground.html#q=2) [e](../../../kernel/mm/src/fork.rs#AddressSpace::fork)";
    assert_eq!(broken(&chapter(good)), [""; 0]);
    assert_eq!(
        anchor("## What `fork` does, in 2 steps"),
        Some("what-fork-does-in-2-steps".to_owned())
    );
    assert_eq!(code_of("a `b` c\n```\nmake d # e\n```\n"), ["b", "make d"]);
}
