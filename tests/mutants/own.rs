//! Each rule's own mutant (`tests::rule_mutants`): the checker notices it by that rule and by no other.

use crate::play::{self, Whole, Work};
use crate::{BASE, Original, line, mutants};
use anyhow::{Context, Result, ensure};
use object::{Object, ObjectSymbol};
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use tests::files;
use tests::plants::Edit;
use tests::rule_mutants::{ALL, Change, RuleMutant};

/// Plays those with `text` in their rule's name; whether each was noticed as it should be.
pub fn run(text: &str) -> Result<bool> {
    let (mut passed, mut failed) = (0, 0);
    for own in ALL.iter().filter(|own| own.rule.contains(text)) {
        if let Change::None(reason) = own.change {
            println!("none   {:<24} {reason}", own.rule);
            continue;
        }
        let whole = match play_one(own) {
            Ok(whole) => whole,
            Err(error) => {
                failed += 1;
                println!("FAILED {:<24} {error:#}", own.rule);
                continue;
            }
        };
        let is_alone = whole.rules.len() == 1 && whole.rules.contains(own.rule);
        let said = whole.failure.map_or_else(String::new, |what| format!("; {what}"));
        if is_alone {
            passed += 1;
            println!("ok     {:<24} {}{said}", own.rule, own.work);
        } else {
            failed += 1;
            println!("FAILED {:<24} {}: {:?}{said}", own.rule, own.work, whole.rules);
        }
    }
    println!("{passed} passed, {failed} failed");
    Ok(failed == 0)
}

fn play_one(own: &RuleMutant) -> Result<Whole> {
    let work = play::named(own.work)?;
    match own.change {
        Change::Mutant(name) => play_mutant(name, work),
        Change::Words { .. } => play_words(own, work),
        Change::Planted(edits) => play::play_whole(&plant(edits)?, work),
        Change::None(reason) => anyhow::bail!("{reason}"),
    }
}

fn play_mutant(name: &str, work: &Work) -> Result<Whole> {
    let built = files::built();
    let sites = tests::sites::find(&built.join("kernel.elf"))?;
    let chosen: Vec<_> = mutants(&sites, name)
        .into_iter()
        .filter(|(site, mutation)| line(site, mutation) == name)
        .collect();
    ensure!(!chosen.is_empty(), "{name}: no such mutant");
    let original = Original::new(&built, sites, &[])?;
    original.mutate(&chosen)?;
    play::play_whole(&original.path(), work)
}

/// The words of a function of the Image.
fn play_words(own: &RuleMutant, work: &Work) -> Result<Whole> {
    let Change::Words {
        function,
        mask,
        value,
        keep,
        put,
        only,
    } = own.change
    else {
        anyhow::bail!("no words");
    };
    let built = files::built();
    let folder = built.join("mutants");
    std::fs::create_dir_all(&folder)?;
    std::fs::copy(built.join("kernel.elf"), folder.join("kernel.elf"))?;
    let mut image = std::fs::read(built.join("kernel8.img"))?;
    let (mut found, mut changed) = (0, 0);
    let extents = extents(&built.join("kernel.elf"), function)?;
    for at in extents.into_iter().flat_map(|range| range.step_by(4)) {
        let place = &mut image[(at - BASE) as usize..][..4];
        let word = u32::from_le_bytes(place.try_into()?);
        found += usize::from(word & mask == value);
        if word & mask == value && (only == 0 || found == only) {
            place.copy_from_slice(&(word & keep | put).to_le_bytes());
            changed += 1;
        }
    }
    ensure!(changed > 0, "{function} has no such word");
    let path = folder.join("kernel8.img");
    std::fs::write(&path, image)?;
    play::play_whole(&path, work)
}

/// From each symbol of this name to the next one: assembly has one, a path of Rust as many as it has copies.
fn extents(elf: &Path, function: &str) -> Result<Vec<Range<u64>>> {
    let data = std::fs::read(elf)?;
    let file = object::File::parse(&*data)?;
    let is_path = function.contains("::");
    let mut starts = BTreeSet::new();
    let mut chosen = Vec::new();
    for symbol in file.symbols() {
        let Ok(name) = symbol.name() else { continue };
        if name.starts_with('$') || name.is_empty() {
            continue;
        }
        starts.insert(symbol.address());
        let is_it = if is_path {
            format!("{:#}", rustc_demangle::demangle(name)).contains(function)
        } else {
            name.ends_with(function) && chosen.is_empty()
        };
        if is_it {
            chosen.push(symbol.address());
        }
    }
    ensure!(!chosen.is_empty(), "no {function}");
    let end = |start: u64| starts.range(start + 1..).next().copied().unwrap_or(start + 4096);
    Ok(chosen.into_iter().map(|start| start..end(start)).collect())
}

/// Builds the kernel with these places of its source changed, from a copy of the tree; the Image.
pub fn plant(edits: &[Edit]) -> Result<PathBuf> {
    let copy = copy_of_tree()?;
    for Edit { file, from, to } in edits {
        let place = copy.join(file);
        let text = std::fs::read_to_string(&place).with_context(|| place.display().to_string())?;
        ensure!(
            text.matches(from).count() == 1,
            "{file}: {from:?} must stand there once"
        );
        std::fs::write(&place, text.replace(from, to))?;
    }
    let image = build(&copy);
    // What was planted is gone: the next one begins with the files as they are.
    copy_of_tree()?;
    image
}

fn build(copy: &Path) -> Result<PathBuf> {
    let out = std::path::absolute(files::built().join("planted"))?;
    let target = std::path::absolute(files::root().join("target/planted"))?;
    std::fs::create_dir_all(&out)?;
    let status = Command::new(copy.join(".ci/cargo"))
        .args(["bare", "build", "--quiet", "-p", "kernel", "--bin", "kernel"])
        .env("PROFILE", "inspect")
        .env("CARGO_TARGET_DIR", &target)
        .status()?;
    ensure!(status.success(), "it does not compile");
    let built = target.join("aarch64-unknown-none-softfloat/inspect/kernel");
    let (elf, image) = (out.join("kernel.elf"), out.join("kernel8.img"));
    std::fs::copy(built, &elf)?;
    let status = Command::new(files::root().join("target/debug/image"))
        .arg("kernel")
        .args([&elf, &files::built().join("initramfs.cpio"), &image])
        .status()?;
    ensure!(status.success(), "no Image");
    Ok(image)
}

/// The files of the repository as they are now, in a folder of their own. What is the same already keeps its time.
fn copy_of_tree() -> Result<PathBuf> {
    let root = files::root();
    let copy = std::path::absolute(root.join("target/planted/tree"))?;
    let listed = Command::new("git")
        .arg("-C")
        .arg(&root)
        .args(["ls-files", "-z"])
        .output()?;
    ensure!(listed.status.success(), "git ls-files");
    for name in String::from_utf8(listed.stdout)?
        .split('\0')
        .filter(|name| !name.is_empty())
    {
        let (from, to) = (root.join(name), copy.join(name));
        let Ok(bytes) = std::fs::read(&from) else { continue };
        if std::fs::read(&to).is_ok_and(|old| old == bytes) {
            continue;
        }
        std::fs::create_dir_all(to.parent().context("a file lies in a folder")?)?;
        std::fs::copy(&from, &to)?;
        let _ = std::fs::File::options()
            .append(true)
            .open(&to)?
            .set_modified(std::time::SystemTime::now());
    }
    Ok(copy)
}
