//! What the checker is told of single instructions of the kernel, from its debug information.

use anyhow::{Context, Result, anyhow};
use checker::instruction;
use object::{Object, ObjectSection};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Functions that take a reference away, by file and name.
const DROPS: [(&str, &str); 2] = [
    ("alloc/src/sync.rs", "drop"),
    ("kernel/mm/src/frames.rs", "drop_reference"),
];
/// Atomics themselves, whose instructions belong to who calls them.
const ATOMICS: &str = "core/src/sync/atomic.rs";

/// Writes what is known of the instructions of `elf` beside it, unless that was done before; where.
pub fn write(elf: &Path) -> Result<PathBuf> {
    let file = elf.with_extension("sites");
    let time = |path: &Path| path.metadata().and_then(|data| data.modified());
    if time(&file).is_ok_and(|made| time(elf).is_ok_and(|built| built < made)) {
        return Ok(file);
    }
    // Two scenes may do it at once: each puts a whole file in place.
    let own = elf.with_extension(format!("sites-{}", std::process::id()));
    std::fs::write(&own, text(elf)?).with_context(|| own.display().to_string())?;
    std::fs::rename(&own, &file)?;
    Ok(file)
}

fn text(elf: &Path) -> Result<String> {
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
    }
    anyhow::ensure!(references > 0, "{} drops no references", elf.display());
    Ok(text)
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
