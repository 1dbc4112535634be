//! What the checker is told of single instructions of the kernel, from its debug information.

use anyhow::{Context, Result, anyhow};
use checker::instruction::{self, Access};
use object::{Object, ObjectSection};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Functions that take a reference away, by file and name.
const DROPS: [(&str, &str); 3] = [
    ("alloc/src/sync.rs", "drop"),
    ("alloc/src/sync.rs", "into_inner"),
    ("kernel/mm/src/frames.rs", "drop_reference"),
];
/// Atomics themselves, whose instructions belong to who calls them.
const ATOMICS: &str = "core/src/sync/atomic.rs";

/// Files whose accesses are atomic, though they are written as others or by instructions.
const RELAXED: [&str; 5] = [
    ATOMICS,
    "platform/src/memory/pairs.rs",
    "platform/src/memory/counts.rs",
    "platform/src/arch/mod.rs",
    "platform/src/devices/mmio.rs",
];
/// Copies of bytes, which may hold anything.
const COPIES: &str = "compiler_builtins";

/// How much the checker is to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sites {
    /// Where references are taken away.
    References,
    /// What each load and store is to the order between processors, too.
    Roles,
}

/// Writes what is known of the instructions of `elf` beside it, unless that was done before; where.
pub fn write(elf: &Path, sites: Sites) -> Result<PathBuf> {
    let extension = match sites {
        Sites::References => "sites",
        Sites::Roles => "roles",
    };
    let file = elf.with_extension(extension);
    let time = |path: &Path| path.metadata().and_then(|data| data.modified());
    if time(&file).is_ok_and(|made| time(elf).is_ok_and(|built| built < made)) {
        return Ok(file);
    }
    // Two scenes may do it at once: each puts a whole file in place.
    let own = elf.with_extension(format!("{extension}-{}", std::process::id()));
    std::fs::write(&own, text(elf, sites)?).with_context(|| own.display().to_string())?;
    std::fs::rename(&own, &file)?;
    Ok(file)
}

fn text(elf: &Path, sites: Sites) -> Result<String> {
    let data = std::fs::read(elf).with_context(|| elf.display().to_string())?;
    let object = object::File::parse(&*data)?;
    let section = object.section_by_name(".text").context("no .text")?;
    let loader = addr2line::Loader::new(elf).map_err(|error| anyhow!("{}: {error}", elf.display()))?;
    let mut text = String::new();
    let mut references = 0;
    for (index, bytes) in section.data()?.chunks_exact(4).enumerate() {
        let word = u32::from_le_bytes(bytes.try_into()?);
        let address = section.address() + 4 * index as u64;
        if instruction::is_store_exclusive(word) && drops_reference(&loader, address) {
            writeln!(text, "reference {address:#x}")?;
            references += 1;
        }
        if sites == Sites::Roles
            && is_plain(word)
            && let Some(role) = role(&loader, address)
        {
            writeln!(text, "{role} {address:#x}")?;
        }
    }
    anyhow::ensure!(references > 0, "{} drops no references", elf.display());
    Ok(text)
}

/// Whether this is a load or store like any other, and not of the stack or of a constant beside the instructions.
fn is_plain(word: u32) -> bool {
    let is_access = word & 0x0a00_0000 == 0x0800_0000;
    let is_literal = word & 0x3b00_0000 == 0x1800_0000;
    let is_of_stack = word >> 5 & 31 == 31;
    is_access && !is_literal && !is_of_stack && instruction::access(word) == Access::Plain
}

/// What a plain access is to the order between processors: none for assembly and copies.
fn role(loader: &addr2line::Loader, address: u64) -> Option<&'static str> {
    let mut frames = loader.find_frames(address).ok()?;
    let mut role = None;
    while let Ok(Some(frame)) = frames.next() {
        let file = frame.location.as_ref().and_then(|location| location.file)?;
        if role.is_none() && (file.contains(COPIES) || file.ends_with(".s")) {
            return None;
        }
        let name = frame.function.as_ref().and_then(|name| name.raw_name().ok());
        let is_volatile = name.is_some_and(|name| name.contains("_volatile"));
        if is_volatile || RELAXED.iter().any(|relaxed| file.ends_with(relaxed)) {
            return Some("relaxed");
        }
        role = Some("data");
    }
    role
}

/// Whether who asks for the instruction takes a reference away.
fn drops_reference(loader: &addr2line::Loader, address: u64) -> bool {
    let Ok(mut frames) = loader.find_frames(address) else {
        return false;
    };
    while let Ok(Some(frame)) = frames.next() {
        let file = frame.location.as_ref().and_then(|location| location.file);
        let file = file.unwrap_or_default();
        if file.ends_with(ATOMICS) {
            continue;
        }
        let name = frame.function.as_ref().and_then(|name| name.demangle().ok());
        let name = name.unwrap_or_default();
        // The types that an inlined function was made for stand behind its name.
        let name = match name.split_once('<') {
            Some((plain, _)) if !plain.is_empty() => plain,
            _ => &name,
        };
        let is_drop = |(of, drop): &(&str, &str)| file.ends_with(of) && name.ends_with(drop);
        return DROPS.iter().any(is_drop);
    }
    false
}
