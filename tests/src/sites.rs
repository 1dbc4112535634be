//! The instructions of the finished kernel that silicon relies on, each with the function of `platform`, `mm` or `sched`, or of `Arc` and `Once`,
//! that it was written in, however deep it was inlined.

use crate::frames::{self, Place, chain};
use anyhow::{Context, Result, anyhow};
use checker::instruction::{self, Operation};
use object::{Object, ObjectSection};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Folders whose instructions are changed.
const FOLDERS: [&str; 3] = ["kernel/mm/src/", "kernel/sched/src/", "platform/src/"];
/// Files that only name instructions: who asks for one is looked for above them.
const THIN: [&str; 7] = [
    "platform/src/arch/mod.rs",
    "platform/src/memory/mmu.rs",
    "platform/src/memory/pairs.rs",
    "kernel/mm/src/hostage.rs",
    "kernel/mm/src/memory.rs",
    "kernel/mm/src/sync.rs",
    "kernel/mm/src/mmu.rs",
];

/// What an instruction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One that the checker follows.
    Followed(Operation),
    /// A store of zero to a translation table.
    Break,
    /// LDAXR, LDAR and their kin: what others released is acquired.
    Acquire,
    /// STLXR, STLR and their kin: what was done is released to others.
    Release,
}

impl Kind {
    /// Whether it only orders what is stored and loaded: QEMU's machine does not know it.
    pub fn is_of_order(self) -> bool {
        matches!(
            self,
            Kind::Acquire | Kind::Release | Kind::Followed(Operation::Dmb(..))
        )
    }
}

/// Of exclusive and ordered accesses: it loads.
const LOAD: u32 = 1 << 22;

/// One instruction.
#[derive(Clone, Debug)]
pub struct Site {
    /// Where it stands.
    pub address: u64,
    /// Its word.
    pub word: u32,
    /// What it is.
    pub kind: Kind,
    /// `file::function` that asks for it.
    pub place: String,
    /// The line there.
    pub line: u32,
    /// Which of this kind it is in that function, from 1.
    pub number: usize,
}

/// `STR XZR`: immediate and register offset; `STP XZR, XZR`.
fn is_store_of_zero(word: u32) -> bool {
    word & 0xffc0_001f == 0xf900_001f
        || word & 0xffe0_0c1f == 0xf820_081f
        || word & 0xffe0_0c1f == 0xf800_041f
        || word & 0xffc0_7c1f == 0xa900_7c1f
}

/// The line of all that a library wrote: one mutant changes it wherever it was inlined.
const OF_LIBRARY: u32 = 1;

/// Path from the root of the repository, if it lies in one of the folders.
fn mine(place: &Place) -> Option<&str> {
    let is_mine = FOLDERS.iter().any(|folder| place.file.starts_with(folder));
    is_mine.then_some(place.file.as_str())
}

struct Finder {
    loader: addr2line::Loader,
}

impl Finder {
    /// Who asks for the instruction, if that is ours. Assembly has a symbol and no file.
    fn place(&self, address: u64) -> Option<(String, u32)> {
        let chain = chain(&self.loader, address);
        // Wherever a library's function was inlined, its barriers are its own.
        if let Some(place) = frames::asked_by(&chain)
            && let Some(library) = place.of_library()
        {
            return Some((library, OF_LIBRARY));
        }
        // What another crate of the kernel has written is its own, though ours has called it.
        let is_library =
            |place: &&Place| place.file.contains("/library/") || place.file.contains("/registry/");
        if let Some(written) = chain.iter().find(|place| !is_library(place))
            && mine(written).is_none()
        {
            return None;
        }
        let is_thin = |place: &Place| {
            THIN.contains(&place.file.as_str())
                || (place.file == "kernel/mm/src/table.rs" && place.function == "flush")
        };
        if let Some(place) = chain
            .iter()
            .find(|place| mine(place).is_some() && !is_thin(place))
        {
            return Some((place.ours()?, place.line));
        }
        if chain.iter().any(|place| mine(place).is_some()) {
            // Named by a thin file, asked for from above.
            let asker = chain.iter().rev().find(|place| !place.function.is_empty())?;
            return Some((asker.function.clone(), asker.line));
        }
        if !chain.is_empty() {
            return None;
        }
        let symbol = self.loader.find_symbol(address)?;
        Some((rustc_demangle::demangle(symbol).to_string(), 0))
    }

    fn is_table_store(&self, address: u64) -> bool {
        let chain = chain(&self.loader, address);
        let is_store =
            |place: &Place| place.file == "platform/src/memory/mmu.rs" && place.function.starts_with("store");
        chain.iter().any(is_store)
    }

    /// `core::hint::spin_loop` is an ISB on this processor, which orders nothing that anybody needs.
    fn is_hint(&self, address: u64) -> bool {
        let chain = chain(&self.loader, address);
        chain.iter().any(|place| place.function == "spin_loop")
    }

    fn kind(&self, address: u64, word: u32) -> Option<Kind> {
        match instruction::decode(word) {
            Some(
                Operation::ExceptionReturn
                | Operation::Write(_)
                | Operation::Acknowledge
                | Operation::Call
                | Operation::SendEvent
                | Operation::WaitForInterrupt,
            ) => None,
            Some(Operation::Isb) if self.is_hint(address) => None,
            Some(operation) => Some(Kind::Followed(operation)),
            None if is_store_of_zero(word) && self.is_table_store(address) => Some(Kind::Break),
            None if instruction::is_ordered(word) && word & LOAD != 0 => Some(Kind::Acquire),
            None if instruction::is_ordered(word) => Some(Kind::Release),
            None => None,
        }
    }
}

/// All sites of this kernel.
pub fn find(elf: &Path) -> Result<Vec<Site>> {
    let data = std::fs::read(elf).with_context(|| elf.display().to_string())?;
    let file = object::File::parse(&*data)?;
    let text = file.section_by_name(".text").context("no .text")?;
    let loader = addr2line::Loader::new(elf).map_err(|error| anyhow!("{}: {error}", elf.display()))?;
    let finder = Finder { loader };
    let mut sites = Vec::new();
    for (index, bytes) in text.data()?.chunks_exact(4).enumerate() {
        let word = u32::from_le_bytes(bytes.try_into()?);
        let address = text.address() + 4 * index as u64;
        if let Some(kind) = finder.kind(address, word)
            && let Some((place, line)) = finder.place(address)
        {
            sites.push(Site {
                address,
                word,
                kind,
                place,
                line,
                number: 0,
            });
        }
    }
    number(&mut sites);
    Ok(sites)
}

/// Numbers the lines of each function on which there is one of a kind; those of assembly, which has no lines, by address.
fn number(sites: &mut [Site]) {
    let mut lines: BTreeMap<(String, u32), BTreeSet<u64>> = BTreeMap::new();
    // Of ordered accesses all registers are left out.
    let form = |word: u32| {
        if instruction::is_ordered(word) {
            word & 0xffe0_8000
        } else {
            word & !31
        }
    };
    let key = |site: &Site| (site.place.clone(), form(site.word));
    let rank = |site: &Site| {
        if site.line == 0 {
            site.address
        } else {
            u64::from(site.line)
        }
    };
    for site in sites.iter() {
        lines.entry(key(site)).or_default().insert(rank(site));
    }
    for site in sites {
        let all = &lines[&key(site)];
        site.number = 1 + all.iter().take_while(|&&line| line < rank(site)).count();
    }
}
