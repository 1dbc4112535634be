//! Words: no parameter is a bare yes or no, and a type's name means one thing.

use crate::source::Source;
use regex::Regex;
use std::collections::BTreeMap;

/// Files of the kernel whose functions still take a `bool`, with the number of such parameters.
const BOOLS: &[(&str, usize)] = &[];

/// Names that several types of the kernel have, with the number of those types.
const SHARED_NAMES: &[(&str, usize)] = &[];

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a regular expression")
}

/// The files of the kernel but for its tests.
fn kernel(sources: &[Source]) -> impl Iterator<Item = &Source> {
    let is_test = |path: &str| path.ends_with("tests.rs") || path.contains("/tests/");
    sources
        .iter()
        .filter(move |source| source.path.starts_with("kernel/") && !is_test(&source.path))
}

/// How many parameters of the file's functions are a `bool`; closures are left out.
fn bools(code: &str) -> usize {
    let (start, parameter) = (regex(r"\bfn \w+\s*(?:<[^(]*?>)?\("), regex(r"\b\w+: bool\b"));
    let parameters = |from: usize| {
        let mut depth = 1;
        let end = code[from..].find(|letter| {
            depth += i32::from(letter == '(') - i32::from(letter == ')');
            depth == 0
        });
        &code[from..end.map_or(code.len(), |len| from + len)]
    };
    let lists = start.find_iter(code).map(|found| parameters(found.end()));
    lists.map(|list| parameter.find_iter(list).count()).sum()
}

/// What is not as a list has it: new entries are to be avoided, old ones to be taken off the list.
fn differences(
    found: &BTreeMap<String, usize>,
    listed: &[(&str, usize)],
    what: &str,
    list: &str,
) -> Vec<String> {
    let may = |name: &str| {
        listed
            .iter()
            .find(|(known, _)| *known == name)
            .map_or(0, |(_, count)| *count)
    };
    let names = found
        .keys()
        .map(String::as_str)
        .chain(listed.iter().map(|(name, _)| *name));
    let mut broken: Vec<String> = names
        .map(|name| (name, found.get(name).copied().unwrap_or(0), may(name)))
        .filter(|(_, is, may)| is != may)
        .map(|(name, is, may)| format!("{name}: {is} {what}, {may} in {list}"))
        .collect();
    broken.sort();
    broken.dedup();
    broken
}

/// Parameters that are a bare yes or no.
pub fn bool_parameters(sources: &[Source]) -> Vec<String> {
    let counts = kernel(sources).map(|source| (source.path.clone(), bools(&source.code)));
    let found = counts.filter(|(_, count)| *count > 0).collect();
    differences(&found, BOOLS, "bool parameters", "BOOLS")
}

/// Folders of the kernel whose types are among people of one house: what stands below has its names for itself.
const LOW: [&str; 5] = ["abi", "formats", "lock", "memory", "mm"];

fn is_low(path: &str) -> bool {
    LOW.iter()
        .any(|folder| path.starts_with(&format!("kernel/{folder}/")))
}

/// Names of types that stand for several things in the kernel above `memory`.
pub fn shared_names(sources: &[Source]) -> Vec<String> {
    let definition = regex(r"(?m)^\s*(?:pub(?:\([^)]*\))? )?(?:struct|enum|trait|union) ([A-Z]\w*)");
    let mut found = BTreeMap::new();
    for source in kernel(sources).filter(|source| !is_low(&source.path)) {
        for name in definition.captures_iter(&source.code) {
            *found.entry(name[1].to_owned()).or_insert(0) += 1;
        }
    }
    found.retain(|_, count| *count > 1);
    differences(&found, SHARED_NAMES, "types", "SHARED_NAMES")
}

#[test]
fn a_bool_and_a_second_meaning_are_noticed() {
    let file = |text: &str| [Source::new("kernel/src/x.rs", text)];
    assert_eq!(
        bools("fn f(a: u8, b: bool, c: impl Fn(bool) -> u8) { |d: bool| d }"),
        1
    );
    assert_eq!(
        bools("struct S { a: bool }\nfn f<T>(\n    a: bool,\n    b: bool,\n) -> bool {}"),
        2
    );
    let broken = bool_parameters(&file("fn f(a: bool) {}"));
    assert!(broken.contains(&"kernel/src/x.rs: 1 bool parameters, 0 in BOOLS".to_owned()));
    let broken = shared_names(&file(
        "struct Blot;\nmod m {\n    pub enum Blot {}\n}\nstruct Other;",
    ));
    assert!(broken.contains(&"Blot: 2 types, 0 in SHARED_NAMES".to_owned()));
    assert!(!broken.iter().any(|line| line.starts_with("Other")));
}
