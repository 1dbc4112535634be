//! Instructions of the finished kernel that QEMU does not need, and no work of the tests misses: a list says what each is for, and they are
//! looked for by name. That shows that they stand there, not that they do what they are for.

use crate::mutations;
use crate::sites::Site;
use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};

const LIST: &str = include_str!("kept.txt");

/// So many of an instruction in a function.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    /// `folder/file::name`, or a symbol of assembly.
    pub place: String,
    /// As it is written.
    pub instruction: String,
    /// On how many lines.
    pub count: usize,
    /// What for.
    pub reason: String,
}

/// The list: below each reason, which begins with `# `, lines of a place, `count *` where it is more than one, and the instruction.
///
/// # Errors
/// A line is wrong.
pub fn list() -> Result<Vec<Kept>> {
    let mut reason = String::new();
    let mut kept = Vec::new();
    for line in LIST.lines().filter(|line| !line.is_empty()) {
        if let Some(text) = line.strip_prefix("# ") {
            text.clone_into(&mut reason);
            continue;
        }
        let (place, instruction) = line.split_once(' ').with_context(|| line.to_owned())?;
        let (count, instruction) = match instruction.split_once(" * ") {
            Some((count, instruction)) => (count.parse()?, instruction),
            None => (1, instruction),
        };
        kept.push(Kept {
            place: place.to_owned(),
            instruction: instruction.to_owned(),
            count,
            reason: reason.clone(),
        });
    }
    Ok(kept)
}

/// How many lines of each function have each instruction.
fn counts(sites: &[Site]) -> BTreeMap<(&str, String), usize> {
    let mut numbers: BTreeMap<(&str, String), BTreeSet<usize>> = BTreeMap::new();
    for site in sites {
        let key = (site.place.as_str(), mutations::name(site));
        numbers.entry(key).or_default().insert(site.number);
    }
    numbers
        .into_iter()
        .map(|(key, numbers)| (key, numbers.len()))
        .collect()
}

/// Those of the list that the kernel has not, a line each.
pub fn missing(list: &[Kept], sites: &[Site]) -> Vec<String> {
    let counts = counts(sites);
    let missing = list.iter().filter_map(|kept| {
        let found = counts.get(&(kept.place.as_str(), kept.instruction.clone()));
        let found = found.copied().unwrap_or(0);
        (found < kept.count).then(|| {
            format!(
                "{} has {found} {} where {} are needed: {}",
                kept.place, kept.instruction, kept.count, kept.reason
            )
        })
    });
    missing.collect()
}

/// Why the kernel without one of these instructions of a function is noticed, if all of them are needed.
pub fn misses<'a>(list: &'a [Kept], sites: &[Site], site: &Site) -> Option<&'a str> {
    let name = mutations::name(site);
    let count = *counts(sites).get(&(site.place.as_str(), name.clone()))?;
    let kept = list
        .iter()
        .find(|kept| kept.place == site.place && kept.instruction == name)?;
    (kept.count >= count).then_some(kept.reason.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sites::Kind;
    use checker::instruction;

    fn sites(numbers: &[usize]) -> Vec<Site> {
        const ISB: u32 = 0xd503_3fdf;
        let operation = instruction::decode(ISB).expect("ISB is followed");
        let site = |&number| Site {
            address: 0,
            word: ISB,
            kind: Kind::Followed(operation),
            place: "here".to_owned(),
            line: 0,
            number,
        };
        numbers.iter().map(site).collect()
    }

    #[test]
    fn one_that_is_gone_is_named() {
        let list = [Kept {
            place: "here".to_owned(),
            instruction: "ISB".to_owned(),
            count: 2,
            reason: "two are needed".to_owned(),
        }];
        assert!(missing(&list, &sites(&[1, 1, 2])).is_empty());
        let wrong = missing(&list, &sites(&[1, 1]));
        assert_eq!(wrong, ["here has 1 ISB where 2 are needed: two are needed"]);
        let both = sites(&[1, 2]);
        assert_eq!(misses(&list, &both, &both[0]), Some("two are needed"));
        let three = sites(&[1, 2, 3]);
        assert_eq!(misses(&list, &three, &three[0]), None);
    }

    #[test]
    fn the_list_can_be_read() {
        let list = list().expect("each line has a place and an instruction");
        assert!(list.iter().all(|kept| !kept.reason.is_empty() && kept.count > 0));
    }
}
