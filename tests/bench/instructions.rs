//! What one instruction is that costs a real processor far more, or waits for more, than its count of one says. Encodings:
//! Arm ARM C4.1.93 (barriers, system instructions) and C4.1.94 (exclusive loads and stores).

use anyhow::{Context, Result};
use object::{Object, ObjectSection, SectionKind};
use std::path::Path;

/// A kind of such an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// DSB
    Dsb,
    /// DMB
    Dmb,
    /// ISB
    Isb,
    /// TLBI
    Tlbi,
    /// DC and IC
    Cache,
    /// Load-exclusive and store-exclusive
    Exclusive,
    /// Load-acquire and store-release
    Ordered,
    /// MRS and MSR
    System,
}

impl Kind {
    /// The name of each, in the order in which they are printed.
    pub const ALL: [(Kind, &'static str); 8] = [
        (Kind::Dsb, "DSB"),
        (Kind::Dmb, "DMB"),
        (Kind::Isb, "ISB"),
        (Kind::Tlbi, "TLBI"),
        (Kind::Cache, "DC/IC"),
        (Kind::Exclusive, "exclusives"),
        (Kind::Ordered, "acquire/release"),
        (Kind::System, "MRS/MSR"),
    ];

    /// What kind this word is, if it is one.
    pub fn of(word: u32) -> Option<Kind> {
        const PATTERNS: [(u32, u32, Kind); 9] = [
            (0xffff_f0ff, 0xd503_309f, Kind::Dsb),
            (0xffff_f0ff, 0xd503_30bf, Kind::Dmb),
            (0xffff_f0ff, 0xd503_30df, Kind::Isb),
            // SYS with CRn 8 and 7.
            (0xfff8_f000, 0xd508_8000, Kind::Tlbi),
            (0xfff8_f000, 0xd508_7000, Kind::Cache),
            (0x3f80_0000, 0x0800_0000, Kind::Exclusive),
            (0x3fa0_0000, 0x0880_0000, Kind::Ordered),
            (0xfff0_0000, 0xd510_0000, Kind::System),
            (0xfff0_0000, 0xd530_0000, Kind::System),
        ];
        let found = PATTERNS.iter().find(|(mask, value, _)| word & mask == *value);
        found.map(|(_, _, kind)| *kind)
    }
}

/// The instructions of a program, by address.
pub struct Text(Vec<(u64, Vec<u8>)>);

impl Text {
    /// The executable sections of an ELF file.
    pub fn of(program: &Path) -> Result<Text> {
        let bytes = std::fs::read(program).with_context(|| program.display().to_string())?;
        let elf = object::File::parse(bytes.as_slice())?;
        let mut sections = Vec::new();
        for section in elf
            .sections()
            .filter(|section| section.kind() == SectionKind::Text)
        {
            sections.push((section.address(), section.data()?.to_vec()));
        }
        Ok(Text(sections))
    }

    /// The word at an address.
    pub fn word(&self, address: u64) -> Option<u32> {
        let word = |(start, data): &(u64, Vec<u8>)| {
            let offset = usize::try_from(address.checked_sub(*start)?).ok()?;
            let bytes = data.get(offset..offset.checked_add(4)?)?;
            Some(u32::from_le_bytes(bytes.try_into().ok()?))
        };
        self.0.iter().find_map(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_are_told_apart() {
        let known = [
            (0xd503_3b9f, Kind::Dsb),       // dsb ish
            (0xd503_3a9f, Kind::Dsb),       // dsb ishst
            (0xd503_3bbf, Kind::Dmb),       // dmb ish
            (0xd503_3fdf, Kind::Isb),       // isb
            (0xd508_8340, Kind::Tlbi),      // tlbi aside1is, x0
            (0xd508_871f, Kind::Tlbi),      // tlbi vmalle1
            (0xd50b_7420, Kind::Cache),     // dc zva, x0
            (0xd50b_7520, Kind::Cache),     // ic ivau, x0
            (0xc85f_7c00, Kind::Exclusive), // ldxr x0, [x0]
            (0x8800_fc41, Kind::Exclusive), // stlxr w0, w1, [x2]
            (0x88df_fc00, Kind::Ordered),   // ldar w0, [x0]
            (0x889f_fc00, Kind::Ordered),   // stlr w0, [x0]
            (0xd538_d080, Kind::System),    // mrs x0, tpidr_el1
            (0xd518_2000, Kind::System),    // msr ttbr0_el1, x0
        ];
        for (word, kind) in known {
            assert_eq!(Kind::of(word), Some(kind), "{word:#x}");
        }
        // nop, ret, ldr x0, [x0], stp x29, x30, [sp, #-16]!, svc #0
        for word in [0xd503_201f, 0xd65f_03c0, 0xf940_0000, 0xa9bf_7bfd, 0xd400_0001] {
            assert_eq!(Kind::of(word), None, "{word:#x}");
        }
    }
}
