//! The book (`docs/book`): its chapters, what they link to ([`links`]), the [`transcripts`] in them, which are played anew ([`play`]),
//! and the folder that mdBook makes pages of ([`site`]).

pub mod links;
pub mod play;
pub mod site;
pub mod transcripts;

#[cfg(test)]
mod tests;

use crate::files;
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};

/// Where the chapters are, from the root.
pub const SOURCE: &str = "docs/book/src";

/// One chapter.
#[derive(Clone, Debug)]
pub struct Chapter {
    /// The name of its file.
    pub name: String,
    /// What stands in it.
    pub text: String,
}

impl Chapter {
    /// Its file.
    pub fn path(&self) -> PathBuf {
        source().join(&self.name)
    }
}

/// The folder of the chapters.
pub fn source() -> PathBuf {
    files::root().join(SOURCE)
}

/// All of them, the table of contents too, by name.
///
/// # Errors
/// The folder cannot be read.
pub fn chapters() -> Result<Vec<Chapter>> {
    let mut chapters = Vec::new();
    for entry in std::fs::read_dir(source())? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "md") {
            chapters.push(read(&path)?);
        }
    }
    ensure!(!chapters.is_empty(), "{SOURCE} has no chapters");
    chapters.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(chapters)
}

/// Documents beside the book that people read, by their paths from the root.
const OTHERS: [&str; 8] = [
    "README.md",
    "CONTRIBUTING.md",
    "CAVEATS.md",
    "CHANGELOG.md",
    "kernel/README.md",
    "platform/README.md",
    "userland/README.md",
    "tests/litmus/README.md",
];

/// The chapters, and what else people read.
///
/// # Errors
/// One cannot be read.
pub fn documents() -> Result<Vec<Chapter>> {
    let mut documents = chapters()?;
    for path in OTHERS {
        let name = format!("../../../{path}");
        let text = std::fs::read_to_string(files::root().join(path)).with_context(|| path.to_owned())?;
        documents.push(Chapter { name, text });
    }
    Ok(documents)
}

fn read(path: &Path) -> Result<Chapter> {
    let name = path.file_name().context("a file has a name")?;
    Ok(Chapter {
        name: name.to_string_lossy().into_owned(),
        text: std::fs::read_to_string(path).with_context(|| path.display().to_string())?,
    })
}
