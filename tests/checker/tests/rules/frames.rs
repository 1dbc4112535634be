//! Frames that are taken for something new.

use crate::board::{BASE, Board, KERNEL, LEVEL2, LEVEL3, ONE, OTHER_LEVEL3, PAGE, TABLE};
use checker::instruction::{Accesses, Cache, Domain, Operation, Scope};

#[test]
fn a_frame_is_taken_only_when_nothing_reaches_it() {
    for has_flush in [true, false] {
        let mut board = Board::new();
        board.store_as_program(1);
        board.store(LEVEL3, 0);
        board.dsb(Accesses::Stores);
        if has_flush {
            board.tlbi(Scope::Leaf, Domain::Inner);
        }
        board.dsb(Accesses::All);
        board.system(0, Operation::Cache(Cache::Zero), ONE - BASE + KERNEL);
        board.expect(if has_flush {
            &[]
        } else {
            &["FRAME-STILL-REACHABLE"]
        });
    }
}

#[test]
fn what_was_a_table_becomes_a_page_only_when_no_walk_begins_there() {
    for scope in [Scope::Address, Scope::Leaf] {
        let mut board = Board::new();
        board.store(LEVEL2 + 24, OTHER_LEVEL3 | TABLE);
        board.store_as_program(1);
        board.store(LEVEL3, 0);
        board.store(LEVEL2 + 16, 0);
        board.dsb(Accesses::Stores);
        board.tlbi(scope, Domain::Inner);
        board.dsb(Accesses::All);
        board.store(OTHER_LEVEL3, LEVEL3 | PAGE);
        board.expect(if scope == Scope::Address {
            &[]
        } else {
            &["TABLE-STILL-REACHABLE"]
        });
    }
}

#[test]
fn a_table_is_taken_only_when_no_walk_begins_there() {
    for scope in [Scope::Address, Scope::Leaf] {
        let mut board = Board::new();
        board.store_as_program(1);
        board.store(LEVEL2 + 16, 0);
        board.dsb(Accesses::Stores);
        board.tlbi(scope, Domain::Inner);
        board.dsb(Accesses::All);
        board.system(0, Operation::Cache(Cache::Zero), LEVEL3 - BASE + KERNEL);
        board.expect(if scope == Scope::Address {
            &[]
        } else {
            &["TABLE-STILL-REACHABLE"]
        });
    }
}
