//! Plays the transcripts of the book: types what they say was typed, and compares what comes out, or writes it into the chapters.

use super::transcripts::{Place, Transcript, difference, difference_of_boots, find};
use super::{Chapter, chapters};
use crate::files;
use crate::qemu::{Clock, Machine, Virt};
use crate::session::Session;
use crate::stage::Stage;
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::{Command, Stdio};

/// Which transcripts are played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those of the kernel.
    Guest,
    /// Those of this host, too: they build and test for a while.
    All,
}

/// The board of all guest transcripts but those of boots: one instruction is a nanosecond, so that a figure is one of the kernel
/// and not of this host.
const BOARD: Virt = Virt {
    gic: crate::qemu::Gic::V2,
    has_el2: false,
    memory: "256M",
    processor: "cortex-a72",
    cpus: 1,
    clock: Clock::Instructions,
};

/// What came out of one transcript.
struct Played {
    before: String,
    answers: Vec<String>,
}

/// Plays those of all chapters whose names contain `part`. Returns where what came out is not what stands there.
///
/// # Errors
/// A board does not start, or a command does not end.
pub fn compare(stage: &mut Stage, which: Which, part: &str) -> Result<Vec<String>> {
    let mut differences = Vec::new();
    for chapter in &chosen(part)? {
        for (transcript, played) in play(stage, which, chapter)? {
            let found = differences_of(&transcript, &played);
            differences.extend(found.into_iter().map(|what| format!("{}: {what}", chapter.name)));
        }
    }
    Ok(differences)
}

/// Plays the same, and writes what comes out into the chapters.
///
/// # Errors
/// As [`compare`]; or a chapter cannot be written.
pub fn write(stage: &mut Stage, which: Which, part: &str) -> Result<()> {
    for chapter in &chosen(part)? {
        let mut lines: Vec<String> = chapter.text.lines().map(str::to_owned).collect();
        let mut played = play(stage, which, chapter)?;
        played.sort_by_key(|(transcript, _)| transcript.start);
        // From the last to the first, so that the places of those before still hold.
        for (transcript, played) in played.iter().rev() {
            if differences_of(transcript, played).is_empty() {
                continue;
            }
            let text = transcript.with(&played.before, &played.answers);
            lines.splice(transcript.start..transcript.end, text.lines().map(str::to_owned));
        }
        let text = lines.join("\n") + "\n";
        if text != chapter.text {
            std::fs::write(chapter.path(), text)?;
            println!("written: {}", chapter.name);
        }
    }
    Ok(())
}

/// The chapters whose names contain `part`.
fn chosen(part: &str) -> Result<Vec<Chapter>> {
    let mut chapters = chapters()?;
    chapters.retain(|chapter| chapter.name.contains(part));
    ensure!(!chapters.is_empty(), "no chapter has {part:?} in its name");
    Ok(chapters)
}

fn differences_of(transcript: &Transcript, played: &Played) -> Vec<String> {
    let mut found = Vec::new();
    if transcript.place == Place::Boot {
        found.extend(
            difference_of_boots(&transcript.before, &played.before).map(|what| format!("booting: {what}")),
        );
    }
    let steps = transcript.steps.iter().zip(&played.answers);
    found.extend(steps.filter_map(|((command, recorded), answer)| {
        difference(recorded, answer, transcript.figures).map(|what| format!("`{command}`: {what}"))
    }));
    found
}

/// All transcripts of a chapter: those of the guest on one board, in their order.
fn play(stage: &mut Stage, which: Which, chapter: &Chapter) -> Result<Vec<(Transcript, Played)>> {
    let mut board = None;
    let mut all = Vec::new();
    for transcript in find(&chapter.text) {
        let played = match transcript.place {
            Place::Host if which == Which::Guest => continue,
            Place::Host => on_host(&transcript)?,
            Place::Boot => {
                let mut board = start(stage, Virt::default())?;
                let before = board.1;
                at_prompt(&mut board.0, &transcript, before)?
            }
            Place::Guest => {
                let session = match board.take() {
                    Some(session) => session,
                    None => start(stage, BOARD)?.0,
                };
                at_prompt(board.insert(session), &transcript, String::new())?
            }
        };
        all.push((transcript, played));
    }
    Ok(all)
}

/// A board at its first prompt, and what it said until then.
fn start(stage: &mut Stage, virt: Virt) -> Result<(Session, String)> {
    let load = stage.load();
    let mut session = stage.boot(&Machine::Virt(virt), &load)?;
    let text = session.expect_prompt()?;
    let lines = text
        .lines()
        .filter(|line| !line.starts_with("$ ") && !line.starts_with("holstein:"));
    Ok((session, lines.flat_map(|line| [line, "\n"]).collect()))
}

fn at_prompt(session: &mut Session, transcript: &Transcript, before: String) -> Result<Played> {
    let mut answers = Vec::new();
    for (command, _) in &transcript.steps {
        let answer = if command.is_empty() {
            String::new()
        } else {
            session.run(command)?
        };
        answers.push(answer);
    }
    Ok(Played { before, answers })
}

fn on_host(transcript: &Transcript) -> Result<Played> {
    let mut answers = Vec::new();
    for (command, _) in &transcript.steps {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("exec 2>&1; {command}")]);
        let output = shell
            .current_dir(Path::new(&files::root()))
            .stdin(Stdio::null())
            .output();
        let output = output.with_context(|| command.clone())?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.success(), "{command:?} failed: {text}");
        answers.push(text);
    }
    Ok(Played {
        before: String::new(),
        answers,
    })
}
