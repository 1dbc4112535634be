//! The orders of `tests/litmus` in the finished kernel: what they rest on must stand there, and every fence that the kernel's source
//! asks for must belong to one of them. So a barrier that is deleted, or added without an order that needs it, is noticed.

use crate::files;
use crate::frames::{self, Place};
use addr2line::Loader;
use anyhow::{Context, Result, anyhow};
use litmus::order::{self, Anchor, Order};
use object::{Object, ObjectSection};
use regex::Regex;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What an instruction is, in the words of [`Anchor::instruction`], if it orders anything.
pub(crate) fn name(word: u32) -> Option<&'static str> {
    Some(match word {
        0xd503_39bf => "DMB ISHLD",
        0xd503_3abf => "DMB ISHST",
        0xd503_3bbf => "DMB ISH",
        0xd503_379f => "DSB NSH",
        0xd503_3a9f => "DSB ISHST",
        0xd503_3b9f => "DSB ISH",
        0xd503_3f9f => "DSB SY",
        0xd503_3fdf => "ISB",
        0xd508_831f => "TLBI VMALLE1IS",
        _ => match word & !31 {
            0xd508_8320 => "TLBI VAE1IS",
            0xd508_8340 => "TLBI ASIDE1IS",
            0xd508_8360 => "TLBI VAAE1IS",
            0xd508_83a0 => "TLBI VALE1IS",
            0xd508_8720 => "TLBI VAE1",
            // STLXP of two words.
            _ if word & 0x3fe0_8000 == 0x0820_8000 => "STLXR",
            _ => match (word & 0x3fff_fc00, word & 0x3fe0_fc00) {
                (0x08df_fc00, _) => "LDAR",
                (0x089f_fc00, _) => "STLR",
                (0x085f_fc00, _) => "LDAXR",
                (_, 0x0800_fc00) => "STLXR",
                _ => return None,
            },
        },
    })
}

/// The functions of a kernel that have each instruction, with those that they were inlined into; and where.
#[derive(Default)]
pub struct Barriers(BTreeMap<&'static str, BTreeMap<String, Occurrences>>);

/// Where in a function an instruction stands: addresses, and of each the line that asks for it, which is its address in assembly, and
/// whether that is a line of the function itself, and not of one that was inlined into it.
type Occurrences = BTreeMap<u64, (u64, bool)>;

impl Barriers {
    /// Finds them all in a kernel.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn of(elf: &Path) -> Result<Barriers> {
        let data = std::fs::read(elf).with_context(|| elf.display().to_string())?;
        let file = object::File::parse(&*data)?;
        let text = file.section_by_name(".text").context("no .text")?;
        let loader = Loader::new(elf).map_err(|error| anyhow!("{}: {error}", elf.display()))?;
        let mut found: BTreeMap<_, BTreeMap<String, Occurrences>> = BTreeMap::new();
        for (index, bytes) in text.data()?.chunks_exact(4).enumerate() {
            let address = text.address() + 4 * index as u64;
            if let Some(name) = name(u32::from_le_bytes(bytes.try_into()?)) {
                let places = found.entry(name).or_default();
                let chain = frames::chain(&loader, address);
                let line = frames::asked_by(&chain).map_or(address, |place| u64::from(place.line));
                let symbol = || loader.find_symbol(address).map(str::to_owned).into_iter();
                let owners = owners(name, &chain);
                let of_assembly = chain.is_empty().then(symbol).into_iter().flatten();
                for (depth, place) in owners.into_iter().chain(of_assembly).enumerate() {
                    let occurrences = places.entry(place).or_default();
                    let (_, is_own) = occurrences.entry(address).or_insert((line, false));
                    *is_own |= depth == 0;
                }
            }
        }
        Ok(Barriers(found))
    }

    /// Whether the instruction stands in its function, if those at `left_out` are not counted.
    fn has(&self, anchor: &Anchor, left_out: &BTreeSet<u64>) -> bool {
        let places = self.0.get(anchor.instruction.as_str());
        let occurrences = places.and_then(|places| places.get(&anchor.place));
        let left = occurrences.into_iter().flatten();
        let left = left
            .filter(|(address, (_, is_own))| !left_out.contains(address) && (*is_own || !anchor.is_itself));
        left.map(|(_, (line, _))| line).collect::<BTreeSet<_>>().len() >= anchor.lines
    }

    /// Where the instruction of an order stands.
    pub fn sites(&self, anchor: &Anchor) -> BTreeSet<u64> {
        let places = self.0.get(anchor.instruction.as_str());
        let occurrences = places.and_then(|places| places.get(&anchor.place));
        let counted = occurrences.into_iter().flatten();
        let counted = counted.filter(|(_, (_, is_own))| *is_own || !anchor.is_itself);
        counted.map(|(address, _)| *address).collect()
    }

    /// Instructions of orders that do not stand where they should, a line each.
    pub fn missing(&self, orders: &[Order]) -> Vec<String> {
        let none = BTreeSet::new();
        let missing = anchors(orders).filter(|(_, anchor)| !self.has(anchor, &none));
        missing
            .map(|(order, anchor)| {
                let Anchor {
                    instruction,
                    place,
                    tag,
                    ..
                } = anchor;
                format!(
                    "{place} has no {instruction}, on which order {} rests ({tag}): {}",
                    order.name, order.must
                )
            })
            .collect()
    }

    /// The order that would miss its instruction if those at `left_out` were gone, and would not hold without it; else one that
    /// would hold.
    pub fn misses<'a>(&self, orders: &'a [Order], left_out: &BTreeSet<u64>) -> Option<Missing<'a>> {
        let missing = anchors(orders).filter(|(_, anchor)| !self.has(anchor, left_out));
        let all: Vec<Missing<'a>> = missing
            .map(|(order, anchor)| Missing {
                order: &order.name,
                is_needed: order.needs(&anchor.tag),
            })
            .collect();
        let needed = all.iter().find(|missing| missing.is_needed);
        needed.or(all.first()).copied()
    }
}

/// An order of which an instruction is gone.
#[derive(Clone, Copy, Debug)]
pub struct Missing<'a> {
    /// Its name.
    pub order: &'a str,
    /// Whether it does not hold without that.
    pub is_needed: bool,
}

/// The functions that an instruction belongs to. A fence that the kernel asks for itself is that of one function alone: those that it
/// was inlined into may have others, for other orders.
fn owners(name: &str, chain: &[Place]) -> Vec<String> {
    let ours = chain.iter().filter_map(|place| Some((place, place.ours()?)));
    let mut ours = ours.peekable();
    let is_fence = name.starts_with("DMB");
    let is_kernels = ours
        .peek()
        .is_some_and(|(place, _)| place.file.starts_with("kernel/"));
    let count = if is_fence && is_kernels { 1 } else { usize::MAX };
    let library = frames::asked_by(chain).and_then(Place::of_library);
    library
        .into_iter()
        .chain(ours.map(|(_, owner)| owner).take(count))
        .collect()
}

fn anchors(orders: &[Order]) -> impl Iterator<Item = (&Order, &Anchor)> {
    orders
        .iter()
        .flat_map(|order| order.code.iter().map(move |anchor| (order, anchor)))
}

/// Fences that the kernel's source asks for in functions that no order names, a line each.
///
/// # Errors
/// A file cannot be read.
pub fn unknown_fences(orders: &[Order]) -> Result<Vec<String>> {
    let named: BTreeSet<&str> = anchors(orders).map(|(_, anchor)| anchor.place.as_str()).collect();
    let function = Regex::new(r"\bfn (\w+)")?;
    let root = files::root();
    let mut sources = Vec::new();
    collect(&root.join("kernel"), &mut sources)?;
    let mut unknown = Vec::new();
    for source in sources {
        let text = std::fs::read_to_string(&source)?;
        let path = source.strip_prefix(&root)?.display().to_string();
        let mut around = String::new();
        for (number, line) in text.lines().enumerate() {
            if line.contains("#[cfg(test)]") {
                break;
            }
            if let Some(name) = function.captures(line) {
                name[1].clone_into(&mut around);
            }
            let place = Place {
                file: path.clone(),
                function: around.clone(),
                line: number as u32 + 1,
            };
            let place = place.ours().context("it is of ours")?;
            if line.contains(" fence(Ordering::") && !named.contains(place.as_str()) {
                unknown.push(format!(
                    "{path}:{}: the fence of {place} belongs to no order of tests/litmus",
                    number + 1
                ));
            }
        }
    }
    Ok(unknown)
}

/// The source files of the kernel below a folder, without its tests.
fn collect(folder: &Path, into: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && !path.ends_with("tests") {
            collect(&path, into)?;
        } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs") {
            into.push(path);
        }
    }
    Ok(())
}

/// The orders of this tree.
///
/// # Errors
/// They cannot be read.
pub fn orders() -> Result<Vec<Order>> {
    order::read_all(&files::root().join("tests/litmus/orders"))
}
