//! For each rule of the checker (`tests/checker/src/rules/mod.rs`) a mutant that only it notices, or why it has none.
//! `make mutants RULES=1` plays them.

use crate::plants::{self, Edit};

/// What is done to the kernel.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    /// A mutant of `make mutants`, by its line.
    Mutant(&'static str),
    /// In the finished Image, in this function of assembly, or in all of Rust with this path: each word that is `value` under `mask` becomes
    /// `put`, and keeps its bits under `keep`.
    Words {
        /// Its symbol.
        function: &'static str,
        /// Which bits are compared.
        mask: u32,
        /// With what.
        value: u32,
        /// Which bits stay: registers.
        keep: u32,
        /// What they are put into.
        put: u32,
        /// Only the one of this number, from 1; 0: all.
        only: usize,
    },
    /// In the source, and the kernel is built again (profile `inspect`).
    Planted(&'static [Edit]),
    /// Nothing, for this reason. `tests/checker/tests/rules` shows by events made by hand that the rule can be broken.
    None(&'static str),
}

/// A rule and its own mutant.
#[derive(Clone, Copy, Debug)]
pub struct RuleMutant {
    /// The rule.
    pub rule: &'static str,
    /// The mutant.
    pub change: Change,
    /// The work under which it is noticed, by its name.
    pub work: &'static str,
}

const fn mutant(rule: &'static str, line: &'static str, work: &'static str) -> RuleMutant {
    RuleMutant {
        rule,
        change: Change::Mutant(line),
        work,
    }
}

const fn planted(rule: &'static str, work: &'static str, edits: &'static [Edit]) -> RuleMutant {
    RuleMutant {
        rule,
        change: Change::Planted(edits),
        work,
    }
}

/// One word of a function becomes another one.
const fn word(
    rule: &'static str,
    work: &'static str,
    function: &'static str,
    value: u32,
    put: u32,
    only: usize,
) -> RuleMutant {
    RuleMutant {
        rule,
        change: Change::Words {
            function,
            mask: 0xffff_ffff,
            value,
            keep: 0,
            put,
            only,
        },
        work,
    }
}

const DSB_ISH: u32 = 0xd503_3b9f;
const NOP: u32 = 0xd503_201f;
/// DMB SY
const BARRIER: u32 = 0xd503_3fbf;
const ISB: u32 = 0xd503_3fdf;
/// DC ISW, XZR: by set and way.
const BY_SET_AND_WAY: u32 = 0xd508_7e5f;
/// DC ZVA, X21: at boot the first line of the Image, which nobody needs any more.
const ZERO_HEADER: u32 = 0xd50b_7435;

/// All rules.
pub const ALL: &[RuleMutant] = &[
    mutant(
        "PUBLISH-BEFORE-BARRIER",
        "mm/table::fill_table #1 DSB ISHST left out",
        "soak",
    ),
    mutant(
        "STALE-LEVEL-3",
        "mm/privatise::regain #1 TLBI ASIDE1IS left out",
        "soak",
    ),
    mutant(
        "TLBI-BEFORE-DSB",
        "mm/clear::clear_in_one_table #1 DSB ISHST left out",
        "soak",
    ),
    mutant(
        "PENDING-STORE",
        "mm/fault/around::fill_around #1 DSB ISHST left out",
        "soak",
    ),
    mutant(
        "USE-BEFORE-DSB",
        "platform/memory/kernel_tables::map #1 DSB ISHST left out",
        "soak",
    ),
    mutant(
        "USE-BEFORE-ISB",
        "platform/memory/kernel_tables::map #1 ISB left out",
        "soak",
    ),
    mutant("NO-ISB", "turn_mmu_on #3 ISB left out", "soak"),
    mutant(
        "NEVER-INVALIDATED",
        "turn_mmu_on #1 TLBI VMALLE1 left out",
        "soak",
    ),
    mutant(
        "ROOT-BEFORE-FLUSH",
        "replace_kernel_root #1 TLBI VMALLE1 left out",
        "soak",
    ),
    mutant(
        "DOORBELL-BEFORE-DSB",
        "platform/devices/gic::send #1 DSB ISHST left out",
        "soak",
    ),
    mutant("STALE-INSTRUCTIONS", "sync_icache #1 DC CVAU left out", "soak"),
    mutant("STORED-UNCACHED", "invalidate_tables #1 DC IVAC left out", "soak"),
    mutant(
        "READ-UNCACHED",
        "platform/boot/secondary::start #1 DC CIVAC left out",
        "soak",
    ),
    mutant(
        "NEVER-CLEANED",
        "platform/boot/secondary::perform #1 DC CIVAC left out",
        "raspi4b",
    ),
    mutant("PENDING-DC", "invalidate_tables #1 DSB SY left out", "soak"),
    mutant(
        "PERIPHERAL-BEFORE-DSB",
        "find_likely_uart #1 DSB SY left out",
        "raspi4b",
    ),
    mutant(
        "DEVICE-BEFORE-DSB",
        "platform/devices/gic_v3::acknowledge #1 DSB SY left out",
        "GICv3, EL2",
    ),
    mutant(
        "END-BEFORE-DSB",
        "platform/devices/gic::end #1 DSB SY left out",
        "soak",
    ),
    mutant(
        "DC-BEFORE-DSB",
        "platform/devices/rpi4::ask #2 DSB SY left out",
        "raspi4b",
    ),
    mutant(
        "READ-CACHED",
        "platform/devices/rpi4::ask #2 DC CIVAC left out",
        "raspi4b",
    ),
    mutant(
        "POWER-BEFORE-DSB",
        "platform/power::come_to_rest #1 DSB SY left out",
        "soak",
    ),
    mutant(
        "SLEEP-BEFORE-DSB",
        "platform/cpu::wait_for_interrupt #1 DSB SY left out",
        "soak",
    ),
    mutant(
        "NOT-ORDERED",
        "platform/rw_lock::try_read #1 LDAXR relaxed",
        "order, soak",
    ),
    mutant(
        "DROP-WITHOUT-RELEASE",
        "mm/frames::drop_reference #1 STLXR relaxed",
        "order, threads",
    ),
    mutant(
        "LAST-WITHOUT-ACQUIRE",
        "alloc/sync::drop #1 DMB ISHLD left out",
        "order, threads",
    ),
    mutant(
        "LOCK-WITHOUT-ACQUIRE",
        "platform/thread::claim #1 LDAXRB relaxed",
        "order, threads",
    ),
    mutant(
        "UNLOCK-WITHOUT-RELEASE",
        "mm/table::free #1 STLRB relaxed",
        "order, threads",
    ),
    // LDTR becomes LDUR.
    RuleMutant {
        rule: "PLAIN-ACCESS",
        change: Change::Words {
            function: "user_load_u32",
            mask: 0xffe0_0c00,
            value: 0xb840_0800,
            keep: 0xffff_f3ff,
            put: 0,
            only: 0,
        },
        work: "soak",
    },
    word("SET-AND-WAY", "soak", "turn_mmu_on", ISB, BY_SET_AND_WAY, 1),
    word("ZERO-UNCACHED", "soak", "boot", BARRIER, ZERO_HEADER, 0),
    // MSR CPACR_EL1, X9 becomes MSR MAIR_EL1, X9.
    word(
        "MAIR-LIVE",
        "soak",
        "prepare_for_rust",
        0xd518_1049,
        0xd518_a209,
        0,
    ),
    // LDP X11, X19, [X10], #16 becomes LDXP X11, X19, [X10].
    word(
        "DEVICE-EXCLUSIVE",
        "soak",
        "secondary_entry",
        0xa8c1_4d4b,
        0xc87f_4d4b,
        0,
    ),
    planted("SPACE-NOT-ENTERED", "order, execs", plants::SPACE_NOT_ENTERED),
    planted("BREAK-BEFORE-MAKE", "rules, copies", plants::NO_BREAK),
    mutant(
        "MAKE-BEFORE-FLUSH",
        "platform/memory/kernel_tables::unmap #1 TLBI VAALE1IS left out",
        "soak",
    ),
    planted("STALE-TLB", "rules, two_pages", plants::FLUSH_OF_ONE),
    planted("STALE-WALK-CACHE", "rules, walks", plants::FLUSH_OF_LEAVES),
    // What it flushes allows too little, not too much: nothing else is wrong.
    mutant("PENDING-TLBI", "mm/fault::flush_own #1 DSB NSH left out", "soak"),
    word("PENDING-IC", "soak", "sync_icache", DSB_ISH, NOP, 2),
    word("IC-BEFORE-DSB", "soak", "sync_icache", DSB_ISH, NOP, 1),
    mutant(
        "GLOBAL-LEFT",
        "platform/boot/secondary::start_secondary #1 TLBI VMALLE1 left out",
        "soak",
    ),
    planted("ILLEGAL-ACCESS", "soak", plants::TABLES_FORBID_NOTHING),
    planted("FRAME-STILL-REACHABLE", "rules, freed_twice", plants::FREED_TWICE),
    planted("TABLE-STILL-REACHABLE", "rules, one_page", plants::FLUSH_OF_LEAF),
    planted("UNINITIALISED", "rules, zeros", plants::NOT_ZEROED),
    planted("SHARED-ASID", "soak", plants::ONE_NUMBER),
    planted("KERNEL-ENTRY", "soak", plants::KERNEL_NOT_GLOBAL),
    planted("USER-ENTRY", "soak", plants::KERNEL_MAY_EXECUTE),
    planted("TABLE-OUTSIDE", "soak", plants::BIT_TOO_MANY),
    planted("ZERO-TABLE", "soak", plants::ZEROED_LATE),
    planted("EXECUTE-BEFORE-ISB", "soak", plants::CALLED_AT_ONCE),
    // LDXR X becomes LDXR W: QEMU compares addresses and values, the architecture wants the same size.
    RuleMutant {
        rule: "EXCLUSIVE-OPEN",
        change: Change::Words {
            function: "uaccess::serve_unresolved",
            mask: 0xffff_fc00,
            value: 0xc85f_7c00,
            keep: 0x3ff,
            put: 0x885f_7c00,
            only: 0,
        },
        work: "soak",
    },
    RuleMutant {
        rule: "FRAME-NOT-ORDERED",
        change: Change::None(
            "a frame changes hands behind the DSB of a flush, or by way of an end of a process, which has barriers of its own: what counts it \
             may be relaxed, and the frame is still taken behind all that was done with it. It fires in the checker's own test \
             (a_frame_is_taken_behind_what_others_did_with_it), where the flush is local or the count is not acquired",
        ),
        work: "",
    },
];

#[cfg(test)]
mod tests {
    use super::ALL;
    use crate::files;
    use regex::Regex;
    use std::collections::BTreeSet;

    /// What the checker can say, by its source.
    fn said() -> BTreeSet<String> {
        let literal = Regex::new("\"([A-Z]+(-[A-Z0-9]+)+|UNINITIALISED)\"").expect("a pattern");
        let folder = files::root().join("tests/checker/src/rules");
        let files = std::fs::read_dir(folder)
            .expect("the rules")
            .map(|entry| entry.expect("a file").path());
        let text: String = files
            .map(|path| std::fs::read_to_string(path).expect("text"))
            .collect();
        literal
            .captures_iter(&text)
            .map(|found| found[1].to_owned())
            .collect()
    }

    #[test]
    fn each_rule_has_its_mutant_or_a_reason() {
        let listed: Vec<String> = ALL.iter().map(|own| own.rule.to_owned()).collect();
        let once: BTreeSet<String> = listed.iter().cloned().collect();
        assert_eq!(once.len(), listed.len(), "a rule stands there twice");
        assert_eq!(once, said());
    }
}
