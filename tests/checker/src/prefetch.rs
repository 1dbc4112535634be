//! PRFM: an instruction that QEMU passes over.

/// Where a PRFM of data points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefetch {
    /// The register that holds the address.
    pub base: usize,
    /// A register that is added, shifted to the left by so much.
    pub index: Option<(usize, u32)>,
    /// What is added.
    pub offset: u64,
}

/// What this word asks for ahead, if it is a PRFM of data (Arm ARM C6.2: immediate, register, PRFUM).
pub fn prefetch(word: u32) -> Option<Prefetch> {
    let field = |bit: u32, width: u32| word >> bit & ((1 << width) - 1);
    let is_of_instructions = field(3, 2) == 1;
    if is_of_instructions {
        return None;
    }
    let target = Prefetch {
        base: field(5, 5) as usize,
        index: None,
        offset: 0,
    };
    match (word & 0xffc0_0000, word & 0xffe0_0c00) {
        (0xf980_0000, _) => Some(Prefetch {
            offset: u64::from(field(10, 12)) << 3,
            ..target
        }),
        (_, 0xf880_0000) => Some(Prefetch {
            offset: ((i64::from(field(12, 9)) << 55) >> 55) as u64,
            ..target
        }),
        (_, 0xf8a0_0800) => Some(Prefetch {
            index: Some((field(16, 5) as usize, 3 * field(12, 1))),
            ..target
        }),
        _ => None,
    }
}

#[test]
fn prefetches_are_told_apart() {
    let at = |base, index, offset| Some(Prefetch { base, index, offset });
    for (word, expected) in [
        (0xf980_2020, at(1, None, 64)),                   // PRFM PLDL1KEEP, [X1, #64]
        (0xf980_0431, at(1, None, 8)),                    // PRFM PSTL1STRM, [X1, #8]
        (0xf89f_8020, at(1, None, 0u64.wrapping_sub(8))), // PRFUM PLDL1KEEP, [X1, #-8]
        (0xf8a2_6820, at(1, Some((2, 0)), 0)),            // PRFM PLDL1KEEP, [X1, X2]
        (0xf980_0028, None),                              // PRFM PLIL1KEEP, [X1]
        (0xf940_0020, None),                              // LDR X0, [X1]
    ] {
        assert_eq!(prefetch(word), expected, "{word:#x}");
    }
}
