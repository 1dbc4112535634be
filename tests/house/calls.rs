//! The docs of system calls: each names its errors, and `kernel/CALLS.md` is made of them.

use crate::source::Source;
use regex::Regex;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::LazyLock;

/// The two halves of the table of calls.
const TABLES: [&str; 2] = ["kernel/syscall/src/lib.rs", "kernel/syscall/src/files.rs"];

/// Where the numbers of all calls are.
const NUMBERS: &str = "kernel/abi/src/nr.rs";

/// Errors that docs name by their group: see `kernel/syscall/src/lib.rs`.
const GROUPS: [(&str, &[&str]); 2] = [
    ("user memory", &["EFAULT", "ENOMEM"]),
    (
        "paths",
        &[
            "ENOENT",
            "ENOTDIR",
            "EACCES",
            "ELOOP",
            "ENAMETOOLONG",
            "EBADF",
            "EFAULT",
            "ENOMEM",
        ],
    ),
];

/// Errors in the code that no program sees from the call, each with the reason.
const UNSEEN: &[(&str, &str, &str)] = &[
    ("brk", "ENOMEM", "a process that runs has its memory"),
    ("clone", "ESRCH", "a process that runs has its memory"),
    ("clone3", "ESRCH", "a process that runs has its memory"),
    ("execve", "EINVAL", "it has no flags"),
    ("madvise", "EINTR", "only the end of the process interrupts it"),
    ("mlock2", "EFAULT", "it becomes ENOMEM"),
    ("mlockall", "EFAULT", "pages that cannot be had are passed over"),
    ("munlock", "EINVAL", "it has no flags"),
    (
        "munlockall",
        "ENOMEM",
        "a process that runs has its memory, and holes are passed over",
    ),
];

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a regular expression")
}

static ROW: LazyLock<Regex> =
    LazyLock::new(|| regex(r"((?:\|?\s*nr::[A-Z0-9_]+\s*)+)=>\s*\{?\s*(\w+)::(\w+)\("));
static NAMED: LazyLock<Regex> = LazyLock::new(|| regex(r"`(E[A-Z0-9]+)`"));
static RAISED: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(Ok\(|== Err\()?Errno::(E[A-Z0-9]+|RESTART\w*)\)?\s*(=>|\||\))?"));
static CALLED: LazyLock<Regex> = LazyLock::new(|| regex(r"([:.]?)\b([a-z_]\w*)\("));
static FUNCTION: LazyLock<Regex> = LazyLock::new(|| regex(r"(?m)^(?:pub(?:\(\w+\))? )?fn (\w+)"));
static AS_FOR: LazyLock<Regex> = LazyLock::new(|| regex(r"[Aa]s for ((?:\[?`\w+`\]?(?:,| and)? ?)+)"));
static WORD: LazyLock<Regex> = LazyLock::new(|| regex(r"`(\w+)`"));

/// A call of the table: its function and what the doc says.
struct Call {
    path: String,
    function: String,
    doc: String,
}

/// The calls by the names of their numbers, and rows of the table whose functions were not found.
fn calls(sources: &[Source]) -> (BTreeMap<String, Call>, Vec<String>) {
    let (mut found, mut lost) = (BTreeMap::new(), Vec::new());
    for table in sources
        .iter()
        .filter(|source| TABLES.contains(&source.path.as_str()))
    {
        for row in ROW.captures_iter(&table.code) {
            let (module, function) = (&row[2], &row[3]);
            let Some(file) = defining(sources, module, function) else {
                lost.push(format!("{}: {module}::{function} is not found", table.path));
                continue;
            };
            for number in row[1]
                .split('|')
                .map(|name| name.trim().trim_start_matches("nr::"))
            {
                let call = Call {
                    path: file.path.clone(),
                    function: function.to_owned(),
                    doc: doc_of(&file.text, function),
                };
                found.insert(number.to_owned(), call);
            }
        }
    }
    (found, lost)
}

/// The file of a module, or of one below it, that defines a public function.
fn defining<'a>(sources: &'a [Source], module: &str, function: &str) -> Option<&'a Source> {
    let definition = regex(&format!(r"(?m)^pub fn {function}\b"));
    let folders = [
        format!("kernel/syscall/src/{module}.rs"),
        format!("kernel/syscall/src/{module}/"),
        format!("kernel/task/src/{module}/"),
    ];
    let is_there = |source: &&Source| {
        folders
            .iter()
            .any(|folder| source.path.starts_with(folder.as_str()))
    };
    let mut files = sources.iter().filter(is_there);
    files.find(|source| definition.is_match(&source.code))
}

/// The doc above a public function, as one line for each paragraph.
fn doc_of(text: &str, function: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let start = format!("pub fn {function}");
    let is_start = |line: &&str| {
        line.strip_prefix(start.as_str())
            .is_some_and(|rest| rest.starts_with(['(', '<']))
    };
    let Some(at) = lines.iter().position(is_start) else {
        return String::new();
    };
    let above = lines[..at].iter().rev().skip_while(|line| line.starts_with("#["));
    let mut doc: Vec<&str> = above.map_while(|line| line.strip_prefix("///")).collect();
    doc.reverse();
    let mut joined = String::new();
    for line in doc.iter().map(|line| line.trim()) {
        let is_break = line.is_empty() || line == "# Errors";
        joined.push_str(if is_break { "\n" } else { " " });
        joined.push_str(line);
        if is_break {
            joined.push('\n');
        }
    }
    joined
}

/// What the doc says of errors; empty without such a section.
fn errors_of(doc: &str) -> &str {
    doc.split_once("# Errors\n")
        .map_or("", |(_, errors)| errors.trim())
}

/// The errors that a doc names, by itself, by a group, or by another call.
fn named(doc: &str, by_function: &BTreeMap<&str, &str>, depth: usize) -> BTreeSet<String> {
    let errors = errors_of(doc);
    let mut names: BTreeSet<String> = NAMED
        .captures_iter(errors)
        .map(|name| name[1].to_owned())
        .collect();
    for (group, members) in GROUPS {
        if errors.contains(group) {
            names.extend(members.iter().map(|name| (*name).to_owned()));
        }
    }
    for others in AS_FOR.captures_iter(errors).filter(|_| depth > 0) {
        for other in WORD.captures_iter(&others[1]) {
            let doc = by_function.get(&other[1]).copied().unwrap_or_default();
            names.extend(named(doc, by_function, depth - 1));
        }
    }
    names
}

/// The errors that a function raises, itself or by functions of the same file.
fn raised(code: &str, function: &str) -> BTreeSet<String> {
    let mut bodies = BTreeMap::new();
    for found in FUNCTION.captures_iter(code) {
        let start = found.get(0).map_or(0, |whole| whole.start());
        let end = code[start..].find("\n}").map_or(code.len(), |len| start + len);
        bodies.insert(found.get(1).map_or("", |name| name.as_str()), &code[start..end]);
    }
    let (mut seen, mut left) = (BTreeSet::new(), vec![function]);
    let mut errors = BTreeSet::new();
    while let Some(name) = left.pop() {
        let Some(body) = bodies.get(name).filter(|_| seen.insert(name)) else {
            continue;
        };
        for error in RAISED.captures_iter(body) {
            let is_compared = error.get(1).is_some() || error.get(3).is_some_and(|next| next.as_str() != ")");
            match &error[2] {
                "RESTART_ALWAYS" => {}
                "RESTART" | "RESTART_NO_HANDLER" => drop(errors.insert("EINTR".to_owned())),
                name if !is_compared => drop(errors.insert(name.to_owned())),
                _ => {}
            }
        }
        let names = CALLED.captures_iter(body).filter(|call| call[1].is_empty());
        left.extend(names.filter_map(|call| call.get(2)).map(|name| name.as_str()));
    }
    errors
}

/// Calls whose docs have no errors, or not all that their own files raise.
pub fn unnamed_errors(sources: &[Source]) -> Vec<String> {
    let (calls, mut broken) = calls(sources);
    let by_function = calls
        .values()
        .map(|call| (call.function.as_str(), call.doc.as_str()))
        .collect();
    for call in calls.values() {
        let place = format!("{}: {}", call.path, call.function);
        let names = named(&call.doc, &by_function, 3);
        if names.is_empty() && !errors_of(&call.doc).starts_with("Never fails") {
            broken.push(format!(
                "{place}: no `# Errors` that names them or says \"Never fails\""
            ));
        }
        let code = sources
            .iter()
            .find(|source| source.path == call.path)
            .map_or("", |source| &source.code);
        let raised = raised(code, &call.function);
        let is_seen = |error: &&String| {
            let is_it =
                |(function, name, _): &&(&str, &str, &str)| *function == call.function && name == error;
            !UNSEEN.iter().any(|unseen| is_it(&unseen))
        };
        for error in raised.difference(&names).filter(is_seen) {
            broken.push(format!("{place}: {error} is not among its errors"));
        }
    }
    broken.sort();
    broken.dedup();
    broken
}

/// All calls of Linux, in the order of their numbers: the constant and the name.
fn numbers(sources: &[Source]) -> Vec<(String, String)> {
    let row = regex(r#"(?m)^\s+([A-Z0-9_]+) "(\w+)" = \d+;"#);
    let text = sources
        .iter()
        .find(|source| source.path == NUMBERS)
        .map_or("", |source| &source.text);
    row.captures_iter(text)
        .map(|row| (row[1].to_owned(), row[2].to_owned()))
        .collect()
}

/// The text of `kernel/CALLS.md`.
pub fn listing(sources: &[Source]) -> String {
    let (calls, _) = calls(sources);
    let (mut rows, mut absent, mut whole) = (String::new(), Vec::new(), 0);
    for (constant, name) in numbers(sources) {
        let Some(call) = calls.get(&constant) else {
            absent.push(name);
            continue;
        };
        let says = |what: &str| call.doc.lines().find_map(|line| line.trim().strip_prefix(what));
        let (state, why) = match (says("Refused: "), says("Not supported: ")) {
            (Some(why), _) => ("refused", why),
            (None, Some(why)) => ("partly", why),
            (None, None) => ("yes", ""),
        };
        whole += usize::from(why.is_empty());
        writeln!(rows, "| {name} | {state} | {why} |").expect("writing to a string");
    }
    format!(
        "# System calls\n\n\
         Made by `make calls` from the docs of the functions in `kernel/syscall`, and compared with them by `tests/house`: each\n\
         doc says what is not supported, and which errors there are. {} calls are there, {whole} of them whole.\n\n\
         | call | supported | not supported |\n|---|---|---|\n{rows}\n## Not there\n\n\
         `ENOSYS`, and one line in the log: {}.\n",
        calls.len(),
        absent.join(", ")
    )
}

#[test]
fn a_call_without_its_errors_is_noticed() {
    let file = |path: &str, text: &str| Source::new(path, text);
    let table = file(
        TABLES[0],
        "match n {\n    nr::A | nr::B => x::a(1),\n    nr::C => x::c(),\n}\n",
    );
    let call = |doc: &str| {
        let text = format!(
            "{doc}#[inline]\npub fn a(n: u64) -> R {{\n    b()\n}}\n\nfn b() -> R {{\n    Err(Errno::EINVAL)\n}}\n\n\
             /// c.\n///\n/// # Errors\n/// As for [`a`].\npub fn c() -> R {{\n    Err(Errno::EINVAL)\n}}\n"
        );
        unnamed_errors(&[
            file(TABLES[0], &table.text),
            file("kernel/syscall/src/x.rs", &text),
        ])
    };
    assert!(call("/// a.\n///\n/// # Errors\n/// `EINVAL`: none.\n").is_empty());
    assert_eq!(call("/// a. `EINVAL`.\n").len(), 4);
    let other = call("/// a.\n///\n/// # Errors\n/// Those of user memory.\n");
    assert_eq!(other.len(), 2, "{other:?}");
    assert!(other[0].ends_with("a: EINVAL is not among its errors"));
    assert_eq!(call("/// a.\n///\n/// # Errors\n/// Never fails.\n").len(), 3);
}
