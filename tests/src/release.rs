//! What a release says of itself: a bill of materials (CycloneDX) of the crates that are linked into the image and of what else is on the card, and the
//! notes, from CHANGELOG.md.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const OWN_LICENCE: &str = "MIT OR Apache-2.0";

/// A crate that is linked.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Crate<'a> {
    name: &'a str,
    version: &'a str,
    licence: String,
}

/// The crates of others in a line of `cargo tree --prefix none --format '{p}|{l}'`; of the workspace's own there is a path.
fn foreign(line: &str) -> Result<Option<Crate<'_>>> {
    let (package, licence) = line.split_once('|').with_context(|| line.to_owned())?;
    let mut words = package.split(' ');
    let name = words.next().context("a crate has a name")?;
    let version = words.next().and_then(|word| word.strip_prefix('v'));
    let version = version.with_context(|| format!("no version: {line}"))?;
    Ok((!package.contains(" (/")).then(|| Crate {
        name,
        version,
        licence: licence.replace('/', " OR "),
    }))
}

/// The checksums of Cargo.lock by name and version.
fn checksums(lock: &str) -> BTreeMap<(&str, &str), &str> {
    let mut found = BTreeMap::new();
    for package in lock.split("[[package]]") {
        let field = |key: &str| {
            let line = package.lines().find_map(|line| line.strip_prefix(key))?;
            Some(line.trim_start_matches(" = ").trim_matches('"'))
        };
        if let (Some(name), Some(version), Some(sum)) = (field("name"), field("version"), field("checksum")) {
            found.insert((name, version), sum);
        }
    }
    found
}

/// What is in a release: `tree` is what cargo says is linked, `lock` Cargo.lock, `card` the sums of the files of the boot partition as sha256sum
/// prints them, `rust` the compiler's version. There is no time and no chance in it.
///
/// # Errors
/// A crate has no checksum; a line is not as expected.
pub fn bill(version: &str, tree: &str, lock: &str, card: &str, rust: &str) -> Result<Value> {
    let sums = checksums(lock);
    let mut crates = BTreeSet::new();
    for line in tree.lines().filter(|line| !line.is_empty()) {
        crates.extend(foreign(line)?);
    }
    ensure!(!crates.is_empty(), "no crate is linked");
    let mut components = vec![json!({
        "type": "library", "name": "rust-core-alloc", "version": rust, "licenses": [{"expression": OWN_LICENCE}],
    })];
    for Crate {
        name,
        version,
        licence,
    } in crates
    {
        let sum = sums.get(&(name, version));
        let sum = sum.with_context(|| format!("{name} {version} has no checksum in Cargo.lock"))?;
        components.push(json!({
            "type": "library", "name": name, "version": version, "purl": format!("pkg:cargo/{name}@{version}"),
            "licenses": [{"expression": licence}], "hashes": [{"alg": "SHA-256", "content": sum}],
        }));
    }
    for line in card.lines() {
        let (sum, name) = line.split_once("  ").with_context(|| line.to_owned())?;
        if let Some(licence) = licence_of(name) {
            components.push(json!({
                "type": "file", "name": name, "licenses": [licence], "hashes": [{"alg": "SHA-256", "content": sum}],
            }));
        }
    }
    Ok(json!({
        "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
        "metadata": {"component": {
            "type": "operating-system", "name": "holstein", "version": version, "licenses": [{"expression": OWN_LICENCE}],
        }},
        "components": components,
    }))
}

/// The licence of a file of the card that others made; ours are the component itself.
fn licence_of(name: &str) -> Option<Value> {
    if name.ends_with(".dtb") {
        return Some(json!({"license": {"id": "GPL-2.0-only"}}));
    }
    let is_firmware = name.ends_with(".elf") || name.ends_with(".dat");
    is_firmware.then(|| json!({"license": {"name": "Broadcom, see LICENCE.broadcom on the card"}}))
}

/// What came with this version: the sections of the changelog down to the one that names an older one.
///
/// # Errors
/// The changelog has no section.
pub fn notes(changelog: &str, version: &str) -> Result<String> {
    let names_older = |line: &str| {
        let title = line
            .strip_prefix("## ")
            .unwrap_or_default()
            .trim_start_matches('v');
        let is_version = title
            .split_once('.')
            .is_some_and(|(major, _)| major.parse::<u32>().is_ok());
        is_version && title != version
    };
    let begin = changelog.find("\n## ").context("CHANGELOG.md has no section")?;
    let lines = changelog[begin + 1..].lines();
    let lines: Vec<&str> = lines.take_while(|line| !names_older(line)).collect();
    Ok(format!(
        "# Holstein {version}\n\n{}\n",
        lines.join("\n").trim_end()
    ))
}

/// Crates whose files a linked program names (in its messages and its debug information), as `name-version`.
pub fn named_in(program: &[u8]) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(program);
    let paths = text.split("registry/src/").skip(1);
    let folders = paths.filter_map(|path| path.split('/').nth(1));
    let is_crate = |name: &&str| {
        name.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte))
    };
    folders.filter(is_crate).map(str::to_owned).collect()
}

#[test]
fn a_bill_has_what_is_linked_and_no_more() {
    let tree = "kernel v0.1.0 (/x/kernel)|MIT OR Apache-2.0\nspin v0.12.3|MIT/Apache-2.0\nspin v0.12.3|MIT/Apache-2.0\n";
    let lock = "[[package]]\nname = \"spin\"\nversion = \"0.12.3\"\nchecksum = \"abc\"\n\n[[package]]\nname = \"regex\"\nversion = \"1.0.0\"\nchecksum = \"d\"\n";
    let bill = bill("1.2.3", tree, lock, "ee  start4.elf\nff  kernel8.img\n", "1.95.0").expect("a bill");
    let components = bill["components"].as_array().expect("components");
    let names: Vec<_> = components
        .iter()
        .map(|one| one["name"].as_str().expect("a name"))
        .collect();
    assert_eq!(names, ["rust-core-alloc", "spin", "start4.elf"]);
    assert_eq!(components[1]["hashes"][0]["content"], "abc");
    assert_eq!(components[1]["licenses"][0]["expression"], "MIT OR Apache-2.0");
    assert!(super::release::bill("1", "lost v1.0.0|MIT", lock, "", "1").is_err());
}

#[test]
fn notes_end_at_the_version_before() {
    let changelog = "# Changes\n\nwords\n\n## 0.2.0\n* new\n\n## 2026-11-30\n* newer\n\n## 0.1.0\n* old\n";
    let notes = notes(changelog, "0.2.0").expect("notes");
    assert_eq!(
        notes,
        "# Holstein 0.2.0\n\n## 0.2.0\n* new\n\n## 2026-11-30\n* newer\n"
    );
}

#[test]
fn crates_are_read_out_of_a_program() {
    let program = b"\0/root/.cargo/registry/src/index-1/spin-0.12.3/src/lib.rs\0registry/src/\xff";
    assert_eq!(named_in(program), BTreeSet::from(["spin-0.12.3".to_owned()]));
}
