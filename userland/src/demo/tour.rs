//! `cow tour`: the questions in their order, with a stop after each for who sits at a terminal.

use alloc::string::String;

use super::story::Story;
use super::{QUESTIONS, number, tell};
use crate::runtime::{file, output, terminal};

/// Asks question after question; who answers says which is the next.
pub(super) fn lead(story: &mut Story) {
    let mut at = 0;
    while let Some(question) = QUESTIONS.get(at) {
        tell(question, story);
        match choose(at + 1) {
            Some(chosen) => at = chosen,
            None => break,
        }
    }
}

/// The place of the question that comes now: `next`, or which the terminal's reader names; none if that is the end.
fn choose(next: usize) -> Option<usize> {
    if !terminal::is_terminal(0) {
        return Some(next);
    }
    loop {
        match QUESTIONS.get(next) {
            Some(question) => println!("\nnext: Q{}: {}", question.number, question.text),
            None => println!("\nThat was the last question."),
        }
        print!("Enter: next; a number: that question; q: leave ");
        let line = line()?;
        match line.trim() {
            "" => return Some(next),
            "q" => return None,
            name => match number(name)
                .and_then(|wanted| QUESTIONS.iter().position(|question| question.number == wanted))
            {
                Some(chosen) => return Some(chosen),
                None => println!("{name}: there are questions 1 to {}", QUESTIONS.len()),
            },
        }
    }
}

/// What is typed; nothing at the end of the input.
fn line() -> Option<String> {
    let _ = output::flush();
    let mut bytes = [0; 80];
    let length = file::read(0, &mut bytes).ok()?;
    let line = bytes.get(..length).filter(|line| !line.is_empty())?;
    Some(String::from_utf8_lossy(line).into_owned())
}
