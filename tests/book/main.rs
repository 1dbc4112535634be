//! Makes the book: `book site FOLDER` writes what mdBook makes pages of; `book compare [TEXT]` plays the transcripts of the chapters
//! whose names contain TEXT and fails if one comes out differently; `book record [TEXT]` writes what comes out into them.

use anyhow::{Result, bail};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use tests::book::{play, site};
use tests::{Kernel, Stage, files};

/// The longest that all transcripts may take: those of the host build tests first.
const LIMIT: Duration = Duration::from_secs(1800);

fn run() -> Result<bool> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let stage = || {
        Stage::alone(
            "book",
            Kernel::Holstein(files::built().join("kernel8.img")),
            LIMIT,
        )
    };
    let part = |words: &[&str]| words.first().copied().unwrap_or_default().to_owned();
    match &words[..] {
        ["site", folder] => site::write(Path::new(folder))?,
        ["record", rest @ ..] => play::write(&mut stage()?, play::Which::All, &part(rest))?,
        ["compare", rest @ ..] => {
            let differences = play::compare(&mut stage()?, play::Which::All, &part(rest))?;
            differences.iter().for_each(|what| eprintln!("{what}"));
            return Ok(differences.is_empty());
        }
        _ => bail!("site FOLDER, compare [TEXT] or record [TEXT]"),
    }
    Ok(true)
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("book: if what comes out is right, `make book RECORD=1` writes it into the chapters");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("book: {error:#}");
            ExitCode::FAILURE
        }
    }
}
