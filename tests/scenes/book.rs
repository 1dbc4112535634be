//! The book: what its transcripts say comes out.

use anyhow::{Result, ensure};
use tests::book::play::{Which, compare};
use tests::{Scene, Stage};

pub const SCENES: &[Scene] = &[Scene::holstein("book.transcripts", transcripts)];

/// Those of the kernel; `make book` plays those of the host, too.
fn transcripts(stage: &mut Stage) -> Result<()> {
    let differences = compare(stage, Which::Guest, "")?;
    let advice = "if that is right, `make book RECORD=1` writes it into the chapters";
    ensure!(differences.is_empty(), "{}\n{advice}", differences.join("\n"));
    Ok(())
}
