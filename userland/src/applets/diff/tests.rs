//! Files made by chance, compared by ours and by the host's diff; patches are applied by the host's patch.

use super::{Likeness, differences};
use crate::regex::Chance;
use std::path::PathBuf;
use std::process::Command;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("holstein-diff-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Folder(path)
    }

    fn write(&self, name: &str, text: &[u8]) {
        std::fs::write(self.0.join(name), text).expect("a file");
    }

    /// What a program of the host prints here; `None` if it is not there.
    fn run(&self, program: &str, arguments: &[&str]) -> Option<Vec<u8>> {
        let output = Command::new(program)
            .args(arguments)
            .current_dir(&self.0)
            .output();
        output.ok().map(|output| output.stdout)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays in the folder for temporary files harms nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Two texts. With `are_unique` no line comes twice, so that there is one shortest answer only.
fn texts(chance: &mut Chance, are_unique: bool) -> (String, String) {
    let lines = chance.below(40);
    let line = |chance: &mut Chance, number: usize| match are_unique {
        true => format!("line {number}\n"),
        false => chance
            .of(&["a\n", "b\n", "c\n", "\n", "  a\n", "d d\n"])
            .to_string(),
    };
    let (mut old, mut new) = (String::new(), String::new());
    for number in 0..lines {
        let same = line(chance, number);
        match chance.below(8) {
            0 => old += &same,
            1 => new += &same,
            2 => {
                old += &same;
                new += &line(chance, 1000 + number);
            }
            _ => {
                old += &same;
                new += &same;
            }
        }
    }
    for text in [&mut old, &mut new] {
        if chance.below(4) == 0 {
            text.pop();
        }
    }
    (old, new)
}

/// Without the two lines that name the files.
fn without_names(text: &[u8]) -> &[u8] {
    let second = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(1);
    second.map_or(&[], |(at, _)| &text[at + 1..])
}

fn count(text: &[u8], marks: &[u8]) -> usize {
    let lines = text.split(|byte| *byte == b'\n');
    lines
        .filter(|line| line.first().is_some_and(|first| marks.contains(first)))
        .count()
}

#[test]
fn what_has_one_answer_is_that_of_the_host() {
    let folder = Folder::new("same");
    let mut chance = Chance(3);
    for _ in 0..150 {
        let (old, new) = texts(&mut chance, true);
        folder.write("old", old.as_bytes());
        folder.write("new", new.as_bytes());
        for (option, context) in [
            ("--normal", None),
            ("-U3", Some(3)),
            ("-U0", Some(0)),
            ("-U1", Some(1)),
        ] {
            let Some(wanted) = folder.run("diff", &[option, "old", "new"]) else {
                return;
            };
            let wanted = if context.is_some() {
                without_names(&wanted)
            } else {
                &wanted
            };
            let found = differences(old.as_bytes(), new.as_bytes(), Likeness::default(), context);
            assert_eq!(
                String::from_utf8_lossy(&found),
                String::from_utf8_lossy(wanted),
                "{option} of {old:?} {new:?}"
            );
        }
    }
}

#[test]
fn patches_are_as_short_as_the_hosts_and_lead_to_the_new_file() {
    let folder = Folder::new("short");
    let mut chance = Chance(5);
    for _ in 0..150 {
        let (old, new) = texts(&mut chance, false);
        let patch = differences(old.as_bytes(), new.as_bytes(), Likeness::default(), Some(3));
        folder.write("old", old.as_bytes());
        folder.write("new", new.as_bytes());
        let Some(wanted) = folder.run("diff", &["-d", "-U3", "old", "new"]) else {
            return;
        };
        let wanted = without_names(&wanted);
        assert_eq!(count(&patch, b"+-"), count(wanted, b"+-"), "of {old:?} {new:?}");
        if patch.is_empty() {
            assert_eq!(old, new);
            continue;
        }
        folder.write("patch", &[b"--- old\n+++ old\n", &patch[..]].concat());
        if folder
            .run("patch", &["-s", "-o", "made", "old", "patch"])
            .is_some()
        {
            let made = std::fs::read(folder.0.join("made")).unwrap_or_default();
            assert_eq!(String::from_utf8_lossy(&made), new, "of {old:?}");
        }
    }
}

#[test]
fn what_is_ignored_is_what_the_host_ignores() {
    let folder = Folder::new("ignored");
    let texts = [
        "a b\n",
        "a  b\n",
        "A b\n",
        "ab\n",
        " a b\n",
        "a b \n",
        "a b",
        "a\tb\n",
        "a b\n\n",
        "a b\nc\n\n",
    ];
    for (option, likeness) in [
        (
            "-i",
            Likeness {
                ignores_case: true,
                ..Likeness::default()
            },
        ),
        (
            "-w",
            Likeness {
                ignores_blanks: true,
                ..Likeness::default()
            },
        ),
        (
            "-b",
            Likeness {
                ignores_amount: true,
                ..Likeness::default()
            },
        ),
        (
            "-B",
            Likeness {
                ignores_empty_lines: true,
                ..Likeness::default()
            },
        ),
    ] {
        for old in texts {
            for new in texts {
                folder.write("old", old.as_bytes());
                folder.write("new", new.as_bytes());
                let Some(wanted) = folder.run("diff", &[option, "old", "new"]) else {
                    return;
                };
                let found = differences(old.as_bytes(), new.as_bytes(), likeness, None);
                assert_eq!(found.is_empty(), wanted.is_empty(), "{option} of {old:?} {new:?}");
            }
        }
    }
}

#[test]
fn long_files_take_no_time() {
    let old: String = (0..30_000).map(|line| format!("{line}\n")).collect();
    let new = old.replace("77\n", "x\n");
    let patch = differences(old.as_bytes(), new.as_bytes(), Likeness::default(), Some(0));
    assert_eq!(count(&patch, b"-"), 300);
}
