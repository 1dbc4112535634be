//! Counts of references, several by one loop or one instruction: what the heart does to the frames of a whole table.

use core::arch::asm;
use core::sync::atomic::{AtomicU32, Ordering};
use mm::mmu::GROUP;

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

/// Takes 1 from the word at `$word`, unless it is 1: then it is `noted`. An exclusive pair that stores nothing orders nothing: whoever
/// takes a last reference acquires it.
macro_rules! unshare {
    ($word:literal, $noted:literal, $next:literal) => {
        concat!(
            "2: ldxr {count:w}, [{",
            $word,
            "}]\n",
            "subs {count:w}, {count:w}, #1\n",
            "b.eq ",
            $noted,
            "f\n",
            "stlxr {has_failed:w}, {count:w}, [{",
            $word,
            "}]\n",
            "cbnz {has_failed:w}, 2b\n",
            $next,
            ":",
        )
    };
}

/// Sets a bit for a word that is 1.
macro_rules! noted {
    ($noted:literal, $bit:literal, $next:literal) => {
        concat!($noted, ": orr {lone:w}, {lone:w}, #", $bit, "\nb ", $next, "b")
    };
}

/// What [`mm::Mmu::unshare_group`] says: 5 instructions a word, one exclusive pair that refuses a 1; 4 where it does.
#[inline(always)]
pub(super) fn decrement_group(words: [&AtomicU32; GROUP]) -> u32 {
    let [a, b, c, d, e, f, g, h] = words;
    let lone: u32;
    // SAFETY: reads and writes nothing but the words, which may change under a shared reference, by atomic accesses only. None is 0. LDXR to
    // STLXR there is no other access to memory.
    unsafe {
        asm!(
            unshare!("a", "30", "40"),
            unshare!("b", "31", "41"),
            unshare!("c", "32", "42"),
            unshare!("d", "33", "43"),
            unshare!("e", "34", "44"),
            unshare!("f", "35", "45"),
            unshare!("g", "36", "46"),
            unshare!("h", "37", "47"),
            "b 5f",
            noted!("30", "1", "40"),
            noted!("31", "2", "41"),
            noted!("32", "4", "42"),
            noted!("33", "8", "43"),
            noted!("34", "16", "44"),
            noted!("35", "32", "45"),
            noted!("36", "64", "46"),
            noted!("37", "128", "47"),
            "5:",
            a = in(reg) a,
            b = in(reg) b,
            c = in(reg) c,
            d = in(reg) d,
            e = in(reg) e,
            f = in(reg) f,
            g = in(reg) g,
            h = in(reg) h,
            lone = inout(reg) 0_u32 => lone,
            count = out(reg) _,
            has_failed = out(reg) _,
            options(nostack),
        );
    }
    lone
}
