//! What the boards of many scenes were watched for, all together, and which scenes have passed: a long watch that was interrupted
//! goes on where it was.

use anyhow::{Context, Result};
use std::fmt::{self, Display, Formatter};
use std::io::Write;
use std::path::PathBuf;

/// How much the checker has looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Boards that were watched.
    boards: u64,
    /// Those of them that turned themselves off, so that their log ends with counts.
    ended: u64,
    /// Each count by its name, in the order of the log.
    counts: Vec<(String, u64)>,
}

impl Tally {
    /// One board, by its log.
    pub fn of_log(log: &str) -> Tally {
        let line = log.lines().find_map(|line| line.strip_prefix("watched: "));
        Tally {
            boards: 1,
            ended: u64::from(line.is_some()),
            counts: line.map(counts).unwrap_or_default(),
        }
    }

    /// From what [`Display`] has written.
    fn parse(text: &str) -> Option<Tally> {
        let (boards, text) = text.split_once(" boards, ")?;
        let (ended, text) = text.split_once(" to their end: ")?;
        Some(Tally {
            boards: boards.parse().ok()?,
            ended: ended.parse().ok()?,
            counts: counts(text),
        })
    }

    /// Both together.
    pub fn add(&mut self, other: &Tally) {
        self.boards += other.boards;
        self.ended += other.ended;
        for (name, count) in &other.counts {
            match self.counts.iter_mut().find(|(known, _)| known == name) {
                Some((_, sum)) => *sum += count,
                None => self.counts.push((name.clone(), *count)),
            }
        }
    }
}

/// Names with a number behind each, however they are put together: `stores 3, user accesses 5 (compared 2)`.
fn counts(text: &str) -> Vec<(String, u64)> {
    let parts = text.split([',', '(', ')']).map(str::trim);
    parts
        .filter_map(|part| {
            let (name, count) = part.rsplit_once(' ')?;
            Some((name.to_owned(), count.parse().ok()?))
        })
        .collect()
}

impl Display for Tally {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        write!(to, "{} boards, {} to their end: ", self.boards, self.ended)?;
        let mut separator = "";
        for (name, count) in &self.counts {
            write!(to, "{separator}{name} {count}")?;
            separator = ", ";
        }
        Ok(())
    }
}

/// The scenes that have passed, in a file: a name and its tally on each line.
#[derive(Debug)]
pub struct Progress {
    file: PathBuf,
    passed: Vec<(String, Tally)>,
}

impl Progress {
    /// What stands in the file; nothing if there is none yet.
    ///
    /// # Errors
    /// It cannot be read, or is none of these.
    pub fn read(file: PathBuf) -> Result<Progress> {
        let text = if file.exists() {
            std::fs::read_to_string(&file).with_context(|| file.display().to_string())?
        } else {
            String::new()
        };
        let lines = text.lines().map(|line| {
            let (name, tally) = line.split_once(' ')?;
            Some((name.to_owned(), Tally::parse(tally)?))
        });
        let passed: Option<Vec<_>> = lines.collect();
        let passed = passed.with_context(|| format!("{} is no list of scenes", file.display()))?;
        Ok(Progress { file, passed })
    }

    /// Whether this scene has passed before.
    pub fn has(&self, name: &str) -> bool {
        self.passed.iter().any(|(passed, _)| passed == name)
    }

    /// All of them together.
    pub fn tally(&self) -> Tally {
        let mut sum = Tally::default();
        self.passed.iter().for_each(|(_, tally)| sum.add(tally));
        sum
    }

    /// A scene has passed.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn note(&mut self, name: &str, tally: Tally) -> Result<()> {
        let mut file = std::fs::File::options()
            .create(true)
            .append(true)
            .open(&self.file)?;
        writeln!(file, "{name} {tally}")?;
        self.passed.push((name.to_owned(), tally));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "VIOLATION of none\nwatched: stores 3, to tables 4, user accesses 5 (compared 2), in flight 0\nverdict\n";

    #[test]
    fn counts_are_added_up() {
        let mut sum = Tally::of_log(LOG);
        sum.add(&Tally::of_log("a board that was pulled out"));
        sum.add(&Tally::of_log(LOG));
        assert_eq!(
            sum.to_string(),
            "3 boards, 2 to their end: stores 6, to tables 8, user accesses 10, compared 4, in flight 0"
        );
        assert_eq!(Tally::parse(&sum.to_string()), Some(sum));
    }

    #[test]
    fn an_interrupted_watch_goes_on() {
        let file = std::env::temp_dir().join(format!("holstein-progress-{}", std::process::id()));
        let mut first = Progress::read(file.clone()).expect("nothing yet");
        first.note("storm.forks", Tally::of_log(LOG)).expect("noted");
        first.note("storm.one_asid", Tally::of_log(LOG)).expect("noted");
        let second = Progress::read(file.clone()).expect("a list");
        assert!(second.has("storm.forks") && !second.has("storm.fork"));
        assert_eq!(second.tally(), first.tally());
        std::fs::write(&file, "something else\n").expect("written");
        assert!(Progress::read(file.clone()).is_err());
        std::fs::remove_file(file).expect("removed");
    }
}
