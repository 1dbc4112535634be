//! The instructions that the checker looks at, decoded from their words (Arm ARM C4.1).

/// The reach of a barrier: NSH, ISH or OSH, SY.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Domain {
    /// This processor.
    Local,
    /// All processors.
    Inner,
    /// Everything.
    System,
}

/// What a barrier orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accesses {
    /// Loads before, everything behind.
    Loads,
    /// Stores.
    Stores,
    /// Everything.
    All,
}

/// What a TLBI forgets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// VMALLE1
    All,
    /// ASIDE1
    Asid,
    /// VAE1
    Address,
    /// VALE1
    Leaf,
    /// VAAE1
    AddressAnyAsid,
    /// VAALE1
    LeafAnyAsid,
}

/// A cache maintenance operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cache {
    /// DC ZVA
    Zero,
    /// DC CVAU
    CleanToUnification,
    /// DC CVAC
    Clean,
    /// DC CIVAC
    CleanAndInvalidate,
    /// DC IVAC
    Invalidate,
    /// IC IVAU
    InvalidateInstructions,
    /// IC IALLU and IALLUIS
    InvalidateAllInstructions,
    /// DC by set and way, which reaches one processor's caches only
    BySetAndWay,
}

/// A system register of EL1 that the checker follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Register {
    /// SCTLR_EL1
    Sctlr,
    /// TCR_EL1
    Tcr,
    /// MAIR_EL1
    Mair,
    /// TTBR0_EL1
    Ttbr0,
    /// TTBR1_EL1
    Ttbr1,
    /// ICC_SGI1R_EL1, which interrupts other processors
    Sgi,
    /// ICC_EOIR1_EL1: an interrupt is over
    EndOfInterrupt,
    /// The compare value or the control of a timer
    Timer,
}

impl Register {
    /// Whether it changes what an address means.
    pub fn is_of_translation(self) -> bool {
        !matches!(self, Register::Sgi | Register::EndOfInterrupt | Register::Timer)
    }
}

/// An instruction that the checker follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// ERET
    ExceptionReturn,
    /// ISB
    Isb,
    /// DMB
    Dmb(Domain, Accesses),
    /// DSB
    Dsb(Domain, Accesses),
    /// TLBI, with whether it is broadcast
    Tlbi(Scope, Domain),
    /// DC and IC
    Cache(Cache),
    /// MSR
    Write(Register),
    /// MRS of ICC_IAR1_EL1: an interrupt is taken
    Acknowledge,
    /// HVC and SMC: the firmware is called
    Call,
    /// SEV: who waits in WFE goes on
    SendEvent,
    /// WFI
    WaitForInterrupt,
}

fn field(word: u32, bit: u32, width: u32) -> u32 {
    word >> bit & ((1 << width) - 1)
}

/// The general register that a system instruction reads.
pub fn source_register(word: u32) -> usize {
    field(word, 0, 5) as usize
}

fn barrier(word: u32) -> Option<(Domain, Accesses)> {
    let option = field(word, 8, 4);
    let domain = match option >> 2 {
        1 => Domain::Local,
        3 => Domain::System,
        _ => Domain::Inner,
    };
    let accesses = match option & 3 {
        1 => Accesses::Loads,
        2 => Accesses::Stores,
        3 => Accesses::All,
        _ => return None, // SSBB, PSSBB
    };
    Some((domain, accesses))
}

fn tlbi(word: u32) -> Option<Operation> {
    let domain = match field(word, 8, 4) {
        7 => Domain::Local,
        3 => Domain::Inner,
        _ => return None,
    };
    let scope = match field(word, 5, 3) {
        0 => Scope::All,
        1 => Scope::Address,
        2 => Scope::Asid,
        3 => Scope::AddressAnyAsid,
        5 => Scope::Leaf,
        7 => Scope::LeafAnyAsid,
        _ => return None,
    };
    Some(Operation::Tlbi(scope, domain))
}

fn cache(word: u32) -> Option<Cache> {
    match (field(word, 16, 3), field(word, 8, 4), field(word, 5, 3)) {
        (0, 1 | 5, 0) => Some(Cache::InvalidateAllInstructions),
        (0, 6, 1) => Some(Cache::Invalidate),
        (0, 6 | 10 | 14, 2) => Some(Cache::BySetAndWay),
        (3, 4, 1) => Some(Cache::Zero),
        (3, 5, 1) => Some(Cache::InvalidateInstructions),
        (3, 10, 1) => Some(Cache::Clean),
        (3, 11, 1) => Some(Cache::CleanToUnification),
        (3, 14, 1) => Some(Cache::CleanAndInvalidate),
        _ => None,
    }
}

fn register(word: u32) -> Option<Register> {
    // MSR (register) with op0 3, op1 0: CRn, CRm, op2.
    match (field(word, 12, 4), field(word, 8, 4), field(word, 5, 3)) {
        (1, 0, 0) => Some(Register::Sctlr),
        (2, 0, 0) => Some(Register::Ttbr0),
        (2, 0, 1) => Some(Register::Ttbr1),
        (2, 0, 2) => Some(Register::Tcr),
        (10, 2, 0) => Some(Register::Mair),
        (12, 11, 5) => Some(Register::Sgi),
        (12, 12, 1) => Some(Register::EndOfInterrupt),
        _ => None,
    }
}

/// What the checker follows in this word, if anything.
pub fn decode(word: u32) -> Option<Operation> {
    match word & 0xffff_f0ff {
        0xd503_30df => return Some(Operation::Isb),
        0xd503_309f => return barrier(word).map(|(domain, accesses)| Operation::Dsb(domain, accesses)),
        0xd503_30bf => return barrier(word).map(|(domain, accesses)| Operation::Dmb(domain, accesses)),
        _ => {}
    }
    match word {
        0xd69f_03e0 => return Some(Operation::ExceptionReturn),
        0xd400_0002 | 0xd400_0003 => return Some(Operation::Call),
        0xd503_209f => return Some(Operation::SendEvent),
        0xd503_207f => return Some(Operation::WaitForInterrupt),
        _ => {}
    }
    // CNTP_CTL, CNTP_CVAL, CNTV_CTL, CNTV_CVAL (_EL0); ICC_IAR1_EL1.
    if word & 0xffff_fe00 == 0xd51b_e200 && field(word, 5, 3) != 0 {
        return Some(Operation::Write(Register::Timer));
    }
    if word & 0xffff_ffe0 == 0xd538_cc00 {
        return Some(Operation::Acknowledge);
    }
    match (word & 0xfff8_0000, field(word, 16, 3), field(word, 12, 4)) {
        (0xd508_0000, 0, 8) => tlbi(word),
        (0xd508_0000, _, 7) => cache(word).map(Operation::Cache),
        (0xd518_0000, 0, _) => register(word).map(Operation::Write),
        _ => None,
    }
}

/// How an instruction goes to memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// With the rights of the level that it runs at.
    Plain,
    /// LDTR, STTR and kin: with the rights of EL0.
    Unprivileged,
    /// LDXR, STXR and kin.
    Exclusive,
    /// LDAR, STLR and kin.
    Ordered,
}

/// How this word goes to memory, if it does.
pub fn access(word: u32) -> Access {
    if word & 0x3b20_0c00 == 0x3800_0800 {
        Access::Unprivileged
    } else if word & 0x3f80_0000 == 0x0800_0000 {
        Access::Exclusive
    } else if word & 0x3f80_0000 == 0x0880_0000 {
        Access::Ordered
    } else {
        Access::Plain
    }
}

/// Whether a word that goes to memory acquires or releases: LDAR, LDAXR, STLR, STLXR and their kin (bit 15, o0).
pub fn is_ordered(word: u32) -> bool {
    matches!(access(word), Access::Exclusive | Access::Ordered) && word & 1 << 15 != 0
}

/// STXR and its kin (bit 22, L, is 0).
pub fn is_store_exclusive(word: u32) -> bool {
    access(word) == Access::Exclusive && word & 1 << 22 == 0
}

/// Where a store goes: by which registers and how far from them, and how many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The register that holds the address.
    pub base: usize,
    /// A register that is added, shifted to the left by so much.
    pub index: Option<(usize, u32)>,
    /// What is added.
    pub offset: u64,
    /// How many bytes.
    pub size: u64,
}

/// Where a store of one register goes, and those that are ordered or exclusive; none for others.
pub fn store_target(word: u32) -> Option<Target> {
    let target = Target {
        base: field(word, 5, 5) as usize,
        index: None,
        offset: 0,
        size: 1 << (word >> 30),
    };
    let is_load = word & 3 << 22 != 0;
    match access(word) {
        Access::Exclusive | Access::Ordered => {
            let count = if word & 1 << 21 != 0 { 2 } else { 1 };
            let size = target.size * count;
            (word & 1 << 22 == 0).then_some(Target { size, ..target })
        }
        _ if is_load => None,
        _ if word & 0x3f00_0000 == 0x3900_0000 => Some(Target {
            offset: u64::from(field(word, 10, 12)) << (word >> 30),
            ..target
        }),
        _ if word & 0x3f20_0c00 == 0x3800_0000 => Some(Target {
            offset: ((i64::from(field(word, 12, 9)) << 55) >> 55) as u64,
            ..target
        }),
        // STR [Xn, Xm{, LSL}]
        _ if word & 0x3f20_ec00 == 0x3820_6800 => Some(Target {
            index: Some((field(word, 16, 5) as usize, field(word, 12, 1) * (word >> 30))),
            ..target
        }),
        _ => None,
    }
}

#[test]
fn targets_of_stores_are_computed() {
    let target = |base, index, offset, size| {
        Some(Target {
            base,
            index,
            offset,
            size,
        })
    };
    for (word, expected) in [
        (0xc89ffc20, target(1, None, 0, 8)),                    // STLR X0, [X1]
        (0xc809fea8, target(21, None, 0, 8)),                   // STLXR W9, X8, [X21]
        (0xc8220400, target(0, None, 0, 16)),                   // STXP W2, X0, X1, [X0]
        (0xc85ffc20, None),                                     // LDAXR X0, [X1]
        (0xf9000820, target(1, None, 16, 8)),                   // STR X0, [X1, #16]
        (0xb9400820, None),                                     // LDR W0, [X1, #8]
        (0xf81f8020, target(1, None, 0u64.wrapping_sub(8), 8)), // STUR X0, [X1, #-8]
        (0xf8227820, target(1, Some((2, 3)), 0, 8)),            // STR X0, [X1, X2, LSL #3]
        (0x38226820, target(1, Some((2, 0)), 0, 1)),            // STRB W0, [X1, X2]
        (0xf8408420, None),                                     // LDR X0, [X1], #8
    ] {
        assert_eq!(store_target(word), expected, "{word:#x}");
    }
}

#[test]
fn instructions_of_the_kernel_are_told_apart() {
    let known = [
        (0xd69f03e0, Operation::ExceptionReturn),
        (0xd5033fdf, Operation::Isb),
        (0xd5033a9f, Operation::Dsb(Domain::Inner, Accesses::Stores)),
        (0xd5033b9f, Operation::Dsb(Domain::Inner, Accesses::All)),
        (0xd503379f, Operation::Dsb(Domain::Local, Accesses::All)),
        (0xd5033f9f, Operation::Dsb(Domain::System, Accesses::All)),
        (0xd5033abf, Operation::Dmb(Domain::Inner, Accesses::Stores)),
        (0xd508831f, Operation::Tlbi(Scope::All, Domain::Inner)),
        (0xd508871f, Operation::Tlbi(Scope::All, Domain::Local)),
        (0xd5088340, Operation::Tlbi(Scope::Asid, Domain::Inner)),
        (0xd5088320, Operation::Tlbi(Scope::Address, Domain::Inner)),
        (0xd50883a0, Operation::Tlbi(Scope::Leaf, Domain::Inner)),
        (0xd50b7420, Operation::Cache(Cache::Zero)),
        (0xd50b7b20, Operation::Cache(Cache::CleanToUnification)),
        (0xd50b7520, Operation::Cache(Cache::InvalidateInstructions)),
        (0xd5182000, Operation::Write(Register::Ttbr0)),
        (0xd5181000, Operation::Write(Register::Sctlr)),
        (0xd518cc20, Operation::Write(Register::EndOfInterrupt)),
        (0xd51be340, Operation::Write(Register::Timer)),
        (0xd51be220, Operation::Write(Register::Timer)),
        (0xd538cc00, Operation::Acknowledge),
        (0xd4000002, Operation::Call),
        (0xd4000003, Operation::Call),
        (0xd503209f, Operation::SendEvent),
        (0xd503207f, Operation::WaitForInterrupt),
    ];
    for (word, operation) in known {
        assert_eq!(decode(word), Some(operation), "{word:#x}");
    }
    assert_eq!(decode(0xd503201f), None, "NOP");
    assert_eq!(decode(0xd51be300), None, "MSR CNTV_TVAL_EL0");
    assert_eq!(access(0xf8400820), Access::Unprivileged, "LDTR X0, [X1]");
    assert_eq!(access(0xc85f7c20), Access::Exclusive, "LDXR X0, [X1]");
    assert_eq!(access(0xc89ffc20), Access::Ordered, "STLR X0, [X1]");
    assert!(
        is_ordered(0xc85ffc20) && !is_store_exclusive(0xc85ffc20),
        "LDAXR X0, [X1]"
    );
    assert!(
        !is_ordered(0xc8027c20) && is_store_exclusive(0xc8027c20),
        "STXR W2, X0, [X1]"
    );
    assert_eq!(access(0xf9000020), Access::Plain, "STR X0, [X1]");
}
