//! The rules of the house (`kernel/README.md`), as tests over the tree: floors, where `unsafe` may stand and that it
//! says why, how long a file may be, what lies at the top, and that files named in comments and documents exist.

mod calls;
mod circles;
mod floors;
mod imports;
mod names;
mod rules;
mod source;
mod words;

use source::{Source, sources};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// Every Rust file, read once for all tests.
static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| sources(&root()));

fn root() -> PathBuf {
    // Where the checkout is now, not where it was when this was compiled.
    let folder = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    Path::new(&folder).join("..")
}

/// Applies a rule to every Rust file and fails with the list of what breaks it.
fn apply(rule: impl Fn(&Source) -> Vec<String>) {
    assert!(SOURCES.len() > 20, "only {} source files found", SOURCES.len());
    let mut broken = String::new();
    for source in &*SOURCES {
        for what in rule(source) {
            writeln!(broken, "{}:{what}", source.path).expect("writing to a string");
        }
    }
    assert!(broken.is_empty(), "\n{broken}");
}

#[test]
fn crates_depend_on_lower_floors_only() {
    let broken: Vec<_> = floors::FLOORS
        .iter()
        .flat_map(|floor| rules::dependencies(&root(), floor))
        .collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Fails with the list of what breaks a rule about all files together.
fn apply_to_all(rule: impl Fn(&[Source]) -> Vec<String>) {
    let broken = rule(&SOURCES);
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn what_the_kernel_asks_of_its_command_line_is_not_handed_to_init() {
    apply_to_all(names::boot_words_of_init);
}

#[test]
fn every_crate_of_the_kernel_has_a_limit_of_circles() {
    apply_to_all(circles::unlimited);
}

#[test]
fn circles_of_files_are_short() {
    apply_to_all(circles::too_large);
}

#[test]
fn every_crate_of_the_workspace_has_its_floor() {
    let workspace = std::fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml");
    for floor in floors::FLOORS {
        assert!(
            workspace.contains(&format!("\"{}\"", floor.folder)),
            "{} is no member",
            floor.folder
        );
    }
    let members = workspace
        .lines()
        .skip_while(|line| *line != "members = [")
        .skip(1)
        .take_while(|line| *line != "]");
    assert_eq!(
        members.count(),
        floors::FLOORS.len(),
        "a member of the workspace has no floor in this test"
    );
}

#[test]
fn unsafe_and_assembly_stand_only_where_they_may() {
    apply(rules::unsafe_outside);
}

#[test]
fn every_unsafe_block_says_why_it_is_sound() {
    apply(rules::unsafe_without_reason);
}

#[test]
fn lints_are_obeyed_and_nothing_is_left_for_later() {
    apply(rules::loose_ends);
}

#[test]
fn a_moved_checkout_builds_and_passes() {
    apply(rules::compiled_paths);
}

#[test]
fn files_are_short() {
    apply(rules::too_long);
}

#[test]
fn floors_state_what_they_think_of_unsafe() {
    for (file, attribute) in rules::UNSAFE_ATTRIBUTES {
        let text =
            std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(text.contains(attribute), "{file} lacks {attribute}");
    }
}

#[test]
fn the_top_holds_only_what_belongs_there() {
    let entries = std::fs::read_dir(root()).expect("the root").flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let strangers: Vec<_> = names.filter(|name| !rules::belongs_at_the_top(name)).collect();
    assert!(strangers.is_empty(), "{strangers:?}");
}

#[test]
fn the_map_of_the_kernel_names_every_module() {
    let read = |path: &str| std::fs::read_to_string(root().join(path)).expect(path);
    let text = read("kernel/README.md");
    let map = text
        .split("\n## ")
        .find(|part| part.starts_with("Map\n"))
        .expect("a map");
    for (list, folder) in [("kernel/src/main.rs", "src/"), ("kernel/mm/src/lib.rs", "")] {
        let missing: Vec<_> = rules::modules(&read(list))
            .filter(|name| !map.contains(&format!("`{name}`")) && !map.contains(&format!("`{folder}{name}`")))
            .map(str::to_owned)
            .collect();
        assert!(
            missing.is_empty(),
            "kernel/README.md, Map lacks {missing:?} of {list}"
        );
    }
}

#[test]
fn files_named_in_comments_and_documents_exist() {
    let tree = names::tree(&root());
    apply(|source| names::missing(&names::comments(source), &tree));
    let mut broken = Vec::new();
    let texts = tree
        .iter()
        .filter(|path| path.ends_with(".md") || path.ends_with(".s") || path.ends_with(".ld"));
    for path in texts {
        let text =
            std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        let missing = names::missing(&text, &tree);
        broken.extend(missing.into_iter().map(|what| format!("{path}:{what}")));
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn what_documents_name_beside_a_file_is_defined_there() {
    let tree = names::tree(&root());
    let read = |path: &str| std::fs::read_to_string(root().join(path)).unwrap_or_default();
    let mut broken = Vec::new();
    for path in tree.iter().filter(|path| path.ends_with(".md")) {
        let undefined = names::undefined(&read(path), &tree, read);
        broken.extend(undefined.into_iter().map(|what| format!("{path}:{what}")));
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_call_names_its_errors() {
    apply_to_all(calls::unnamed_errors);
}

#[test]
fn the_list_of_calls_is_what_their_docs_say() {
    let path = root().join("kernel/CALLS.md");
    let listing = calls::listing(&sources(&root()));
    if std::env::var_os("HOLSTEIN_WRITE_CALLS").is_some() {
        std::fs::write(&path, &listing).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == listing,
        "kernel/CALLS.md is not what the docs of the calls say: make calls"
    );
}

#[test]
fn no_parameter_is_a_bare_yes_or_no() {
    apply_to_all(words::bool_parameters);
}

#[test]
fn a_name_of_a_type_means_one_thing() {
    apply_to_all(words::shared_names);
}
