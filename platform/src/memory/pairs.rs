//! Several words of memory by one instruction, where that means the same as one instruction for each: the compiler makes no
//! pairs of atomics by itself.

use core::arch::asm;
use core::ops::Range;
use core::sync::atomic::AtomicU64;
use mm::Row;
use mm::mmu::GROUP;

/// Compares the eight words of a group with those of a row, from {next} on: equal if they are the same. {next} goes on to the group
/// behind it.
macro_rules! is_of_row {
    () => {
        "cmp {a}, {next}
        add {next}, {next}, {step}
        ccmp {b}, {next}, #0, eq
        add {next}, {next}, {step}
        ccmp {c}, {next}, #0, eq
        add {next}, {next}, {step}
        ccmp {d}, {next}, #0, eq
        add {next}, {next}, {step}
        ccmp {e}, {next}, #0, eq
        add {next}, {next}, {step}
        ccmp {f}, {next}, #0, eq
        add {next}, {next}, {step}
        ccmp {g}, {next}, #0, eq
        add {next}, {next}, {step}
        ccmp {h}, {next}, #0, eq
        add {next}, {next}, {step}"
    };
}

/// Loads all of `words`, relaxed. Each is single-copy atomic, their order is open: an LDP is two accesses of 64 bits (Arm ARM
/// B2.2.1), as so many LDRs would be.
#[inline(always)]
pub(super) fn load(words: &[AtomicU64; 8]) -> [u64; 8] {
    let (a, b, c, d, e, f, g, h);
    // SAFETY: reads the 64 bytes of `words`, which are there and aligned, and changes nothing.
    unsafe {
        asm!(
            "ldp {a}, {b}, [{from}]",
            "ldp {c}, {d}, [{from}, #16]",
            "ldp {e}, {f}, [{from}, #32]",
            "ldp {g}, {h}, [{from}, #48]",
            from = in(reg) words,
            a = out(reg) a,
            b = out(reg) b,
            c = out(reg) c,
            d = out(reg) d,
            e = out(reg) e,
            f = out(reg) f,
            g = out(reg) g,
            h = lateout(reg) h,
            options(nostack, preserves_flags, readonly),
        );
    }
    [a, b, c, d, e, f, g, h]
}

/// Stores all of `words`, relaxed, as [`load`] loads them: an STP is two accesses of 64 bits.
#[inline(always)]
pub(super) fn store(words: &[AtomicU64; 8], values: [u64; 8]) {
    let [a, b, c, d, e, f, g, h] = values;
    // SAFETY: writes the 64 bytes of `words`, which are there and aligned, and which may change under a shared reference.
    unsafe {
        asm!(
            "stp {a}, {b}, [{to}]",
            "stp {c}, {d}, [{to}, #16]",
            "stp {e}, {f}, [{to}, #32]",
            "stp {g}, {h}, [{to}, #48]",
            to = in(reg) words,
            a = in(reg) a,
            b = in(reg) b,
            c = in(reg) c,
            d = in(reg) d,
            e = in(reg) e,
            f = in(reg) f,
            g = in(reg) g,
            h = in(reg) h,
            options(nostack, preserves_flags),
        );
    }
}

/// What [`mm::Mmu::share_row`] says, for tables that lie at `source` and `target`: 5.1 instructions an entry, 3.9 where write access
/// was taken before. Each access is an LDP or STP, see [`load`]; of the target, which nobody else knows yet, each line is zeroed first.
///
/// # Safety
/// The groups lie in both tables, which are mapped, 16-byte aligned and used as atomics only.
#[inline(always)]
pub(super) unsafe fn share_row(
    source: *const AtomicU64,
    target: *const AtomicU64,
    groups: Range<usize>,
    row: &Row,
) -> usize {
    const BYTES: usize = GROUP * size_of::<AtomicU64>();
    let from = source.wrapping_byte_add(groups.start * BYTES);
    let reached: usize;
    // SAFETY: reads and writes nothing but the groups (contract), from `from` on until `end`.
    unsafe {
        asm!(
            "mrs {block}, dczid_el0",
            "sub {block}, {block}, #4",             // 0: DC ZVA zeroes 64 bytes, a group
            "b 5f",
            "2:",                                   // the group at {from}
            "ldp {a}, {b}, [{from}]",
            "ldp {c}, {d}, [{from}, #16]",
            "ldp {e}, {f}, [{from}, #32]",
            "ldp {g}, {h}, [{from}, #48]",
            "cbz {change}, 3f",
            "eor {a}, {a}, {change}",
            "eor {b}, {b}, {change}",
            "eor {c}, {c}, {change}",
            "eor {d}, {d}, {change}",
            "eor {e}, {e}, {change}",
            "eor {f}, {f}, {change}",
            "eor {g}, {g}, {change}",
            "eor {h}, {h}, {change}",
            "3:",                                   // is it of the row?
            is_of_row!(),
            "b.ne 6f",
            "cbz {change}, 4f",
            "stp {a}, {b}, [{from}]",
            "stp {c}, {d}, [{from}, #16]",
            "stp {e}, {f}, [{from}, #32]",
            "stp {g}, {h}, [{from}, #48]",
            "4:",
            "cbnz {block}, 7f",
            "dc zva, {to}",                         // the line is not read from memory to be overwritten
            "7:",
            "stp {c}, {d}, [{to}, #16]",
            "stp {e}, {f}, [{to}, #32]",
            "stp {g}, {h}, [{to}, #48]",
            "stp {a}, {b}, [{to}], #64",
            "add {from}, {from}, #64",
            "5:",
            "cmp {from}, {end}",
            "b.ne 2b",
            "6:",
            from = inout(reg) from => reached,
            to = inout(reg) target.wrapping_byte_add(groups.start * BYTES) => _,
            end = in(reg) source.wrapping_byte_add(groups.end * BYTES),
            next = inout(reg) row.first.0 => _,
            step = in(reg) row.step,
            change = in(reg) row.change,
            block = out(reg) _,
            a = out(reg) _,
            b = out(reg) _,
            c = out(reg) _,
            d = out(reg) _,
            e = out(reg) _,
            f = out(reg) _,
            g = out(reg) _,
            h = out(reg) _,
            options(nostack),
        );
    }
    (reached - source.addr()) / BYTES
}

/// What [`mm::Mmu::row_end`] says, for a table that lies at `table`: 3 instructions an entry. Each access is an LDP, see [`load`].
///
/// # Safety
/// The groups lie in the table, which is mapped, 16-byte aligned and used as atomics only.
#[inline(always)]
pub(super) unsafe fn row_end(table: *const AtomicU64, groups: Range<usize>, row: &Row) -> usize {
    const BYTES: usize = GROUP * size_of::<AtomicU64>();
    let reached: usize;
    // SAFETY: reads nothing but the groups (contract), and changes nothing.
    unsafe {
        asm!(
            "b 5f",
            "2:",                                   // the group at {from}
            "ldp {a}, {b}, [{from}]",
            "ldp {c}, {d}, [{from}, #16]",
            "ldp {e}, {f}, [{from}, #32]",
            "ldp {g}, {h}, [{from}, #48]",
            is_of_row!(),
            "b.ne 6f",
            "add {from}, {from}, #64",
            "5:",
            "cmp {from}, {end}",
            "b.ne 2b",
            "6:",
            from = inout(reg) table.wrapping_byte_add(groups.start * BYTES) => reached,
            end = in(reg) table.wrapping_byte_add(groups.end * BYTES),
            next = inout(reg) row.first.0 => _,
            step = in(reg) row.step,
            a = out(reg) _,
            b = out(reg) _,
            c = out(reg) _,
            d = out(reg) _,
            e = out(reg) _,
            f = out(reg) _,
            g = out(reg) _,
            h = out(reg) _,
            options(nostack, readonly),
        );
    }
    (reached - table.addr()) / BYTES
}
