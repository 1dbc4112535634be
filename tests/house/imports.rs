//! Which file of the kernel names what another one defines: read from `use` lines and from paths in the code.

use crate::source::Source;
use regex::Regex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

static TOKEN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"[A-Za-z_]\w*|::|\S").expect("a regular expression"));

/// A crate under another name.
static ALIAS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)^use \w+ as (\w+);").expect("a regular expression"));

/// Unit tests that stand at the end of a file: what they import by `super::*` is the file's own.
static INLINE_TESTS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?ms)^#\[cfg\(test\)\]\nmod \w+ \{.*?^\}").expect("a regular expression"));

/// A module: the `src/` folder of its crate and its path in there.
type Module = (String, Vec<String>);

/// Files, and what each names of which other one.
pub struct Imports {
    /// From a file to a file, with the names.
    pub edges: BTreeMap<(String, String), BTreeSet<String>>,
    /// From a parent to the child whose names it only hands on.
    pub signposts: BTreeMap<(String, String), BTreeSet<String>>,
}

/// A path in the code, and the name under which it is imported.
struct Named {
    path: Vec<String>,
    alias: String,
    is_reexport: bool,
}

impl Imports {
    /// Reads the files; unit tests are left out.
    pub fn of(sources: &[&Source]) -> Self {
        let sources: Vec<_> = sources.iter().filter(|source| !is_test(&source.path)).collect();
        let crates: BTreeSet<(String, String)> =
            sources.iter().flat_map(|source| other_crates(source)).collect();
        let modules: BTreeMap<Module, &str> = sources
            .iter()
            .map(|source| (module(&source.path), source.path.as_str()))
            .collect();
        let mut reexports = BTreeMap::new();
        let mut uses = Vec::new();
        for source in sources {
            let (root, here) = module(&source.path);
            let code = INLINE_TESTS.replace_all(&source.code, "");
            for named in paths(&code, &children(&modules, &root, &here)) {
                let full = absolute(&here, &named.path);
                let is_own = full.starts_with(&here);
                if named.is_reexport {
                    reexports.insert((source.path.as_str(), named.alias), full.clone());
                }
                // A parent that hands on a name of its child does not use it.
                uses.push((
                    source.path.as_str(),
                    root.clone(),
                    full,
                    named.is_reexport && is_own,
                ));
            }
        }
        let mut imports = Imports {
            edges: BTreeMap::new(),
            signposts: BTreeMap::new(),
        };
        for (from, root, full, is_signpost) in uses {
            // What lies in another crate is seen by that crate's floor.
            if full
                .first()
                .is_some_and(|name| crates.contains(&(root.clone(), name.clone())))
            {
                continue;
            }
            let (to, name) = resolve(&modules, &reexports, &root, &full);
            let edges = if is_signpost {
                &mut imports.signposts
            } else {
                &mut imports.edges
            };
            if to != from {
                edges
                    .entry((from.to_owned(), to.to_owned()))
                    .or_default()
                    .insert(name);
            }
        }
        imports
    }

    /// The largest set of files among `files` that all reach each other.
    pub fn largest_circle<'a>(&'a self, files: &BTreeSet<&'a str>) -> Vec<&'a str> {
        let reach: BTreeMap<&str, BTreeSet<&str>> = files
            .iter()
            .map(|&file| (file, self.reached_from(file, files)))
            .collect();
        let circle = |file: &&'a str| -> Vec<&'a str> {
            let back = |other: &&&'a str| reach[**other].contains(*file);
            reach[*file].iter().filter(back).copied().collect()
        };
        files.iter().map(circle).max_by_key(Vec::len).unwrap_or_default()
    }

    fn reached_from<'a>(&'a self, start: &'a str, files: &BTreeSet<&'a str>) -> BTreeSet<&'a str> {
        let mut found = BTreeSet::new();
        let mut left = vec![start];
        while let Some(file) = left.pop() {
            let first = (file.to_owned(), String::new());
            let next = self
                .edges
                .range(first..)
                .take_while(|((from, _), _)| from == file);
            for ((_, to), _) in next {
                if files.contains(to.as_str()) && found.insert(to.as_str()) {
                    left.push(to);
                }
            }
        }
        found
    }
}

fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

/// The module that a file is: `vfs/src/lib.rs` is `fs`.
fn module(path: &str) -> Module {
    let split = path.find("src/").map_or(0, |at| at + "src/".len());
    let mut parts: Vec<String> = path[split..]
        .trim_end_matches(".rs")
        .split('/')
        .map(str::to_owned)
        .collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "main" | "lib")) {
        parts.pop();
    }
    (path[..split].to_owned(), parts)
}

fn children(modules: &BTreeMap<Module, &str>, root: &str, here: &[String]) -> BTreeSet<String> {
    let is_child =
        |(other, path): &&Module| other == root && path.len() == here.len() + 1 && path.starts_with(here);
    modules
        .keys()
        .filter(is_child)
        .filter_map(|(_, path)| path.last().cloned())
        .collect()
}

/// The names by which the root of a crate knows other crates: `use lock as sync;` there makes `crate::sync` the crate `lock`.
fn other_crates(source: &Source) -> Vec<(String, String)> {
    let (root, here) = module(&source.path);
    if !here.is_empty() {
        return Vec::new();
    }
    let names = ALIAS.captures_iter(&source.code).map(|found| found[1].to_owned());
    names.map(|name| (root.clone(), name)).collect()
}

/// Every path in the code that begins with `crate`, `self`, `super` or a child module.
fn paths(code: &str, children: &BTreeSet<String>) -> Vec<Named> {
    let tokens: Vec<&str> = TOKEN.find_iter(code).map(|found| found.as_str()).collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at + 1 < tokens.len() {
        let begins = matches!(tokens[at], "crate" | "self" | "super") || children.contains(tokens[at]);
        let is_first = at == 0 || tokens[at - 1] != "::";
        if !(begins && is_first && tokens[at + 1] == "::") {
            at += 1;
            continue;
        }
        let is_reexport = at > 1 && tokens[at - 1] == "use" && matches!(tokens[at - 2], "pub" | ")");
        let before = found.len();
        at = read_tree(&tokens, at, &[], &mut found);
        found[before..]
            .iter_mut()
            .for_each(|named: &mut Named| named.is_reexport = is_reexport);
    }
    found
}

/// Reads a path, or a tree of paths in braces, from the token at `at`; returns the place behind it.
fn read_tree(tokens: &[&str], mut at: usize, before: &[String], found: &mut Vec<Named>) -> usize {
    let mut path = before.to_vec();
    let is_name = |token: &str| token.starts_with(|first: char| first.is_alphabetic() || first == '_');
    loop {
        let token = tokens.get(at).copied().unwrap_or(";");
        if token == "{" {
            at += 1;
            while tokens.get(at).is_some_and(|token| *token != "}") {
                at = if tokens[at] == "," {
                    at + 1
                } else {
                    read_tree(tokens, at, &path, found)
                };
            }
            return at + 1;
        }
        if token != "self" || path.is_empty() {
            path.push(token.to_owned());
        }
        at += 1;
        let follows = |index: usize| tokens.get(index).copied().unwrap_or(";");
        if follows(at) == "::" && (is_name(follows(at + 1)) || matches!(follows(at + 1), "{" | "*")) {
            at += 1;
            continue;
        }
        let mut alias = path.last().cloned().unwrap_or_default();
        if follows(at) == "as" {
            alias = follows(at + 1).to_owned();
            at += 2;
        }
        found.push(Named {
            path,
            alias,
            is_reexport: false,
        });
        return at;
    }
}

/// A path from the root of the crate.
fn absolute(here: &[String], path: &[String]) -> Vec<String> {
    let up = path.iter().take_while(|part| *part == "super").count();
    match path[0].as_str() {
        "crate" => path[1..].to_vec(),
        "self" => [here, &path[1..]].concat(),
        _ => [&here[..here.len().saturating_sub(up)], &path[up..]].concat(),
    }
}

/// The file that defines what a path names, through what parents hand on; and the rest of the path.
fn resolve<'a>(
    modules: &BTreeMap<Module, &'a str>,
    reexports: &BTreeMap<(&str, String), Vec<String>>,
    root: &str,
    full: &[String],
) -> (&'a str, String) {
    let mut full = full.to_vec();
    loop {
        let (file, rest) = nearest(modules, root, &full);
        let handed_on = rest.first().and_then(|name| reexports.get(&(file, name.clone())));
        match handed_on {
            Some(target) if *target != full => full = [target.as_slice(), &rest[1..]].concat(),
            _ => return (file, rest.join("::")),
        }
    }
}

/// The file of the innermost module on a path, and what of the path lies in it.
fn nearest<'a>(modules: &BTreeMap<Module, &'a str>, root: &str, full: &[String]) -> (&'a str, Vec<String>) {
    let at = |len: usize| {
        modules
            .get(&(root.to_owned(), full[..len].to_vec()))
            .map(|file| (*file, len))
    };
    let (file, len) = (0..=full.len()).rev().find_map(at).unwrap_or(("", full.len()));
    (file, full[len..].to_vec())
}

#[test]
fn names_are_followed_to_the_file_that_defines_them() {
    let file = |path: &str, text: &str| Source::new(path, text);
    let sources = [
        file("kernel/src/main.rs", "mod a; mod b; \nuse lock as sync;"),
        file(
            "kernel/src/a.rs",
            "mod deep; pub use deep::{Thing, Other as Another};",
        ),
        file(
            "kernel/src/a/deep.rs",
            "pub struct Thing; use super::super::b; use crate::sync::Mutex;",
        ),
        file(
            "kernel/src/b.rs",
            "use crate::a::{self, Another, Thing}; // crate::c",
        ),
    ];
    let imports = Imports::of(&sources.iter().collect::<Vec<_>>());
    let names = |from: &str, to: &str| imports.edges.get(&(from.to_owned(), to.to_owned())).cloned();
    let set = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    assert_eq!(
        names("kernel/src/b.rs", "kernel/src/a/deep.rs"),
        set(&["Other", "Thing"])
    );
    assert_eq!(names("kernel/src/b.rs", "kernel/src/a.rs"), set(&[""]));
    assert_eq!(
        names("kernel/src/a.rs", "kernel/src/a/deep.rs"),
        None,
        "handed on, not used"
    );
    assert_eq!(
        names("kernel/src/a/deep.rs", "kernel/src/main.rs"),
        None,
        "in another crate"
    );
    let all = sources.iter().map(|source| source.path.as_str()).collect();
    assert_eq!(
        imports.largest_circle(&all),
        ["kernel/src/a/deep.rs", "kernel/src/b.rs"]
    );
}

#[test]
fn unit_tests_in_a_file_import_nothing() {
    let tests =
        "use crate::b;\n#[cfg(test)]\nmod tests {\n    use super::*;\n    use crate::c;\n}\nuse crate::d;";
    let file = |path: &str, text: &str| Source::new(path, text);
    let sources = [
        file("kernel/src/a/mod.rs", "mod deep;"),
        file("kernel/src/a/deep.rs", tests),
        file("kernel/src/b.rs", ""),
        file("kernel/src/c.rs", ""),
        file("kernel/src/d.rs", ""),
    ];
    let imports = Imports::of(&sources.iter().collect::<Vec<_>>());
    let named: Vec<_> = imports.edges.keys().map(|(_, to)| to.as_str()).collect();
    assert_eq!(named, ["kernel/src/b.rs", "kernel/src/d.rs"]);
}
