//! Loads and stores of the finished kernel by the line of its source that asks for them, however deep they were inlined.

use crate::files;
use crate::frames::{self, Place};
use addr2line::Loader;
use anyhow::{Context, Result, anyhow, ensure};
use litmus::order::{Access, Order};
use object::{Object, ObjectSection};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What an instruction does to memory.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Kind {
    Load,
    Store,
    /// A call of whoever does it.
    Call,
}

/// Whether a word loads or stores (Arm ARM C4.1.88, loads and stores), or calls (BL).
fn kind(word: u32) -> Option<Kind> {
    if word >> 26 == 0b10_0101 {
        return Some(Kind::Call);
    }
    if (word >> 25) & 0b101 != 0b100 {
        return None;
    }
    let is_load = match (word >> 27) & 7 {
        // Exclusive and ordered ones; pairs.
        0b001 | 0b101 => word & (1 << 22) != 0,
        // Of a literal.
        0b011 => true,
        // Of a register: opc.
        0b111 => word & (3 << 22) != 0,
        _ => return None,
    };
    Some(if is_load { Kind::Load } else { Kind::Store })
}

/// The accesses of a function.
struct Function {
    /// Its file.
    file: String,
    /// Of each access its line there, what it does, where it stands.
    accesses: Vec<(u32, Kind, u64)>,
}

/// The accesses of the functions that orders name.
pub struct Accesses(BTreeMap<String, Function>);

impl Accesses {
    /// Finds them in a kernel.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn of(elf: &Path, orders: &[Order]) -> Result<Accesses> {
        let named = orders.iter().flat_map(|order| &order.accesses);
        let named: BTreeSet<&str> = named.map(|access| access.place.as_str()).collect();
        let data = std::fs::read(elf).with_context(|| elf.display().to_string())?;
        let file = object::File::parse(&*data)?;
        let text = file.section_by_name(".text").context("no .text")?;
        let loader = Loader::new(elf).map_err(|error| anyhow!("{}: {error}", elf.display()))?;
        let mut functions: BTreeMap<String, Function> = BTreeMap::new();
        for (index, bytes) in text.data()?.chunks_exact(4).enumerate() {
            let address = text.address() + 4 * index as u64;
            let Some(kind) = kind(u32::from_le_bytes(bytes.try_into()?)) else {
                continue;
            };
            let chain = frames::chain(&loader, address);
            for (depth, place) in chain.iter().enumerate() {
                // A closure is a part of the function around it.
                let around = chain[depth..]
                    .iter()
                    .find(|around| around.file == place.file && !around.function.starts_with('{'));
                if let Some(name) = around.and_then(Place::ours)
                    && named.contains(name.as_str())
                {
                    let function = functions.entry(name).or_insert_with(|| Function {
                        file: place.file.clone(),
                        accesses: Vec::new(),
                    });
                    function.accesses.push((place.line, kind, address));
                }
            }
        }
        Ok(Accesses(functions))
    }

    /// Where an access of an order stands; where no such line has one of its own, the call of whoever does it.
    ///
    /// # Errors
    /// The kernel has none there, or its source cannot be read.
    pub fn sites(&self, access: &Access) -> Result<BTreeSet<u64>> {
        let Access { place, text, .. } = access;
        let function = self
            .0
            .get(place)
            .with_context(|| format!("no function {place}"))?;
        let source = std::fs::read_to_string(files::root().join(&function.file))?;
        let lines: Vec<&str> = source.lines().collect();
        let has_text = |line: u32| {
            let line = lines.get((line as usize).wrapping_sub(1));
            line.is_some_and(|line| line.contains(text.as_str()))
        };
        let of_kind = |wanted: Kind| -> BTreeSet<u64> {
            let found = function
                .accesses
                .iter()
                .filter(|(line, kind, _)| *kind == wanted && has_text(*line));
            found.map(|(_, _, address)| *address).collect()
        };
        let own = of_kind(if access.is_load { Kind::Load } else { Kind::Store });
        let found = if own.is_empty() { of_kind(Kind::Call) } else { own };
        let what = if access.is_load { "loads" } else { "stores" };
        ensure!(
            !found.is_empty(),
            "{place} nowhere {what} on a line with {text:?}"
        );
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loads_and_stores_are_told_apart() {
        // LDR X0,[X1]; LDRB W0,[X1]; LDP X0,X1,[X2]; LDAR W0,[X1]; LDXR W0,[X1]; LDR X0,[X1,X2]; LDR Q0,[X1].
        for word in [
            0xf940_0020,
            0x3940_0020,
            0xa940_0440,
            0x88df_fc20,
            0x885f_7c20,
            0xf862_6820,
            0x3dc0_0020,
        ] {
            assert_eq!(kind(word), Some(Kind::Load), "{word:x}");
        }
        // STR, STRB, STP, STLR, STXR, STR with a register offset, STUR.
        for word in [
            0xf900_0020,
            0x3900_0020,
            0xa900_0440,
            0x889f_fc20,
            0x8802_7c20,
            0xf822_6820,
            0xf800_8020,
        ] {
            assert_eq!(kind(word), Some(Kind::Store), "{word:x}");
        }
        // ADD, B, DMB ISH, MRS, MOV of 64 and 32 bits.
        assert_eq!(kind(0x9400_0001), Some(Kind::Call));
        for word in [
            0x9100_0420,
            0x1400_0001,
            0xd503_3bbf,
            0xd538_4240,
            0xaa01_03e0,
            0x2a16_03ea,
        ] {
            assert_eq!(kind(word), None, "{word:x}");
        }
    }
}
