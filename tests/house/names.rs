//! Files that documents and comments name exist: a reader who looks for one finds it.

use crate::source::Source;
use regex::Regex;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

/// What names a file of this repository: an ending that only ours have, or a path in backquotes.
static PATTERNS: LazyLock<[Regex; 2]> = LazyLock::new(|| {
    let ending = r"(?:\.?[\w-]+/)*[\w-]+\.(?:rs|s|ld|md|tsv|svg)\b";
    let quoted = r"`((?:kernel|platform|userland|tests|linker)(?:/[\w.-]+)+)/?`";
    [ending, quoted].map(|pattern| Regex::new(pattern).expect("a regular expression"))
});

/// What is in a name that stands for any, and the timeline that `make book` draws.
const ANY: &[&str] = &["NAME", "anywhere/", "trace.svg"];

/// Every file and folder of the tree, by its path from the root.
pub fn tree(root: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for folder in [
        "kernel", "platform", "userland", "tests", "linker", "docs", ".ci", ".cargo", ".github",
    ] {
        collect(root, &root.join(folder), &mut found);
    }
    let top = std::fs::read_dir(root).expect("the root").flatten();
    let files = top.filter(|entry| entry.path().is_file());
    found.extend(files.map(|entry| entry.file_name().to_string_lossy().into_owned()));
    found
}

fn collect(root: &Path, folder: &Path, found: &mut BTreeSet<String>) {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.strip_prefix(root).unwrap_or(&path);
        found.insert(name.to_string_lossy().into_owned());
        if path.is_dir() {
            collect(root, &path, found);
        }
    }
}

/// The files that a text names and the tree does not have. A name may leave out the first folders of the path.
pub fn missing(text: &str, tree: &BTreeSet<String>) -> Vec<String> {
    let mut names = BTreeSet::new();
    for pattern in &*PATTERNS {
        for found in pattern.captures_iter(text) {
            let name = found.get(1).or(found.get(0)).expect("a match");
            names.insert(name.as_str().to_owned());
        }
    }
    names.retain(|name| !stands_for_others(name) && !is_there(name, tree));
    names.into_iter().map(|name| format!(" no file {name}")).collect()
}

/// A file in backquotes, and what is named behind it: `file.rs`, `function`, `Type::method`.
static BESIDE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"`((?:[\w-]+/)*[\w-]+\.rs)`((?:, `[\w:]+`)+)").expect("a regular expression")
});

/// What a text names beside a file, and no file of that name defines. `read` gives the text of a file of the tree.
pub fn undefined(text: &str, tree: &BTreeSet<String>, read: impl Fn(&str) -> String) -> Vec<String> {
    let mut broken = Vec::new();
    for found in BESIDE.captures_iter(text) {
        let file = &found[1];
        let meant = tree
            .iter()
            .filter(|path| *path == file || path.ends_with(&format!("/{file}")));
        let sources: Vec<String> = meant.map(|path| read(path)).collect();
        for name in found[2].split('`').skip(1).step_by(2) {
            let last = name.rsplit("::").next().unwrap_or(name);
            let kinds = "fn|struct|enum|trait|type|const|static|union|macro_rules!";
            let definition = Regex::new(&format!(r"\b(?:{kinds}) {last}\b")).expect("a regular expression");
            if !sources.iter().any(|source| definition.is_match(source)) {
                broken.push(format!(" {file} defines no {name}"));
            }
        }
    }
    broken
}

#[test]
fn what_is_named_beside_a_file_is_looked_for_there() {
    let tree = BTreeSet::from(["kernel/a/src/b.rs".to_owned()]);
    let read = |_: &str| "pub fn here() {}\nstruct Thing;\n".to_owned();
    let text = "| `a/src/b.rs`, `here`, `Thing` | `b.rs`, `gone`; `b.rs`, `Thing::lost` |";
    let broken = undefined(text, &tree, read);
    assert_eq!(broken, [" b.rs defines no gone", " b.rs defines no Thing::lost"]);
}

/// Whether it is an example, or a file of Linux.
fn stands_for_others(name: &str) -> bool {
    ANY.iter().any(|part| name.contains(part)) || (name.starts_with("kernel/") && name.ends_with(".c"))
}

fn is_there(name: &str, tree: &BTreeSet<String>) -> bool {
    let end = format!("/{name}");
    tree.contains(name) || tree.iter().any(|path| path.ends_with(&end))
}

/// What stands in the comments of a Rust or assembly file.
pub fn comments(source: &Source) -> String {
    let lines = source.text.lines().filter_map(|line| line.split_once("//"));
    lines.flat_map(|(_, comment)| [comment, "\n"]).collect()
}

#[test]
fn a_file_that_is_not_there_is_noticed() {
    let tree = BTreeSet::from(["kernel/mm/src/fault.rs".to_owned(), "linker/kernel.ld".to_owned()]);
    let text = "see fault.rs, `mm/src/fault.rs`, kernel.ld, mm/fault.rs and user.rs; Linux fs/proc/array.c";
    assert_eq!(missing(text, &tree), [" no file mm/fault.rs", " no file user.rs"]);
    assert_eq!(missing("in `kernel/nm`", &tree), [" no file kernel/nm"]);
    let source = Source::new("x.rs", "let a = \"b\"; // vectors.s\n");
    assert_eq!(comments(&source), " vectors.s\n");
}
/// Words of the command line that the kernel looks for, and would hand to init as well.
pub fn boot_words_of_init(sources: &[Source]) -> Vec<String> {
    const LIST: &str = "kernel/formats/src/bootargs.rs";
    let asked = Regex::new(r#"\bline\s*\.(?:has_flag|value)\("(\w+)"\)"#).expect("a regular expression");
    let list = sources.iter().find(|source| source.path == LIST);
    let list = list.and_then(|source| source.text.split("const KERNEL_NAMES").nth(1)?.split("];").next());
    let Some(list) = list else {
        return vec![format!("{LIST}: no KERNEL_NAMES")];
    };
    let kernel = sources
        .iter()
        .filter(|source| source.path.starts_with("kernel/") || source.path.starts_with("platform/"));
    let words = kernel.flat_map(|source| {
        asked
            .captures_iter(&source.text)
            .map(|word| (source.path.clone(), word[1].to_owned()))
            .collect::<Vec<_>>()
    });
    words
        .filter(|(_, word)| !list.contains(&format!("\"{word}\"")))
        .map(|(path, word)| format!("{path}: {word} is not in KERNEL_NAMES"))
        .collect()
}
