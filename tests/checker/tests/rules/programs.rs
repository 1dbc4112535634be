//! Programs that begin.

use crate::board::{ASID, Board, OTHER_LEVEL3};
use checker::instruction::{Operation, Register};

#[test]
fn a_program_begins_in_a_space_of_its_own() {
    for has_entered in [true, false] {
        let mut board = Board::new();
        if has_entered {
            board.write(1, Register::Ttbr0, OTHER_LEVEL3 | (ASID + 1) << 48);
            board.system(1, Operation::Isb, 0);
        }
        // An interrupt may come before the first instruction has left anything in a register.
        board.begin_program(1);
        board.begin_program(1);
        board.go_to_user(1);
        board.expect(if has_entered { &[] } else { &["SPACE-NOT-ENTERED"] });
    }
}
