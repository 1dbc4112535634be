//! Several words of memory by one instruction, where that means the same as one instruction for each: the compiler makes no
//! pairs of atomics by itself.

use core::arch::asm;
use core::ops::Range;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
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

/// What [`mm::Mmu::share_row`] says, for tables that lie at `source` and `target`: 4.9 instructions an entry, 3.6 where write access
/// was taken before. Each access is an LDP or STP, see [`load`].
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

/// Words that are added to at once.
const QUAD: usize = 4;

/// Adds 1 to each of `words`, none of which is `u32::MAX`: as so many relaxed fetch_adds.
pub(super) fn increment_each(words: &[AtomicU32]) {
    // LDXP wants its 16 bytes aligned (Arm ARM B2.2.2).
    let misaligned = words.as_ptr().addr() / size_of::<AtomicU32>() % QUAD;
    let (head, words) = words.split_at(words.len().min((QUAD - misaligned) % QUAD));
    let (blocks, words) = words.as_chunks::<{ 4 * QUAD }>();
    let (quads, tail) = words.as_chunks::<QUAD>();
    head.iter().for_each(increment);
    for block in blocks {
        let (quads, _) = block.as_chunks::<QUAD>();
        quads.iter().for_each(increment_quad);
    }
    quads.iter().for_each(increment_quad);
    tail.iter().for_each(increment);
}

#[inline(always)]
fn increment(word: &AtomicU32) {
    word.fetch_add(1, Ordering::Relaxed);
}

/// Four relaxed fetch_adds of 1 at one moment. `words` lie 16-byte aligned, and none is `u32::MAX`.
///
/// It is one of the orders in which four fetch_adds may happen: an LDXP whose STXP succeeds is one access of 128 bits, and so
/// is the STXP, with no other write to any of the 16 bytes in between, of whatever size and by whichever instruction (Arm ARM
/// B2.2.1, B2.9): plain stores and narrower exclusives of other processors clear the monitor. Nobody can read one half
/// without the other, and whoever adds to a single word meanwhile makes this one try again, or is made to.
#[inline(always)]
fn increment_quad(words: &[AtomicU32; QUAD]) {
    // SAFETY: reads and writes the 16 bytes of `words`, which may change under a shared reference, by atomic accesses only.
    // No carry leaves a word. LDXP to STXP there is no other access to memory.
    unsafe {
        asm!(
            "2:",
            "ldxp {low}, {high}, [{words}]",
            "add {low}, {low}, {ones}",
            "add {high}, {high}, {ones}",
            "stxp {has_failed:w}, {low}, {high}, [{words}]",
            "cbnz {has_failed:w}, 2b",
            words = in(reg) words,
            ones = in(reg) 0x1_0000_0001_u64,
            low = out(reg) _,
            high = out(reg) _,
            has_failed = out(reg) _,
            options(nostack, preserves_flags),
        );
    }
}

/// What [`mm::Mmu::unshare_each`] says: 2 instructions a word where all are 2, 4 elsewhere.
pub(super) fn decrement_each(words: &[AtomicU32]) -> usize {
    // LDXP wants its 16 bytes aligned (Arm ARM B2.2.2).
    let misaligned = words.as_ptr().addr() / size_of::<AtomicU32>() % QUAD;
    let (head, rest) = words.split_at(words.len().min((QUAD - misaligned) % QUAD));
    let first = decrement_singly(head);
    if first < head.len() {
        return first;
    }
    let (quads, _) = rest.as_chunks::<QUAD>();
    let done = first + decrement_quads(quads) * QUAD;
    done + decrement_singly(&words[done..])
}

/// One after the other, up to the first that is 1.
fn decrement_singly(words: &[AtomicU32]) -> usize {
    let decrement = |word: &&AtomicU32| {
        word.fetch_update(Ordering::Release, Ordering::Relaxed, |count| {
            (count > 1).then(|| count - 1)
        })
        .is_ok()
    };
    words.iter().take_while(decrement).count()
}

/// Takes 1 from the words of each quad up to the first quad in which one is 1; how many quads. They lie 16-byte aligned, and no word
/// is 0.
///
/// For each quad it is one of the orders in which four fetch_subs may happen, as [`increment_quad`] is for fetch_adds; STLXP makes
/// the one store a release. Where a word is 1 nothing is stored: whoever takes it lets go of the frame.
#[inline(always)]
fn decrement_quads(quads: &[[AtomicU32; QUAD]]) -> usize {
    let range = quads.as_ptr_range();
    let reached: usize;
    // SAFETY: reads and writes the 16 bytes of each quad, which may change under a shared reference, by atomic accesses only. No borrow
    // leaves a word. LDXP to STLXP there is no other access to memory.
    unsafe {
        asm!(
            "b 5f",
            "2:",                                   // the quad at {quad}
            "ldxp {low}, {high}, [{quad}]",
            "cmp {low}, {twos}",
            "ccmp {high}, {twos}, #0, eq",
            "b.ne 3f",
            "stlxp {has_failed:w}, {ones}, {ones}, [{quad}]",
            "cbnz {has_failed:w}, 2b",
            "4:",
            "add {quad}, {quad}, #16",
            "5:",
            "cmp {quad}, {end}",
            "b.ne 2b",
            "b 6f",
            "3:",                                   // does a word become 0?
            "sub {low}, {low}, {ones}",
            "sub {high}, {high}, {ones}",
            "sub {zeros}, {low}, {ones}",
            "bic {zeros}, {zeros}, {low}",
            "sub {more}, {high}, {ones}",
            "bic {more}, {more}, {high}",
            "orr {zeros}, {zeros}, {more}",
            "tst {zeros}, #0x8000000080000000",
            "b.ne 6f",
            "stlxp {has_failed:w}, {low}, {high}, [{quad}]",
            "cbnz {has_failed:w}, 2b",
            "b 4b",
            "6:",
            quad = inout(reg) range.start => reached,
            end = in(reg) range.end,
            ones = in(reg) 0x1_0000_0001_u64,
            twos = in(reg) 0x2_0000_0002_u64,
            low = out(reg) _,
            high = out(reg) _,
            zeros = out(reg) _,
            more = out(reg) _,
            has_failed = out(reg) _,
            options(nostack),
        );
    }
    (reached - range.start.addr()) / size_of::<[AtomicU32; QUAD]>()
}
