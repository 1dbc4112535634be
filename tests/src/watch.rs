//! A board under the checker (`tests/checker`): QEMU keeps its RAM in a file that the plugin reads, and the plugin's log is read
//! when the board is off. Addresses in it get the names of the kernel's functions.

use crate::files;
use crate::qemu::{Load, Machine, Virt};
use crate::ram_file::RamFile;
use crate::watched_sites::{self, Sites};
use anyhow::{Context, Result, anyhow, bail, ensure};
use object::{Object, ObjectSymbol};
use regex::{Captures, Regex};
use std::collections::HashSet;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Functions whose stores are to a frame that nobody else has (contract of `Mmu::copy_frame` and `Mmu::zero_frame`).
const TAKERS: [&str; 2] = ["copy_frame_bytes", "zero_frame_bytes"];
/// How many functions of a chain of inlined ones are named.
const CHAIN: usize = 5;
/// How many lines of a log that holds violations are shown.
const SHOWN: usize = 60;

/// A board that is watched.
pub struct Watch {
    plugin: PathBuf,
    ram: RamFile,
    log: PathBuf,
    elf: PathBuf,
    has_one_asid: bool,
    sites: Sites,
}

/// RAM of a board: first address, bytes.
fn memory(machine: &Machine) -> Result<(u64, u64)> {
    let Machine::Virt(Virt { memory, .. }) = machine else {
        return Ok((0, 2 << 30));
    };
    let (digits, unit) = memory.split_at(memory.len() - 1);
    let unit = match unit {
        "M" => 1 << 20,
        "G" => 1 << 30,
        _ => bail!("-m {memory}: M or G is wanted"),
    };
    Ok((0x4000_0000, digits.parse::<u64>()? * unit))
}

impl Watch {
    /// Makes ready to watch this board, on which `image` is booted. The log goes to `folder`.
    pub fn new(machine: &Machine, load: &Load, image: &Path, folder: &Path, sites: Sites) -> Result<Watch> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let (base, size) = memory(machine)?;
        let ram = RamFile::new(base, size)?;
        // The log of a run before must not be read until this one begins its own.
        let log = folder.join(format!("checker-{number}.log"));
        File::create(&log).with_context(|| log.display().to_string())?;
        Ok(Watch {
            plugin: files::existing(files::built().join("libchecker.so"))?,
            ram,
            log,
            elf: elf_of(image)?,
            has_one_asid: load.command_line.contains("asid=fixed"),
            sites,
        })
    }

    /// What QEMU must be told.
    pub fn arguments(&self) -> Result<Vec<String>> {
        let (plugin, ram, log) = (self.plugin.display(), self.ram.options(), self.log.display());
        let mut options = format!("{plugin},{ram},log={log}");
        for range in symbols(&self.elf, &TAKERS)? {
            options += &format!(",frames={:#x}-{:#x}", range.start, range.end);
        }
        options += &format!(
            ",sites={}",
            watched_sites::write(&self.elf, self.sites)?.display()
        );
        if self.has_one_asid {
            options += ",one-asid=on";
        }
        let mut words = self.ram.arguments().to_vec();
        words.extend(["-plugin".to_owned(), options]);
        Ok(words)
    }

    /// The log as it is so far.
    pub fn text(&self) -> Result<String> {
        std::fs::read_to_string(&self.log).with_context(|| self.log.display().to_string())
    }

    /// Fails with the violations if there are any.
    pub fn check(&self) -> Result<()> {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        if !text.contains("VIOLATION ") {
            return Ok(());
        }
        let named = with_names(&text, &self.elf)?;
        std::fs::write(self.log.with_extension("named.log"), &named)?;
        let lines: Vec<&str> = named.lines().take(SHOWN).collect();
        bail!(
            "the checker found, log {}:\n{}",
            self.log.display(),
            lines.join("\n")
        )
    }

    /// Fails unless the board was watched to its end; returns the line that says how much was watched.
    pub fn watched(&self) -> Result<String> {
        self.check()?;
        let text = self.text()?;
        ensure!(
            text.contains("verdict: 0 kinds, 0 violations"),
            "{} has no verdict",
            self.log.display()
        );
        let line = text.lines().find(|line| line.starts_with("watched: "));
        Ok(line.context("nothing was watched")?.to_owned())
    }
}

/// `kernel8-checked.img` was made of `kernel-checked.elf`.
pub fn elf_of(image: &Path) -> Result<PathBuf> {
    let name = image
        .file_stem()
        .context("an image has a name")?
        .to_string_lossy();
    let name = name.replacen("kernel8", "kernel", 1);
    files::existing(image.with_file_name(format!("{name}.elf")))
}

/// Where these functions lie.
fn symbols(elf: &Path, names: &[&str]) -> Result<Vec<Range<u64>>> {
    let data = std::fs::read(elf).with_context(|| elf.display().to_string())?;
    let file = object::File::parse(&*data)?;
    let all: Vec<(u64, String)> = file
        .symbols()
        .filter(|symbol| symbol.address() != 0)
        .map(|symbol| (symbol.address(), symbol.name().unwrap_or_default().to_owned()))
        .collect();
    let end = |start: u64| {
        all.iter()
            .map(|(address, _)| *address)
            .filter(|&address| address > start)
            .min()
    };
    let ranges = names.iter().map(|name| {
        let (start, _) = all
            .iter()
            .find(|(_, known)| known == name)
            .with_context(|| format!("{} has no {name}", elf.display()))?;
        Ok(*start..end(*start).unwrap_or(*start + 4096))
    });
    ranges.collect()
}

/// The kernel's addresses in a text, each with its function, file and line behind it the first time on each line.
fn with_names(text: &str, elf: &Path) -> Result<String> {
    let loader = addr2line::Loader::new(elf).map_err(|error| anyhow!("{}: {error}", elf.display()))?;
    let address = Regex::new("0xffffffff[89a-f][0-9a-f]{7}")?;
    let mut named = String::with_capacity(2 * text.len());
    for line in text.lines() {
        let mut said = HashSet::new();
        let line = address.replace_all(line, |found: &Captures| {
            let word = found[0].to_owned();
            let number = u64::from_str_radix(&word[2..], 16).unwrap_or_default();
            if said.insert(number) {
                format!("{word} <{}>", name(&loader, number))
            } else {
                word
            }
        });
        named += &line;
        named.push('\n');
    }
    Ok(named)
}

/// A function's name without the types that it was made for.
fn plain(name: &str) -> String {
    name.split('<')
        .next()
        .filter(|plain| !plain.is_empty())
        .unwrap_or(name)
        .to_owned()
}

/// The functions that an instruction was written in, innermost first, and the line.
fn name(loader: &addr2line::Loader, address: u64) -> String {
    let mut names = Vec::new();
    let mut place = String::new();
    if let Ok(mut frames) = loader.find_frames(address) {
        while let Ok(Some(frame)) = frames.next() {
            let function = frame
                .function
                .as_ref()
                .and_then(|name| name.demangle().ok().map(String::from));
            if let Some(location) = frame.location.as_ref().filter(|_| place.is_empty()) {
                place = format!(" {}:{}", location.file.unwrap_or("?"), location.line.unwrap_or(0));
            }
            names.extend(function.as_deref().map(plain));
        }
    }
    names.retain(|name| name != "{closure#0}");
    if names.is_empty() {
        let symbol = loader.find_symbol(address).unwrap_or("?");
        names.push(rustc_demangle::demangle(symbol).to_string());
    }
    names.dedup();
    names.truncate(CHAIN);
    format!("{}{place}", names.join(" in "))
}
