//! The model against traces that were counted by hand.

use misses::counts::Counts;
use misses::ledger::{Ledger, Mark};
use misses::model::{Kind, Memory, Model, Zva};
use misses::regime::Regime;
use misses::tlb::Forget;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

type Words = Rc<RefCell<HashMap<u64, u64>>>;

struct Ram(Words);

impl Memory for Ram {
    fn word(&self, address: u64) -> u64 {
        self.0.borrow().get(&address).copied().unwrap_or_default()
    }
}

/// The root of a space of 39 bits, its one table of each level.
const ROOT: u64 = 0x10_0000;
const MIDDLE: u64 = 0x10_1000;
const LAST: u64 = 0x10_2000;
/// Where pages 0 to 511 lie.
const FRAMES: u64 = 0x80_0000;
const SPACE: u64 = 5;
const NOT_GLOBAL: u64 = 1 << 11;
/// Bytes from one line of a set of L1D to the next: 32 KiB in two ways.
const L1D_WAY: u64 = 16 << 10;

/// Pages 0 to 511 of space 5, of 4 KiB each, and from 2 MiB on a block.
fn machine(zva: Zva) -> (Model<Ram>, Words) {
    let words = Words::default();
    let mut all = HashMap::from([
        (ROOT, MIDDLE | 3),
        (MIDDLE, LAST | 3),
        (MIDDLE + 8, 0x20_0000 | 1),
    ]);
    all.extend((0..512).map(|page| (LAST + page * 8, (FRAMES + page * 4096) | NOT_GLOBAL | 3)));
    *words.borrow_mut() = all;
    let mut model = Model::new(Ram(Rc::clone(&words)), zva);
    model.set_regime(regime(SPACE));
    (model, words)
}

fn regime(asid: u64) -> Regime {
    Regime {
        ttbr: [asid << 48 | ROOT, 0],
        tcr: 25 | 25 << 16,
    }
}

fn taken(model: &mut Model<Ram>) -> Counts {
    std::mem::take(&mut model.counts)
}

fn load(model: &mut Model<Ram>, address: u64) {
    model.access(address, 8, false);
}

#[test]
fn the_first_load_walks_through_three_tables_and_reads_four_lines() {
    let (mut model, _) = machine(Zva::Claims);
    load(&mut model, 0x3008);
    let expected = Counts {
        l1d: 1,
        // Three entries of tables, each in a line of its own, and the data.
        l2: 4,
        tlb1: 1,
        walks: 1,
        walk_loads: 3,
        ..Counts::default()
    };
    assert_eq!(taken(&mut model), expected);
    // The same line again: nothing. The next line of the page: a line, beside one that was just missed.
    load(&mut model, 0x3030);
    assert_eq!(taken(&mut model), Counts::default());
    load(&mut model, 0x3040);
    let neighbour = Counts {
        l1d: 1,
        l2: 1,
        in_a_row: 1,
        ..Counts::default()
    };
    assert_eq!(taken(&mut model), neighbour);
    // The next page: the walk goes on from the last table, whose line is there, for it holds eight entries.
    load(&mut model, 0x4000);
    let next_page = Counts {
        l1d: 1,
        l2: 1,
        tlb1: 1,
        walks: 1,
        walk_loads: 1,
        ..Counts::default()
    };
    assert_eq!(taken(&mut model), next_page);
}

#[test]
fn an_access_over_two_lines_is_two() {
    let (mut model, _) = machine(Zva::Claims);
    load(&mut model, 0x3000);
    let _ = taken(&mut model);
    model.access(0x307c, 8, false);
    assert_eq!(taken(&mut model).l1d, 2);
}

#[test]
fn the_line_goes_that_was_used_longest_ago() {
    let (mut model, _) = machine(Zva::Claims);
    let [a, b, c] = [0, L1D_WAY, 2 * L1D_WAY];
    for address in [a, b, a, c] {
        load(&mut model, address);
    }
    assert_eq!(taken(&mut model).l1d, 3);
    // Two ways: b went, a stayed.
    load(&mut model, a);
    assert_eq!(taken(&mut model).l1d, 0);
    load(&mut model, b);
    let from_l2 = taken(&mut model);
    assert_eq!((from_l2.l1d, from_l2.l2), (1, 0));
}

#[test]
fn a_store_reads_its_line_and_goes_back_to_memory_once() {
    let (mut model, _) = machine(Zva::Claims);
    model.access(0, 8, true);
    assert_eq!(taken(&mut model).l2, 4);
    // L2 has sixteen ways of 64 KiB. The second line of the set throws the store out of L1, which makes it the latest of L2:
    // the sixteenth there is the fifteenth line, and the next three throw out the first, the second and it.
    for way in 1..=17 {
        load(&mut model, way << 16);
    }
    assert_eq!(taken(&mut model).written_back, 0);
    load(&mut model, 18 << 16);
    let counts = taken(&mut model);
    assert_eq!((counts.l1d, counts.written_back), (1, 1));
}

#[test]
fn dc_zva_reads_nothing_or_all() {
    for (zva, read, claimed) in [(Zva::Claims, 0, 64), (Zva::Fills, 64, 0)] {
        let (mut model, _) = machine(zva);
        load(&mut model, 0x1000);
        load(&mut model, 0x2000);
        let _ = taken(&mut model);
        for line in 0..64 {
            // Of page 2 the first line is there.
            model.zero(0x5000 + line * 64);
        }
        let counts = taken(&mut model);
        assert_eq!((counts.l2, counts.claimed), (read, claimed), "{zva:?}");
        model.access(0x5000, 8, true);
        assert_eq!(taken(&mut model).l1d, 0);
        model.zero(0x2000);
        assert_eq!(taken(&mut model), Counts::default());
    }
}

#[test]
fn nobody_waits_for_what_was_asked_for_ahead() {
    let (mut model, _) = machine(Zva::Claims);
    // No translation: nothing comes.
    model.prefetch(0x1040);
    assert_eq!(taken(&mut model), Counts::default());
    load(&mut model, 0x1000);
    let _ = taken(&mut model);
    model.prefetch(0x1040);
    load(&mut model, 0x1040);
    assert_eq!(
        taken(&mut model),
        Counts {
            ahead: 1,
            ..Counts::default()
        }
    );
}

#[test]
fn a_first_tlb_has_32_entries_and_the_second_the_rest() {
    let (mut model, _) = machine(Zva::Claims);
    for page in 0..33 {
        load(&mut model, page << 12);
    }
    let first = taken(&mut model);
    assert_eq!((first.tlb1, first.walks, first.walk_loads), (33, 33, 35));
    // Page 0 was used longest ago.
    load(&mut model, 0);
    let again = taken(&mut model);
    assert_eq!((again.tlb1, again.walks), (1, 0));
    load(&mut model, 32 << 12);
    assert_eq!(taken(&mut model).tlb1, 0);
}

#[test]
fn a_block_has_two_translations_in_the_first_tlb_and_one_in_the_second() {
    let (mut model, _) = machine(Zva::Claims);
    load(&mut model, 0x20_0000);
    let first = taken(&mut model);
    assert_eq!((first.tlb1, first.walks, first.walk_loads), (1, 1, 2));
    load(&mut model, 0x2f_f000);
    assert_eq!(taken(&mut model).tlb1, 0);
    load(&mut model, 0x30_0000);
    let second = taken(&mut model);
    assert_eq!((second.tlb1, second.walks), (1, 0));
}

#[test]
fn sixteen_neighbours_that_say_so_have_one_translation() {
    let (mut model, words) = machine(Zva::Claims);
    for page in 16..32 {
        *words.borrow_mut().get_mut(&(LAST + page * 8)).expect("an entry") |= 1 << 52;
    }
    for page in 16..32 {
        load(&mut model, page << 12);
    }
    assert_eq!(taken(&mut model).walks, 1);
}

#[test]
fn a_tlbi_forgets_what_it_says_and_no_more() {
    let (mut model, words) = machine(Zva::Claims);
    let walks = |model: &mut Model<Ram>, pages: &[u64]| {
        pages.iter().for_each(|page| load(model, page << 12));
        let counts = taken(model);
        (counts.walks, counts.walk_loads)
    };
    assert_eq!(walks(&mut model, &[1, 2]), (2, 4));
    model.forget(Forget::Page(1, SPACE), false);
    assert_eq!(walks(&mut model, &[1, 2]), (1, 1), "the leaf alone");
    model.forget(Forget::Page(1, SPACE), true);
    assert_eq!(walks(&mut model, &[1, 2]), (1, 3), "the way there too");
    model.forget(Forget::Page(1, SPACE + 1), true);
    assert_eq!(walks(&mut model, &[1, 2]), (0, 0), "of another space");
    model.forget(Forget::Space(SPACE), true);
    assert_eq!(walks(&mut model, &[1, 2]), (2, 4));
    // Another space has other translations, unless an entry is global.
    model.set_regime(regime(SPACE + 1));
    assert_eq!(walks(&mut model, &[1]).0, 1);
    *words.borrow_mut().get_mut(&(LAST + 7 * 8)).expect("an entry") &= !NOT_GLOBAL;
    assert_eq!(walks(&mut model, &[7]).0, 1);
    model.set_regime(regime(SPACE));
    assert_eq!(walks(&mut model, &[1, 7]).0, 0);
}

#[test]
fn what_is_not_mapped_is_walked_for_each_time() {
    let (mut model, _) = machine(Zva::Claims);
    load(&mut model, 0x40_0000);
    let counts = taken(&mut model);
    assert_eq!((counts.walks, counts.walk_loads, counts.l1d), (1, 2, 0));
    load(&mut model, 0x40_0000);
    assert_eq!(taken(&mut model).walk_loads, 1);
}

#[test]
fn instructions_have_three_ways_and_miss_once_a_line() {
    let (mut model, _) = machine(Zva::Claims);
    for pc in (0..256).step_by(4) {
        model.fetch(pc);
    }
    let counts = taken(&mut model);
    assert_eq!((counts.instructions, counts.l1i, counts.l1d), (64, 4, 0));
    // 48 KiB in three ways: four lines 16 KiB apart do not fit.
    for pc in [0, L1D_WAY, 2 * L1D_WAY, 3 * L1D_WAY, 0] {
        model.fetch(pc);
    }
    assert_eq!(taken(&mut model).l1i, 4);
}

#[test]
fn the_ledger_sums_the_measured_parts_of_repeats() {
    let (mut model, _) = machine(Zva::Claims);
    model.missed = Some(Vec::new());
    let mut ledger = Ledger::default();
    let mut part = |ledger: &mut Ledger| {
        load(&mut model, 0x9000);
        ledger.begin(&mut model);
        load(&mut model, 0x1000);
        ledger.end(&mut model);
    };
    part(&mut ledger); // Before any row: not counted.
    ledger.mark(Mark::Row);
    ledger.mark(Mark::Cold);
    part(&mut ledger);
    ledger.mark(Mark::Warm);
    part(&mut ledger);
    part(&mut ledger);
    ledger.mark(Mark::Over);
    part(&mut ledger);
    let text = ledger.text();
    let lines: Vec<&str> = text.lines().collect();
    // Four lines from memory at 130 cycles, TLB and walk 17, three loads of it 12; then one line of L2.
    assert_eq!(lines[0], "deed 1 cold 1 549 0 0 1 4 0 0 0 0 1 1 3 0 0 0 0");
    assert_eq!(lines[1], "deed 1 warm 2 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0");
    assert_eq!(lines.len(), 2);
}

#[test]
fn missed_lines_are_named() {
    let (mut model, _) = machine(Zva::Claims);
    model.missed = Some(Vec::new());
    model.fetch(0x2004);
    load(&mut model, 0x1048);
    let missed = model.missed.take().expect("wanted");
    let data = missed.last().expect("a miss");
    assert_eq!((data.kind, data.address, data.pc), (Kind::Data, 0x1040, 0x2004));
    let walks = missed.iter().filter(|miss| miss.kind == Kind::Walk).count();
    assert_eq!((walks, missed.len()), (3, 5));
}
