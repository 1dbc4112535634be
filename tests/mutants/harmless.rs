//! Mutants that need not be noticed here, each with the reason: it changes nothing, or nothing that QEMU or the checker can show, and
//! then the reason says what guards it instead. They are not played without `--all`.

/// Words that the mutant's name contains, and why nobody notices it.
const REASONS: &[(&[&str], &str)] = &[
    // Changes nothing.
    (
        &["replace_page", "leaf only"],
        "harmless: only the page's own entry changes, the leaf form is enough",
    ),
    (
        &["make_executable", "ISB"],
        "harmless: the ERET to the program synchronises",
    ),
    (
        &["sync_icache", "ISB"],
        "harmless: the ERET to the program synchronises",
    ),
    (
        &["deactivate", "ISB"],
        "harmless: whoever walks next has written TTBR0 again, with an ISB",
    ),
    (
        &["asid::activate_fixed"],
        "harmless: asid=fixed is for QEMU, which flushes by itself",
    ),
    // Order of ordinary data: the checker sees QEMU's interleavings only.
    (
        &["DMB ISHLD"],
        "unseen: order of loads of ordinary data (Arc, locks); loom and the litmus tests",
    ),
    (
        &["DMB ISH "],
        "unseen: order of ordinary data; loom and the litmus tests",
    ),
    // A narrower entry that stays costs a fault, and for ever if it is the processor's own.
    (
        &["flush_own"],
        "unseen: QEMU walks again by itself; the heart's machine faults twice (kernel/mm/tests/world/access.rs)",
    ),
    // Devices.
    (
        &["devices/rpi4"],
        "unseen: QEMU's mailbox, watchdog and pins take effect at once, and see all caches",
    ),
    (
        &["devices/gic::end", "DSB SY"],
        "unseen: QEMU's devices take effect at once",
    ),
    (
        &["gic_v3::", "DSB SY"],
        "unseen: QEMU's interrupt controller takes effect at once",
    ),
    (
        &["gic_v3::", "ISB"],
        "unseen: QEMU's interrupt controller takes effect at once",
    ),
    (
        &["wait_for_interrupt"],
        "unseen: QEMU has no write buffer that WFI could leave full",
    ),
    (&["power::"], "unseen: QEMU turns off at once"),
    (
        &["timer::", "ISB"],
        "unseen: QEMU reads its counter in program order",
    ),
];

/// Why nobody need notice the mutant of this name.
pub fn reason(name: &str) -> Option<&'static str> {
    let is_of = |words: &&[&str]| words.iter().all(|word| name.contains(word));
    REASONS
        .iter()
        .find(|(words, _)| is_of(words))
        .map(|(_, reason)| *reason)
}
