//! Who calls whom in a built kernel, by its machine code: branches with a link and without, and addresses of functions that are
//! formed. Encodings: Arm ARM C4.1.93 (branches) and C4.1.92 (ADR, ADRP, ADD).

use anyhow::{Context, Result};
use object::{Object, ObjectSection, ObjectSymbol, SectionKind, SymbolKind};
use rustc_demangle::demangle;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The functions of a program, by address, and who calls each.
pub struct Calls {
    names: BTreeMap<u64, String>,
    /// Callers of each function, both by where they begin.
    callers: BTreeMap<u64, BTreeSet<u64>>,
}

/// What a word does that calls are made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Word {
    /// Goes to an address, or may.
    Branch(u64),
    /// Puts the address of something into a register.
    Address { register: u32, value: u64 },
    /// Puts the address of a page into a register: of what lies somewhere in it.
    Page { register: u32, value: u64 },
    /// Loads into a register, or stores from it, so many bytes above another one.
    Access { register: u32, from: u32, offset: i64 },
    /// Adds a number to a register.
    Add { register: u32, from: u32, value: u64 },
    /// Anything else. It may change the register that it names in its lowest bits.
    Other { register: u32 },
}

/// Data of a program, and who has which of it.
#[derive(Default)]
struct Data<'a> {
    sections: Vec<(u64, &'a [u8])>,
    /// The functions that form each address.
    formed: BTreeMap<u64, BTreeSet<u64>>,
    /// Where in data each address of data stands.
    pointed: BTreeMap<u64, BTreeSet<u64>>,
}

impl Data<'_> {
    /// All words, with their addresses.
    fn words(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.sections.iter().flat_map(|(start, bytes)| {
            let words = bytes.chunks_exact(8);
            (*start..).step_by(8).zip(words.map(|word| {
                word.iter()
                    .rev()
                    .fold(0, |value, byte| value << 8 | u64::from(*byte))
            }))
        })
    }

    fn find_pointers(&mut self) {
        let is_data = |to: u64| {
            let within = |(start, bytes): &(u64, &[u8])| (*start..*start + bytes.len() as u64).contains(&to);
            self.sections.iter().any(within)
        };
        let found: Vec<_> = self.words().filter(|(_, to)| is_data(*to)).collect();
        for (at, to) in found {
            self.pointed.entry(to).or_default().insert(at);
        }
    }

    /// The functions that can have what stands at `at`: it is a part of the object that begins at the nearest address, at or before
    /// it, that is formed in code or stands in data. Those have it that form that address, or have the data where it stands.
    fn users(&self, at: u64) -> BTreeSet<u64> {
        let (mut users, mut seen, mut todo) = (BTreeSet::new(), BTreeSet::new(), vec![at]);
        while let Some(at) = todo.pop() {
            let formed = self.formed.range(..=at).next_back().map(|(base, _)| *base);
            let pointed = self.pointed.range(..=at).next_back().map(|(base, _)| *base);
            let Some(base) = formed.max(pointed).filter(|base| seen.insert(*base)) else {
                continue;
            };
            users.extend(self.formed.get(&base).into_iter().flatten());
            todo.extend(self.pointed.get(&base).into_iter().flatten());
        }
        users
    }
}

impl Word {
    fn of(word: u32, at: u64) -> Word {
        let branch =
            |first: u32, bits: u32| Word::Branch(at.wrapping_add_signed(signed(word >> first, bits) << 2));
        let register = word & 0x1f;
        // The two low bits of ADR's number stand apart.
        let number = || signed((word >> 5 & 0x7ffff) << 2 | word >> 29 & 3, 21);
        match word {
            // B, BL
            _ if word & 0x7c00_0000 == 0x1400_0000 => branch(0, 26),
            // B.cond, CBZ and CBNZ, TBZ and TBNZ
            _ if word & 0xff00_0000 == 0x5400_0000 => branch(5, 19),
            _ if word & 0x7e00_0000 == 0x3400_0000 => branch(5, 19),
            _ if word & 0x7e00_0000 == 0x3600_0000 => branch(5, 14),
            _ if word & 0x9f00_0000 == 0x1000_0000 => Word::Address {
                register,
                value: at.wrapping_add_signed(number()),
            },
            _ if word & 0x9f00_0000 == 0x9000_0000 => Word::Page {
                register,
                value: (at & !0xfff).wrapping_add_signed(number() << 12),
            },
            // ADD (immediate, 64 bits), not shifted
            _ if word & 0xffc0_0000 == 0x9100_0000 => Word::Add {
                register,
                from: word >> 5 & 0x1f,
                value: u64::from(word >> 10 & 0xfff),
            },
            // LDR, STR (unsigned offset) of any size
            _ if word & 0x3b00_0000 == 0x3900_0000 => {
                let is_quad = word & 0x0480_0000 == 0x0480_0000;
                Word::Access {
                    register,
                    from: word >> 5 & 0x1f,
                    offset: i64::from(word >> 10 & 0xfff) << if is_quad { 4 } else { word >> 30 },
                }
            }
            // LDP, STP (signed offset)
            _ if word & 0x3b80_0000 == 0x2900_0000 => {
                let is_vector = word & 0x0400_0000 != 0;
                let scale = 2 + if is_vector { word >> 30 } else { word >> 31 };
                Word::Access {
                    register,
                    from: word >> 5 & 0x1f,
                    offset: signed(word >> 15, 7) << scale,
                }
            }
            _ => Word::Other { register },
        }
    }
}

/// The lowest `bits` of a word as a signed number.
fn signed(word: u32, bits: u32) -> i64 {
    i64::from((word << (32 - bits)) as i32 >> (32 - bits))
}

impl Calls {
    /// Reads an ELF file.
    ///
    /// A function whose address is formed in code counts as called by that code; one whose address stands in data (a table of
    /// methods, mostly) by whoever can have that data (`Data::users`). So who makes a `dyn` value counts as calling its methods,
    /// whoever does so in the end.
    pub fn of(program: &Path) -> Result<Calls> {
        let bytes = std::fs::read(program).with_context(|| program.display().to_string())?;
        let elf = object::File::parse(bytes.as_slice())?;
        let mut calls = Calls {
            names: names(&elf),
            callers: BTreeMap::new(),
        };
        let mut data = Data::default();
        let literals = literals(&elf);
        for section in elf.sections() {
            match section.kind() {
                SectionKind::Text => {
                    let (start, code) = (section.address(), section.data()?);
                    calls.read_code(start, code, &literals, &mut data.formed);
                }
                SectionKind::Data | SectionKind::ReadOnlyData => {
                    data.sections.push((section.address(), section.data()?));
                }
                _ => {}
            }
        }
        data.find_pointers();
        for (at, to) in data.words() {
            if calls.names.contains_key(&to) {
                let users = data.users(at);
                users.into_iter().for_each(|user| calls.note_address(user, to));
            }
        }
        Ok(calls)
    }

    /// Notes the calls in some code, and which function forms which addresses.
    fn read_code(
        &mut self,
        start: u64,
        code: &[u8],
        literals: &BTreeMap<u64, bool>,
        formed: &mut BTreeMap<u64, BTreeSet<u64>>,
    ) {
        let mut registers = [None; 32];
        let mut last = None;
        for (word, at) in code.chunks_exact(4).zip((start..).step_by(4)) {
            let function = self.function(at);
            if function != last {
                (last, registers) = (function, [None; 32]);
            }
            let is_literal = literals.range(..=at).next_back().is_some_and(|(_, is)| *is);
            let Some(function) = function.filter(|_| !is_literal) else {
                continue;
            };
            let word = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
            match Word::of(word, at) {
                Word::Branch(to) => self.note(function, to),
                Word::Page { register, value } => registers[register as usize] = Some(value),
                Word::Address { register, value } => {
                    registers[register as usize] = Some(value);
                    self.note_address(function, value);
                    formed.entry(value).or_default().insert(function);
                }
                Word::Access {
                    register,
                    from,
                    offset,
                } => {
                    if let Some(page) = registers[from as usize] {
                        let address = page.wrapping_add_signed(offset);
                        formed.entry(address).or_default().insert(function);
                    }
                    registers[register as usize] = None;
                }
                Word::Add {
                    register,
                    from,
                    value,
                } => {
                    if let Some(page) = registers[from as usize] {
                        let address: u64 = page + value;
                        if register != from {
                            registers[register as usize] = None;
                        }
                        self.note_address(function, address);
                        formed.entry(address).or_default().insert(function);
                    }
                }
                Word::Other { register } => registers[register as usize] = None,
            }
        }
    }

    /// The function that an address lies in.
    fn function(&self, at: u64) -> Option<u64> {
        self.names.range(..=at).next_back().map(|(start, _)| *start)
    }

    /// A branch of a function.
    fn note(&mut self, from: u64, to: u64) {
        if let Some(to) = self.function(to).filter(|to| *to != from) {
            self.callers.entry(to).or_default().insert(from);
        }
    }

    /// An address that a function forms: a call if it is a function's.
    fn note_address(&mut self, from: u64, to: u64) {
        if self.names.contains_key(&to) {
            self.note(from, to);
        }
    }

    /// All calls on the ways to functions that `is_end` is true of: caller and callee by name.
    pub fn ways_to(&self, is_end: impl Fn(&str) -> bool) -> BTreeSet<(String, String)> {
        let ends = self.names.iter().filter(|(_, name)| is_end(name));
        let mut todo: Vec<u64> = ends.map(|(start, _)| *start).collect();
        let mut known: BTreeSet<u64> = todo.iter().copied().collect();
        let mut ways = BTreeSet::new();
        while let Some(at) = todo.pop() {
            for caller in self.callers.get(&at).into_iter().flatten() {
                ways.insert((self.names[caller].clone(), self.names[&at].clone()));
                if known.insert(*caller) {
                    todo.push(*caller);
                }
            }
        }
        ways
    }
}

/// Where literals begin between the code, and where they end: mapping symbols (AAELF64 5.5.4).
fn literals(elf: &object::File<'_>) -> BTreeMap<u64, bool> {
    let mapping = elf.symbols().filter_map(|symbol| {
        let name = symbol.name().ok()?;
        let is_literal = name == "$d" || name.starts_with("$d.");
        let is_code = name == "$x" || name.starts_with("$x.");
        (is_literal || is_code).then(|| (symbol.address(), is_literal))
    });
    mapping.collect()
}

/// The names of all places in the code, without hashes.
fn names(elf: &object::File<'_>) -> BTreeMap<u64, String> {
    let text = |symbol: &object::Symbol<'_, '_>| {
        let section = symbol
            .section_index()
            .and_then(|index| elf.section_by_index(index).ok());
        section.is_some_and(|section| section.kind() == SectionKind::Text)
    };
    elf.symbols()
        .filter(|symbol| {
            matches!(
                symbol.kind(),
                SymbolKind::Text | SymbolKind::Unknown | SymbolKind::Label
            )
        })
        .filter(text)
        .filter_map(|symbol| Some((symbol.address(), symbol.name().ok()?)))
        .filter(|(_, name)| !name.starts_with('$') && !name.is_empty())
        .map(|(address, name)| (address, format!("{:#}", demangle(name))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read() {
        let at = 0xffff_ffff_8000_1000;
        // bl .+8, b .-4, cbz x0 .+16, tbnz w1 #3 .-8
        assert_eq!(Word::of(0x9400_0002, at), Word::Branch(at + 8));
        assert_eq!(Word::of(0x17ff_ffff, at), Word::Branch(at - 4));
        assert_eq!(Word::of(0xb400_0080, at), Word::Branch(at + 16));
        assert_eq!(Word::of(0x371f_ffc1, at), Word::Branch(at - 8));
        // adrp x3, .+0x5000; add x4, x3, #0x18; ret
        let page = Word::Page {
            register: 3,
            value: at + 0x5000,
        };
        assert_eq!(Word::of(0xb000_0023, at), page);
        let add = Word::Add {
            register: 4,
            from: 3,
            value: 0x18,
        };
        assert_eq!(Word::of(0x9100_6064, at), add);
        assert_eq!(Word::of(0xd65f_03c0, at), Word::Other { register: 0 });
        // ldr x0, [x1, #8]; ldr q2, [x3, #32]; ldrb w4, [x5, #3]; stp x6, x7, [x8, #-16]; ldp q0, q1, [x2, #32]
        for (word, register, from, offset) in [
            (0xf940_0420, 0, 1, 8),
            (0x3dc0_0862, 2, 3, 32),
            (0x3940_0ca4, 4, 5, 3),
            (0xa93f_1d06, 6, 8, -16),
            (0xad41_0440, 0, 2, 32),
        ] {
            let access = Word::Access {
                register,
                from,
                offset,
            };
            assert_eq!(Word::of(word, at), access);
        }
    }
}
