//! The words that orders speak of: where named accesses of several processors meet, the order says what the kernel calls the word, and
//! each of the functions that access it must name it, itself or in what the named line calls. That the accesses of one name are of one
//! word is Rust's to say: a field or a static has one place.

use crate::files;
use anyhow::{Context, Result};
use litmus::order::{Order, Touch};
use regex::Regex;
use std::path::PathBuf;

/// Words of which an order does not say what they are, or which a function does not name, a line each; and how many it says that of.
///
/// # Errors
/// A source cannot be read.
pub fn wrong(orders: &[Order]) -> Result<(Vec<String>, usize)> {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for order in orders {
        for word in order.touched() {
            if word.names.is_empty() {
                if word.is_shared() {
                    wrong.push(format!("order {} says not what {} is", order.name, word.location));
                }
                continue;
            }
            count += 1;
            for touch in &word.touches {
                if !is_named(touch, word.names)? {
                    let (order, place, names) = (&order.name, touch.place, word.names);
                    wrong.push(format!("order {order}: {place} names none of {names:?}"));
                }
            }
        }
    }
    Ok((wrong, count))
}

/// Whether the function of an access, or one that its line calls, names the word; those of libraries and of assembly are taken for it.
fn is_named(touch: &Touch, names: &[String]) -> Result<bool> {
    let Some((file, function)) = source(touch.place) else {
        return Ok(true);
    };
    let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let name = |text: &str| {
        let words = text.split(|letter: char| !(letter.is_alphanumeric() || letter == '_'));
        words
            .into_iter()
            .any(|word| names.iter().any(|name| name == word))
    };
    if bodies(&text, function)?.iter().any(|body| name(body)) {
        return Ok(true);
    }
    let called = Regex::new(r"(\w+)\(")?;
    let called = touch.text.and_then(|text| called.captures_iter(text).last());
    match called {
        Some(called) => Ok(bodies(&text, &called[1])?.iter().any(|body| name(body))),
        None => Ok(false),
    }
}

/// The file of `mm/fork::fork`, and the function.
fn source(place: &str) -> Option<(PathBuf, &str)> {
    let (file, function) = place.split_once("::")?;
    let (folder, rest) = file.split_once('/')?;
    let files = ["kernel/", ""].map(|above| files::root().join(format!("{above}{folder}/src/{rest}.rs")));
    let file = files.into_iter().find(|file| file.is_file())?;
    Some((file, function))
}

/// The functions of that name in a source.
fn bodies(text: &str, function: &str) -> Result<Vec<String>> {
    let begins = Regex::new(&format!(r"^( *).*\bfn {function}\b"))?;
    let mut lines = text.lines();
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        if let Some(begin) = begins.captures(line) {
            let end = format!("{}}}", &begin[1]);
            let body = lines.by_ref().take_while(|line| *line != end);
            found.push(body.fold(line.to_owned(), |body, line| body + "\n" + line));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use litmus::order;

    #[test]
    fn words_have_their_names() -> Result<()> {
        let (wrong, count) = wrong(&crate::barriers::orders()?)?;
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert!(count > 20, "{count} words have a name");
        Ok(())
    }

    #[test]
    fn a_word_of_another_name_is_noticed() -> Result<()> {
        let of = |line: &str| {
            let text = format!(
                "order a\n  must: b\n  init: 0:X0=x; 1:X0=x\n  P0:\n    =s STR W1,[X0]\n  P1:\n    =l LDR W1,[X0]\n  never: ([x]=1)\n  \
                 code s: sched/scheduler/notify::stop_others at \"stop::STOP.store(\"\n  \
                 code l: sched/scheduler/stop::wait_while_stopped at \"STOP.load(\"\n{line}"
            );
            Ok::<_, anyhow::Error>(wrong(&order::parse(&text)?)?.0.len())
        };
        assert_eq!(of("  word x: STOP\n")?, 0);
        assert_eq!(of("  word x: LAST\n")?, 2);
        assert_eq!(of("")?, 1);
        Ok(())
    }
}
