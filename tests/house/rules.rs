//! The rules, each a function from a file to what breaks it, and tests that each can be broken.

use crate::floors::{CRATES, Floor};
use crate::source::Source;
use regex::Regex;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{LazyLock, Mutex};

/// What the root of a crate, or its manifest, must say about `unsafe`.
pub const UNSAFE_ATTRIBUTES: &[(&str, &str)] = &[
    ("kernel/abi/src/lib.rs", "#![forbid(unsafe_code)]"),
    ("kernel/formats/src/lib.rs", "#![forbid(unsafe_code)]"),
    ("kernel/lock/src/lib.rs", "#![forbid(unsafe_code)]"),
    ("kernel/mm/Cargo.toml", "unsafe_code = \"forbid\""),
    ("kernel/memory/src/lib.rs", "#![forbid(unsafe_code)]"),
    ("kernel/sched/src/lib.rs", "#![forbid(unsafe_code)]"),
    ("kernel/klog/src/lib.rs", "#![forbid(unsafe_code)]"),
    ("kernel/block/src/lib.rs", "#![forbid(unsafe_code)]"),
    ("kernel/ext4/src/lib.rs", "#![forbid(unsafe_code)]"),
    ("kernel/fat/src/lib.rs", "#![forbid(unsafe_code)]"),
    ("kernel/uaccess/src/lib.rs", "#![forbid(unsafe_code)]"),
    ("kernel/vfs/src/lib.rs", "#![forbid(unsafe_code)]"),
    ("kernel/fs/src/lib.rs", "#![forbid(unsafe_code)]"),
    ("kernel/net/src/lib.rs", "#![forbid(unsafe_code)]"),
    ("kernel/inet/src/lib.rs", "#![forbid(unsafe_code)]"),
    ("kernel/ipc/src/lib.rs", "#![forbid(unsafe_code)]"),
    ("kernel/devices/src/lib.rs", "#![forbid(unsafe_code)]"),
    ("kernel/events/src/lib.rs", "#![forbid(unsafe_code)]"),
    ("kernel/diskfs/src/lib.rs", "#![forbid(unsafe_code)]"),
    ("kernel/pagecache/src/lib.rs", "#![forbid(unsafe_code)]"),
    ("kernel/swap/src/lib.rs", "#![forbid(unsafe_code)]"),
    ("kernel/task/src/lib.rs", "#![forbid(unsafe_code)]"),
    ("kernel/trace/src/lib.rs", "#![forbid(unsafe_code)]"),
    ("kernel/tty/src/lib.rs", "#![forbid(unsafe_code)]"),
    ("kernel/procfs/src/lib.rs", "#![forbid(unsafe_code)]"),
    ("kernel/syscall/src/lib.rs", "#![forbid(unsafe_code)]"),
    ("kernel/src/main.rs", "#![deny(unsafe_code)]"),
];

/// The folders in which `unsafe` and assembly may stand: the board, and the start of our EL0 programs; and the files of the
/// checker that QEMU calls and that call it.
const UNSAFE_FOLDERS: &[&str] = &[
    "platform/src/",
    "userland/src/runtime/",
    "tests/checker/src/foreign.rs",
    "tests/checker/src/measure.rs",
    "tests/checker/src/plugin.rs",
    "tests/playground/src/exports.rs",
];

const LONGEST_FILE: usize = 400;
/// Files that may be longer, each with the reason.
const LONG_FILES: &[(&str, &str)] = &[];

/// How far above an unsafe block its reason may begin.
const REASON_LINES: usize = 12;

const TOP: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "kernel",
    "docs",
    "platform",
    "linker",
    "userland",
    "tests",
    "Makefile",
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "CAVEATS.md",
    "deny.toml",
    "LICENSE",
    "target",
];

/// Dependencies of a crate that its floor does not allow.
pub fn dependencies(root: &Path, floor: &Floor) -> Vec<String> {
    let manifest = std::fs::read_to_string(root.join(floor.folder).join("Cargo.toml")).unwrap_or_default();
    forbidden_dependencies(&manifest, floor)
}

fn forbidden_dependencies(manifest: &str, floor: &Floor) -> Vec<String> {
    let mut is_dependencies = false;
    let mut found = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            is_dependencies = line.ends_with("dependencies]");
        }
        let name = line.split(['=', '.', ' ']).next().unwrap_or_default();
        if is_dependencies && CRATES.contains(&name) && !floor.uses.contains(&name) {
            found.push(format!("{} uses {name}", floor.folder));
        }
    }
    found
}

/// A regular expression, made once for all files.
fn compiled(pattern: &'static str) -> Regex {
    static COMPILED: LazyLock<Mutex<BTreeMap<&str, Regex>>> = LazyLock::new(Mutex::default);
    let mut all = COMPILED.lock().expect("nobody panics in here");
    let make = || Regex::new(pattern).expect("a regular expression");
    all.entry(pattern).or_insert_with(make).clone()
}

fn lines_with(source: &Source, pattern: &'static str, what: &str) -> Vec<String> {
    let pattern = compiled(pattern);
    let lines = source.code_lines().filter(|(_, line)| pattern.is_match(line));
    lines.map(|(number, _)| format!("{number}: {what}")).collect()
}

/// `unsafe` and assembly outside the folders where they may stand.
pub fn unsafe_outside(source: &Source) -> Vec<String> {
    if UNSAFE_FOLDERS
        .iter()
        .any(|folder| source.path.starts_with(folder))
    {
        return Vec::new();
    }
    lines_with(
        source,
        r"\bunsafe\b|\b(global_|naked_)?asm!",
        "unsafe or assembly outside platform and userland's runtime",
    )
}

/// Unsafe blocks and implementations with no `SAFETY:` above them.
pub fn unsafe_without_reason(source: &Source) -> Vec<String> {
    let block = compiled(r"\bunsafe (\{|impl\b)");
    let lines: Vec<&str> = source.text.lines().collect();
    let has_reason = |number: usize| {
        let first = number.saturating_sub(REASON_LINES + 1);
        lines[first..number].iter().any(|line| line.contains("SAFETY:"))
    };
    let blocks = source.code_lines().filter(|(_, line)| block.is_match(line));
    blocks
        .filter(|&(number, _)| !has_reason(number))
        .map(|(number, _)| format!("{number}: no SAFETY comment"))
        .collect()
}

/// Silenced lints, skipped tests, and notes for later.
pub fn loose_ends(source: &Source) -> Vec<String> {
    let mut found = lines_with(
        source,
        r"#!?\[(allow\(|cfg_attr\([^)]*\ballow\()",
        "a lint is silenced",
    );
    found.extend(lines_with(source, r"#\[ignore\b", "a test is skipped"));
    found.extend(lines_with(source, r"\b(todo|unimplemented)!", "unfinished code"));
    let later = compiled(r"//.*\b(TO[D]O|FIX[M]E|XX[X]|HAC[K])\b");
    let notes = source
        .text
        .lines()
        .enumerate()
        .filter(|(_, line)| later.is_match(line));
    found.extend(notes.map(|(index, _)| format!("{}: a note for later", index + 1)));
    found
}

/// Paths of this machine that the compiler would write into a program: they are wrong once the checkout has moved.
pub fn compiled_paths(source: &Source) -> Vec<String> {
    let path = compiled(r"env!\(.CARGO_(MANIFEST_DIR|TARGET_TMPDIR)");
    let lines = source.text.lines().enumerate();
    lines
        .filter(|(_, line)| path.is_match(line) && !line.contains("compiled("))
        .map(|(index, _)| format!("{}: a path is compiled in", index + 1))
        .collect()
}

/// The file, if it is too long.
pub fn too_long(source: &Source) -> Vec<String> {
    let length = source.text.lines().count();
    if length <= LONGEST_FILE || LONG_FILES.iter().any(|(path, _reason)| *path == source.path) {
        return Vec::new();
    }
    vec![format!(" {length} lines")]
}

/// The modules that a file declares in lines of their own.
pub fn modules(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .map(|line| line.strip_prefix("pub ").unwrap_or(line))
        .filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'))
}

/// Whether a file or folder of this name belongs at the top of the tree.
pub fn belongs_at_the_top(name: &str) -> bool {
    name.starts_with('.') || TOP.contains(&name)
}

#[test]
fn each_rule_can_be_broken() {
    let line = |text: &str| Source::new("kernel/src/x.rs", text);
    assert_eq!(unsafe_outside(&line("fn f() {\n    unsafe { g() }\n}")).len(), 1);
    assert_eq!(unsafe_outside(&line("asm!(\"nop\")")).len(), 1);
    assert!(unsafe_outside(&line("// unsafe\n#![deny(unsafe_code)]")).is_empty());
    assert!(unsafe_outside(&Source::new("platform/src/x.rs", "unsafe { g() }")).is_empty());
    assert_eq!(unsafe_without_reason(&line("unsafe { g() }")).len(), 1);
    assert!(unsafe_without_reason(&line("// SAFETY: g has no rules.\nunsafe { g() }")).is_empty());
    assert_eq!(
        loose_ends(&line("#[allow(dead_code)]\n#[ignore]\ntodo!()\n// TO\x44O: more")).len(),
        4
    );
    assert!(loose_ends(&line("#[expect(dead_code, reason = \"read by the loader\")]")).is_empty());
    assert_eq!(
        compiled_paths(&line("Path::new(env\x21(\"CARGO_MANIFEST_DIR\"))")).len(),
        1
    );
    assert_eq!(too_long(&line(&"\n".repeat(401))).len(), 1);
    let manifest = "[dependencies]\nabi.workspace = true\nkernel = { path = \"..\" }\n[lints]\nplatform = 1";
    let floor = Floor {
        folder: "kernel/mm",
        uses: &["abi"],
    };
    assert_eq!(
        forbidden_dependencies(manifest, &floor),
        ["kernel/mm uses kernel"]
    );
    assert!(belongs_at_the_top(".ci") && !belongs_at_the_top("notes.txt"));
}
