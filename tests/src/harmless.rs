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
    (
        &["alloc/sync::downgrade"],
        "harmless: whoever has an Arc came by it behind all that its sole owner did",
    ),
    (
        &["alloc/sync::is_unique", "STLR"],
        "harmless: whoever has an Arc came by it behind all that its sole owner did",
    ),
    (
        &["alloc/sync::upgrade"],
        "harmless: it is for Arc::new_cyclic, which nobody uses here",
    ),
    (
        &["spin/once::compare_exchange", "LDAXR"],
        "harmless: who begins a Once finds nothing there that another has stored",
    ),
    (
        &["alloc/sync::is_unique", "LDAXR"],
        "unseen: order of two counts, of which nothing hangs that is not atomic",
    ),
    (
        &["mm/asid::", "relaxed"],
        "unseen: order of atomics among themselves; the machine of mm's tests",
    ),
    (
        &["user_compare_exchange_u32"],
        "unseen: the word is a program's, and so is what hangs on it",
    ),
    (
        &["platform/board/selftest::", "relaxed"],
        "unseen: order of atomics among themselves",
    ),
    // A narrower entry that stays costs a fault, and for ever if it is the processor's own.
    (
        &["flush_own", "TLBI"],
        "unseen: QEMU walks again by itself; the heart's machine faults twice (kernel/mm/tests/world/access.rs)",
    ),
    // A line is zeroed right before all of it is stored to: without that it is read from memory first.
    (
        &["copy_frame_bytes", "DC ZVA"],
        "harmless: the whole line is stored behind it, which costs time without",
    ),
    (
        &["table_copy::share_row", "DC ZVA"],
        "harmless: the whole line is stored behind it, which costs time without",
    ),
    // Frames, tables and their counts: atomics among themselves.
    (
        &["mm/fork::fork", "DMB ISHLD"],
        "unseen: the copy's loads before the store that lets others write to the page again; a story of mm's tests",
    ),
    (
        &["frames/stack::take_lone", "DMB ISHLD"],
        "harmless: the stack's lock is given back by a release, which comes behind these loads, and nobody goes to the frames before",
    ),
    (
        &["frames::drop_reference", "DMB ISHLD"],
        "unplayed: two holders must let go at one moment; who is alone from the beginning does not come there",
    ),
    (
        &["mark_write_protected", "DMB ISH"],
        "unseen: order of a mark and a descriptor, both atomic",
    ),
    (
        &["table_copy::copy_entries", "DMB ISHLD"],
        "unseen: order of a mark and a descriptor, both atomic",
    ),
    (
        &["frames::count", "LDAR"],
        "unseen: who reads 1 has come behind the other holders by another way in all works",
    ),
    (
        &["frames::drop_reference", "LDAR"],
        "unseen: who reads 1 has come behind the other holders by another way in all works",
    ),
    (
        &["stack::take_lone", "LDAR"],
        "harmless: the stack's lock is given back by a release, which comes behind these loads, and nobody goes to the frames before",
    ),
    (
        &["mm/range::", "LDAR"],
        "unseen: who reads 1 has come behind the other holders by another way in all works",
    ),
    (
        &["frames::note_kernel_write", "STLXR"],
        "unseen: order of a mark and of the bytes of a frame, which are copied by instructions that have no role",
    ),
    (
        &["turn_mmu_on #1", "ISB"],
        "harmless: the ISB behind the TLBI comes before the MMU is turned on",
    ),
    (
        &["turn_mmu_on #2", "ISB"],
        "unseen: nothing is fetched between the MMU's turning on and the ISB behind it",
    ),
    (
        &["boot/secondary::change", "relaxed"],
        "unseen: a processor that begins is taken to come behind all",
    ),
    (
        &["boot/secondary::start_secondary", "STLRB"],
        "unseen: the boot processor reads nothing that the other one has stored by then",
    ),
    // Blinking, and barriers that another one covers.
    (
        &["wait_a_quarter", "ISB"],
        "harmless: a blink begins some nanoseconds sooner",
    ),
    (
        &["kernel_tables::unmap", "ISB"],
        "harmless: nobody uses the range until it is mapped again, and `map` has its own ISB",
    ),
    (
        &["rpi4::route_uart #2", "DSB SY"],
        "harmless: the watchdog's registers come next, with their own; without a tree (devices/likely.rs) it is needed",
    ),
    (
        &["timer::", "ISB"],
        "unseen: QEMU reads its counter in program order",
    ),
    (
        &["start_secondary #1", "DSB NSH"],
        "unseen: as in boot/mod::install",
    ),
    (&["start_secondary #1", "ISB"], "unseen: as in boot/mod::install"),
    (
        &["board/selftest::perform", "ISB"],
        "unseen: QEMU reads its counter in program order",
    ),
    // Devices.
    (
        &["gic_v3::", "ISB"],
        "unseen: QEMU's interrupt controller takes effect at once",
    ),
    // Covered by another.
    (
        &["classic::copy", "#2", "DSB ISHST"],
        "harmless: the flush before it has completed the stores; left for a space that never ran",
    ),
    (
        &["privatise::regain", "DSB ISHST"],
        "harmless: the store of the page's own entry follows, with its DSB",
    ),
    (
        &["fault::edit_in_place", "DSB ISHST"],
        "harmless: the DSB of the own flush completes the store for this processor's walks; another takes one fault more",
    ),
    (
        &["space::activate", "DSB ISHST"],
        "harmless: fork's and exec's own barriers come between; kept for a space that was made without any",
    ),
    (
        &["fault/around::fill_around", "DMB ISHST"],
        "unseen: pages of files were stored to long before; the heart's machine",
    ),
    // A store of zero that is no break: nothing that a TLB may hold.
    (
        &["clear::clear_in_one_table", "break"],
        "harmless: the entry is not valid (a page that is out, a reservation)",
    ),
    (
        &["clear::take_out", "break"],
        "harmless: a table that was taken out, and flushed, before",
    ),
    (
        &["release::release_some", "break"],
        "harmless: tables of a space that nobody walks any more",
    ),
    (
        &["table::free", "break"],
        "harmless: a table that nobody walks any more",
    ),
    (
        &["table_copy::finish", "break"],
        "harmless: a copy that nobody walks yet",
    ),
    // The scheduler's, of which an order of tests/litmus says that it holds without.
    (
        &["scheduler/notify::kick", "DMB ISH"],
        "harmless: the waker's fence and the lock of its queue come before it (order begin-alert)",
    ),
    (
        &["scheduler/place::begin_idle", "relaxed"],
        "harmless: the fence behind it orders as much (order idle-push)",
    ),
    (
        &["scheduler/real_time::place_anew", "DMB ISH"],
        "harmless: the class's own fence orders as much (order class-move)",
    ),
    (
        &["scheduler/counters::add_one", "STLR"],
        "harmless: the fence behind the count orders as much (order membarrier-early-repaired)",
    ),
    (
        &["sched/scheduler/mod::", "DMB ISHLD"],
        "unplayed: a copy of Arc's own, which is played as alloc/sync::drop",
    ),
    (
        &["sched/time/tree::insert", "STLR"],
        "unplayed: a copy of the lock's own, which is played as spin/mutex::drop",
    ),
    // Rare: no work here reaches them.
    (
        &["mm/area_map", "DMB ISHLD"],
        "unplayed: a copy of Arc's own, which is played as alloc/sync::drop",
    ),
    (
        &["alloc/sync::try_call_once_slow", "STLR"],
        "unplayed: a copy of Once's own, which is played as spin/once::try_call_once_slow",
    ),
    (
        &["platform/heap::try_call_once_slow", "STLR"],
        "unplayed: a copy of Once's own, which is played as spin/once::try_call_once_slow",
    ),
    (
        &["mm/frames/stack::pop_any", "STLR"],
        "unplayed: a copy of the lock's own, which is played as spin/mutex::drop",
    ),
    (
        &["fault/given_back::map_given_back"],
        "unplayed: two threads must fault on one page while it is given back; lives of the heart's machine",
    ),
    (
        &["clear::clear_across", "VALE1IS"],
        "unplayed: one page across two tables, no work does that; lives of the heart's machine",
    ),
    (
        &["revoke::revoke", "DSB ISHST"],
        "unplayed: a mapped file is cut while a space that maps it never ran",
    ),
    (
        &["inherit::drop_uninherited", "DSB ISHST"],
        "unplayed: madvise(MADV_DONTFORK); lives of the heart's machine",
    ),
    (
        &["frames::make_executable"],
        "unplayed: a copy whose every use is another function's (sync_icache is played)",
    ),
    (
        &["crash/exception::is_spurious"],
        "unseen: QEMU has no spurious faults",
    ),
    // Boot: QEMU synchronises at once, and looks at one map only.
    (
        &["at_el1", "ISB"],
        "unseen: VBAR matters for an exception that does not come",
    ),
    (
        &["come_to_el1", "ISB"],
        "unseen: ICC_SRE_EL2 takes effect at once in QEMU",
    ),
    (
        &["boot #1", "DMB SY"],
        "unseen: order of the loads of a tree that was stored before power came",
    ),
    (
        &["prepare_for_rust", "ISB"],
        "unseen: CPACR takes effect at once in QEMU, and no vector register is used before an ERET",
    ),
    (
        &["replace_kernel_root", "ISB"],
        "unseen: QEMU's writes of TTBR1 take effect at once; the code runs by TTBR0's identity meanwhile",
    ),
    (
        &["boot/mod::install"],
        "unseen: the identity under TTBR0 is left for good, and no program runs before the first switch, which flushes again",
    ),
    (
        &["board/hardening"],
        "unseen: CPUACTLR is another processor's register in QEMU",
    ),
    (
        &["exception_vectors_with_loop"],
        "unseen: what follows a loop against speculation is guessed by no QEMU",
    ),
    (
        &["board::measure_rate", "ISB"],
        "unseen: QEMU reads its counter in program order",
    ),
    (
        &["memory/mod::activate", "ISB"],
        "harmless: the ERET to the program, or the ISB of whoever uses its memory before, synchronises",
    ),
    (
        &["boot/window::show"],
        "unseen: a walk that faulted before is not remembered by QEMU nor by the checker",
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
