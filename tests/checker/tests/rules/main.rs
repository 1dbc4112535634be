//! Each rule, by events made by hand: the right order says nothing, and each thing left out is named.

mod board;
mod devices;
mod frames;
mod locks;
mod off;
mod order;
mod programs;

use board::*;
use checker::instruction::{Access, Accesses, Cache, Domain, Operation, Register, Scope};

fn unmap(board: &mut Board) {
    board.store(LEVEL3, 0);
}

type Step = fn(&mut Board);
type StepOnLine = fn(&mut Board, u64);

/// The whole of a change of the page's frame, by which no rule is broken.
fn replace(board: &mut Board, without: &str) {
    let steps: [(&str, Step); 7] = [
        ("fill", |board| board.store(TWO, 7)),
        ("break", unmap),
        ("first DSB", |board| board.dsb(Accesses::Stores)),
        ("TLBI", |board| board.tlbi(Scope::Address, Domain::Inner)),
        ("second DSB", |board| board.dsb(Accesses::All)),
        ("make", |board| board.store(LEVEL3, TWO | PAGE)),
        ("last DSB", |board| board.dsb(Accesses::Stores)),
    ];
    board.store_as_program(0);
    board.store_as_program(1);
    for (name, step) in steps {
        if name != without {
            step(board);
        }
    }
    board.go_to_user(0);
    board.store_as_program(0);
    board.store_as_program(1);
}

#[test]
fn a_page_that_is_replaced_in_order_breaks_no_rule() {
    let mut board = Board::new();
    replace(&mut board, "");
    board.expect(&[]);
    assert!(board.machine.report.watched.table_stores >= 2);
}

#[test]
fn each_step_of_a_replacement_is_missed() {
    let missing: [(&str, &[&str]); 4] = [
        (
            "break",
            &["BREAK-BEFORE-MAKE", "TLBI-BEFORE-DSB", "MAKE-BEFORE-FLUSH"],
        ),
        ("first DSB", &["TLBI-BEFORE-DSB"]),
        ("TLBI", &["MAKE-BEFORE-FLUSH", "STALE-TLB", "STALE-LEVEL-3"]),
        ("second DSB", &["MAKE-BEFORE-FLUSH"]),
    ];
    for (step, rules) in missing {
        let mut board = Board::new();
        replace(&mut board, step);
        let first = rules[0];
        assert!(
            board.machine.report.count(first) > 0,
            "without {step}: {first} was not noticed"
        );
    }
}

#[test]
fn a_flush_of_one_processor_is_not_enough() {
    let mut board = Board::new();
    board.store_as_program(1);
    board.store(LEVEL3, ONE | PAGE | READ_ONLY);
    board.dsb(Accesses::Stores);
    board.tlbi(Scope::Address, Domain::Local);
    board.dsb(Accesses::All);
    board.go_to_user(0);
    board.load_as_program(1);
    assert!(board.machine.report.count("STALE-TLB") > 0);
}

#[test]
fn a_leaf_flush_leaves_the_walk_caches() {
    let mut board = Board::new();
    board.store_as_program(1);
    // The table of another space with the page read-only, put in place of the old one.
    board.store(OTHER_LEVEL3, ONE | PAGE | READ_ONLY);
    board.dsb(Accesses::Stores);
    board.store(LEVEL2 + 16, 0);
    board.dsb(Accesses::Stores);
    board.tlbi(Scope::Leaf, Domain::Inner);
    board.dsb(Accesses::All);
    board.store(LEVEL2 + 16, OTHER_LEVEL3 | TABLE);
    board.dsb(Accesses::Stores);
    board.expect(&["MAKE-BEFORE-FLUSH"]);
    board.go_to_user(0);
    board.load_as_program(1);
    board.expect(&["MAKE-BEFORE-FLUSH", "STALE-WALK-CACHE"]);
}

#[test]
fn a_page_is_published_behind_a_barrier() {
    for accesses in [None, Some(Accesses::Stores)] {
        let mut board = Board::new();
        board.store(TWO, 7);
        if let Some(accesses) = accesses {
            board.system(0, Operation::Dmb(Domain::Inner, accesses), 0);
        }
        board.store(LEVEL3 + 8, TWO | PAGE);
        board.expect(if accesses.is_none() {
            &["PUBLISH-BEFORE-BARRIER"]
        } else {
            &[]
        });
    }
}

#[test]
fn maintenance_is_complete_before_a_program_runs() {
    let mut board = Board::new();
    unmap(&mut board);
    board.dsb(Accesses::Stores);
    board.tlbi(Scope::Asid, Domain::Inner);
    board.go_to_user(0);
    assert!(board.machine.report.count("PENDING-TLBI") > 0);
    let mut board = Board::new();
    board.store_as_program(0);
    unmap(&mut board);
    board.go_to_user(0);
    board.expect(&["PENDING-STORE", "STALE-TLB", "STALE-LEVEL-3"]);
}

#[test]
fn another_processors_unfinished_change_excuses_an_access() {
    let mut board = Board::new();
    board.store_as_program(1);
    unmap(&mut board);
    board.store_as_program(1);
    board.expect(&[]);
}

#[test]
fn two_spaces_never_run_under_one_asid() {
    let mut board = Board::new();
    board.write(1, Register::Ttbr0, OTHER_LEVEL3 | ASID << 48);
    board.system(1, Operation::Isb, 0);
    board.go_to_user(1);
    board.go_to_user(0);
    board.expect(&["SHARED-ASID"]);
}

#[test]
fn a_processor_that_leaves_a_space_may_be_late() {
    let mut board = Board::new();
    board.write(1, Register::Ttbr0, OTHER_LEVEL3 | ASID << 48);
    board.system(1, Operation::Isb, 0);
    board.go_to_user(1);
    board.write(0, Register::Ttbr0, OTHER_LEVEL3 | (ASID + 1) << 48);
    board.system(0, Operation::Isb, 0);
    board.go_to_user(0);
    board.expect(&[]);
}

#[test]
fn a_reused_asid_is_flushed_first() {
    let mut board = Board::new();
    board.store_as_program(1);
    board.write(1, Register::Ttbr0, OTHER_LEVEL3 | 6 << 48);
    board.write(0, Register::Ttbr0, OTHER_LEVEL3 | 6 << 48);
    board.expect(&[]);
    // The number goes to an empty space.
    board.write(1, Register::Ttbr0, (BASE + 0x8000) | ASID << 48);
    board.expect(&["STALE-TLB", "STALE-WALK-CACHE"]);
}

#[test]
fn user_memory_is_the_kernels_by_ldtr_alone_and_behind_an_isb() {
    let mut board = Board::new();
    board.store_as_program(0);
    board.access(0, KERNEL_CODE, Access::Unprivileged, ADDRESS, None);
    board.expect(&[]);
    board.access(0, KERNEL_CODE, Access::Plain, ADDRESS, None);
    board.expect(&["PLAIN-ACCESS"]);
    let mut board = Board::new();
    board.write(0, Register::Ttbr0, ROOT | ASID << 48);
    board.access(0, KERNEL_CODE, Access::Unprivileged, ADDRESS, Some(1));
    board.expect(&["NO-ISB"]);
}

#[test]
fn an_access_that_no_table_allows_is_named() {
    let mut board = Board::new();
    board.store(LEVEL3 + 8, TWO | PAGE | READ_ONLY);
    board.dsb(Accesses::Stores);
    board.access(0, CODE, Access::Plain, ADDRESS + 4096, Some(1));
    board.expect(&["ILLEGAL-ACCESS"]);
}

#[test]
fn a_program_reads_nothing_that_nobody_stored() {
    let mut board = Board::new();
    board.load_as_program(0);
    board.expect(&["UNINITIALISED"]);
    let mut board = Board::new();
    board.store_as_program(0);
    board.load_as_program(0);
    board.expect(&[]);
}

/// The program's page holds new instructions, and is executed.
fn patch(without: &str) -> Board {
    let mut board = Board::new();
    let line = ONE - BASE + KERNEL;
    let steps: [(&str, StepOnLine); 4] = [
        ("DC", |board, line| {
            board.system(0, Operation::Cache(Cache::CleanToUnification), line);
        }),
        ("first DSB", |board, _| board.dsb(Accesses::All)),
        ("IC", |board, line| {
            board.system(0, Operation::Cache(Cache::InvalidateInstructions), line);
        }),
        ("second DSB", |board, _| board.dsb(Accesses::All)),
    ];
    board.store(ONE, 0xd503_201f_d503_201f);
    for (name, step) in steps {
        if name != without {
            step(&mut board, line);
        }
    }
    board.system(0, Operation::ExceptionReturn, 1);
    board.machine.user_block(0, ADDRESS, 4);
    board
}

#[test]
fn new_instructions_are_cleaned_and_invalidated() {
    patch("").expect(&[]);
    patch("DC").expect(&["STALE-INSTRUCTIONS"]);
    patch("IC").expect(&["STALE-INSTRUCTIONS"]);
    patch("first DSB").expect(&["IC-BEFORE-DSB"]);
    patch("second DSB").expect(&["PENDING-IC"]);
}

#[test]
fn entries_of_each_half_are_of_its_kind() {
    let mut board = Board::new();
    board.store(KERNEL_ROOT + 16, (BASE + 0x4000_0000) | BLOCK & !(1 << 53));
    board.expect(&["KERNEL-ENTRY"]);
    let mut board = Board::new();
    board.store(LEVEL3 + 8, TWO | PAGE & !(1 << 11));
    board.expect(&["USER-ENTRY"]);
}

#[test]
fn what_is_stored_uncached_is_invalidated_before_it_is_walked() {
    for has_invalidation in [true, false] {
        let mut board = Board::new();
        board.write(1, Register::Sctlr, 0);
        board.access(1, CODE, Access::Plain, OTHER_LEVEL3, Some(ONE | PAGE));
        if has_invalidation {
            board.system(1, Operation::Cache(Cache::Invalidate), OTHER_LEVEL3);
        }
        board.store(LEVEL2 + 24, OTHER_LEVEL3 | TABLE);
        board.expect(if has_invalidation {
            &[]
        } else {
            &["STORED-UNCACHED"]
        });
    }
}

#[test]
fn what_is_stored_through_caches_is_cleaned_before_it_is_read_past_them() {
    let mut board = Board::new();
    board.store(TWO, 1);
    board.write(1, Register::Sctlr, 0);
    board.access(1, KERNEL_CODE & 0xffff_ffff, Access::Plain, TWO, None);
    board.expect(&["READ-UNCACHED"]);
}

#[test]
fn what_never_may_be_is_named() {
    let mut board = Board::new();
    board.system(0, Operation::Cache(Cache::BySetAndWay), 0);
    board.write(0, Register::Mair, 0xff);
    board.system(0, Operation::Cache(Cache::Zero), LEVEL3 - BASE + KERNEL);
    board.store(LEVEL2 + 24, 0x1000 | TABLE);
    board.expect(&[
        "SET-AND-WAY",
        "MAIR-LIVE",
        "NO-ISB",
        "ZERO-TABLE",
        "TABLE-OUTSIDE",
    ]);
}

/// A processor that is switched on, and what it does before its MMU is on.
fn boot(without: &str) -> Board {
    type Step = (&'static str, Operation);
    let steps: [Step; 4] = [
        ("TLBI", Operation::Tlbi(Scope::All, Domain::Local)),
        ("IC", Operation::Cache(Cache::InvalidateAllInstructions)),
        ("DSB", Operation::Dsb(Domain::Local, Accesses::All)),
        ("ISB", Operation::Isb),
    ];
    let mut board = Board::new();
    board.write(2, Register::Tcr, 25 << 16 | 25);
    board.write(2, Register::Ttbr1, KERNEL_ROOT);
    for (name, operation) in steps {
        if name != without {
            board.system(2, operation, 0);
        }
    }
    board.write(2, Register::Sctlr, 1);
    board
}

#[test]
fn nothing_is_left_of_what_power_or_firmware_brought() {
    boot("").expect(&[]);
    boot("TLBI").expect(&["NEVER-INVALIDATED"]);
    boot("IC").expect(&["NEVER-INVALIDATED"]);
    boot("DSB").expect(&["PENDING-TLBI", "PENDING-IC", "NEVER-INVALIDATED"]);
    boot("ISB").expect(&["NO-ISB"]);
}

#[test]
fn a_new_entry_of_the_kernels_is_used_behind_a_dsb() {
    for has_dsb in [true, false] {
        let mut board = Board::new();
        board.store(KERNEL_ROOT + 16, BASE | BLOCK);
        if has_dsb {
            board.dsb(Accesses::Stores);
            board.system(0, Operation::Isb, 0);
        }
        board.access(0, KERNEL_CODE, Access::Plain, KERNEL + 0x4000_0000, None);
        board.expect(if has_dsb { &[] } else { &["USE-BEFORE-DSB"] });
    }
}

#[test]
fn tables_that_were_left_are_flushed() {
    const OTHER_ROOT: u64 = BASE + 0x9000;
    const EMPTY: u64 = BASE + 0xa000;
    for has_flush in [true, false] {
        let mut board = boot("");
        board.system(2, Operation::Isb, 0);
        board.machine.ram.write(OTHER_ROOT + 8, BASE | BLOCK);
        board.write(2, Register::Ttbr1, EMPTY);
        board.system(2, Operation::Isb, 0);
        if has_flush {
            board.system(2, Operation::Tlbi(Scope::All, Domain::Local), 0);
            board.system(2, Operation::Dsb(Domain::Local, Accesses::All), 0);
        }
        board.write(2, Register::Ttbr1, OTHER_ROOT);
        board.expect(if has_flush { &[] } else { &["ROOT-BEFORE-FLUSH"] });
    }
}

#[test]
fn another_processor_is_interrupted_when_the_stores_are_there() {
    for has_dsb in [true, false] {
        let mut board = Board::new();
        board.access(0, KERNEL_CODE, Access::Ordered, TWO - BASE + KERNEL, Some(0));
        if has_dsb {
            board.dsb(Accesses::Stores);
        }
        board.device(0, 0x0800_0f00, Some(1));
        board.expect(if has_dsb { &[] } else { &["DOORBELL-BEFORE-DSB"] });
    }
}
