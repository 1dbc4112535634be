//! `release bill VERSION TREE CARD RUST` prints the bill of materials of a release, `release notes VERSION` its notes. TREE and CARD are files; the rest is in
//! `tests/src/release.rs`. `.ci/release` calls it.

use anyhow::{Context, Result, bail};
use std::fs::read_to_string;
use std::process::ExitCode;
use tests::{files, release};

fn run() -> Result<String> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let text = |path: &str| read_to_string(path).with_context(|| path.to_owned());
    let own = |name: &str| read_to_string(files::root().join(name)).with_context(|| name.to_owned());
    match words[..] {
        ["bill", version, tree, card, rust] => {
            let bill = release::bill(version, &text(tree)?, &own("Cargo.lock")?, &text(card)?, rust)?;
            Ok(serde_json::to_string_pretty(&bill)? + "\n")
        }
        ["notes", version] => release::notes(&own("CHANGELOG.md")?, version),
        _ => bail!("bill VERSION TREE CARD RUST, or notes VERSION"),
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("release: {error:#}");
            ExitCode::FAILURE
        }
    }
}
